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
// An event that is remembered keeps the whole transaction that it came in: bytes count until its last one is forgotten, so that no
// more than limits::maxRecentEventBytes and one transaction are kept. Who gets events from here gives them back within the call.
class RecentEvents {
public:
    void add(const StoredRun& run);
    // At most so many that come behind the place, and so many bytes or one; nullopt: some of them are not remembered, or it is not
    // known here whether the epoch of the place went on behind it.
    std::optional<std::vector<EventPtr>> behind(const shoset::Address& source, EventPlace place, std::size_t most,
                                                std::size_t mostBytes) const;
    std::size_t size() const { return count; }

private:
    struct Line {
        EventPlace before;  // the first one
        std::deque<std::pair<std::uint64_t, EventPtr>> events;
    };
    struct Remembered {
        std::uint64_t number = 0;
        Line* line = nullptr;
        std::size_t bytes = 0;
    };
    void forgetOldest();

    std::map<shoset::Address, Line> lines;
    std::deque<Remembered> order;  // the oldest first, also some that are not in their line any more
    std::uint64_t last = 0;
    std::size_t count = 0;
    std::size_t bytes = 0;
};

}  // namespace mesh::aggregator
