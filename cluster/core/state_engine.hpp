#pragma once

#include "cluster/core/change_feed.hpp"
#include "cluster/core/command.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mesh::cluster {

enum class NodeRole : std::uint8_t {
    stopped,   // see EngineStatus::reason; reads show the last state, everything else is refused
    follower,  // knows the primary, or is looking for one
    candidate,
    primary,
};

struct Member {
    std::uint64_t id = 0;
    std::string name;
    std::string endpoint;  // of its peer endpoint; empty for a single node
    bool voter = true;
    bool operator==(const Member&) const = default;
};

struct EngineStatus {
    NodeRole role = NodeRole::follower;
    std::uint64_t term = 0;    // fences are (State::generation, term)
    std::uint64_t self = 0;    // ids of members
    std::uint64_t leader = 0;  // 0: none known
    std::vector<Member> members;
    std::string reason;  // why it stopped, or why it cannot write now; empty when all is well
    bool operator==(const EngineStatus&) const = default;
};

// The one durable truth of the cluster as a node sees it, whatever agrees on it: one file, raft, a simulation. Called
// on the loop's thread only, and calls back there, never from inside the call (but for watch(), see there). Every
// handler runs exactly once unless the engine is destroyed first. Changing the membership is not part of it: that
// belongs to the engine that has one.
class StateEngine {
public:
    using ProposeHandler = std::function<void(Result<Applied>)>;
    using BarrierHandler = std::function<void(Result<Revision>)>;
    using StatusHandler = std::function<void(const EngineStatus&)>;

    virtual ~StateEngine() = default;

    // Asks the cluster to apply `command`; any node may be asked. The handler gets what the entry did, after it is
    // durable, applied here and told to the watchers; or what is known of it:
    //   full, notSent, unavailable, tooLarge   it is not in the log and never will be by this call
    //   deadlineExceeded                       as those: time ran out before it was tried
    //   ioError                                not stored, the sentence says why; nothing has changed
    //   outcomeUnknown                         it may be applied, now or later: repeat it with the same request id
    virtual void propose(Command command, Instant deadline, ProposeHandler handler) = 0;

    // A linearizable read: the handler runs when this node has applied everything that was committed before the call.
    // unavailable or deadlineExceeded otherwise.
    virtual void barrier(Instant deadline, BarrierHandler handler) = 0;

    // What this node has applied so far; may lag behind the cluster. The reference stays valid, its content moves on.
    virtual const State& state() const = 0;

    // As ChangeFeed::watch() and unwatch(): changes after `from` that are remembered are told before watch() returns.
    // Start with state() and state().revision.
    virtual WatchId watch(Revision from, ChangeHandler handler) = 0;
    virtual void unwatch(WatchId id) = 0;

    virtual EngineStatus status() const = 0;
    // Told each time status() changes. One handler; an empty one ends it.
    virtual void onStatus(StatusHandler handler) = 0;
};

}  // namespace mesh::cluster
