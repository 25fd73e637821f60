#pragma once

#include "shoset/base/time.hpp"

#include <cstdint>
#include <optional>

namespace mesh::shoset {

// What is known of the offset between a peer's monotonic clock and ours, from round trips (Cristian's algorithm):
// the peer read `theirs` at some moment between our `sent` and `received`. Keeps the tightest bound and widens it with
// its age by the drift that two quartz clocks can have.
class ClockBound {
public:
    // All in microseconds; nonsense (received before sent, negative, more than an Instant holds) is ignored. Telling an
    // old round trip again does no harm.
    void onRoundTrip(std::int64_t sent, std::int64_t received, std::int64_t theirs);

    // The earliest moment on our clock at which a message stamped `theirs` can have been sent; nullopt before the first
    // round trip. Deadlines count from here, so that nothing is executed late.
    std::optional<Instant> earliestSend(std::int64_t theirs, Instant now) const;

private:
    std::optional<std::int64_t> largestOffset;  // of their clock minus ours, upper bound
    std::int64_t measuredAt = 0;                // on our clock, no later than their reading
};

}  // namespace mesh::shoset
