#pragma once

#include "cluster/core/state_engine.hpp"
#include "cluster/core/state_machine.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <string>

namespace mesh::cluster {

// A StateEngine without durability, for tests and simulations. Nothing happens until pump(), which runs the
// handlers (setStatus() runs that of onStatus()).
class MemoryEngine final : public StateEngine {
public:
    MemoryEngine();

    void propose(Command command, Instant deadline, ProposeHandler handler) override;
    void barrier(Instant deadline, BarrierHandler handler) override;
    const State& state() const override { return machine.state(); }
    WatchId watch(Revision from, ChangeHandler handler) override { return feed.watch(from, std::move(handler)); }
    void unwatch(WatchId id) override { feed.unwatch(id); }
    EngineStatus status() const override { return current; }
    void onStatus(StatusHandler handler) override { tellStatus = std::move(handler); }

    // Handles at most `count` of what waits, and returns how many it did. What is late is refused.
    std::size_t pump(Instant now, std::size_t count = SIZE_MAX);
    // Sets role, term and so on; anything but NodeRole::primary makes proposals and barriers fail with `unavailable`.
    void setStatus(EngineStatus status);
    // The next `count` proposals are applied, but answered with outcomeUnknown, as when a primary is lost.
    void loseAnswers(std::size_t count) { answersToLose = count; }

    const StateMachine& stateMachine() const { return machine; }

private:
    struct Waiting {
        std::string entry;  // empty: a barrier
        Error refused;      // refused before it was queued
        Instant deadline;
        ProposeHandler onApplied;
        BarrierHandler onBarrier;
    };
    void handle(Waiting waiting, Instant now);

    StateMachine machine;
    ChangeFeed feed;
    EngineStatus current;
    StatusHandler tellStatus;
    std::deque<Waiting> queue;
    std::size_t answersToLose = 0;
};

}  // namespace mesh::cluster
