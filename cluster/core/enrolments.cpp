#include "cluster/core/enrolments.hpp"

#include "cluster/core/sessions.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::size_t secretBytes = 24;
constexpr WallTime earliest{std::chrono::seconds(1'672'531'200)};  // 2023-01-01: before any clock that was set

}  // namespace

std::string makeSecret(Rng& rng)
{
    return rng.bytes(secretBytes);
}

std::string hashSecret(std::string_view secret)
{
    return hashToken(secret);
}

bool isOutstanding(const Enrolment& enrolment, WallTime now)
{
    return enrolment.usedKey.empty() && now < enrolment.expiresAt;
}

bool hasOutstandingEnrolments(const State& state, WallTime now)
{
    return std::any_of(state.enrolments.begin(), state.enrolments.end(),
                       [now](const auto& entry) { return isOutstanding(entry.second, now); });
}

bool isAnswered(const Enrolment& enrolment, WallTime now)
{
    return now < enrolment.expiresAt;
}

bool isPlausible(WallTime now)
{
    return now >= earliest;
}

}  // namespace mesh::cluster
