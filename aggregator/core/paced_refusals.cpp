#include "aggregator/core/paced_refusals.hpp"

#include <algorithm>

namespace mesh::aggregator {

bool PacedRefusals::holds(ExchangeId id, Answer& refusal, Now now)
{
    constexpr Duration unpaced = atOnce * each;
    paidUntil = std::min(std::max(paidUntil, now.mono) + each, now.mono + longest + unpaced);
    const Instant at = paidUntil - unpaced;
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

void PacedRefusals::leave(ExchangeId id)
{
    const std::size_t left = std::erase_if(held, [id](const Held& one) { return one.refusal.first == id; });
    paidUntil -= left * each;
}

}  // namespace mesh::aggregator
