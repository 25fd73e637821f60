#pragma once

#include "cluster/core/state.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::cluster {

// Bounds of SessionService.SessionTimeout (Redfish schema).
constexpr std::uint32_t minSessionTimeoutSeconds = 30;
constexpr std::uint32_t maxSessionTimeoutSeconds = 86400;

// 192 random bits as 48 hexadecimal digits. `rng` must be a cryptographic one. Goes to the client, never into the
// state.
std::string makeToken(Rng& rng);
// The token as the client gets it: with the entry that made its session, "<token>-<hexadecimal revision>", so that a node
// which has not applied that entry yet knows that it is behind.
std::string issueToken(const std::string& token, Revision made);
// The entry that an issued token names; 0 when it names none.
Revision revisionOfToken(std::string_view issued);
// 64 random bits as 16 hexadecimal digits.
std::string makeSessionId(Rng& rng);
// SHA-256, 32 raw bytes: what the state keeps of a token.
std::string hashToken(std::string_view token);

// The session of that token, issued or as it was made, whose account exists and is enabled, or nullptr. Whether it has
// expired is the caller's to know. How long it takes tells nothing about tokens: the look-up is by the token's hash, and the
// hashes are compared in constant time.
const Session* findSessionByToken(const State& state, std::string_view token);

// By the stamps of those who used it. Before elapsedTimeFeatureLevel only; since then nothing ends by a stamp.
bool isExpired(const Session& session, WallTime now);

}  // namespace mesh::cluster
