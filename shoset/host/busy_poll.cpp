#include "shoset/host/busy_poll.hpp"

#include <bit>

namespace mesh::host {

// Of the last 16. With fewer it would look in vain: where every other wait is a long one, and where much comes by chance.
static constexpr int enoughShortWaits = 14;

Duration BusyPoll::time() const
{
    const bool pays = std::popcount(shortWaits) >= enoughShortWaits;
    return pays && !saving ? longest : Duration{};
}

void BusyPoll::waited(Duration wait, Duration looked, Instant now)
{
    shortWaits = static_cast<std::uint16_t>(shortWaits << 1 | (wait <= longest ? 1 : 0));
    if (paidUntil <= now - saved) {
        paidUntil = now - saved;
        saving = false;
    }
    paidUntil += looked * 100 / percent;
    saving = saving || paidUntil > now;
    sum += looked;
}

}  // namespace mesh::host
