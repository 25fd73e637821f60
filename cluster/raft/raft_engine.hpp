#pragma once

#include "cluster/core/state_engine.hpp"
#include "cluster/core/state_machine.hpp"
#include "cluster/raft/peer_message.hpp"
#include "cluster/raft/raft_directory.hpp"
#include "cluster/raft/raft_event.hpp"
#include "cluster/raft/raft_host.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mesh::cluster {

struct RaftCounters {
    std::uint64_t proposals = 0, barriers = 0, applied = 0, restored = 0;
    std::uint64_t forwarded = 0, forwardedToUs = 0;
    std::uint64_t refusedFull = 0, refusedLate = 0, refusedInvalid = 0, unanswered = 0;
    std::uint64_t malformed = 0;  // messages from members, dropped
    std::uint64_t deferred = 0;   // messages of raft's that told nothing new and waited for its tick
    std::uint64_t strangers = 0;  // messages from those who are no members, to a primary
    RaftHostCounters host;
};

// The StateEngine of a member of a cluster: libraft on a thread of its own (RaftHost), everything else on the loop's.
// Any member takes proposals and barriers: they are put into the log by the primary, answered here when the entry is
// applied here. A proposal waits a while for a primary to be known. What was forwarded and got lost is answered with
// outcomeUnknown; nothing is repeated here.
class RaftEngine final : public StateEngine {
public:
    struct Environment {
        // Runs it on the loop's thread, later. Called from any thread.
        std::function<void(std::function<void()>)> post;
        std::function<Instant()> now;
        // To another member, on the loop's thread; may lose it. One message, at most limits::maxRaftMessageBytes + 2.
        std::function<void(std::uint64_t to, std::string message)> send;
        // Something waits: expire() is wanted, again and again until nothing does. On the loop's thread.
        std::function<void()> waits = [] {};
    };
    struct Options {
        std::string directory;  // of log and snapshots; made with mode 0700
        std::uint64_t self = 0;
        std::string name;
        std::vector<RaftMember> bootstrap;  // the first configuration, for a pristine directory; empty: waits to be added
        Duration election = limits::raftElection;
        Duration heartbeat = limits::raftHeartbeat;
        bool witness = false;  // transfers leadership away when it is elected
        unsigned snapshotThreshold = limits::raftSnapshotThreshold;
        unsigned snapshotTrailing = limits::raftSnapshotTrailing;
        FeatureLevel featureLevel = newestFeatureLevel;  // up to which it knows entries, see StateMachine
    };
    using ChangeDone = std::function<void(Result<void>)>;

    // Blocks on the disk. What may pass (a full or failing disk) is no error, see trouble(). Otherwise the sentence names
    // the directory and says what to do: invalidArgument, unavailable (another process has it), corrupt, unsupported,
    // ioError.
    static Result<std::unique_ptr<RaftEngine>> open(Options options, Environment environment);
    // Blocks until the log is closed. No handler is called any more.
    ~RaftEngine() override;

    void propose(Command command, Instant deadline, ProposeHandler handler) override;
    void barrier(Instant deadline, BarrierHandler handler) override;
    const State& state() const override { return machine.state(); }
    WatchId watch(Revision from, ChangeHandler handler) override { return feed.watch(from, std::move(handler)); }
    void unwatch(WatchId id) override { feed.unwatch(id); }
    EngineStatus status() const override { return current; }
    void onStatus(StatusHandler handler) override { tellStatus = std::move(handler); }

    // A message that another member's send() was given. `from` is proved by the caller, never taken from the message.
    void receive(std::uint64_t from, std::string message);

    // The members. On the primary only, one change at a time; otherwise refused with unavailable or
    // preconditionFailed. outcomeUnknown: look at status().members.
    // A spare gets nothing yet; assign() makes it a voter when it has caught up.
    void addSpare(std::uint64_t id, const std::string& name, Instant deadline, ChangeDone done);
    void assign(std::uint64_t id, bool voter, Instant deadline, ChangeDone done);
    // Not this node itself: transfer() first. The removed one is told, and stops.
    void remove(std::uint64_t id, Instant deadline, ChangeDone done);
    // To `id`, 0: to any voter that is up to date.
    void transfer(std::uint64_t id, Instant deadline, ChangeDone done);

    // Answers what is late. For the loop's tick; without it nothing ends by its deadline.
    void expire();
    bool isWaiting() const { return !asks.empty() || !forwarded.empty() || !changes.empty(); }
    // Hands leadership over, closes the log, answers everything; `done` runs then.
    void close(std::function<void()> done);

    RaftTrouble trouble() const { return view.trouble; }
    // Of the log; the state has everything up to here.
    std::uint64_t appliedIndex() const { return reached.applied; }
    // On the primary: what each member is known to have of the log.
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& matches() const { return reached.matches; }
    RaftCounters counters() const;
    std::string hash() const { return machine.hash(); }

private:
    // Something asked here, until it is answered; ordered by its token, which is by age.
    struct Ask {
        enum class Where : std::uint8_t {
            waiting,    // for a primary
            local,      // with raft's thread
            forwarded,  // to `to`
            reaching,   // a barrier: until `index` is applied here
        };
        Where where = Where::waiting;
        Instant since{};  // when it began to wait, or was forwarded
        Instant deadline{};
        std::uint64_t to = 0;
        std::uint64_t index = 0;
        MessageId requestId;
        std::string entry;  // empty: a barrier
        ProposeHandler onApplied;
        BarrierHandler onBarrier;
    };
    // Asked by another member, under its tag.
    struct Forwarded {
        std::uint64_t from;
        std::uint64_t tag;
        bool barrier;
        Instant deadline;
    };
    struct MemberChange {
        Instant deadline;
        ChangeDone done;
        std::uint64_t removes = 0;
    };

    RaftEngine(Options options, Environment environment);
    Result<void> begin();
    static Result<void> check(const Options& options);
    void drain();

    void handle(EntryApplied& event);
    void handle(StateRestored& event);
    void handle(RpcWritten& event);
    void handle(RequestDone& event);
    void handle(ViewChanged& event);
    void handle(Progress& event);
    void handle(HostEnded& event);

    void onMessage(std::uint64_t from, const RpcMessage& message);
    void onMessage(std::uint64_t from, const ProposeMessage& message);
    void onMessage(std::uint64_t from, const RefuseMessage& message);
    void onMessage(std::uint64_t from, const BarrierMessage& message);
    void onMessage(std::uint64_t from, const BarrierAnswerMessage& message);
    void onMessage(std::uint64_t from, const RemovedMessage& message);

    bool leads() const { return view.role == NodeRole::primary && view.leader == options.self; }
    bool isMember(std::uint64_t id) const;
    void add(Ask ask);
    void dispatch(std::uint64_t token);
    void dispatchWaiting();
    void toRaft(RaftRequest::Kind kind, std::uint64_t token, std::string bytes, Instant deadline);
    void takeForwarded(std::uint64_t from, std::uint64_t tag, std::uint32_t millis, std::string entry);
    void sendTo(std::uint64_t to, const PeerMessage& message);
    void answer(std::uint64_t token, const Error& error);
    void erase(std::map<std::uint64_t, Ask>::iterator at);
    void answerApplied(const MessageId& id, const Applied& applied);
    void answerReached();
    void refuse(ProposeHandler handler, Error error);
    void refuse(BarrierHandler handler, Error error);
    void answerEverything(const Error& error);
    void change(RaftRequest request, Instant deadline, ChangeDone done, std::uint64_t removes = 0);
    void stop(RaftTrouble why, std::string reason);
    void publishStatus();

    Options options;
    Environment environment;
    RaftDirectory directory;
    StateMachine machine;
    ChangeFeed feed;
    RaftView view;
    Progress reached;
    EngineStatus current;
    StatusHandler tellStatus;
    RaftCounters count;
    std::uint64_t lastToken = 0;
    std::map<std::uint64_t, Ask> asks;
    std::unordered_multimap<MessageId, std::uint64_t> byRequest;  // tokens of proposals
    std::map<std::uint64_t, Forwarded> forwarded;
    std::map<std::uint64_t, MemberChange> changes;  // at most one that raft has begun
    RaftTrouble stoppedFor = RaftTrouble::none;  // by a decision here, not by raft's thread
    std::string stopReason;
    bool closing = false;
    bool ended = false;
    std::function<void()> closed;
    std::shared_ptr<int> alive = std::make_shared<int>();  // gone with the engine; what outlives it checks
    std::unique_ptr<RaftHost> host;
};

}  // namespace mesh::cluster
