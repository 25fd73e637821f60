#pragma once

#include "cluster/core/state.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <string>
#include <string_view>

namespace mesh::cluster {

// 192 random bits, raw. `rng` must be a cryptographic one. Goes into a join string (tenants/join_string.hpp), never
// into the state.
std::string makeSecret(Rng& rng);
// SHA-256, 32 raw bytes: what the state keeps of a secret.
std::string hashSecret(std::string_view secret);

// Neither used nor expired.
bool isOutstanding(const Enrolment& enrolment, WallTime now);
// The endpoint for enrolment is open only while this is true.
bool hasOutstandingEnrolments(const State& state, WallTime now);

// Was the clock ever set? Secrets are neither made nor used by one that was not.
bool isPlausible(WallTime now);

}  // namespace mesh::cluster
