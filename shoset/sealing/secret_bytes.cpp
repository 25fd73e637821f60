#include "shoset/sealing/secret_bytes.hpp"

#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include <cstring>
#include <utility>

namespace mesh::sealing {

namespace {

constexpr int alphabet = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

}  // namespace

Seed Seed::make(Rng& rng)
{
    Seed seed;
    for (std::size_t at = 0; at < seedBytes; at += sizeof(std::uint64_t)) {
        std::uint64_t word = rng.next();
        std::memcpy(seed.bytes.data() + at, &word, sizeof word);
        sodium_memzero(&word, sizeof word);
    }
    return seed;
}

Result<Seed> Seed::parse(std::string_view text)
{
    Result<std::string> raw = fromBase64(text);
    if (!raw) {
        return raw.error();
    }
    Result<Seed> seed = fromBytes(*raw);
    mesh::sealing::wipe(*raw);
    return seed;
}

Result<Seed> Seed::fromBytes(std::string_view raw)
{
    if (raw.size() != seedBytes) {
        return Error{Code::corrupt, "what should be a key is none"};
    }
    Seed seed;
    std::memcpy(seed.bytes.data(), raw.data(), seedBytes);
    return seed;
}

Seed::Seed(Seed&& other) noexcept : bytes(other.bytes)
{
    other.wipe();
}

Seed& Seed::operator=(Seed&& other) noexcept
{
    if (this != &other) {
        bytes = other.bytes;
        other.wipe();
    }
    return *this;
}

Seed::~Seed()
{
    wipe();
}

void Seed::wipe()
{
    sodium_memzero(bytes.data(), bytes.size());
}

std::string Seed::text() const
{
    return toBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Seed Seed::derive(std::string_view purpose) const
{
    Seed out;
    crypto_generichash(out.bytes.data(), out.bytes.size(), reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(),
                       bytes.data(), bytes.size());
    return out;
}

bool Seed::operator==(const Seed& other) const
{
    return sodium_memcmp(bytes.data(), other.bytes.data(), bytes.size()) == 0;
}

SecretText::SecretText(std::string_view text) : bytes(text.begin(), text.end()) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept
{
    if (this != &other) {
        sodium_memzero(bytes.data(), bytes.size());
        bytes = std::move(other.bytes);
    }
    return *this;
}

SecretText::~SecretText()
{
    sodium_memzero(bytes.data(), bytes.size());
}

void SecretText::shorten(std::size_t size)
{
    if (size < bytes.size()) {
        sodium_memzero(bytes.data() + size, bytes.size() - size);
        bytes.resize(size);
    }
}

void wipe(std::string& text)
{
    text.resize(text.capacity());  // what it was longer by before is still there
    sodium_memzero(text.data(), text.size());
    text.clear();
}

std::string toBase64(std::string_view raw)
{
    std::string text(sodium_base64_encoded_len(raw.size(), alphabet), '\0');
    sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(raw.data()), raw.size(), alphabet);
    text.pop_back();  // its terminator
    return text;
}

Result<std::string> fromBase64(std::string_view text)
{
    std::string raw(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    const int read = sodium_base642bin(reinterpret_cast<unsigned char*>(raw.data()), raw.size(), text.data(), text.size(), nullptr,
                                       &size, &end, alphabet);
    if (read != 0 || end != text.data() + text.size()) {
        wipe(raw);
        return Error{Code::corrupt, "what should be base64 is not"};
    }
    raw.resize(size);
    return raw;
}

}  // namespace mesh::sealing
