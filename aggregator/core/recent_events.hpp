#pragma once

#include "aggregator/core/event_intake.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace mesh::aggregator {

// The events that were stored last, so that who keeps up is not told from the database. Of each connector they follow each other.
class RecentEvents {
public:
    void add(const StoredRun& run);
    // At most so many that come behind the place; nullopt: some of them are not remembered.
    std::optional<std::vector<EventPtr>> behind(const shoset::Address& source, EventPlace place, std::size_t most) const;
    std::size_t size() const { return count; }

private:
    struct Line {
        EventPlace before;  // the first one
        std::deque<std::pair<std::uint64_t, EventPtr>> events;
    };
    void forget(Line& line);

    std::map<shoset::Address, Line> lines;
    std::deque<std::pair<std::uint64_t, Line*>> order;  // the oldest first, also some that are forgotten
    std::uint64_t last = 0;
    std::size_t count = 0;
    std::size_t bytes = 0;
};

}  // namespace mesh::aggregator
