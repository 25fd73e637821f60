#pragma once

#include "shoset/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Requests that wait for an event of a tenant, or of any. At most limits::maxEventWaiters, and half of them of one tenant.
class EventWaiters {
public:
    using Again = std::function<void(Now)>;
    // Calls `again` once, from onTimer(): when one is stored, at `lookAt` or at `until`. False: too many wait.
    bool await(std::string tenant, Instant until, Instant lookAt, Again again);
    // Grows with each event, of any tenant.
    std::uint64_t revision() const { return storedCount; }
    // Of one tenant.
    void onStored(const std::string& tenant);

    void onTimer(Now now);
    Instant nextDeadline() const;
    std::size_t size() const { return waiting.size(); }
    std::uint64_t refused() const { return refusedCount; }

private:
    struct Waiter {
        std::string tenant;  // empty: any
        Instant at{};
        Again again;
    };
    std::vector<Waiter> waiting;
    std::uint64_t storedCount = 0;
    std::uint64_t refusedCount = 0;
};

}  // namespace mesh::aggregator
