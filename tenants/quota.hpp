#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>

namespace mesh::tenants {

// What a tenant may take. 0 is no quota, and what a tenant has as long as nobody says otherwise: then only the bounds of the
// node hold (limits.hpp). Each aggregator counts messages and bytes by itself, of what it takes in; connectors are counted
// in the registry.
struct Quota {
    std::uint64_t messagesPerSecond = 0;
    std::uint64_t bytesInFlight = 0;  // of what its connectors were asked for and have not answered yet
    std::uint64_t storedEvents = 0;   // for whoever keeps them: the oldest go first
    std::uint64_t connectors = 0;
    bool operator==(const Quota&) const = default;
};

// invalidArgument, with the bound, for what is beyond those of limits.hpp.
Result<void> checkQuota(const Quota& quota);

}  // namespace mesh::tenants
