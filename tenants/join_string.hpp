#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mesh::tenants {

// What a new connector needs in order to enrol, as one word that can be pasted into a shell:
//   bmcmesh1:<base64url of: count, aggregators, secret, checksum>
// Numbers and lengths are one byte, an aggregator is three texts of a length and their bytes, the checksum the first
// four bytes of the SHA-256 of all before it: it finds what was copied wrong, it proves nothing.
struct JoinString {
    struct Aggregator {
        std::string name;
        std::string endpoint;  // where it enrols
        std::string key;       // CURVE public key, Z85
        bool operator==(const Aggregator&) const = default;
    };
    std::vector<Aggregator> aggregators;  // 1 to limits::maxAggregators
    std::string secret;                   // raw, minSecretBytes to maxSecretBytes
    bool operator==(const JoinString&) const = default;
};

constexpr std::size_t minSecretBytes = 16;
constexpr std::size_t maxSecretBytes = 64;

// invalidArgument for what decodeJoinString() would refuse.
Result<std::string> encodeJoinString(const JoinString& join);
// White space anywhere is ignored, as terminals break long lines. invalidArgument; unsupported for one of a newer
// program. Sentences never repeat what was given: it holds a secret.
Result<JoinString> decodeJoinString(std::string_view text);

}  // namespace mesh::tenants
