#include "connector/core/asks.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/outcome.hpp"

#include <algorithm>
#include <utility>

namespace mesh::connector {

using shoset::LinkId;
using shoset::Reply;
using shoset::ReplyState;

namespace {

Reply endingWith(const Error& error)
{
    Reply reply;
    reply.state = ReplyState::fail;
    reply.code = error.code;
    reply.message = error.message;
    return reply;
}

}  // namespace

Asks::Asks(AskPort& aggregators, WorkerPort& socket, Rng& random) : port(aggregators), workers(socket), rng(random) {}

void Asks::refuse(WorkerId worker, std::uint64_t ref, const Error& error)
{
    ++count.refused;
    workers.sendToWorker(worker, answerWord(ref, {}, endingWith(error), {}));
}

std::optional<Error> Asks::whyNot(WorkerId worker, const WorkerSend& send)
{
    if (send.wrong) {
        return send.wrong;
    }
    const auto own = std::count_if(asks.begin(), asks.end(), [worker](const auto& entry) { return entry.second.worker == worker; });
    if (asks.size() >= limits::maxAsks || static_cast<std::size_t>(own) >= limits::maxAsksOfWorker) {
        ++count.refusedFull;
        return Error{Code::full, "too many commands of this connector's workers are under way; nothing was sent"};
    }
    return std::nullopt;
}

void Asks::start(WorkerId worker, WorkerSend wanted, Now now)
{
    ++count.asked;
    if (const std::optional<Error> error = whyNot(worker, wanted)) {
        return refuse(worker, wanted.ref, *error);
    }
    const std::optional<AskPort::Aggregator> aggregator = port.nextAggregator();
    if (!aggregator) {
        return refuse(worker, wanted.ref, {Code::notSent, "no aggregator that takes commands is linked; nothing was sent"});
    }
    Ask ask;
    ask.id = MessageId::make(now.wall, rng);
    ask.worker = worker;
    ask.ref = wanted.ref;
    ask.aggregator = aggregator->name;
    ask.command.name = std::move(wanted.command);
    ask.command.type = std::move(wanted.type);
    ask.command.major = wanted.version.major;
    ask.command.minor = wanted.version.minor;
    ask.command.to = std::move(wanted.to);
    ask.command.incarnation = aggregator->incarnation;
    ask.payload = std::move(wanted.payload);
    ask.deadline = now.mono + wanted.within;
    workers.sendToWorker(worker, sentWord(ask.ref, ask.id));
    send(asks.emplace(ask.id, std::move(ask)).first->second, now);
}

// A share of the time that is left for each way: silence may be the way's fault.
bool Asks::trySend(Ask& ask, Now now)
{
    const std::optional<LinkId> way =
        port.sendAsk(ask.aggregator, ask.id, ask.command, ask.payload, ask.deadline, ask.link, ask.closed, now);
    if (!way) {
        return false;
    }
    ask.link = way;
    count.again += ask.attempts++ > 0 ? 1 : 0;
    ask.wakeAt = ask.attempts == 1 ? now.mono + (ask.deadline - now.mono) / 3 : ask.deadline;
    return true;
}

void Asks::send(Ask& ask, Now now)
{
    if (!trySend(ask, now)) {
        awaitWay(ask, now);
    }
}

// Nothing was heard over the first way, which may still bring the answer.
void Asks::sendAgain(Ask& ask, Now now)
{
    const std::optional<LinkId> before = ask.link;
    ask.wakeAt = ask.deadline;
    if (trySend(ask, now) && ask.link != before) {
        ask.first = before;
    }
}

// A link that was lost is back soon, or not at all.
void Asks::awaitWay(Ask& ask, Now now)
{
    ask.link.reset();
    ask.wakeAt = std::min(ask.deadline, now.mono + limits::linkRecovery);
}

// That proves nothing of what was sent over other ways.
void Asks::onNotPassedOn(Ask& ask, LinkId via, Now now)
{
    ++ask.refusals;
    ask.closed.insert(via);
    if (ask.first == via) {
        ask.first.reset();
    }
    if (ask.link != via) {
        return;
    }
    if (ask.first) {
        ask.link = std::exchange(ask.first, std::nullopt);
    } else {
        send(ask, now);
    }
}

// Only one that cannot have arrived at the first.
bool Asks::askAnother(Ask& ask, Now now)
{
    const std::optional<AskPort::Aggregator> next =
        ask.attempts == ask.refusals && now.mono < ask.deadline ? port.nextAggregator() : std::nullopt;
    if (!next) {
        return false;
    }
    ask.aggregator = next->name;
    ask.command.incarnation = next->incarnation;
    ask.closed.clear();
    send(ask, now);
    return true;
}

void Asks::giveUp(const Ask& ask, Now now)
{
    const std::string why = now.mono >= ask.deadline ? "no answer in time" : "the link to the aggregator that has it ended";
    const bool arrivedNowhere = ask.attempts == ask.refusals;
    end(ask.id, endingWith(arrivedNowhere ? Error{Code::notSent, "no aggregator could be reached; nothing was sent"}
                                          : Error{Code::outcomeUnknown, why}), {});
}

void Asks::onWorkerEnded(WorkerId worker)
{
    std::erase_if(asks, [worker](const auto& entry) { return entry.second.worker == worker; });
}

bool Asks::onReply(const shoset::Address& from, LinkId via, const MessageId& id, const Reply& reply, std::string_view payload,
                   bool whole, Now now)
{
    const auto found = asks.find(id);
    if (found == asks.end()) {
        ++count.unknownReply;
        return false;
    }
    Ask& ask = found->second;
    if (from != ask.aggregator) {
        if (reply.state == ReplyState::fail && reply.code == Code::notSent) {
            onNotPassedOn(ask, via, now);
        }
        return true;
    }
    if (!whole) {
        end(id, endingWith({Code::outcomeUnknown, "its answer came in pieces"}), {});
    } else if (reply.state == ReplyState::onGoing) {
        ask.wakeAt = ask.deadline;
        workers.sendToWorker(ask.worker, answerWord(ask.ref, id, reply, payload));
    } else {
        end(id, reply, payload);
    }
    return true;
}

void Asks::end(const MessageId& id, const Reply& reply, std::string_view payload)
{
    const auto found = asks.find(id);
    const bool failed = reply.state == ReplyState::fail;
    const bool unknown = failed && reply.failure.empty() && !shoset::provesNotExecuted(reply.code);
    ++(unknown ? count.unknown : failed ? count.failed : count.succeeded);
    workers.sendToWorker(found->second.worker, answerWord(found->second.ref, id, reply, payload));
    asks.erase(found);
}

std::vector<MessageId> Asks::inOrder(bool (*concerned)(const Ask& ask, LinkId link), LinkId link) const
{
    std::vector<MessageId> out;
    for (const auto& [id, ask] : asks) {
        if (concerned(ask, link)) {
            out.push_back(id);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

void Asks::onLinkUp(Now now)
{
    for (const MessageId& id : inOrder([](const Ask& ask, LinkId) { return !ask.link; }, 0)) {
        asks.at(id).closed.clear();
        send(asks.at(id), now);
    }
}

void Asks::onLinkDown(LinkId lost, Now now)
{
    for (const MessageId& id : inOrder([](const Ask& ask, LinkId link) { return ask.link == link || ask.first == link; }, lost)) {
        Ask& ask = asks.at(id);
        ask.closed.clear();
        if (ask.link == lost) {
            send(ask, now);
        }
        ask.first.reset();
    }
}

void Asks::onTimer(Now now)
{
    if (now.mono < nextDeadline()) {
        return;
    }
    for (const MessageId& id : inOrder([](const Ask&, LinkId) { return true; }, 0)) {
        Ask& ask = asks.at(id);
        if (ask.wakeAt > now.mono) {
            continue;
        }
        if (ask.deadline > now.mono && ask.link) {
            sendAgain(ask, now);
        } else if (!askAnother(ask, now)) {
            giveUp(ask, now);
        }
    }
}

Instant Asks::nextDeadline() const
{
    Instant next = never;
    for (const auto& [id, ask] : asks) {
        next = std::min(next, ask.wakeAt);
    }
    return next;
}

}  // namespace mesh::connector
