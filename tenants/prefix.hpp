#pragma once

#include "shoset/base/result.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace mesh::tenants {

// False for an empty text and for one whose hexadecimal digits are all 0, as boards without an own UUID report.
bool isUsableUuid(std::string_view uuid);

struct PrefixSeed {
    std::string configured;  // [A-Za-z0-9]{1,16}, or empty
    std::string uuid;        // of the satellite's ServiceRoot, as it stands there; may be empty
    std::string key;         // the connector's public key, Z85
};

// The prefix of a satellite that has none yet (architecture, "URI mapping"): the configured one; else the first 6
// hexadecimal digits, upper case, of SHA-256 of the UUID's text, or of the key's text where the UUID is missing, nil or
// another satellite's; then 8 digits, 10, ... 16 while those are taken. `prefixTaken` and `uuidTaken` ask about other
// satellites, and compare without regard to case.
// Errors: invalidArgument (malformed), alreadyExists (configured, and taken), full (16 digits were not enough).
Result<std::string> choosePrefix(const PrefixSeed& seed, const std::function<bool(std::string_view)>& prefixTaken,
                                 const std::function<bool(std::string_view)>& uuidTaken);

}  // namespace mesh::tenants
