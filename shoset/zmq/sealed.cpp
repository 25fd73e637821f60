#include "shoset/zmq/sealed.hpp"

#include "shoset/base/limits.hpp"

#include <sodium.h>
#include <zmq.h>

#include <array>

namespace mesh::shoset {

namespace {

constexpr std::size_t keyBytes = crypto_box_PUBLICKEYBYTES;
static_assert(keyBytes * 5 / 4 == keyChars && crypto_box_SECRETKEYBYTES == keyBytes);

using RawKey = std::array<unsigned char, keyBytes>;

const unsigned char* bytesOf(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytesOf(std::string& text)
{
    return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

void wipe(std::string& secret)
{
    secret.resize(secret.capacity());  // what it was longer by before is still there
    sodium_memzero(secret.data(), secret.size());
    secret.clear();
}

Result<std::string> seal(std::string_view secret, std::string_view key)
{
    RawKey recipient;
    if (!isValidKey(key) || zmq_z85_decode(recipient.data(), std::string(key).c_str()) == nullptr) {
        return Error{Code::invalidArgument, "\"" + std::string(key) + "\" is no public key"};
    }
    std::string padded;
    padded.reserve(secret.size() + limits::sealedPasswordBlock);
    padded = secret;
    padded.resize(secret.size() + limits::sealedPasswordBlock);
    std::size_t length = 0;
    sodium_pad(&length, bytesOf(padded), secret.size(), limits::sealedPasswordBlock, padded.size());
    std::string box(crypto_box_SEALBYTES + length, '\0');
    const bool sealed = crypto_box_seal(bytesOf(box), bytesOf(padded), length, recipient.data()) == 0;
    wipe(padded);
    if (!sealed) {
        return Error{Code::invalidArgument, "nothing can be sealed to key " + std::string(key)};
    }
    return box;
}

Result<std::string> unseal(std::string_view box, const KeyPair& own)
{
    const Error foreign{Code::permissionDenied, "it was not sealed to this node's key"};
    RawKey publicKey;
    RawKey secretKey;
    if (box.size() <= crypto_box_SEALBYTES || zmq_z85_decode(publicKey.data(), own.publicKey.c_str()) == nullptr ||
        zmq_z85_decode(secretKey.data(), own.secretKey.cString()) == nullptr) {
        return foreign;
    }
    std::string text(box.size() - crypto_box_SEALBYTES, '\0');
    const int opened = crypto_box_seal_open(bytesOf(text), bytesOf(box), box.size(), publicKey.data(), secretKey.data());
    sodium_memzero(secretKey.data(), secretKey.size());
    std::size_t length = 0;
    if (opened != 0 || sodium_unpad(&length, bytesOf(text), text.size(), limits::sealedPasswordBlock) != 0) {
        wipe(text);
        return foreign;
    }
    text.resize(length);
    return text;
}

}  // namespace mesh::shoset
