#include "aggregator/core/broker_request.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

using shoset::LinkId;

Broker::Broker(Mesh& meshOfNode, BrokerEvents& asker, const Satellites& known, Rng& random)
    : mesh(meshOfNode), events(asker), satellites(known), rng(random)
{
}

Broker::~Broker() = default;

bool Broker::isFull(const shoset::Address& connector)
{
    ++count.started;
    const auto load = perConnector.find(connector);
    const auto ofTenant = perTenant.find(shoset::tenantOf(connector));
    const bool full = requests.size() >= limits::maxPendingRequests ||
                      (ofTenant != perTenant.end() && ofTenant->second >= limits::maxPendingPerTenant) ||
                      (load != perConnector.end() && load->second >= limits::maxPendingPerConnector);
    count.refusedFull += full ? 1 : 0;
    return full;
}

Broker::Request& Broker::add(Ticket ticket, const MessageId& id, shoset::Address connector)
{
    auto owned = std::make_unique<Request>();
    Request& request = *owned;
    request.id = id;
    request.ticket = ticket;
    request.connector = std::move(connector);
    ++perConnector[request.connector];
    ++perTenant[std::string(shoset::tenantOf(request.connector))];
    byTicket.emplace(ticket, request.id);
    requests.emplace(request.id, std::move(owned));
    return request;
}

void Broker::sendFirst(Request& request, Now now)
{
    request.command.assignment = assignmentOf(request.connector);
    request.begun = now.mono;
    if (!trySend(request, now)) {
        fail(request, {Code::notSent, "no link to it"}, now);
    }
}

void Broker::start(Ticket ticket, SatelliteRequest given, Now now)
{
    if (isFull(given.connector)) {
        events.onAnswerFailed(ticket, {Code::full, "too many requests are in flight; not sent"}, false, now);
        return;
    }
    Request& request = add(ticket, MessageId::make(now.wall, rng), std::move(given.connector));
    request.command = {std::string(shoset::redfishRequest), std::move(given.user), std::move(given.connectorPrefix), std::move(given.http),
                       given.bodyLength, std::move(given.hosts)};
    request.deadline = given.deadline;
    request.about = given.about;
    request.body = std::move(given.body);
    request.bodyFollows = given.bodyFollows;
    request.bodyComplete = !given.bodyFollows;
    request.outgoing.sent = request.body.size();
    sendFirst(request, now);
}

void Broker::startCommand(Ticket ticket, WorkerRequest given, CommandEvents& asker, Now now)
{
    if (isFull(given.connector)) {
        asker.onCommandFailed(ticket, {Code::full, "too many requests are in flight; not sent"}, now);
        return;
    }
    Request& request = add(ticket, given.id, std::move(given.connector));
    request.asker = &asker;
    request.about = given.about;
    request.command = std::move(given.command);
    request.deadline = given.deadline;
    request.body = std::move(given.payload);
    request.bodyComplete = true;
    request.outgoing.sent = request.body.size();
    sendFirst(request, now);
}

// A share of the time that is left for each way: silence may be the way's fault, not the satellite's.
bool Broker::trySend(Request& request, Now now)
{
    const std::optional<LinkId> way = mesh.send(request.connector, request.id, request.command, request.body,
                                                !request.bodyFollows, request.deadline, now, request.link);
    if (!way) {
        return false;
    }
    if (++request.attempts > 1) {
        ++count.retried;
    }
    request.link = way;
    request.repeat = request.repeat == way ? std::nullopt : request.repeat;
    noteSent(request, now);
    request.retryAt = request.bodyFollows ? never : now.mono + (request.deadline - now.mono) / 3;
    schedule(request, std::min(request.retryAt, request.deadline));
    return true;
}

std::uint64_t Broker::assignmentOf(const shoset::Address& connector) const
{
    const Satellite* satellite = satellites.find(connector);
    return satellite == nullptr ? 0 : satellite->assignment;
}

// Before it is sent again. True: another node runs the connector now, so that the request has ended here, as nobody can say
// how.
bool Broker::isOvertaken(Request& request, Now now)
{
    const std::uint64_t current = assignmentOf(request.connector);
    const std::string& method = request.command.http.method;
    if (request.command.assignment == current || method == "GET" || method == "HEAD") {
        request.command.assignment = current;
        return false;
    }
    ++count.overtaken;
    fail(request, {Code::outcomeUnknown, "the node that ran its connector was replaced before the answer"}, now);
    return true;
}

void Broker::schedule(Request& request, Instant when)
{
    timers.erase({request.timer, request.id});
    request.timer = when;
    if (when != never) {
        timers.insert({when, request.id});
    }
}

void Broker::sendBody(Ticket ticket, std::string piece, bool last, Now now)
{
    const auto found = byTicket.find(ticket);
    Request* request = found == byTicket.end() ? nullptr : find(found->second);
    if (request == nullptr || request->bodyComplete) {
        return;
    }
    request->waiting += piece;
    request->bodyComplete = last;
    pumpBody(*request, now);
}

void Broker::pumpBody(Request& request, Now now)
{
    std::size_t done = 0;
    while (true) {
        const std::size_t left = request.waiting.size() - done;
        const std::size_t size = std::min<std::uint64_t>({left, limits::chunkBytes, request.outgoing.room()});
        const bool last = request.bodyComplete && size == left;
        if (size == 0 && !(last && request.bodyFollows)) {
            break;
        }
        if (!mesh.send(request.connector, request.id, shoset::Chunk{request.outgoing.sent, Code::ok, {}},
                       std::string_view(request.waiting).substr(done, size), last, never, now, std::nullopt, request.link)) {
            fail(request, {Code::outcomeUnknown, "the link to it ended while the body was sent"}, now);
            return;
        }
        request.outgoing.sent += size;
        done += size;
        if (last) {
            request.bodyFollows = false;
            break;
        }
    }
    request.waiting.erase(0, done);
}

void Broker::consumed(Ticket ticket, std::size_t bytes, Now now)
{
    const auto found = byTicket.find(ticket);
    Request* request = found == byTicket.end() ? nullptr : find(found->second);
    if (request == nullptr) {
        return;
    }
    request->incoming.consumed += bytes;
    if (const std::uint64_t total = request->incoming.dueGrant(); total != 0) {
        mesh.send(request->connector, request->id, shoset::Credit{total}, {}, false, never, now);
    }
}

void Broker::cancel(Ticket ticket, Now now)
{
    const auto found = byTicket.find(ticket);
    if (Request* request = found == byTicket.end() ? nullptr : find(found->second)) {
        ++count.cancelled;
        tellCancel(*request, now);
        erase(*request);
    }
}

void Broker::tellCancel(const shoset::Address& connector, const MessageId& id, Now now)
{
    mesh.send(connector, id, shoset::Cancel{}, {}, true, never, now);
}

// Before the request, or a piece of its body, it would end nothing.
void Broker::tellCancel(const Request& request, Now now)
{
    mesh.send(request.connector, request.id, shoset::Cancel{}, {}, true, never, now, std::nullopt, request.link);
}

Broker::Request* Broker::find(const MessageId& id)
{
    const auto found = requests.find(id);
    return found == requests.end() ? nullptr : found->second.get();
}

// Only the connector that was asked may answer; a peer aggregator may say that it could not pass the request on.
Broker::Request* Broker::findFrom(const shoset::Address& from, const MessageId& id, bool alsoPeers)
{
    Request* request = find(id);
    if (request == nullptr) {
        ++count.unknownReply;
        return nullptr;
    }
    if (from != request->connector && !(alsoPeers && !shoset::isConnector(from))) {
        ++count.wrongSource;
        return nullptr;
    }
    return request;
}

void Broker::onReply(const shoset::Address& from, const MessageId& id, shoset::Reply reply, std::string_view body,
                     bool last, Instant sent, Now now)
{
    const bool notPassedOn = reply.state == shoset::ReplyState::fail && reply.code == Code::notSent;
    Request* request = findFrom(from, id, notPassedOn);
    if (request == nullptr) {
        if (!last && reply.state != shoset::ReplyState::onGoing) {
            tellCancel(from, id, now);
        }
        return noteStray(from, id, now);
    }
    if (request->started || (reply.state == shoset::ReplyState::onGoing && request->asker == nullptr)) {
        return;
    }
    noteReply(*request, from, reply, sent, now);
    // That one way was closed proves nothing while the request may have arrived over another.
    if (notPassedOn && request->attempts > 1) {
        onNotPassedOn(*request, from, now);
        return;
    }
    if (request->asker != nullptr) {
        onWorkerReply(*request, std::move(reply), body, last, now);
        return;
    }
    if (reply.state == shoset::ReplyState::fail) {
        conclude(*request, {reply.code, std::move(reply.message)}, now);
        return;
    }
    const Ticket ticket = request->ticket;
    const Instant asOf = reply.undisturbed ? std::max(request->begun, sent) : request->begun;
    if (last) {
        ++count.answered;
        erase(*request);
    } else {
        request->started = true;
        request->body.clear();
        request->incoming.received = body.size();
        schedule(*request, never);
    }
    events.onAnswer(ticket, std::move(reply.http), std::string(body), last, asOf, now);
}

// A worker at work may be silent up to the deadline; its replies come whole.
void Broker::onWorkerReply(Request& request, shoset::Reply reply, std::string_view body, bool last, Now now)
{
    const Ticket ticket = request.ticket;
    CommandEvents& asker = *request.asker;
    if (!last) {
        ++count.brokenStream;
        tellCancel(request, now);
        fail(request, {Code::corrupt, "its answer came in pieces"}, now);
        return;
    }
    if (reply.state == shoset::ReplyState::onGoing) {
        request.retryAt = never;
        schedule(request, request.deadline);
    } else {
        ++(reply.state == shoset::ReplyState::success ? count.answered : count.failed);
        erase(request);
    }
    asker.onCommandReply(ticket, std::move(reply), std::string(body), now);
}

void Broker::onChunk(const shoset::Address& from, const MessageId& id, const shoset::Chunk& chunk, std::string_view body,
                     bool last, Now now)
{
    Request* request = findFrom(from, id, false);
    if (request == nullptr) {
        if (!last) {
            tellCancel(from, id, now);
        }
        return;
    }
    if (chunk.code != Code::ok) {
        fail(*request, {chunk.code, chunk.message}, now);
        return;
    }
    if (!request->started || !request->incoming.accepts(chunk.offset, body.size())) {
        ++count.brokenStream;
        tellCancel(*request, now);
        fail(*request, {Code::corrupt, "a piece of the answer was lost"}, now);
        return;
    }
    if (body.empty() && !last) {
        return;  // whether anybody waits for it is all that was asked
    }
    request->incoming.received += body.size();
    const Ticket ticket = request->ticket;
    if (last) {
        ++count.answered;
        erase(*request);
    }
    events.onAnswerBody(ticket, std::string(body), last, now);
}

void Broker::onCredit(const shoset::Address& from, const MessageId& id, std::uint64_t total, Now now)
{
    Request* request = findFrom(from, id, false);
    if (request == nullptr || total <= request->outgoing.allowed) {
        return;
    }
    const std::uint64_t more = total - request->outgoing.allowed;
    request->outgoing.grant(total);
    const Ticket ticket = request->ticket;
    pumpBody(*request, now);
    if (byTicket.contains(ticket)) {
        events.onBodyWanted(ticket, more, now);
    }
}

void Broker::onLinkLost(LinkId link, Now now)
{
    std::vector<MessageId> affected;
    for (const auto& [id, request] : requests) {
        if (request->repeat == link) {
            request->repeat.reset();
        }
        if (request->link == link) {
            affected.push_back(id);
        }
    }
    for (const MessageId& id : affected) {
        Request& request = *requests.at(id);
        takeAnotherWay(request, now);
    }
}

// The way that the request took is gone. Of a body that went in pieces only the first is kept.
void Broker::takeAnotherWay(Request& request, Now now)
{
    const bool keepsBody = !request.bodyFollows && request.outgoing.sent == request.body.size();
    if (request.started || !keepsBody) {
        tellCancel(request, now);
        fail(request, {Code::outcomeUnknown, "the link to it ended midway"}, now);
    } else if (!isOvertaken(request, now) && !trySend(request, now)) {
        awaitWay(request, now);
    }
}

// What was sent over the other way may still be answered.
void Broker::onNotPassedOn(Request& request, const shoset::Address& from, Now now)
{
    if (!request.link) {
        return;
    }
    const std::optional<LinkId> repeat = std::exchange(request.repeat, std::nullopt);
    if (!repeat || from == request.connector) {
        awaitWay(request, now);
    } else if (mesh.peerOf(*request.link) == from) {
        request.link = repeat;
    }
}

// A connector that lost its link is back soon, or not at all.
void Broker::awaitWay(Request& request, Now now)
{
    request.link.reset();
    request.repeat.reset();
    schedule(request, std::min(request.deadline, now.mono + limits::linkRecovery));
}

void Broker::onRoutesChanged(const std::vector<shoset::Address>& addresses, Now now)
{
    std::vector<MessageId> affected;
    for (const auto& [id, request] : requests) {
        if (std::find(addresses.begin(), addresses.end(), request->connector) != addresses.end()) {
            affected.push_back(id);
        }
    }
    for (const MessageId& id : affected) {
        Request* request = find(id);
        if (request == nullptr) {
            continue;
        }
        if (!request->link) {
            if (!isOvertaken(*request, now)) {
                trySend(*request, now);
            }
        } else if (!mesh.leadsTo(*request->link, request->connector)) {
            takeAnotherWay(*request, now);
        }
    }
}

void Broker::onTimer(Now now)
{
    while (!timers.empty() && timers.begin()->first <= now.mono) {
        Request& request = *requests.at(timers.begin()->second);
        expire(request, now);
    }
}

void Broker::expire(Request& request, Now now)
{
    if (request.deadline > now.mono && request.link) {
        if (isOvertaken(request, now)) {
            return;
        }
        request.retryAt = never;
        schedule(request, request.deadline);
        if (const auto way = mesh.send(request.connector, request.id, request.command, request.body, true, request.deadline, now, request.link)) {
            ++request.attempts;
            ++count.retried;
            request.repeat = way == request.link ? std::nullopt : way;
            note(request, {.fate = HopFate::sentAgain, .from = mesh.name(), .to = request.connector, .over = mesh.peerOf(*way)}, now);
        }
        return;
    }
    ++count.timedOut;
    if (request.link) {
        tellCancel(request, now);
    }
    fail(request, {Code::outcomeUnknown, request.link ? "no answer in time" : "the link to it ended before the answer"},
         now);
}

Instant Broker::nextDeadline() const
{
    return timers.empty() ? never : timers.begin()->first;
}

void Broker::fail(Request& request, Error error, Now now)
{
    note(request, {.fate = HopFate::ended, .code = error.code, .from = mesh.name(), .to = request.connector}, now);
    conclude(request, std::move(error), now);
}

// Who asked is told.
void Broker::conclude(Request& request, Error error, Now now)
{
    ++count.failed;
    const Ticket ticket = request.ticket;
    const bool started = request.started;
    CommandEvents* const asker = request.asker;
    erase(request);
    if (asker != nullptr) {
        asker->onCommandFailed(ticket, std::move(error), now);
    } else {
        events.onAnswerFailed(ticket, std::move(error), started, now);
    }
}

void Broker::erase(Request& request)
{
    schedule(request, never);
    if (const auto load = perConnector.find(request.connector); load != perConnector.end() && --load->second == 0) {
        perConnector.erase(load);
    }
    if (const auto load = perTenant.find(shoset::tenantOf(request.connector)); load != perTenant.end() && --load->second == 0) {
        perTenant.erase(load);
    }
    byTicket.erase(request.ticket);
    requests.erase(MessageId(request.id));
}

}  // namespace mesh::aggregator
