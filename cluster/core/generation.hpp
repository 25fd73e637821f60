#pragma once

#include "shoset/base/time.hpp"

#include <cstdint>

namespace mesh::cluster {

constexpr std::uint64_t generationSpread = std::uint64_t{1} << 20;

// A generation above `known`, and above any that a cluster with the same past can have had since: the time in milliseconds,
// which also tells two recoveries or restores of one state apart, so that connectors follow the later one and refuse the other.
// Where the clock is behind, `random` does so, and the next one after `known` is left to a cluster before generationFeatureLevel.
std::uint64_t generationAfter(std::uint64_t known, WallTime now, std::uint64_t random);

}  // namespace mesh::cluster
