#pragma once

#include "tests/simulation/faults.hpp"

#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>

namespace mesh::simulation {

struct RunResult {
    std::string failure;  // empty: every property held
    std::string trace;
    std::uint64_t events = 0;
    std::size_t requests = 0;
    std::size_t succeeded = 0;
    std::size_t changed = 0;       // what clients made of the cluster's state
    std::size_t emitted = 0;       // events that were accepted
    std::size_t refused = 0;       // those that were not
    std::size_t heard = 0;         // by workers of others
    std::size_t largestQueue = 0;  // bytes in flight on one direction of one connection
};

// Three aggregators that are one cluster, three satellites of two tenants with a worker each that emits and hears events, busy
// clients; crashes, partitions in one direction, clogs. The same arguments give the same run, byte for byte of the trace.
RunResult run(std::uint64_t seed, Duration virtualTime, Fault fault);

}  // namespace mesh::simulation
