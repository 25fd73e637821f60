#pragma once

#include "aggregator/core/http_port.hpp"
#include "aggregator/core/messages.hpp"
#include "shoset/base/time.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// Refusals (503) are told at once as long as they are few. Beyond that they wait a little: a client that asks again at once, whatever
// Retry-After says, would have the node do nothing but refuse. No more wait than there are connections.
class PacedRefusals {
public:
    using Held = std::vector<std::pair<ExchangeId, Answer>>;
    static constexpr std::size_t atOnce = 32;
    static constexpr Duration pace = 100ms;

    // True: it was taken, and due() will give it. False: it is to be told now.
    bool holds(ExchangeId id, Answer& refusal, Now now);
    Held due(Now now);
    Instant nextDeadline() const { return held.empty() ? never : until; }

private:
    Held held;
    Instant until{};
    std::size_t told = 0;  // before then
};

}  // namespace mesh::aggregator
