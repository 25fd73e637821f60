// What the connector's workers say and ask, and what the aggregators are told of them.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/redfish_command.hpp"

#include <algorithm>
#include <string>

namespace mesh::connector {

using shoset::Link;

namespace {

// What the connector executes itself. Workers have no leave for such names.
shoset::Offer builtIn()
{
    shoset::Offer offer{std::string(shoset::redfishType), 1, 0, {}};
    for (const std::string_view name : shoset::redfishCommands) {
        offer.commands.push_back({std::string(name), {}});
    }
    return offer;
}

}  // namespace

void Connector::onWorkerMessage(WorkerId id, const LocalPeer& peer, std::string_view frame, Now now)
{
    workers.onMessage(id, peer, frame, now);
}

void Connector::onWorkerGone(WorkerId id, Now now)
{
    workers.onGone(id, now);
}

void Connector::onOffersChanged(Now now)
{
    for (const auto& [id, link] : links) {
        tellOffers(*link, now);
    }
}

// One of those that know what is asked.
std::optional<shoset::Address> Connector::askAggregator(const MessageId& id, std::string_view command, const std::string& payload,
                                                        std::span<const shoset::Address> but, Now now)
{
    for (const auto& [linkId, link] : links) {
        const bool able = link->isUp() && (link->peerCapabilities() & shoset::capabilitySecrets) != 0;
        if (!able || std::find(but.begin(), but.end(), link->peer()) != but.end()) {
            continue;
        }
        shoset::Command ask;
        ask.name = command;
        ask.bodyLength = static_cast<std::int64_t>(payload.size());
        if (link->append({id, link->assignedName(), link->peer(), std::move(ask)}, payload, shoset::flagLast, never, now, 0)) {
            return link->peer();
        }
    }
    return std::nullopt;
}

void Connector::onSealingKey(Now now)
{
    announceToAll(watch.snapshot(), now);
}

// As announce(), but over a link only whose aggregator knows the record: another would give up the frame that it is in. nullptr:
// there is none. Where the way is not direct, what is told is told again now and then.
Link* Connector::wayTo(const Link& destination, std::uint64_t capability, Now now)
{
    Link* way = nullptr;
    for (const auto& [id, link] : links) {
        const bool open = link->isUp() && (link->peerCapabilities() & capability) != 0;
        if (open && (way == nullptr || link.get() == &destination)) {
            way = link.get();
        }
    }
    if (way == nullptr || (destination.isUp() && way != &destination)) {
        return nullptr;
    }
    if (!destination.isUp()) {
        announceAgainAt = std::min(announceAgainAt, now.mono + limits::memberPollInterval);
    }
    return way;
}

void Connector::tellOffers(const Link& destination, Now now)
{
    Link* way = wayTo(destination, shoset::capabilityOffers, now);
    if (way == nullptr) {
        return;
    }
    shoset::Offers offers{self.incarnation, ++offersTold, workers.offers()};
    offers.offers.push_back(builtIn());
    way->append({{}, way->assignedName(), destination.peer(), std::move(offers)}, {}, 0, never, now, limits::maxHops);
}

}  // namespace mesh::connector
