#include "cluster/core/sessions.hpp"

#include "shoset/base/ids.hpp"

#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

#include <array>
#include <charconv>

namespace mesh::cluster {

namespace {

constexpr std::size_t tokenBytes = 24;
constexpr std::size_t sessionIdBytes = 8;

}  // namespace

std::string makeToken(Rng& rng)
{
    return toHex(rng.bytes(tokenBytes));
}

std::string issueToken(const std::string& token, Revision made)
{
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), made, 16).ptr;
    return token + "-" + std::string(digits.begin(), end);
}

Revision revisionOfToken(std::string_view issued)
{
    const std::size_t dash = issued.find('-');
    Revision made = 0;
    if (dash != std::string_view::npos) {
        const std::string_view digits = issued.substr(dash + 1);
        const auto [end, error] = std::from_chars(digits.begin(), digits.end(), made, 16);
        return error == std::errc{} && end == digits.end() ? made : 0;
    }
    return made;
}

std::string makeSessionId(Rng& rng)
{
    return toHex(rng.bytes(sessionIdBytes));
}

std::string hashToken(std::string_view token)
{
    std::string hash(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(hash.data()),
                       reinterpret_cast<const unsigned char*>(token.data()), token.size());
    return hash;
}

const Session* findSessionByToken(const State& state, std::string_view token)
{
    const std::string hash = hashToken(token.substr(0, token.find('-')));
    const auto id = state.sessionIdByTokenHash.find(hash);
    const Session* session = id == state.sessionIdByTokenHash.end() ? nullptr : findSession(state, id->second);
    if (session == nullptr || session->tokenHash.size() != hash.size() ||
        sodium_memcmp(session->tokenHash.data(), hash.data(), hash.size()) != 0) {
        return nullptr;
    }
    const Account* account = findAccount(state, session->accountId);
    return account != nullptr && account->enabled ? session : nullptr;
}

bool isExpired(const Session& session, WallTime now)
{
    return now - session.lastUse >= std::chrono::seconds(session.timeoutSeconds);
}

}  // namespace mesh::cluster
