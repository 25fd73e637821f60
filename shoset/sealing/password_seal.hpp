#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <string>
#include <string_view>

// Passwords of BMCs without an agent, sealed to the key of a node that may run their connectors. Pure: see sealing.hpp.
namespace mesh::sealing {

// Whose it is, and where alone it may be sent as whom. What is sealed for one opens for no other.
struct PasswordUse {
    std::string tenant;
    std::string source;    // id
    std::string hostName;  // URL
    std::string userName;
    bool operator==(const PasswordUse&) const = default;
};

// `key`: public, raw (sealingKeyOf()). Padded in steps of limits::sealedPasswordBlock. tooLarge, invalidArgument.
Result<std::string> sealPassword(std::string_view password, const PasswordUse& use, const std::string& key, Rng& rng);
// permissionDenied: it was sealed to another key or for another use, or changed.
Result<SecretText> openPassword(std::string_view box, const PasswordUse& use, const Seed& own);

// What a node hands to the connector that it runs, in a file beside its configuration, which has the rest of the use.
struct SealedLogin {
    std::string tenant;
    std::string source;
    std::string box;
    bool operator==(const SealedLogin&) const = default;
};
std::string sealedLoginText(const SealedLogin& login);
// Code::corrupt.
Result<SealedLogin> parseSealedLogin(std::string_view text);

}  // namespace mesh::sealing
