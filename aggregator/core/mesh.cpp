#include "aggregator/core/mesh.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

using shoset::Kind;
using shoset::Link;
using shoset::LinkId;

namespace {

bool connectorMaySend(Kind kind)
{
    return kind == Kind::reply || kind == Kind::chunk || kind == Kind::credit || kind == Kind::announce ||
           kind == Kind::keyOffer || kind == Kind::offers || kind == Kind::configured || kind == Kind::command || kind == Kind::event ||
           kind == Kind::subscribe || kind == Kind::eventsTaken;
}

bool isOfEvents(Kind kind)
{
    return kind == Kind::event || kind == Kind::subscribe || kind == Kind::eventsTaken || kind == Kind::eventsWanted;
}

bool isRouted(Kind kind)
{
    return kind == Kind::command || kind == Kind::reply || kind == Kind::chunk || kind == Kind::credit ||
           kind == Kind::cancel || kind == Kind::announce || kind == Kind::offers || kind == Kind::configured;
}

// An older program gives up a frame with a kind that it does not know.
bool understands(const Link& link, Kind kind)
{
    const std::uint64_t needed = kind == Kind::offers       ? shoset::capabilityOffers
                                 : kind == Kind::configured ? shoset::capabilityConfig
                                                            : std::uint64_t{0};
    return (link.peerCapabilities() & needed) == needed;
}

}  // namespace

void MeshEvents::onEventRecord(const shoset::Address&, shoset::Message, std::string_view, Now) {}

void MeshEvents::onRefusedRecord(const shoset::Address&, std::string_view, Now) {}

void MeshEvents::onConnectorDown(const shoset::Address&, Now) {}

Mesh::Mesh(shoset::LinkSelf own, shoset::FramePort& framePort, MeshEvents& owner)
    : self(std::move(own)), frames(framePort), events(owner)
{
}

Mesh::~Mesh() = default;

void Mesh::addDialledPeer(LinkId link, const shoset::Address& peer)
{
    links.emplace(link, std::make_unique<Link>(link, Link::Role::dialer, peer, self, frames, *this, linkCount));
}

void Mesh::addAccepted(LinkId link, const shoset::Address& identity, const std::string& key)
{
    keys.emplace(link, key);
    links.emplace(link, std::make_unique<Link>(link, Link::Role::listener, identity, self, frames, *this, linkCount));
}

void Mesh::removeLink(LinkId id, Now now)
{
    if (Link* link = find(id)) {
        link->onDisconnected(now);
        links.erase(id);
        keys.erase(id);
    }
}

Link* Mesh::find(LinkId id)
{
    const auto found = links.find(id);
    return found == links.end() ? nullptr : found->second.get();
}

void Mesh::onConnected(LinkId id, Now now)
{
    if (Link* link = find(id)) {
        link->onConnected(now);
    }
}

void Mesh::onDisconnected(LinkId id, Now now)
{
    if (Link* link = find(id)) {
        link->onDisconnected(now);
    }
}

void Mesh::onFrame(LinkId id, std::string_view frame, Now now)
{
    if (Link* link = find(id)) {
        link->onFrame(frame, now);
    }
}

void Mesh::onTimer(Now now)
{
    std::vector<LinkId> ids;
    for (const auto& [id, link] : links) {
        if (link->nextDeadline() <= now.mono) {
            ids.push_back(id);
        }
    }
    for (const LinkId id : ids) {
        if (Link* link = find(id)) {
            link->onTimer(now);
        }
    }
}

Instant Mesh::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, link] : links) {
        next = std::min(next, link->nextDeadline());
    }
    return next;
}

void Mesh::flush()
{
    for (const auto& [id, link] : links) {
        link->flush();
    }
}

void Mesh::bye(const std::string& reason, Now now)
{
    for (const auto& [id, link] : links) {
        link->bye(reason, now);
    }
}

std::optional<LinkId> Mesh::send(const shoset::Address& destination, const MessageId& id, shoset::Content content,
                                 std::string_view body, bool last, Instant deadline, Now now,
                                 std::optional<LinkId> avoid, std::optional<LinkId> prefer)
{
    std::vector<LinkId> ways = routes.nextHops(destination);
    if (avoid && ways.size() > 1) {
        std::stable_partition(ways.begin(), ways.end(), [&](LinkId way) { return way != *avoid; });
    }
    if (prefer) {
        std::stable_partition(ways.begin(), ways.end(), [&](LinkId way) { return way == *prefer; });
    }
    const shoset::Message message{id, self.name, destination, std::move(content)};
    for (const LinkId way : ways) {
        Link* link = find(way);
        if (link != nullptr &&
            link->append(message, body, last ? shoset::flagLast : 0, deadline, now, limits::maxHops)) {
            return way;
        }
    }
    return std::nullopt;
}

void Mesh::tellConnectors(shoset::Aggregators list, Now now)
{
    aggregators = std::move(list);
    for (const auto& [id, link] : links) {
        tellAggregators(*link, now);
    }
}

void Mesh::tellAggregators(Link& link, Now now)
{
    const bool understands = (link.peerCapabilities() & shoset::capabilityAggregators) != 0;
    if (!aggregators.list.empty() && link.isUp() && shoset::isConnector(link.peer()) && understands) {
        link.append({{}, self.name, link.peer(), aggregators}, {}, 0, never, now, 0);
    }
}

void Mesh::tellKey(const shoset::Address& connector, const shoset::KeyStatus& status, Now now)
{
    tellKeys([&](const shoset::Address& other) { return other == connector ? std::optional(status) : std::nullopt; }, now);
}

void Mesh::tellKeys(const KeyStatusOf& statusOf, Now now)
{
    for (const auto& [id, link] : links) {
        const bool understands = (link->peerCapabilities() & shoset::capabilityKeys) != 0;
        if (!link->isUp() || !understands || !shoset::isConnector(link->peer())) {
            continue;
        }
        if (const std::optional<shoset::KeyStatus> status = statusOf(link->peer())) {
            link->append({{}, self.name, link->peer(), *status}, {}, 0, never, now, 0);
        }
    }
}

// The direct one is the nearest.
Link* Mesh::linkOfEvents(const shoset::Address& peer) const
{
    for (const LinkId way : routes.nextHops(peer)) {
        const auto found = links.find(way);
        const bool direct = found != links.end() && found->second->isUp() && found->second->peer() == peer;
        if (direct && (found->second->peerCapabilities() & shoset::capabilityEvents) != 0) {
            return found->second.get();
        }
    }
    return nullptr;
}

bool Mesh::tellEvents(const shoset::Address& to, const shoset::Address& source, shoset::Content content, std::string_view body, Now now)
{
    Link* link = linkOfEvents(to);
    return link != nullptr && link->append({{}, source.empty() ? self.name : source, to, std::move(content)}, body, shoset::flagLast, never, now, 0);
}

bool Mesh::takesEvents(const shoset::Address& peer) const
{
    return linkOfEvents(peer) != nullptr;
}

bool Mesh::creditsLosses(const shoset::Address& peer) const
{
    const Link* link = linkOfEvents(peer);
    return link != nullptr && (link->peerCapabilities() & shoset::capabilityEventCredit) != 0;
}

bool Mesh::tellConfiguration(const shoset::Address& connector, const shoset::Configure& what, std::string_view body, Now now)
{
    bool told = false;
    for (const auto& [id, link] : links) {
        if (link->isUp() && link->peer() == connector && (link->peerCapabilities() & shoset::capabilityConfig) != 0) {
            told = link->append({{}, self.name, connector, what}, body, shoset::flagLast, never, now, 0) || told;
        }
    }
    if (told) {
        noteConfiguration(Kind::configure, HopFate::sent, connector, what.document, what.version, now);
    }
    return told;
}

std::vector<shoset::Address> Mesh::linkedConnectors() const
{
    std::vector<shoset::Address> out;
    for (const auto& [id, link] : links) {
        if (link->isUp() && shoset::isConnector(link->peer())) {
            out.push_back(link->peer());
        }
    }
    return out;
}

bool Mesh::isReachable(const shoset::Address& address) const
{
    return routes.best(address).has_value();
}

bool Mesh::leadsTo(LinkId link, const shoset::Address& address) const
{
    const std::vector<LinkId> ways = routes.nextHops(address);
    return std::find(ways.begin(), ways.end(), link) != ways.end();
}

bool Mesh::hasDirectLink(const shoset::Address& address) const
{
    return std::any_of(links.begin(), links.end(), [&](const auto& entry) {
        return entry.second->isUp() && entry.second->peer() == address;
    });
}

std::string_view Mesh::peerOf(LinkId link) const
{
    const auto found = links.find(link);
    return found == links.end() ? std::string_view() : std::string_view(found->second->peer());
}

std::size_t Mesh::linksUp() const
{
    return static_cast<std::size_t>(
        std::count_if(links.begin(), links.end(), [](const auto& entry) { return entry.second->isUp(); }));
}

void Mesh::onLinkUp(LinkId id, Now now)
{
    dropOlderLinks(id, now);
    Link& link = *links.at(id);
    departed.erase(link.peer());
    adaptHeartbeats();
    const shoset::RouteTable::Changed changed = routes.addNeighbour(id, link.peer());
    if (!shoset::isConnector(link.peer())) {
        tellRoutes(link, routes.advertiseAll(id), now);
    }
    tellAggregators(link, now);
    if (shoset::isConnector(link.peer())) {
        events.onConnectorUp(link.peer(), keys[id], now);
    }
    advertise(changed, now);
}

// A peer that came back through a new connection has given up its old one, whatever the old one's timers still hope.
void Mesh::dropOlderLinks(LinkId newest, Now now)
{
    const shoset::Address peer = links.at(newest)->peer();
    std::vector<LinkId> older;
    for (const auto& [id, link] : links) {
        if (id != newest && link->isUp() && link->peer() == peer) {
            older.push_back(id);
        }
    }
    for (const LinkId id : older) {
        ++count.replacedLinks;
        links.at(id)->onDisconnected(now);
        frames.resetLink(id);
    }
}

// A heartbeat costs both ends some microseconds, so together they stay below a fixed rate.
void Mesh::adaptHeartbeats()
{
    const Duration interval = std::max<Duration>(limits::heartbeatInterval, limits::heartbeatPerLink * links.size());
    for (const auto& [id, link] : links) {
        link->setHeartbeatInterval(interval);
    }
}

void Mesh::onLinkDown(LinkId id, const std::string&, Now now)
{
    const Link& link = *links.at(id);
    if (link.saidBye() && !shoset::isConnector(link.peer()) && !hasDirectLink(link.peer())) {
        if (departed.size() >= limits::maxAggregators) {  // names of former members: what it costs is patience
            departed.clear();
        }
        departed.insert(link.peer());
    }
    const shoset::RouteTable::Changed changed = routes.removeLink(id);
    if (shoset::isConnector(link.peer()) && !hasDirectLink(link.peer())) {
        events.onConnectorDown(link.peer(), now);
    }
    advertise(changed, now);
    events.onLinkLost(id, now);
}

void Mesh::advertise(const shoset::RouteTable::Changed& changed, Now now)
{
    if (changed.empty()) {
        return;
    }
    for (const auto& [id, link] : links) {
        if (link->isUp() && !shoset::isConnector(link->peer())) {
            tellRoutes(*link, routes.advertise(id, changed), now);
        }
    }
    events.onRoutesChanged(changed, now);
}

// In several records, since a header is bounded.
void Mesh::tellRoutes(Link& link, const std::vector<shoset::Route>& told, Now now)
{
    for (std::size_t at = 0; at < told.size(); at += limits::routesPerRecord) {
        const std::size_t end = std::min(told.size(), at + limits::routesPerRecord);
        link.append({{}, self.name, link.peer(), shoset::Routes{{told.begin() + static_cast<std::ptrdiff_t>(at),
                                                                 told.begin() + static_cast<std::ptrdiff_t>(end)}}},
                    {}, 0, never, now, 0);
    }
}

void Mesh::onRecord(LinkId id, const shoset::Record& record, Now now)
{
    Link& link = *links.at(id);
    const Result<shoset::Envelope> envelope = shoset::peekEnvelope(record.header);
    if (!envelope) {
        ++count.malformed;
        return events.onRefusedRecord(link.peer(), "malformed", now);
    }
    if (shoset::isConnector(link.peer())) {
        if (!connectorMaySend(record.prelude.kind)) {
            ++count.notAllowed;
            return events.onRefusedRecord(link.peer(), "not_allowed", now);
        }
        if (envelope->source != link.peer()) {
            ++count.wrongSource;
            return events.onRefusedRecord(link.peer(), "wrong_source", now);
        }
    }
    if (envelope->destination == self.name) {
        deliver(id, record, now);
    } else if (isRouted(record.prelude.kind)) {
        forward(id, record, *envelope, now);
    } else {
        ++count.notAllowed;
    }
}

void Mesh::deliver(LinkId id, const shoset::Record& record, Now now)
{
    Result<shoset::Message> message = decodeHeader(record.prelude.kind, record.header);
    if (!message) {
        ++count.malformed;
        return events.onRefusedRecord(links.at(id)->peer(), "malformed", now);
    }
    ++count.delivered;
    const bool last = (record.prelude.flags & shoset::flagLast) != 0;
    const shoset::Address& from = message->source;
    if (auto* reply = std::get_if<shoset::Reply>(&message->content)) {
        const Link& link = *links.at(id);
        const std::optional<Instant> sent = from == link.peer() ? link.earliestSend(record.prelude, now) : std::nullopt;
        events.onReply(from, message->id, std::move(*reply), record.body, last, sent.value_or(Instant::min()), now);
    } else if (const auto* chunk = std::get_if<shoset::Chunk>(&message->content)) {
        events.onChunk(from, message->id, *chunk, record.body, last, now);
    } else if (const auto* credit = std::get_if<shoset::Credit>(&message->content)) {
        events.onCredit(from, message->id, credit->total, now);
    } else if (auto* announce = std::get_if<shoset::Announce>(&message->content)) {
        events.onAnnounce(from, std::move(*announce), now);
    } else if (auto* offers = std::get_if<shoset::Offers>(&message->content); offers != nullptr && shoset::isConnector(from)) {
        events.onOffers(from, std::move(*offers));
    } else if (auto* told = std::get_if<shoset::Configured>(&message->content); told != nullptr && shoset::isConnector(from)) {
        noteConfigured(from, *told, now);
        events.onConfigured(from, std::move(*told));
    } else if (auto* command = std::get_if<shoset::Command>(&message->content); command != nullptr && shoset::isConnector(from) && last) {
        events.onCommandAsked(from, message->id, std::move(*command), record.body, links.at(id)->deadlineOf(record.prelude, now), now);
    } else if (command != nullptr && !shoset::isConnector(from) && last) {
        count.notAllowed += events.onPeerAsked(from, message->id, *command, record.body, now) ? 0 : 1;
    } else if (const auto* offer = std::get_if<shoset::KeyOffer>(&message->content);
               offer != nullptr && shoset::isConnector(from) && from == links.at(id)->peer()) {
        events.onKeyOffer(from, keys[id], *offer, now);
    } else if (const auto* learned = std::get_if<shoset::Routes>(&message->content)) {
        advertise(routes.learn(id, learned->routes), now);
    } else if (isOfEvents(record.prelude.kind) && (last || record.prelude.kind != Kind::event)) {
        events.onEventRecord(links.at(id)->peer(), std::move(*message), record.body, now);
    } else {
        ++count.notAllowed;
    }
}

void Mesh::forward(LinkId from, const shoset::Record& record, const shoset::Envelope& envelope, Now now)
{
    Link& incoming = *links.at(from);
    const bool toConnector = shoset::isConnector(envelope.destination);
    if (shoset::isConnector(incoming.peer()) && toConnector) {
        ++count.notAllowed;
        return events.onRefusedRecord(incoming.peer(), "not_allowed", now);
    }
    if (record.prelude.hops == 0) {
        ++count.hopLimit;
        return noteForward(record, envelope, HopFate::refused, Code::unsupported, {}, now);
    }
    const std::optional<Instant> deadline = incoming.deadlineOf(record.prelude, now);
    if (!deadline || *deadline <= now.mono) {
        ++(deadline ? count.expired : count.clockUnknown);
        events.onRefusedRecord(incoming.peer(), "expired", now);
        return noteForward(record, envelope, HopFate::refused, Code::deadlineExceeded, {}, now);
    }
    for (const LinkId way : routes.nextHops(shoset::Address(envelope.destination))) {
        Link* link = way == from ? nullptr : find(way);
        if (link != nullptr && understands(*link, record.prelude.kind) && link->forward(record, *deadline, now)) {
            ++count.forwarded;
            return noteForward(record, envelope, HopFate::forwarded, Code::ok, link->peer(), now);
        }
    }
    ++count.noRoute;
    noteForward(record, envelope, HopFate::refused, Code::notSent, {}, now);
    const bool more = (record.prelude.flags & shoset::flagLast) == 0;
    if (record.prelude.kind == Kind::command) {
        events.onRefusedRecord(incoming.peer(), "unknown_destination", now);
        shoset::Reply reply;
        reply.state = shoset::ReplyState::fail;
        reply.code = Code::notSent;
        reply.message = self.name + " has no link to it";
        sayBack(incoming, envelope, std::move(reply), now);
    } else if (more && record.prelude.kind == Kind::chunk && shoset::isConnector(envelope.source)) {
        sayBack(incoming, envelope, shoset::Cancel{}, now);  // a piece is lost, and with it the answer
    }
}

void Mesh::sayBack(Link& link, const shoset::Envelope& envelope, shoset::Content content, Now now)
{
    const Result<MessageId> id = MessageId::fromBytes(envelope.id);
    if (!id) {
        ++count.malformed;
        return;
    }
    link.append({*id, self.name, shoset::Address(envelope.source), std::move(content)}, {}, shoset::flagLast, never, now,
                limits::maxHops);
}

}  // namespace mesh::aggregator
