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
bool hasOutstandingEnrolments(const State& state, WallTime now);
// Somebody may bring it: an outstanding one the first time, a used one because the answer was lost. The endpoint for
// enrolment is open only while there is one.
bool isAnswered(const Enrolment& enrolment, WallTime now);

// Was the clock ever set? Secrets are neither made nor used by one that was not.
bool isPlausible(WallTime now);

}  // namespace mesh::cluster
