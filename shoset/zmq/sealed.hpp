#pragma once

#include "shoset/base/result.hpp"
#include "shoset/zmq/keys.hpp"

#include <string>
#include <string_view>

namespace mesh::shoset {

// Secrets that only the owner of a CURVE key can read (libsodium's crypto_box_seal; CURVE keys are X25519 keys). Padded, so
// that a box tells little of the length of what is in it.

// `key`: public, Z85. invalidArgument for what is no key.
Result<std::string> seal(std::string_view secret, std::string_view key);
// permissionDenied: it was sealed to another key, or changed.
Result<std::string> unseal(std::string_view box, const KeyPair& own);
// Overwrites it.
void wipe(std::string& secret);

}  // namespace mesh::shoset
