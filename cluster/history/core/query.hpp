#pragma once

#include "cluster/history/core/chain.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mesh::history {

// Records in the order in which they were stored.
struct AuditQuery {
    std::optional<std::string> tenant;  // none: all
    WallTime since{};
    WallTime until = WallTime::max();   // not this one any more
    std::string resource;               // a URI, and what stands below it; empty: all
    std::uint64_t after = 0;            // the id that the last page ended with
    std::size_t limit = 100;
};

struct AuditPage {
    std::vector<StoredAudit> records;
    bool more = false;          // there were more than the limit
    std::vector<Chain> chains;  // of the first page: as they are before its records are read
};

struct EventQuery {
    std::optional<std::string> tenant;
    std::string connector;  // empty: all
    std::string topic;      // empty: all
    WallTime since{};
    WallTime until = WallTime::max();
    std::uint64_t after = 0;
    std::size_t limit = 100;
};

struct StoredEvent {
    std::uint64_t id = 0;
    EventRecord record;
};
struct EventPage {
    std::vector<StoredEvent> records;
    bool more = false;
};

}  // namespace mesh::history
