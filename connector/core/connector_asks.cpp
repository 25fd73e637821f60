// Commands that the connector's workers send to others, on their way to an aggregator.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"

#include <set>
#include <utility>
#include <vector>

namespace mesh::connector {

using shoset::Link;
using shoset::LinkId;

// One that knows workers' offers takes what they ask for, too.
std::optional<AskPort::Aggregator> Connector::nextAggregator()
{
    std::vector<const Link*> able;
    for (const auto& [id, link] : links) {
        if (link->isUp() && (link->peerCapabilities() & shoset::capabilityOffers) != 0) {
            able.push_back(link.get());
        }
    }
    if (able.empty()) {
        return std::nullopt;
    }
    const Link& chosen = *able[asked++ % able.size()];
    return AskPort::Aggregator{chosen.peer(), chosen.peerIncarnation()};
}

std::optional<LinkId> Connector::sendAsk(const shoset::Address& aggregator, const MessageId& id, const shoset::Command& command,
                                         std::string_view payload, Instant deadline, std::optional<LinkId> avoid,
                                         const std::set<LinkId>& closed, Now now)
{
    std::pair<int, std::optional<LinkId>> best{-1, std::nullopt};
    for (const auto& [each, link] : links) {
        const int worth = (each != avoid ? 2 : 0) + (link->peer() == aggregator ? 1 : 0);
        if (link->isUp() && !closed.contains(each) && worth > best.first) {
            best = {worth, each};
        }
    }
    if (best.second) {
        Link& link = *links.at(*best.second);
        if (!link.append({id, link.assignedName(), aggregator, command}, payload, shoset::flagLast, deadline, now, limits::maxHops)) {
            best.second.reset();
        }
    }
    return best.second;
}

}  // namespace mesh::connector
