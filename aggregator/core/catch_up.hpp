#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace mesh::aggregator {

// What a client made through one node it may use through another at once, but a standby hears of a commit one heartbeat
// late. Before such a node denies that something exists, it catches up: a barrier of the cluster. All who ask while one is
// under way share the next.
class CatchUp {
public:
    using Done = std::function<void(Result<void>)>;

    explicit CatchUp(cluster::StateEngine& stateEngine);

    // Whether somebody else may know more: not on the primary, which has applied what it committed before anyone is told,
    // once it has caught up in its term: a new one has yet to apply what the last one committed.
    bool isBehind() const;
    // `done` runs, later, when this node has applied all that was committed before the call; an error after
    // limits::catchUpPatience, or at once (from inside the call) beyond limits::maxCatchUpWaiters: what this node knows is
    // all there is to go by.
    void run(Instant now, Done done);

    std::uint64_t refused() const { return refusedFull; }

private:
    void start();
    void onReached();

    cluster::StateEngine& engine;
    std::vector<Done> waiting;
    Instant lastAsked{};  // by one of those
    bool running = false;
    std::uint64_t runningTerm = 0;  // ours as the primary when the barrier began; 0: we were none
    std::uint64_t caughtUpTerm = 0;
    std::uint64_t refusedFull = 0;
    std::shared_ptr<int> alive = std::make_shared<int>();  // gone with this; barriers outlive it
};

}  // namespace mesh::aggregator
