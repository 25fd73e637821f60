#include "aggregator/core/paced_refusals.hpp"

namespace mesh::aggregator {

bool PacedRefusals::holds(ExchangeId id, Answer& refusal, Now now)
{
    if (held.empty() && until <= now.mono) {
        until = now.mono + pace;
        told = 0;
    }
    if (told < atOnce) {
        ++told;
        return false;
    }
    held.emplace_back(id, std::move(refusal));
    return true;
}

PacedRefusals::Held PacedRefusals::due(Now now)
{
    if (now.mono < nextDeadline()) {
        return {};
    }
    until = now.mono + pace;
    told = 0;
    return std::exchange(held, {});
}

}  // namespace mesh::aggregator
