#include "aggregator/core/recent_events.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <iterator>

namespace mesh::aggregator {

void RecentEvents::add(const StoredRun& run)
{
    Line& line = lines[run.source];
    const EventPlace end = line.events.empty() ? line.before : placeBehind(*line.events.back().second);
    if (run.batch == nullptr || end != run.before) {
        line.events.clear();
        line.before = run.before;
    }
    for (std::size_t at = run.begin; at < run.end; ++at) {
        EventPtr event(run.batch, &(*run.batch)[at]);
        const std::size_t size = history::storedBytes(*event);
        order.push_back({++last, &line, size});
        line.events.emplace_back(last, std::move(event));
        ++count;
        bytes += size;
    }
    while (count > limits::maxRecentEvents || bytes > limits::maxRecentEventBytes) {
        forgetOldest();
    }
}

void RecentEvents::forgetOldest()
{
    const Remembered oldest = order.front();
    order.pop_front();
    --count;
    bytes -= oldest.bytes;
    auto& events = oldest.line->events;
    if (!events.empty() && events.front().first == oldest.number) {
        oldest.line->before = placeBehind(*events.front().second);
        events.pop_front();
    }
}

std::optional<std::vector<EventPtr>> RecentEvents::behind(const shoset::Address& source, EventPlace place, std::size_t most,
                                                          std::size_t mostBytes) const
{
    const auto found = lines.find(source);
    if (found == lines.end() || place < found->second.before || found->second.events.empty()) {
        return std::nullopt;
    }
    const auto& events = found->second.events;
    auto at = std::partition_point(events.begin(), events.end(), [&](const auto& entry) { return placeBehind(*entry.second) <= place; });
    const EventPlace before = at == events.begin() ? found->second.before : placeBehind(*std::prev(at)->second);
    if (at != events.end() && before != place && at->second->epoch != place.epoch) {
        return std::nullopt;
    }
    std::vector<EventPtr> out;
    for (std::size_t size = 0; at != events.end() && out.size() < most && (out.empty() || size < mostBytes); ++at) {
        size += history::storedBytes(*at->second);
        out.push_back(at->second);
    }
    return out;
}

}  // namespace mesh::aggregator
