#include "aggregator/core/event_waiters.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mesh::aggregator {

bool EventWaiters::await(std::string tenant, Instant until, Instant lookAt, Again again)
{
    const auto own = std::count_if(waiting.begin(), waiting.end(), [&tenant](const Waiter& each) { return each.tenant == tenant; });
    const bool ofTenant = !tenant.empty() && static_cast<std::size_t>(own) >= limits::maxEventWaiters / 2;
    if (ofTenant || waiting.size() >= limits::maxEventWaiters) {
        ++refusedCount;
        return false;
    }
    waiting.push_back({std::move(tenant), std::min(until, lookAt), std::move(again)});
    return true;
}

void EventWaiters::onStored(const std::string& tenant)
{
    ++storedCount;
    for (Waiter& waiter : waiting) {
        if (waiter.tenant.empty() || waiter.tenant == tenant) {
            waiter.at = Instant{};
        }
    }
}

void EventWaiters::onTimer(Now now)
{
    const auto due = std::stable_partition(waiting.begin(), waiting.end(), [now](const Waiter& each) { return each.at > now.mono; });
    std::vector<Waiter> woken(std::make_move_iterator(due), std::make_move_iterator(waiting.end()));
    waiting.erase(due, waiting.end());
    for (Waiter& waiter : woken) {
        waiter.again(now);
    }
}

Instant EventWaiters::nextDeadline() const
{
    Instant next = never;
    for (const Waiter& waiter : waiting) {
        next = std::min(next, waiter.at);
    }
    return next;
}

}  // namespace mesh::aggregator
