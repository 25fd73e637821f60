#include "cluster/raft/raft_engine.hpp"

#include "cluster/raft/entry.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace mesh::cluster {

RaftEngine::RaftEngine(Options given, Environment around)
    : options(std::move(given)), environment(std::move(around)), machine(options.featureLevel)
{
    current.role = NodeRole::stopped;
    current.self = options.self;
}

RaftEngine::~RaftEngine() = default;

Result<void> RaftEngine::check(const Options& options)
{
    const auto bad = [](const std::string& what) { return Error{Code::invalidArgument, "cluster member: " + what}; };
    if (options.self == 0 || !isValidName(options.name)) {
        return bad("it needs an id other than 0 and a valid name");
    }
    if (options.heartbeat < limits::raftHeartbeatFloor || options.election < limits::raftElectionFloor ||
        2 * options.heartbeat > options.election) {
        return bad("the election timeout is 300 ms at least, the heartbeat 50 ms at least and at most half of that");
    }
    std::set<std::uint64_t> ids;
    std::set<std::string> names;
    std::size_t voters = 0;
    for (const RaftMember& member : options.bootstrap) {
        if (member.id == 0 || !isValidName(member.name)) {
            return bad("each member of the first configuration needs an id other than 0 and a valid name");
        }
        ids.insert(member.id);
        names.insert(member.name);
        voters += member.voter ? 1 : 0;
    }
    const std::size_t count = options.bootstrap.size();
    if (count > 0 && (count > limits::maxAggregators || ids.size() != count || names.size() != count || voters == 0 ||
                      !ids.contains(options.self))) {
        return bad("the first configuration has at most " + std::to_string(limits::maxAggregators) +
                   " members with ids and names of their own, one voter at least, and this node");
    }
    return {};
}

Result<std::unique_ptr<RaftEngine>> RaftEngine::open(Options options, Environment environment)
{
    if (auto checked = check(options); !checked) {
        return checked.error();
    }
    std::unique_ptr<RaftEngine> engine(new RaftEngine(std::move(options), std::move(environment)));
    if (auto begun = engine->begin(); !begun) {
        return begun.error();
    }
    return engine;
}

Result<void> RaftEngine::begin()
{
    auto opened = RaftDirectory::open(options.directory, true);
    if (!opened) {
        return opened.error();
    }
    directory = std::move(*opened);
    if (!options.bootstrap.empty()) {
        if (auto forgotten = directory.forgetUnfinishedStart(); !forgotten) {
            return forgotten.error();
        }
    }
    auto notify = [this, engine = std::weak_ptr<int>(alive)] {
        environment.post([this, engine] {
            if (!engine.expired()) {
                drain();
            }
        });
    };
    host = std::make_unique<RaftHost>(
        RaftHost::Settings{options.directory, options.self, options.name, options.bootstrap, options.election,
                           options.heartbeat, options.witness, options.snapshotThreshold, options.snapshotTrailing,
                           options.featureLevel},
        std::move(notify));
    if (auto started = host->start(); !started) {
        return started.error();
    }
    drain();  // the snapshot, if there is one
    feed.reset(state().revision);
    return {};
}

// ---- what raft's thread tells

void RaftEngine::drain()
{
    const std::weak_ptr<int> engine = alive;
    std::vector<RaftEvent> events = host->take();
    for (RaftEvent& event : events) {
        std::visit([this](auto& happened) { handle(happened); }, event);
        if (engine.expired()) {
            return;
        }
    }
}

void RaftEngine::handle(EntryApplied& event)
{
    const std::weak_ptr<int> engine = alive;
    const auto operations = decodeEntry(event.entry);
    if (!operations) {
        return stop(RaftTrouble::unknownEntry, operations.error().message);
    }
    for (const std::string_view operation : *operations) {
        MessageId id;
        if (!byRequest.empty()) {
            if (const auto command = decodeCommand(operation)) {
                id = command->requestId;
            }
        }
        std::vector<Change> changed;
        const auto applied = machine.apply(operation, changed);
        if (!applied) {
            return stop(RaftTrouble::unknownEntry, applied.error().message);
        }
        ++count.applied;
        feed.publish(changed);
        if (!engine.expired() && !id.isNil()) {
            answerApplied(id, *applied);
        }
        if (engine.expired()) {
            return;
        }
    }
}

void RaftEngine::handle(StateRestored& event)
{
    if (auto restored = machine.restore(event.state); !restored) {
        return stop(RaftTrouble::unknownEntry, restored.error().message);
    }
    ++count.restored;
    const std::weak_ptr<int> engine = alive;
    feed.reset(state().revision);
    std::set<MessageId> asked;
    for (const auto& [id, token] : byRequest) {
        asked.insert(id);
    }
    for (const MessageId& id : asked) {
        if (engine.expired()) {
            return;
        }
        if (const Applied* applied = machine.answerTo(id)) {
            answerApplied(id, Applied(*applied));
        }
    }
}

void RaftEngine::handle(RpcWritten& event)
{
    sendTo(event.to, RpcMessage{event.rpc});
}

void RaftEngine::handle(RequestDone& event)
{
    if (const auto change = changes.extract(event.token)) {
        const MemberChange& ended_ = change.mapped();
        if (event.error.code == Code::ok && ended_.removes != 0) {
            sendTo(ended_.removes, RemovedMessage{view.term});
        }
        if (ended_.done) {
            const ChangeDone done = ended_.done;
            done(event.error.code == Code::ok ? Result<void>() : Result<void>(event.error));
        }
        return;
    }
    if (const auto asked = forwarded.extract(event.token)) {
        const Forwarded& their = asked.mapped();
        if (event.error.code != Code::ok) {
            sendTo(their.from, RefuseMessage{their.tag, event.error});
        } else if (their.barrier) {
            sendTo(their.from, BarrierAnswerMessage{their.tag, event.index});
        }
        return;
    }
    const auto ask = asks.find(event.token);
    if (ask == asks.end()) {
        return;
    }
    if (event.error.code == Code::notSent) {
        ask->second.where = Ask::Where::waiting;
        ask->second.since = environment.now();
    } else if (event.error.code != Code::ok) {
        count.refusedFull += event.error.code == Code::full ? 1 : 0;
        answer(event.token, event.error);
    } else if (ask->second.onBarrier) {
        const BarrierHandler handler = std::move(ask->second.onBarrier);
        erase(ask);
        handler(state().revision);
    }
}

void RaftEngine::handle(ViewChanged& event)
{
    view = std::move(event.view);
    if (stoppedFor != RaftTrouble::none) {
        view.role = NodeRole::stopped;
        view.leader = 0;
        view.trouble = stoppedFor;
        view.reason = stopReason;
    }
    std::vector<std::uint64_t> unknown;
    for (auto& [token, ask] : asks) {
        if (ask.where == Ask::Where::forwarded && ask.to != view.leader) {
            if (ask.entry.empty()) {
                ask.where = Ask::Where::waiting;
                ask.since = environment.now();
            } else {
                unknown.push_back(token);
            }
        }
    }
    for (const std::uint64_t token : unknown) {
        answer(token, {Code::outcomeUnknown, "the primary was lost before it was confirmed"});
    }
    dispatchWaiting();
    publishStatus();
}

void RaftEngine::handle(Progress& event)
{
    reached = std::move(event);
    answerReached();
}

void RaftEngine::handle(HostEnded& /*event*/)
{
    ended = true;
    answerEverything({Code::unavailable, view.reason});
    if (closing && closed) {
        environment.post(std::exchange(closed, nullptr));
    }
}

void RaftEngine::publishStatus()
{
    EngineStatus fresh{view.role, view.term, options.self, view.leader, view.members, view.reason};
    if (!(fresh == current)) {
        current = std::move(fresh);
        if (tellStatus) {
            const StatusHandler handler = tellStatus;  // a copy: it may set another
            handler(current);
        }
    }
}

// For good, until the program is started again.
void RaftEngine::stop(RaftTrouble why, std::string reason)
{
    if (stoppedFor != RaftTrouble::none) {
        return;
    }
    stoppedFor = why;
    stopReason = std::move(reason);
    host->close();
    ViewChanged stopped{view};
    handle(stopped);
}

void RaftEngine::close(std::function<void()> done)
{
    closing = true;
    closed = std::move(done);
    if (ended) {
        environment.post(std::exchange(closed, nullptr));
    } else {
        host->close();
    }
}

RaftCounters RaftEngine::counters() const
{
    RaftCounters all = count;
    all.host = host->counters();
    return all;
}

// ---- the members

void RaftEngine::change(RaftRequest request, Instant deadline, ChangeDone done, std::uint64_t removes)
{
    Error refused;
    if (!leads()) {
        refused = {Code::unavailable, "only the primary changes the members, and this node is not the primary"};
    } else if (!changes.empty()) {
        refused = {Code::unavailable, "another change of the members is under way"};
    } else if (deadline <= environment.now()) {
        refused = {Code::deadlineExceeded, "the deadline passed"};
    }
    request.token = ++lastToken;
    if (refused.code == Code::ok && !host->request(request)) {
        refused = {Code::full, "too much waits for the log already"};
    }
    if (refused.code != Code::ok) {
        return environment.post([done = std::move(done), refused, engine = std::weak_ptr<int>(alive)] {
            if (!engine.expired()) {
                done(refused);
            }
        });
    }
    changes.emplace(request.token, MemberChange{deadline, std::move(done), removes});
    environment.waits();
}

void RaftEngine::addSpare(std::uint64_t id, const std::string& name, Instant deadline, ChangeDone done)
{
    RaftRequest request;
    request.kind = RaftRequest::Kind::add;
    request.id = id;
    request.bytes = name;
    if (id == 0 || !isValidName(name) || view.members.size() >= limits::maxAggregators) {
        const Error refused{Code::invalidArgument,
                            "a member needs an id other than 0 and a valid name, and there are at most " +
                                std::to_string(limits::maxAggregators)};
        return environment.post([done = std::move(done), refused, engine = std::weak_ptr<int>(alive)] {
            if (!engine.expired()) {
                done(refused);
            }
        });
    }
    change(std::move(request), deadline, std::move(done));
}

void RaftEngine::assign(std::uint64_t id, bool voter, Instant deadline, ChangeDone done)
{
    RaftRequest request;
    request.kind = RaftRequest::Kind::assign;
    request.id = id;
    request.voter = voter;
    change(std::move(request), deadline, std::move(done));
}

void RaftEngine::remove(std::uint64_t id, Instant deadline, ChangeDone done)
{
    RaftRequest request;
    request.kind = RaftRequest::Kind::remove;
    request.id = id;
    change(std::move(request), deadline, std::move(done), id);
}

void RaftEngine::transfer(std::uint64_t id, Instant deadline, ChangeDone done)
{
    RaftRequest request;
    request.kind = RaftRequest::Kind::transfer;
    request.id = id;
    change(std::move(request), deadline, std::move(done));
}

}  // namespace mesh::cluster
