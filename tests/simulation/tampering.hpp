#pragma once

#include "shoset/base/rng.hpp"
#include "tests/simulation/faults.hpp"

#include <string>

namespace mesh::simulation {

// The faults that live in the wire: rewrites records of a frame as a broken sender would have made them. An empty result:
// the frame is lost.
std::string tamper(Fault fault, std::string frame, Rng& rng);

}  // namespace mesh::simulation
