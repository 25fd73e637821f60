#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>

namespace mesh::cluster {

// argon2id with 16 MiB and 3 passes, as libsodium's self-describing string with a salt of its own. Takes tens of
// milliseconds of a core and 16 MiB: for the blocking thread. unavailable when the memory is not to be had.
Result<std::string> hashPassword(std::string_view password);

// Constant time. As slow as hashPassword(). False for a malformed hash.
bool verifyPassword(const std::string& hash, std::string_view password);

// Takes as long as verifyPassword() and says nothing: for user names that do not exist, so that time does not tell.
void spendVerifyTime(std::string_view password);

// Was this hash made with other parameters than hashPassword() uses now? Then make a new one when the password is at
// hand.
bool needsRehash(const std::string& hash);

// Overwrites the text, where the compiler cannot leave it out, and empties it.
void wipe(std::string& secret);

}  // namespace mesh::cluster
