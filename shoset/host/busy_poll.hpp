#pragma once

#include "shoset/base/time.hpp"

#include <cstdint>

namespace mesh::host {

// Whether a loop that has nothing to do looks for the next thing for a while before it sleeps. Being woken costs more than many
// messages do (on a virtual machine 50 us and more), and who asks one thing after the other waits for it at each hop. It looks where
// most waits of late were short, and three quarters of the time at most, however short they are: once that is used up, it does not for
// a while, which leaves more answers early than to sleep at every other hop. Pure; the idea is that of haltpoll (Linux,
// Documentation/virt/guest-halt-polling.rst) and of SO_BUSY_POLL (socket(7)).
class BusyPoll {
public:
    static constexpr Duration longest = 400us;  // that it looks at a time
    static constexpr int percent = 75;          // of the time at most,
    static constexpr Duration saved = 10ms;     // that count as not looked, at most: then it looks for 30 ms without a pause

    // How long to look now; zero: sleep at once.
    Duration time() const;
    // There was nothing to do for `wait`, which ends now; it looked for the first `looked` of that. Where it slept, the first thing that
    // was done counts as part of the wait: nobody tells when it began.
    void waited(Duration wait, Duration looked, Instant now);
    // How long it has looked in all.
    Duration looked() const { return sum; }

private:
    std::uint16_t shortWaits = 0;         // a bit for each of the last ones, 1: a short one
    Instant paidUntil = Instant::min();   // what it has looked is its share of the time until then
    bool saving = false;
    Duration sum{};
};

}  // namespace mesh::host
