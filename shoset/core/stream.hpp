#pragma once

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cstdint>

namespace mesh::shoset {

// Flow control of one direction of a streamed body, in bytes from its start. A sender may be at most
// limits::streamWindowBytes ahead of what the last consumer has taken; credits are totals, so that repeats do no harm.
struct SendWindow {
    std::uint64_t sent = 0;
    std::uint64_t allowed = limits::streamWindowBytes;

    std::uint64_t room() const { return allowed > sent ? allowed - sent : 0; }
    void grant(std::uint64_t total) { allowed = std::max(allowed, total); }
};

struct ReceiveWindow {
    std::uint64_t received = 0;
    std::uint64_t consumed = 0;
    std::uint64_t granted = limits::streamWindowBytes;

    // Whether a piece at `offset` is the next one and within what was granted; anything else is a broken peer.
    bool accepts(std::uint64_t offset, std::uint64_t bytes) const
    {
        return offset == received && received + bytes <= granted;
    }
    // After consuming: the new total to grant, or 0 while the step would be too small to be worth a message.
    std::uint64_t dueGrant()
    {
        const std::uint64_t total = consumed + limits::streamWindowBytes;
        if (total - granted < limits::streamWindowBytes / 2) {
            return 0;
        }
        granted = total;
        return total;
    }
};

}  // namespace mesh::shoset
