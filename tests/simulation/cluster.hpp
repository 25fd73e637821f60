#pragma once

#include "cluster/core/change_feed.hpp"
#include "cluster/core/state_engine.hpp"
#include "cluster/core/state_machine.hpp"
#include "tests/simulation/cluster_checkers.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::simulation {

class SimEngine;
using SimMembers = std::vector<std::unique_ptr<SimEngine>>;  // all voters; ids from 1, in this order

// The cluster as one aggregator has it: a model of consensus with raft's properties, in virtual time. Term, vote, the
// synced log and the last snapshot survive a crash. A primary needs a majority that it can exchange with in both
// directions; one that is cut off believes in itself for an election timeout. Standbys apply one message late, and what they
// are asked they pass on to the primary, if that arrives. What an engine reads of another one stands for what a message
// would have brought.
class SimEngine final : public cluster::StateEngine {
public:
    SimEngine(World& world, const Network& network, ClusterCheckers& checkers, const Fault& fault, const SimMembers& all,
              std::uint64_t id, std::string name);

    // The state of a cluster that did this before; the same on every member, before the first start().
    void found(const std::vector<cluster::Command>& commands);
    // A new process; `turn` runs after handlers did.
    void start(std::function<void()> turn);
    // All that was asked is forgotten, unanswered.
    void crash();

    void propose(cluster::Command command, Instant deadline, ProposeHandler handler) override;
    void barrier(Instant deadline, BarrierHandler handler) override;
    const cluster::State& state() const override { return machine.state(); }
    cluster::WatchId watch(cluster::Revision from, cluster::ChangeHandler handler) override
    {
        return feed.watch(from, std::move(handler));
    }
    void unwatch(cluster::WatchId watching) override { feed.unwatch(watching); }
    cluster::EngineStatus status() const override;
    void onStatus(StatusHandler handler) override { tellStatus = std::move(handler); }

    const cluster::StateMachine& stateMachine() const { return machine; }
    const std::string& memberName() const { return name; }
    // Since the beginning.
    std::size_t failedBarriers() const { return barriersFailed; }

private:
    struct Entry {
        std::uint64_t term = 0;
        std::uint64_t token = 0;
        std::string bytes;  // empty: a barrier, or a new primary's first
    };
    struct Ask {
        enum class Where { waiting, local, forwarded } where = Where::waiting;
        std::string bytes;
        Instant deadline{};
        Instant since{};  // where it is
        ProposeHandler onApplied;
        BarrierHandler onBarrier;
    };
    struct Heard {
        std::size_t length = 0;  // of its log, synced
        Instant at{};
    };

    bool reaches(const SimEngine& other) const;
    void later(Duration delay, std::function<void()> step);
    Duration transit();
    std::size_t majority() const { return all.size() / 2 + 1; }

    void tick();
    void campaign();
    bool grants(const SimEngine& candidate) const;
    void follow(std::uint64_t newTerm, std::uint64_t newLeader);
    void append(std::uint64_t token, std::string bytes);
    void replicate();
    void receive(SimEngine& primary);
    void takeLog(const SimEngine& primary);
    void acknowledged(std::uint64_t who, std::size_t length, std::uint64_t inTerm);
    void advance();
    void applyCommitted();
    void add(Ask ask);
    void dispatch(std::uint64_t token);
    void dispatchWaiting();
    void expire();
    void fail(std::uint64_t token, Error error);
    void changed();

    World& world;
    const Network& network;
    ClusterCheckers& checkers;
    const Fault& fault;
    const SimMembers& all;
    const std::uint64_t id;
    const std::string name;

    std::uint64_t term = 1;
    std::vector<Entry> log;
    std::size_t synced = 0;  // of the log
    cluster::StateMachine saved;
    std::size_t savedAt = 0;

    bool up = false;
    std::uint64_t incarnation = 0;
    cluster::StateMachine machine;
    cluster::ChangeFeed feed;
    std::size_t committed = 0;
    std::size_t applied = 0;
    cluster::NodeRole role = cluster::NodeRole::follower;
    std::uint64_t leader = 0;
    Instant heard{};  // of a primary, or of the last attempt to become one
    Duration patience{};
    std::map<std::uint64_t, Heard> others;  // as the primary
    bool replicating = false;
    std::map<std::uint64_t, Ask> asks;
    std::uint64_t lastToken = 0;
    std::size_t barriersFailed = 0;
    StatusHandler tellStatus;
    std::function<void()> turn;
};

}  // namespace mesh::simulation
