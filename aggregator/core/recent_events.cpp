#include "aggregator/core/recent_events.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

void RecentEvents::add(const StoredRun& run)
{
    Line& line = lines[run.source];
    const EventPlace end = line.events.empty() ? line.before : placeBehind(*line.events.back().second);
    if (run.batch == nullptr || end != run.before) {
        while (!line.events.empty()) {
            forget(line);
        }
        line.before = run.before;
    }
    for (std::size_t at = run.begin; at < run.end; ++at) {
        EventPtr event(run.batch, &(*run.batch)[at]);
        ++count;
        bytes += history::storedBytes(*event);
        line.events.emplace_back(++last, std::move(event));
        order.emplace_back(last, &line);
    }
    while (!order.empty() && (count > limits::maxRecentEvents || bytes > limits::maxRecentEventBytes)) {
        const auto [number, oldest] = order.front();
        order.pop_front();
        if (!oldest->events.empty() && oldest->events.front().first == number) {
            forget(*oldest);
        }
    }
}

void RecentEvents::forget(Line& line)
{
    const EventPtr& oldest = line.events.front().second;
    line.before = placeBehind(*oldest);
    --count;
    bytes -= history::storedBytes(*oldest);
    line.events.pop_front();
}

std::optional<std::vector<EventPtr>> RecentEvents::behind(const shoset::Address& source, EventPlace place, std::size_t most) const
{
    const auto found = lines.find(source);
    if (found == lines.end() || place < found->second.before || found->second.events.empty()) {
        return std::nullopt;
    }
    const auto& events = found->second.events;
    auto at = std::partition_point(events.begin(), events.end(), [&](const auto& entry) { return placeBehind(*entry.second) <= place; });
    std::vector<EventPtr> out;
    for (; at != events.end() && out.size() < most; ++at) {
        out.push_back(at->second);
    }
    return out;
}

}  // namespace mesh::aggregator
