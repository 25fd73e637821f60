#include "tenants/join_string.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/registry.hpp"

#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

#include <algorithm>
#include <cstddef>

namespace mesh::tenants {

namespace {

constexpr std::string_view family = "bmcmesh";
constexpr std::string_view start = "bmcmesh1:";
constexpr std::size_t checksumBytes = 4;
constexpr int base64Variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr const char* whiteSpace = " \t\r\n";

Error malformedJoinString(const std::string& what)
{
    return Error{Code::invalidArgument, "this is not a join string as `meshctl connector add` prints it: " + what};
}

std::string checksum(std::string_view bytes)
{
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return digest.substr(0, checksumBytes);
}

void putText(std::string& bytes, const std::string& text)
{
    bytes.push_back(static_cast<char>(text.size()));
    bytes += text;
}

// Empty when there is none: no text in a join string may be empty.
std::string takeText(std::string_view& bytes)
{
    const std::size_t size = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.front());
    if (bytes.size() < size + 1) {
        bytes = {};
        return {};
    }
    std::string text(bytes.substr(1, size));
    bytes.remove_prefix(size + 1);
    return text;
}

Result<void> check(const JoinString& join)
{
    if (join.aggregators.empty() || join.aggregators.size() > limits::maxAggregators) {
        return malformedJoinString("it names 1 to " + std::to_string(limits::maxAggregators) + " aggregators");
    }
    for (const JoinString::Aggregator& aggregator : join.aggregators) {
        const bool printable = std::all_of(aggregator.endpoint.begin(), aggregator.endpoint.end(),
                                           [](char c) { return c > ' ' && c <= '~'; });
        if (!isValidName(aggregator.name) || !isValidKey(aggregator.key) || !printable || aggregator.endpoint.empty() ||
            aggregator.endpoint.size() > limits::maxEndpointBytes) {
            return malformedJoinString("each aggregator has a name, an endpoint and a public key");
        }
    }
    if (join.secret.size() < minSecretBytes || join.secret.size() > maxSecretBytes) {
        return malformedJoinString("its secret has " + std::to_string(minSecretBytes) + " to " + std::to_string(maxSecretBytes) +
                         " bytes");
    }
    return {};
}

// Without white space: the bytes that were encoded.
Result<std::string> decodeBase64(std::string_view text)
{
    std::string bytes(text.size(), '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                                         text.size(), whiteSpace, &size, &end, base64Variant);
    if (failed != 0 || end != text.data() + text.size()) {
        return malformedJoinString("after the colon it has letters, digits, - and _ only");
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace

Result<std::string> encodeJoinString(const JoinString& join)
{
    if (auto valid = check(join); !valid) {
        return valid.error();
    }
    std::string bytes(1, static_cast<char>(join.aggregators.size()));
    for (const JoinString::Aggregator& aggregator : join.aggregators) {
        putText(bytes, aggregator.name);
        putText(bytes, aggregator.endpoint);
        putText(bytes, aggregator.key);
    }
    putText(bytes, join.secret);
    bytes += checksum(bytes);
    std::string text(sodium_base64_encoded_len(bytes.size(), base64Variant), '\0');
    sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      base64Variant);
    text.pop_back();  // the terminating zero
    return std::string(start) + text;
}

Result<JoinString> decodeJoinString(std::string_view text)
{
    text.remove_prefix(std::min(text.find_first_not_of(whiteSpace), text.size()));
    if (text.size() > limits::maxJoinStringBytes) {
        return malformedJoinString("it is longer than " + std::to_string(limits::maxJoinStringBytes) + " bytes");
    }
    if (!text.starts_with(start)) {
        const bool other = text.starts_with(family) && text.find(':') != std::string_view::npos;
        return other ? Error{Code::unsupported, "this join string is of another version: it needs the mesh-connectord "
                                                "that came with the aggregators' programs"}
                     : malformedJoinString("it begins with " + std::string(start));
    }
    auto bytes = decodeBase64(text.substr(start.size()));
    if (!bytes) {
        return bytes.error();
    }
    std::string_view rest(*bytes);
    if (rest.size() < checksumBytes + 1 || checksum(rest.substr(0, rest.size() - checksumBytes)) !=
                                               rest.substr(rest.size() - checksumBytes)) {
        return malformedJoinString("it was not copied whole, or mistyped");
    }
    rest.remove_suffix(checksumBytes);
    JoinString join;
    std::size_t count = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    for (; count > 0 && !rest.empty(); --count) {
        JoinString::Aggregator& aggregator = join.aggregators.emplace_back();
        aggregator.name = takeText(rest);
        aggregator.endpoint = takeText(rest);
        aggregator.key = takeText(rest);
    }
    join.secret = takeText(rest);
    if (!rest.empty()) {
        return malformedJoinString("something follows its end");
    }
    if (auto valid = check(join); !valid) {
        return valid.error();
    }
    return join;
}

}  // namespace mesh::tenants
