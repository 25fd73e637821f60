#pragma once

#include "aggregator/core/http_port.hpp"
#include "aggregator/core/messages.hpp"
#include "shoset/base/time.hpp"

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// Refusals (503) are told at once as long as they are few. Beyond that each waits for its turn: a client that asks again at once, whatever
// Retry-After says, would have the node do nothing but refuse. One at a time, so that those who were refused do not come again together.
// Nobody waits longer than `longest`, and no more do than there are connections.
class PacedRefusals {
public:
    using Refusal = std::pair<ExchangeId, Answer>;
    static constexpr std::size_t atOnce = 32;
    static constexpr Duration each = 2ms;
    static constexpr Duration longest = 1s;

    // True: it was taken, and due() will give it. False: it is to be told now.
    bool holds(ExchangeId id, Answer& refusal, Now now);
    std::vector<Refusal> due(Now now);
    // Its client has gone: nobody waits for it.
    void leave(ExchangeId id);
    Instant nextDeadline() const { return held.empty() ? never : held.front().at; }

private:
    struct Held {
        Instant at{};
        Refusal refusal;
    };
    std::deque<Held> held;
    Instant paidUntil{};  // what was told so far, and what waits, at one in `each`
};

}  // namespace mesh::aggregator
