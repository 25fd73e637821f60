#include "aggregator/core/tenant_turns.hpp"

#include <algorithm>

namespace mesh::aggregator {

bool TenantTurns::isContended(std::string_view tenant, Now now)
{
    if (tenant != newest) {
        othersAt = newestAt;
        newest = tenant;
    }
    newestAt = now.mono;
    return othersAt != Instant::min() && now.mono - othersAt < quiet;
}

bool TenantTurns::mayGo(std::string_view tenant, ExchangeId id, Now now)
{
    const auto known = tenants.find(tenant);
    const bool waits = known != tenants.end() && !known->second.waiting.empty();
    if (!isContended(tenant, now) && !waits) {
        return true;
    }
    Line& line = known != tenants.end() ? known->second : tenants[std::string(tenant)];
    if (line.gone < share && !waits) {
        ++line.gone;
        return true;
    }
    line.waiting.push_back(id);
    return false;
}

std::vector<ExchangeId> TenantTurns::next()
{
    std::vector<ExchangeId> out;
    for (auto at = tenants.begin(); at != tenants.end();) {
        Line& line = at->second;
        line.gone = std::min(share, line.waiting.size());
        out.insert(out.end(), line.waiting.begin(), line.waiting.begin() + static_cast<std::ptrdiff_t>(line.gone));
        line.waiting.erase(line.waiting.begin(), line.waiting.begin() + static_cast<std::ptrdiff_t>(line.gone));
        at = line.gone == 0 ? tenants.erase(at) : std::next(at);
    }
    return out;
}

void TenantTurns::leave(std::string_view tenant, ExchangeId id)
{
    if (const auto known = tenants.find(tenant); known != tenants.end()) {
        std::erase(known->second.waiting, id);
    }
}

}  // namespace mesh::aggregator
