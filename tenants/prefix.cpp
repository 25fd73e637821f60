#include "tenants/prefix.hpp"

#include "shoset/base/ids.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>

namespace mesh::tenants {

namespace {

constexpr std::size_t firstLength = 6;
constexpr std::size_t lastLength = 16;

std::string upperHexOfSha256(std::string_view text)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    std::string hex = toHex({reinterpret_cast<const char*>(digest), sizeof(digest)});
    std::transform(hex.begin(), hex.end(), hex.begin(),
                   [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return hex;
}

}  // namespace

bool isUsableUuid(std::string_view uuid)
{
    return std::any_of(uuid.begin(), uuid.end(), [](char c) { return c != '0' && c != '-'; });
}

Result<std::string> choosePrefix(const PrefixSeed& seed, const std::function<bool(std::string_view)>& prefixTaken,
                                 const std::function<bool(std::string_view)>& uuidTaken)
{
    if (!seed.configured.empty()) {
        if (!isValidPrefix(seed.configured)) {
            return Error{Code::invalidArgument,
                         "\"" + seed.configured + "\" is not a prefix: 1 to 16 letters and digits are expected"};
        }
        if (prefixTaken(seed.configured)) {
            return Error{Code::alreadyExists, "prefix " + seed.configured + " belongs to another satellite"};
        }
        return seed.configured;
    }
    const bool byUuid = isUsableUuid(seed.uuid) && !uuidTaken(seed.uuid);
    if (!byUuid && seed.key.empty()) {
        return Error{Code::invalidArgument, "a prefix needs the satellite's UUID or its connector's key"};
    }
    const std::string hex = upperHexOfSha256(byUuid ? seed.uuid : seed.key);
    for (std::size_t length = firstLength; length <= lastLength; length += 2) {
        std::string candidate = hex.substr(0, length);
        if (!prefixTaken(candidate)) {
            return candidate;
        }
    }
    return Error{Code::full, "every prefix derived from this satellite's " + std::string(byUuid ? "UUID" : "key") +
                                 " is taken; configure one"};
}

}  // namespace mesh::tenants
