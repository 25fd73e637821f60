#include "aggregator/core/page_places.hpp"

#include "aggregator/core/query_options.hpp"
#include "shoset/base/limits.hpp"

#include <sodium/crypto_aead_xchacha20poly1305.h>

namespace mesh::aggregator {

namespace {

constexpr std::size_t nonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t digits = 20;  // of any id, so that its length tells nothing
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == sealing::seedBytes);

const unsigned char* rawIn(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

// What the seal is bound to: a place in one list is none in the other, and one of a tenant is nobody else's.
std::string boundTo(Paged what, std::string_view tenant)
{
    return (what == Paged::events ? "events " : "audit ") + std::string(tenant);
}

std::optional<std::uint64_t> idIn(std::string_view text)
{
    const std::optional<std::uint64_t> id = wholeNumber(text);
    return id && *id <= limits::maxEventNumber ? id : std::nullopt;
}

}  // namespace

std::string PagePlaces::text(Paged what, std::string_view tenant, std::uint64_t id, Rng& rng) const
{
    const std::string plain = std::to_string(id);
    if (tenant.empty()) {
        return plain;
    }
    const std::string padded = std::string(digits - plain.size(), '0') + plain;
    const std::string bound = boundTo(what, tenant);
    const std::string nonce = rng.bytes(nonceBytes);
    std::string box(digits + tagBytes, '\0');
    crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(box.data()), nullptr, rawIn(padded), padded.size(), rawIn(bound),
                                               bound.size(), nullptr, rawIn(nonce), key.data());
    return sealing::toBase64(nonce + box);
}

std::optional<std::uint64_t> PagePlaces::read(Paged what, std::string_view tenant, std::string_view text) const
{
    if (tenant.empty()) {
        return idIn(text);
    }
    const Result<std::string> sealed = sealing::fromBase64(text);
    if (!sealed || sealed->size() != nonceBytes + digits + tagBytes) {
        return std::nullopt;
    }
    const std::string_view box = std::string_view(*sealed).substr(nonceBytes);
    const std::string bound = boundTo(what, tenant);
    std::string padded(digits, '\0');
    const bool ours = crypto_aead_xchacha20poly1305_ietf_decrypt(reinterpret_cast<unsigned char*>(padded.data()), nullptr, nullptr, rawIn(box),
                                                                 box.size(), rawIn(bound), bound.size(), rawIn(*sealed), key.data()) == 0;
    return ours ? idIn(padded) : std::nullopt;
}

}  // namespace mesh::aggregator
