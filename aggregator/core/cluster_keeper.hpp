#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mesh::aggregator {

// The consensus engine's membership, one change at a time, on the primary only but for transferTo(). Handlers run later, on
// the loop.
class MembershipPort {
public:
    using Done = std::function<void(Result<void>)>;
    virtual ~MembershipPort() = default;
    // A member that gets the log and has no vote.
    virtual void addSpare(std::uint64_t id, const std::string& name, Done done) = 0;
    // Gives a spare its vote, once it has the log.
    virtual void makeVoter(std::uint64_t id, Done done) = 0;
    virtual void removeMember(std::uint64_t id, Done done) = 0;
    // Hands the primary's part over; 0: to any other voter. On a standby the primary is asked to, and done() means asked.
    virtual void transferTo(std::uint64_t id, Done done) = 0;
};

struct KeeperSettings {
    cluster::Node self;                       // what this node says of itself; id from its member.json
    std::vector<cluster::Node> founders;      // of a new cluster, with ourselves
    std::optional<cluster::State> inherited;  // of this node before there was a cluster, or what came too late for that
    bool recovered = false;                   // was made the only member
};

// Keeps the cluster's state and its membership in step with each other, one step at a time, again and again until nothing
// is left to do; what failed is tried again after limits::keeperRetry.
//
//   primary of a new cluster   registers the founders, takes over what a single node had, and last gives the service its
//                              UUID: until there is one, nobody is ready, and the next primary begins again. A witness
//                              leaves it to whom it hands over to: it has nothing that could be taken over
//   primary                    takes over the accounts that it was given, where the cluster has never had any: nobody could
//                              log in to make one
//   primary                    makes members of registered nodes, voters of those that have the log, removes members whose
//                              registration is gone; raises the feature level once every node knows it
//   recovered node             begins a new generation and forgets the nodes that were lost before anything else; it keeps
//                              those that join later, and may take nobody in until then (isRecovering())
//   every node                 registers what it says of itself, where that has changed
class ClusterKeeper {
public:
    ClusterKeeper(KeeperSettings settings, cluster::StateEngine& engine, MembershipPort& members, Rng& rng);

    // Something changed: look again at the next timer.
    void wake() { lookAt = Instant{}; }
    void onTimer(Now now);
    Instant nextDeadline() const { return busy ? never : lookAt; }

    // The new generation has begun and the lost nodes are forgotten; on the primary only.
    bool hasRecovered() const;
    bool isRecovering() const { return settings.recovered && !hasRecovered(); }
    bool isFounded() const { return !engine.state().serviceUuid.empty(); }
    const std::string& lastFailure() const { return failure; }

private:
    enum class Purpose : std::uint8_t { plain, inheritance, lateAccount, newGeneration };
    struct Entry {
        cluster::Operation operation;
        Purpose purpose = Purpose::plain;
    };
    std::optional<Entry> nextEntry() const;
    Entry foundingEntry() const;
    std::optional<Entry> lateAccount() const;
    std::optional<Entry> recoveringEntry() const;
    void noteLost();
    void changeMembership(const cluster::EngineStatus& status);
    void propose(Entry entry, Now now);
    MembershipPort::Done step(std::string what);
    void onApplied(Purpose purpose, const Result<cluster::Applied>& applied);
    void finish(const std::string& what, const Error& error);

    const KeeperSettings settings;
    const std::vector<cluster::Operation> inheritance;
    std::size_t inheritedSoFar = 0;
    std::size_t lateAccountsSoFar = 0;
    std::optional<std::set<std::uint64_t>> lost;  // of a recovery: who was registered when its generation began
    cluster::StateEngine& engine;
    MembershipPort& members;
    Rng& rng;
    Now lastNow;
    Instant lookAt{};
    bool busy = false;
    std::string failure;  // of the last step; empty: it went well
    std::shared_ptr<int> alive = std::make_shared<int>();
};

// What became of accounts that a node was given in a file, once the cluster is founded.
enum class GivenAccounts : std::uint8_t {
    pending,     // not all are in the cluster yet
    taken,       // all are, or there are none and need not be
    superseded,  // the cluster has others
    missing,     // none were given, and the cluster has none: nobody can log in
};
GivenAccounts judgeAccounts(const cluster::State& state, const std::optional<cluster::State>& given);

// The operations that give another state the accounts, roles, registry, prefixes and properties of `state`; not its
// sessions. Repeated, they change nothing.
std::vector<cluster::Operation> inheritanceOf(const cluster::State& state);

}  // namespace mesh::aggregator
