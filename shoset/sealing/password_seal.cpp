#include "shoset/sealing/password_seal.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/crypto_box.h>
#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <optional>

namespace mesh::sealing {

namespace {

constexpr std::size_t boxKeyBytes = crypto_box_PUBLICKEYBYTES;
constexpr std::size_t sealOverhead = boxKeyBytes + crypto_box_MACBYTES;
static_assert(limits::maxPasswordBytes + limits::sealedPasswordBlock + sealOverhead <= limits::maxSealedPasswordBytes);

// The pair that a seed makes; its secret half is wiped.
struct PasswordPair {
    explicit PasswordPair(const Seed& seed) { crypto_box_seed_keypair(publicKey.data(), secret.data(), seed.data()); }
    PasswordPair(const PasswordPair&) = delete;
    PasswordPair& operator=(const PasswordPair&) = delete;
    ~PasswordPair() { sodium_memzero(secret.data(), secret.size()); }
    std::array<unsigned char, boxKeyBytes> publicKey{};
    std::array<unsigned char, crypto_box_SECRETKEYBYTES> secret{};
};

// As of crypto_box_seal(), and of the use: with another one the box does not open.
std::array<unsigned char, crypto_box_NONCEBYTES> nonceFor(const unsigned char* ephemeral, const unsigned char* key, const PasswordUse& use)
{
    crypto_generichash_state hash;
    std::array<unsigned char, crypto_box_NONCEBYTES> nonce{};
    crypto_generichash_init(&hash, nullptr, 0, nonce.size());
    crypto_generichash_update(&hash, ephemeral, boxKeyBytes);
    crypto_generichash_update(&hash, key, boxKeyBytes);
    for (const std::string_view part : {std::string_view("bmcmesh password 1"), std::string_view(use.tenant), std::string_view(use.source),
                                        std::string_view(use.hostName), std::string_view(use.userName)}) {
        const std::string size = std::to_string(part.size()) + ":";
        crypto_generichash_update(&hash, reinterpret_cast<const unsigned char*>(size.data()), size.size());
        crypto_generichash_update(&hash, reinterpret_cast<const unsigned char*>(part.data()), part.size());
    }
    crypto_generichash_final(&hash, nonce.data(), nonce.size());
    return nonce;
}

// What stands behind `word` in the first line, which goes.
std::optional<std::string> takeLoginLine(std::string_view& text, std::string_view word)
{
    const std::size_t end = text.find('\n');
    if (!text.starts_with(word) || end == std::string_view::npos || end < word.size()) {
        return std::nullopt;
    }
    std::string rest(text.substr(word.size(), end - word.size()));
    text.remove_prefix(end + 1);
    return rest;
}

}  // namespace

Result<std::string> sealPassword(std::string_view password, const PasswordUse& use, const std::string& key, Rng& rng)
{
    if (password.size() > limits::maxPasswordBytes) {
        return Error{Code::tooLarge, "a password has at most " + std::to_string(limits::maxPasswordBytes) + " bytes"};
    }
    SecretText padded(password.size() + limits::sealedPasswordBlock);
    std::memcpy(padded.data(), password.data(), password.size());
    std::size_t length = 0;
    if (key.size() != boxKeyBytes ||
        sodium_pad(&length, padded.data(), password.size(), limits::sealedPasswordBlock, padded.size()) != 0) {
        return Error{Code::invalidArgument, "nothing can be sealed to that key"};
    }
    const PasswordPair ephemeral(Seed::make(rng));
    const auto* recipient = reinterpret_cast<const unsigned char*>(key.data());
    const auto nonce = nonceFor(ephemeral.publicKey.data(), recipient, use);
    std::string box(sealOverhead + length, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(box.data());
    std::memcpy(out, ephemeral.publicKey.data(), boxKeyBytes);
    if (crypto_box_easy(out + boxKeyBytes, padded.data(), length, nonce.data(), recipient, ephemeral.secret.data()) != 0) {
        return Error{Code::invalidArgument, "nothing can be sealed to that key"};
    }
    return box;
}

Result<SecretText> openPassword(std::string_view box, const PasswordUse& use, const Seed& own)
{
    const Error foreign{Code::permissionDenied, "it was not sealed to this node's key, or for another BMC, address or user"};
    if (box.size() <= sealOverhead || box.size() > limits::maxSealedPasswordBytes) {
        return foreign;
    }
    const PasswordPair pair(own);
    const auto* in = reinterpret_cast<const unsigned char*>(box.data());
    const auto nonce = nonceFor(in, pair.publicKey.data(), use);
    SecretText padded(box.size() - sealOverhead);
    std::size_t length = 0;
    if (crypto_box_open_easy(padded.data(), in + boxKeyBytes, box.size() - boxKeyBytes, nonce.data(), in, pair.secret.data()) != 0 ||
        sodium_unpad(&length, padded.data(), padded.size(), limits::sealedPasswordBlock) != 0) {
        return foreign;
    }
    padded.shorten(length);
    return padded;
}

std::string sealedLoginText(const SealedLogin& login)
{
    return "tenant " + login.tenant + "\nsource " + login.source + "\nbox " + toBase64(login.box) + "\n";
}

Result<SealedLogin> parseSealedLogin(std::string_view text)
{
    const auto tenant = takeLoginLine(text, "tenant ");
    const auto source = takeLoginLine(text, "source ");
    const auto box = takeLoginLine(text, "box ");
    Result<std::string> raw = box ? fromBase64(*box) : Result<std::string>(Error{Code::corrupt, ""});
    if (!tenant || !source || !raw || !text.empty()) {
        return Error{Code::corrupt, "it is no sealed password"};
    }
    return SealedLogin{*tenant, *source, std::move(*raw)};
}

}  // namespace mesh::sealing
