#include "connector/core/connector.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::connector {

using shoset::Link;
using shoset::LinkId;

namespace {

// A record's header is bounded, so a long member list travels in several records.
constexpr std::size_t announceBytes = limits::maxHeaderBytes / 2;

}  // namespace

Connector::Connector(ConnectorSettings given, ConnectorPort& port, BmcPort& bmc, JournalPort& journal, StatePort& statePort,
                     Rng& rng)
    : settings(std::move(given)),
      self{settings.name, rng.next(),
           shoset::capabilityRedfish | shoset::capabilityStreams | shoset::capabilityAggregators | shoset::capabilityCalm |
               shoset::capabilityOffers | shoset::capabilityEvents | shoset::capabilityEventCredit | shoset::capabilityConfig,
           "bmcmesh"},
      shell(port), state(statePort), contacts(settings.aggregators),
      emissions(outbox, port), outbox(settings.outbox, port, emissions), sender(outbox, *this), subscriptions(*this),
      secrets({settings.operators, settings.name, settings.tenant}, statePort, *this, rng), asks(*this, port, rng),
      workers(settings.workers, port, *this),
      executor(settings.policy, settings.ownHosts, bmc, journal, statePort, workers, *this, settings.assignment),
      watch(bmc, *this, rng)
{
}

Connector::~Connector() = default;

void Connector::start(Now now)
{
    aloneSince = now.mono;
    secrets.start(rotation.current(), now);
    workers.configure(configuration.wanted(), now);
    dialContacts(now);
    watch.start(now);
}

Link* Connector::find(LinkId id)
{
    const auto found = links.find(id);
    return found == links.end() ? nullptr : found->second.get();
}

// Links are made and ended here, never from inside a link's call.
void Connector::settle(Now now)
{
    judgeContacts(now);
    turnKeys(now);
    pumpEvents(now);
}

// A shell may still have something to tell of a link that was hung up.
void Connector::onConnected(LinkId id, Now now)
{
    if (Link* link = find(id)) {
        link->onConnected(now);
        settle(now);
    }
}

void Connector::onDisconnected(LinkId id, Now now)
{
    if (Link* link = find(id)) {
        link->onDisconnected(now);
        settle(now);
    }
}

void Connector::onFrame(LinkId id, std::string_view frame, Now now)
{
    if (Link* link = find(id)) {
        link->onFrame(frame, now);
        settle(now);
    }
}

void Connector::onTimer(Now now)
{
    for (const auto& [id, link] : links) {
        link->onTimer(now);
    }
    workers.onTimer(now);
    secrets.onTimer(now);
    asks.onTimer(now);
    executor.onTimer(now);
    watch.onTimer(now);
    outbox.onTimer(now);
    emissions.onTimer(now);
    subscriptions.onTimer(now);
    announceAgain(now);
    settle(now);
}

Instant Connector::nextDeadline() const
{
    Instant next = std::min({executor.nextDeadline(), workers.nextDeadline(), secrets.nextDeadline(), asks.nextDeadline(),
                             watch.nextDeadline(), announceAgainAt, reserveDeadline(), offerAt, rotation.nextDeadline(), keysLookAt,
                             outbox.nextDeadline(), sender.nextDeadline(), emissions.nextDeadline(), subscriptions.nextDeadline()});
    for (const auto& [id, link] : links) {
        next = std::min(next, link->nextDeadline());
    }
    return next;
}

void Connector::flush()
{
    for (const auto& [id, link] : links) {
        link->flush();
    }
}

void Connector::bye(const std::string& reason, Now now)
{
    workers.bye(reason);
    for (const auto& [id, link] : links) {
        link->bye(reason, now);
    }
}

bool Connector::isLinked() const
{
    return linksUp() > 0;
}

std::size_t Connector::linksUp() const
{
    return static_cast<std::size_t>(
        std::count_if(links.begin(), links.end(), [](const auto& entry) { return entry.second->isUp(); }));
}

// Who is linked need not be dialled in another way, and who is not listed has to go; but not from inside a link's call.
void Connector::onLinkUp(LinkId up, Now now)
{
    contactsChanged = true;
    Contact& contact = dialled.at(up);
    contact.otherKeyAt = never;
    nextProved = nextProved || (!rotation.next().empty() && contact.key == rotation.next());
    for (const auto& [id, link] : links) {
        if (id == up || !link->isUp()) {
            announce(*link, watch.snapshot(), now);
            tellOffers(*link, now);
            tellConfigured(*link, now);
        }
    }
    secrets.onLinkUp(now);
    eventsUp(up, now);
    asks.onLinkUp(now);
}

// What was under way on it may be lost: whoever it led to hears all again on the way that is left.
void Connector::onLinkDown(LinkId id, const std::string&, Now now)
{
    contactsChanged = true;
    dialled.at(id).told.reset();
    announce(*links.at(id), watch.snapshot(), now);
    tellOffers(*links.at(id), now);
    eventsDown(id, now);
    tellConfigured(*links.at(id), now);
    secrets.onLinkDown(links.at(id)->peer(), now);
    asks.onLinkDown(id, now);
    executor.onLinkDown(links.at(id)->peer(), now);
}

void Connector::onRecord(LinkId id, const shoset::Record& record, Now now)
{
    Link& link = *links.at(id);
    Result<shoset::Message> message = decodeHeader(record.prelude.kind, record.header);
    if (!message) {
        ++count.malformed;
        return;
    }
    if (message->destination != link.assignedName()) {
        ++count.notForUs;
        return;
    }
    const bool last = (record.prelude.flags & shoset::flagLast) != 0;
    if (std::holds_alternative<shoset::Command>(message->content)) {
        executor.onCommand(id, std::move(*message), record.body, last, link.deadlineOf(record.prelude, now), now);
    } else if (const auto* chunk = std::get_if<shoset::Chunk>(&message->content)) {
        executor.onChunk(message->id, *chunk, record.body, last, now);
    } else if (const auto* credit = std::get_if<shoset::Credit>(&message->content)) {
        executor.onCredit(message->id, credit->total, now);
    } else if (std::holds_alternative<shoset::Cancel>(message->content)) {
        executor.onCancel(message->id, now);
    } else if (std::holds_alternative<shoset::Aggregators>(message->content)) {
        takeList(link, *message);
    } else if (std::holds_alternative<shoset::KeyStatus>(message->content)) {
        takeKeyStatus(id, *message, now);
    } else if (std::holds_alternative<shoset::Configure>(message->content) && last) {
        takeConfiguration(link, *message, record.body, now);
    } else if (const auto* reply = std::get_if<shoset::Reply>(&message->content)) {
        if (!secrets.onReply(message->id, message->source, *reply, record.body, message->destination, now)) {
            asks.onReply(message->source, id, message->id, *reply, record.body, last, now);
        }
    } else if (!takeEventRecord(link, id, *message, record.body, now)) {
        ++count.notForUs;
    }
}

std::optional<LinkId> Connector::chooseLink(const shoset::Address& origin, LinkId via) const
{
    std::optional<LinkId> fallback;
    for (const auto& [id, link] : links) {
        if (!link->isUp()) {
            continue;
        }
        if (link->peer() == origin) {
            return id;
        }
        if (!fallback || id == via) {
            fallback = id;
        }
    }
    return fallback;
}

std::optional<LinkId> Connector::send(const shoset::Address& origin, LinkId via, const MessageId& id, shoset::Content content,
                                      std::string_view body, bool last, Now now)
{
    const auto begun = std::holds_alternative<shoset::Chunk>(content) ? links.find(via) : links.end();
    const bool stays = begun != links.end() && begun->second->isUp();
    const std::optional<LinkId> way = stays ? via : chooseLink(origin, via);
    if (!way) {
        return std::nullopt;
    }
    Link& link = *links.at(*way);
    const shoset::Message message{id, link.assignedName(), origin, std::move(content)};
    const bool sent = link.append(message, body, last ? shoset::flagLast : 0, never, now, limits::maxHops);
    return sent ? way : std::nullopt;
}

bool Connector::hasLinkTo(const shoset::Address& origin) const
{
    return std::any_of(links.begin(), links.end(),
                       [&](const auto& entry) { return entry.second->isUp() && entry.second->peer() == origin; });
}

void Connector::refresh(const std::vector<std::string>& collections, std::uint64_t ticket, Now now)
{
    watch.refresh(collections, ticket, now);
}

void Connector::onRefreshed(std::uint64_t ticket, Now now)
{
    executor.onRefreshed(ticket, now);
}

void Connector::onAnnounce(const shoset::Announce& changed, Now now)
{
    noteBmc(changed, now);
    announceToAll(changed, now);
}

void Connector::announceToAll(const shoset::Announce& said, Now now)
{
    for (const auto& [id, link] : links) {
        announce(*link, said, now);
    }
}

// An aggregator that cannot be reached directly hears it through another one, where it may be overtaken or get lost. So
// each is numbered, all is said again whenever the way changes, and now and then while the way is not direct.
void Connector::announce(const Link& destination, const shoset::Announce& said, Now now)
{
    const std::optional<LinkId> way = chooseLink(destination.peer(), 0);
    if (!way) {
        return;
    }
    if (!destination.isUp()) {
        announceAgainAt = std::min(announceAgainAt, now.mono + limits::memberPollInterval);
    }
    sendAnnounce(*links.at(*way), destination.peer(), said, now);
}

void Connector::announceAgain(Now now)
{
    if (now.mono < announceAgainAt) {
        return;
    }
    announceAgainAt = never;
    for (const auto& [id, link] : links) {
        if (!link->isUp()) {
            announce(*link, watch.snapshot(), now);
            tellOffers(*link, now);
            tellConfigured(*link, now);
        }
    }
}

void Connector::sendAnnounce(Link& link, const shoset::Address& to, const shoset::Announce& announce, Now now)
{
    shoset::Announce part = announce;
    part.incarnation = self.incarnation;
    part.sequence = ++announced;
    part.sealingKey = secrets.announcedKey();
    part.collections.clear();
    const auto emit = [&] {
        link.append({{}, link.assignedName(), to, part}, {}, 0, never, now, limits::maxHops);
        part.complete = false;
        part.collections.clear();
    };
    std::size_t size = 0;
    for (const shoset::AnnouncedCollection& collection : announce.collections) {
        shoset::AnnouncedCollection piece = collection;
        piece.members.clear();
        for (const std::string& member : collection.members) {
            if (size + member.size() > announceBytes) {
                piece.more = true;
                part.collections.push_back(std::move(piece));
                emit();
                size = 0;
                piece = collection;
                piece.members.clear();
            }
            piece.members.push_back(member);
            size += member.size() + 4;
        }
        part.collections.push_back(std::move(piece));
        size += collection.path.size() + collection.reason.size() + 16;
        if (size > announceBytes) {
            emit();
            size = 0;
        }
    }
    if (part.complete || !part.collections.empty() || announce.collections.empty()) {
        emit();
    }
}

void Connector::onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now)
{
    if (MemberWatch::owns(id)) {
        watch.onHead(id, std::move(head), bodyFollows, now);
    } else {
        executor.onHead(id, std::move(head), bodyFollows, now);
    }
}

void Connector::onBody(BmcExchange id, std::string_view piece, bool last, Now now)
{
    if (MemberWatch::owns(id)) {
        watch.onBody(id, piece, last, now);
    } else {
        executor.onBody(id, piece, last, now);
    }
}

void Connector::onBodySent(BmcExchange id, std::size_t bytes, Now now)
{
    executor.onBodySent(id, bytes, now);
}

void Connector::onFailure(BmcExchange id, Error error, Now now)
{
    if (MemberWatch::owns(id)) {
        watch.onFailure(id, std::move(error), now);
    } else {
        executor.onFailure(id, std::move(error), now);
    }
}

}  // namespace mesh::connector
