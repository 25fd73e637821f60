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
    std::string node;                   // of one node's chains; empty: all
};

struct AuditPage {
    std::vector<StoredAudit> records;
    bool more = false;          // there were more than the limit
    std::vector<Chain> chains;  // of the first page: as they are before its records are read
};

// Events in the order in which they were stored, of any connector.
struct EventQuery {
    std::optional<std::string> tenant;
    std::string connector;  // empty: all
    std::string topic;      // one, or with "*" at the end what begins so; empty: all. What was lost is in any of them
    WallTime since{};       // by the clock of who stored them
    WallTime until = WallTime::max();
    std::uint64_t after = 0;
    bool fromEnd = false;  // none of those that are stored now: for the place to go on from
    std::size_t limit = 100;
    std::size_t maxBytes = 1024 * 1024;  // of their payloads together; one comes in any case
};

struct StoredEvent {
    std::uint64_t id = 0;
    EventRecord record;
    WallTime stored{};  // when, by the clock of who stored it
};
struct EventPage {
    std::vector<StoredEvent> records;
    bool more = false;
    std::uint64_t end = 0;  // the next page's `after`
    bool isBeyond = false;  // the database has not got as far as the query's `after`, and of HistoryStore::events(): never had
};

// Events of one connector in the order of their sequence, after a place in it.
struct SourceQuery {
    std::string tenant;
    std::string connector;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::size_t limit = 100;
    std::size_t maxBytes = 1024 * 1024;
};
struct SourcePage {
    std::vector<EventRecord> records;  // the first may be a loss that began before the place
    bool more = false;
};

// A page of one tenant's events for another database; the last one has where its connectors stand.
struct EventExport {
    EventPage page;
    std::vector<EventHead> heads;
};
struct EventKey {
    std::string connector;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::uint64_t id = 0;  // in its database
};
// What readers of one tenant's events may have seen of a database.
struct EventIds {
    std::uint64_t last = 0;             // of the tenant
    std::vector<EventKey> recent = {};  // of the tenant, the last limits::historyMoveRecent, the oldest first
    std::uint64_t greatest = 0;         // of the database, be it an event's or an audit record's
    std::vector<EventHead> heads = {};  // of the tenant's connectors
};
// Where they go on in another one that has all of these, and, where nodes share it, may have later ones.
struct EventLanding {
    std::uint64_t at = 0;  // what they have not seen has a greater id
    std::vector<std::pair<EventKey, std::uint64_t>> recent = {};  // those, with the ids here; 0: it is not here
};

}  // namespace mesh::history
