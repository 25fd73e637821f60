#include "aggregator/core/catch_up.hpp"

#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::aggregator {

namespace {

// 0: it is not the primary.
std::uint64_t primaryTerm(const cluster::EngineStatus& status)
{
    return status.role == cluster::NodeRole::primary ? status.term : 0;
}

}  // namespace

CatchUp::CatchUp(cluster::StateEngine& stateEngine) : engine(stateEngine)
{
    // Whoever is the primary from the beginning, is alone.
    caughtUpTerm = primaryTerm(engine.status());
}

bool CatchUp::isBehind() const
{
    const std::uint64_t term = primaryTerm(engine.status());
    return term == 0 || term != caughtUpTerm;
}

void CatchUp::run(Instant now, Done done)
{
    if (waiting.size() >= limits::maxCatchUpWaiters) {
        ++refusedFull;
        return done(Error{Code::full, "too many requests wait for word from the cluster"});
    }
    waiting.push_back(std::move(done));
    lastAsked = now;
    if (!running) {
        start();
    }
}

void CatchUp::start()
{
    running = true;
    runningTerm = primaryTerm(engine.status());
    auto served = std::make_shared<std::vector<Done>>(std::exchange(waiting, {}));
    engine.barrier(lastAsked + limits::catchUpPatience,
                   [this, served, owner = std::weak_ptr<int>(alive)](const Result<cluster::Revision>& reached) {
                       if (owner.expired()) {
                           return;
                       }
                       running = false;
                       if (reached) {
                           onReached();
                       }
                       if (!waiting.empty()) {
                           start();
                       }
                       for (const Done& done : *served) {
                           done(reached ? Result<void>{} : Result<void>{reached.error()});
                       }
                   });
}

void CatchUp::onReached()
{
    if (runningTerm != 0 && runningTerm == primaryTerm(engine.status())) {
        caughtUpTerm = runningTerm;
    }
}

}  // namespace mesh::aggregator
