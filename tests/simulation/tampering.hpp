#pragma once

#include "shoset/base/rng.hpp"
#include "tests/simulation/faults.hpp"

#include <string>
#include <string_view>

namespace mesh::simulation {

// The faults that live in the wire: rewrites records of a frame as a broken sender would have made them. An empty result:
// the frame is lost.
std::string tamper(Fault fault, std::string frame, Rng& rng);

// What the frame says of stored events, as if that aggregator said so of itself. Empty: nothing.
std::string storedAsToldBy(const std::string& aggregator, std::string_view frame);

}  // namespace mesh::simulation
