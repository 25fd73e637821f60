#include "aggregator/core/catch_up.hpp"

#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::aggregator {

void CatchUp::run(Instant now, Done done)
{
    if (waiting.size() >= limits::maxCatchUpWaiters) {
        ++refusedFull;
        return done(Error{Code::full, "too many requests wait for word from the cluster"});
    }
    waiting.push_back(std::move(done));
    if (!running) {
        start(now);
    }
}

void CatchUp::start(Instant now)
{
    running = true;
    auto served = std::make_shared<std::vector<Done>>(std::exchange(waiting, {}));
    engine.barrier(now + limits::catchUpPatience,
                   [this, now, served, owner = std::weak_ptr<int>(alive)](const Result<cluster::Revision>& reached) {
                       if (owner.expired()) {
                           return;
                       }
                       running = false;
                       if (!waiting.empty()) {
                           start(now);
                       }
                       for (const Done& done : *served) {
                           done(reached ? Result<void>{} : Result<void>{reached.error()});
                       }
                   });
}

}  // namespace mesh::aggregator
