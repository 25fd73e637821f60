#include "cluster/raft/raft_engine.hpp"

#include "cluster/core/feature_level.hpp"

#include <algorithm>
#include <utility>

namespace mesh::cluster {

namespace {

// `deadline` on the clock of raft's thread.
std::chrono::steady_clock::time_point onSteadyClock(Instant deadline, Instant now)
{
    const Duration left = std::min<Duration>(deadline - now, limits::maxRequestDeadline);
    return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
}

// Of `deadline`, for another member.
std::uint32_t millisLeft(Instant deadline, Instant now)
{
    const Duration left = std::clamp<Duration>(deadline - now, Duration(0), limits::maxRequestDeadline);
    return static_cast<std::uint32_t>(toMillis(left));
}

}  // namespace

void RaftEngine::refuse(ProposeHandler handler, Error error)
{
    environment.post([handler = std::move(handler), error = std::move(error), engine = std::weak_ptr<int>(alive)] {
        if (!engine.expired()) {
            handler(error);
        }
    });
}

void RaftEngine::refuse(BarrierHandler handler, Error error)
{
    environment.post([handler = std::move(handler), error = std::move(error), engine = std::weak_ptr<int>(alive)] {
        if (!engine.expired()) {
            handler(error);
        }
    });
}

void RaftEngine::propose(Command command, Instant deadline, ProposeHandler handler)
{
    ++count.proposals;
    auto entry = command.requestId.isNil() ? Error{Code::invalidArgument, "a proposal needs a request id"}
                                           : encodeCommand(command);
    if (!entry) {
        ++count.refusedInvalid;
        return refuse(std::move(handler), entry.error());
    }
    if (const Result<void> may = mayPropose(machine.state(), command.operation); !may) {
        ++count.refusedInvalid;
        return refuse(std::move(handler), may.error());
    }
    Ask ask;
    ask.requestId = command.requestId;
    ask.entry = std::move(*entry);
    ask.deadline = deadline;
    ask.onApplied = std::move(handler);
    add(std::move(ask));
}

void RaftEngine::barrier(Instant deadline, BarrierHandler handler)
{
    ++count.barriers;
    Ask ask;
    ask.deadline = deadline;
    ask.onBarrier = std::move(handler);
    add(std::move(ask));
}

void RaftEngine::add(Ask ask)
{
    const Instant now = environment.now();
    Error refused;
    if (closing) {
        refused = {Code::unavailable, "this node is shutting down"};
    } else if (view.role == NodeRole::stopped) {
        refused = {Code::unavailable, view.reason};
    } else if (asks.size() >= limits::maxQueuedProposals) {
        ++count.refusedFull;
        refused = {Code::full, std::to_string(limits::maxQueuedProposals) + " changes and reads wait already"};
    } else if (ask.deadline <= now) {
        ++count.refusedLate;
        refused = {Code::deadlineExceeded, "the deadline passed before this could be proposed"};
    }
    if (refused.code != Code::ok) {
        return ask.onApplied ? refuse(std::move(ask.onApplied), refused) : refuse(std::move(ask.onBarrier), refused);
    }
    const std::uint64_t token = ++lastToken;
    ask.since = now;
    if (ask.onApplied) {
        byRequest.emplace(ask.requestId, token);
    }
    asks.emplace(token, std::move(ask));
    environment.waits();
    dispatch(token);
}

void RaftEngine::dispatch(std::uint64_t token)
{
    Ask& ask = asks.at(token);
    const bool isBarrier = ask.entry.empty();
    const Instant now = environment.now();
    if (leads()) {
        ask.where = Ask::Where::local;
        toRaft(isBarrier ? RaftRequest::Kind::barrier : RaftRequest::Kind::propose, token, ask.entry, ask.deadline);
    } else if (view.role == NodeRole::follower && view.leader != 0 && view.leader != options.self) {
        ++count.forwarded;
        ask.where = Ask::Where::forwarded;
        ask.to = view.leader;
        ask.since = now;
        const std::uint32_t millis = millisLeft(ask.deadline, now);
        sendTo(ask.to, isBarrier ? PeerMessage(BarrierMessage{token, millis})
                                 : PeerMessage(ProposeMessage{token, millis, ask.entry}));
    }
}

void RaftEngine::dispatchWaiting()
{
    std::vector<std::uint64_t> waiting;
    for (const auto& [token, ask] : asks) {
        if (ask.where == Ask::Where::waiting) {
            waiting.push_back(token);
        }
    }
    for (const std::uint64_t token : waiting) {
        dispatch(token);
    }
}

void RaftEngine::toRaft(RaftRequest::Kind kind, std::uint64_t token, std::string bytes, Instant deadline)
{
    RaftRequest request;
    request.kind = kind;
    request.token = token;
    request.bytes = std::move(bytes);
    request.deadline = onSteadyClock(deadline, environment.now());
    if (!host->request(std::move(request))) {
        RequestDone refused{token, {Code::full, "too much waits for the log already"}, 0};
        handle(refused);
    }
}

void RaftEngine::erase(std::map<std::uint64_t, Ask>::iterator at)
{
    const auto [begin, end] = byRequest.equal_range(at->second.requestId);
    for (auto named = begin; named != end; ++named) {
        if (named->second == at->first) {
            byRequest.erase(named);
            break;
        }
    }
    asks.erase(at);
}

// Not at once: it may be called from inside propose().
void RaftEngine::answer(std::uint64_t token, const Error& error)
{
    const auto at = asks.find(token);
    if (at == asks.end()) {
        return;
    }
    ProposeHandler onApplied = std::move(at->second.onApplied);
    BarrierHandler onBarrier = std::move(at->second.onBarrier);
    erase(at);
    return onApplied ? refuse(std::move(onApplied), error) : refuse(std::move(onBarrier), error);
}

// Whoever put it into the log, and however often: what it did is the answer to all who asked for it.
void RaftEngine::answerApplied(const MessageId& id, const Applied& applied)
{
    const std::weak_ptr<int> engine = alive;
    const auto [begin, end] = byRequest.equal_range(id);
    std::vector<std::uint64_t> tokens;
    for (auto named = begin; named != end; ++named) {
        tokens.push_back(named->second);
    }
    std::sort(tokens.begin(), tokens.end());
    for (const std::uint64_t token : tokens) {
        const auto ask = asks.find(token);
        if (ask == asks.end()) {
            continue;
        }
        const ProposeHandler handler = std::move(ask->second.onApplied);
        erase(ask);
        handler(applied);
        if (engine.expired()) {
            return;
        }
    }
}

void RaftEngine::answerReached()
{
    const std::weak_ptr<int> engine = alive;
    std::vector<BarrierHandler> passed;
    for (auto ask = asks.begin(); ask != asks.end();) {
        const auto next = std::next(ask);
        if (ask->second.where == Ask::Where::reaching && ask->second.index <= reached.applied) {
            passed.push_back(std::move(ask->second.onBarrier));
            erase(ask);
        }
        ask = next;
    }
    for (const BarrierHandler& handler : passed) {
        if (engine.expired()) {
            return;
        }
        handler(state().revision);
    }
}

void RaftEngine::answerEverything(const Error& error)
{
    std::vector<std::uint64_t> tokens;
    for (const auto& [token, ask] : asks) {
        tokens.push_back(token);
    }
    for (const std::uint64_t token : tokens) {
        const Ask& ask = asks.at(token);
        const bool tried = !ask.entry.empty() && ask.where != Ask::Where::waiting;
        answer(token, tried ? Error{Code::outcomeUnknown, "this node stopped before it was confirmed"} : error);
    }
}

void RaftEngine::expire()
{
    const Instant now = environment.now();
    std::vector<std::pair<std::uint64_t, Error>> late;
    for (const auto& [token, ask] : asks) {
        const bool isBarrier = ask.entry.empty();
        const bool overdue = ask.deadline <= now;
        if (ask.where == Ask::Where::waiting && !overdue) {
            if (now - ask.since >= limits::raftPrimaryWait) {
                const std::string why = view.reason.empty() ? "no primary is known" : view.reason;
                late.emplace_back(token, Error{Code::unavailable, why});
            }
        } else if (overdue && (isBarrier || ask.where == Ask::Where::waiting)) {
            late.emplace_back(token, Error{Code::deadlineExceeded, "the deadline passed before the primary answered"});
        } else if (overdue || (ask.where == Ask::Where::forwarded && now - ask.since >= limits::raftForwardTimeout)) {
            late.emplace_back(token, Error{isBarrier ? Code::unavailable : Code::outcomeUnknown,
                                           "the primary did not confirm this in time"});
        }
    }
    for (const auto& [token, error] : late) {
        ++(error.code == Code::outcomeUnknown ? count.unanswered : count.refusedLate);
        answer(token, error);
    }
    std::erase_if(forwarded, [now](const auto& each) { return each.second.deadline <= now; });
    for (auto& [token, change] : changes) {
        if (change.done && change.deadline <= now) {
            environment.post([done = std::exchange(change.done, nullptr), engine = std::weak_ptr<int>(alive)] {
                if (!engine.expired()) {
                    done(Error{Code::outcomeUnknown,
                               "the members did not confirm this change in time; it may still be made"});
                }
            });
        }
    }
    dispatchWaiting();
}

}  // namespace mesh::cluster
