#include "cluster/local/password.hpp"

#include <sodium.h>

namespace mesh::cluster {

namespace {

constexpr unsigned long long passes = 3;
constexpr std::size_t memoryBytes = 16 * 1024 * 1024;

// Same parameters, a password that nobody knows.
const std::string decoy =
    "$argon2id$v=19$m=16384,t=3,p=1$ZqbF0fUwbU5A42TO/eh1iA$1avAly/Rqp/kRT6lRkHn5+Px+A3GMLVYKNkblpSPGBU";

bool ready()
{
    return sodium_init() >= 0;  // idempotent and thread-safe; picks the fastest implementation
}

}  // namespace

Result<std::string> hashPassword(std::string_view password)
{
    char hash[crypto_pwhash_STRBYTES] = {};
    if (!ready() || crypto_pwhash_str_alg(hash, password.data(), password.size(), passes, memoryBytes,
                                          crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return Error{Code::unavailable, "a password cannot be hashed now: 16 MiB of memory are needed for it"};
    }
    return std::string(hash);
}

bool verifyPassword(const std::string& hash, std::string_view password)
{
    return ready() && hash.size() < crypto_pwhash_STRBYTES &&
           crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

void spendVerifyTime(std::string_view password)
{
    (void)verifyPassword(decoy, password);
}

bool needsRehash(const std::string& hash)
{
    return !ready() || crypto_pwhash_str_needs_rehash(hash.c_str(), passes, memoryBytes) != 0;
}

void wipe(std::string& secret)
{
    sodium_memzero(secret.data(), secret.size());
    secret.clear();
}

}  // namespace mesh::cluster
