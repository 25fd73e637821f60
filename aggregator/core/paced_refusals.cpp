#include "aggregator/core/paced_refusals.hpp"

#include <algorithm>

namespace mesh::aggregator {

bool PacedRefusals::holds(ExchangeId id, Answer& refusal, Now now)
{
    paidUntil = std::max(paidUntil, now.mono) + each;
    const Instant at = paidUntil - atOnce * each;
    if (at <= now.mono) {
        return false;
    }
    held.push_back({at, {id, std::move(refusal)}});
    return true;
}

std::vector<PacedRefusals::Refusal> PacedRefusals::due(Now now)
{
    std::vector<Refusal> out;
    while (now.mono >= nextDeadline()) {
        out.push_back(std::move(held.front().refusal));
        held.pop_front();
    }
    return out;
}

}  // namespace mesh::aggregator
