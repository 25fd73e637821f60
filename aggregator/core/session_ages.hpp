#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace mesh::aggregator {

// How long sessions have not been used, by this node's monotonic clock: a wall clock that is wrong, here or on the node
// that a session came from, neither ends sessions nor keeps them. What says that a session was used is its entry
// (CreateSession, TouchSessions), not that entry's stamp. The primary ends in the state what was not used for its
// timeout.
//
// What the node has when it starts or gets in a snapshot, and what it is told in the first limits::sessionSettling (it
// may be the log once more), counts from its stamp, though with at most half of its timeout: who uses it within the
// other half keeps it, whatever the clocks say, and what nobody uses lives half a timeout longer than it should. What a
// node that was cut off learns late counts from then.
class SessionAges {
public:
    SessionAges(cluster::StateEngine& engine, Rng& rng);
    ~SessionAges();
    SessionAges(const SessionAges&) = delete;
    SessionAges& operator=(const SessionAges&) = delete;

    bool isExpired(const cluster::Session& session, Now now);
    // To be called when a session was used: has that recorded (TouchSessions) when a quarter of its timeout has passed
    // since the last time, so that a session in use costs four entries per timeout and survives the loss of any node.
    void used(const cluster::Session& session, Now now);

    // On the primary, ends what has expired, some at a time.
    void onTimer(Now now);
    Instant nextDeadline() const { return lookAt; }

private:
    struct Seen {
        Instant at{};    // when the node learned that the session was used
        Duration age{};  // that it had then
        WallTime lastUse{};
    };
    Duration ageOf(const cluster::Session& session, Now now);
    void note(Now now);
    void noteOne(const std::string& id, bool old, Now now);
    void sweep(Now now);
    void end(const std::string& id, Now now);

    cluster::StateEngine& engine;
    Rng& rng;
    cluster::WatchId watching = 0;
    bool begun = false;
    Instant beginning{};
    bool everything = true;                      // has to be read again
    std::set<std::string> changed;               // sessions, since note()
    std::unordered_map<std::string, Seen> seen;  // by id of sessions that exist
    std::set<std::string> touching;              // whose use is being recorded
    std::set<std::string> ending;
    Instant lookAt{};
    Instant lastNow{};
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
