#pragma once

#include "cluster/history/connection.hpp"
#include "cluster/history/core/query.hpp"
#include "cluster/history/core/retention.hpp"

#include <optional>
#include <utility>
#include <vector>

// The events' rows, within a transaction of the caller's where they write. All throw as Connection says.
namespace mesh::history {

// So that nodes which share a server store one after the other, until the transaction ends: ids become visible in their order.
void lockEvents(Connection& connection);
// One that is there already stays as it is. Moves the heads of their connectors.
void insertEvents(soci::session& sql, const std::vector<EventRecord>& events, WallTime now);
// Those of another database, with the time when they were stored there.
void insertStored(soci::session& sql, const std::vector<StoredEvent>& events);
// Never back: what nodes with one database store may overlap.
void writeHead(soci::session& sql, const EventHead& head);
EventPage readEvents(soci::session& sql, const EventQuery& query);
SourcePage readSource(soci::session& sql, const SourceQuery& query);
// Of one tenant or all (nullopt), and of one of its connectors or all (empty).
std::vector<EventHead> readHeads(soci::session& sql, const std::optional<std::string>& tenant, const std::string& connector = {});
// Id of the newest event there is now, of whatever tenant.
std::uint64_t newestId(soci::session& sql);
// Of the newest row that the table ever had, also when retention has removed it: readers may go on from that.
std::uint64_t newestEver(Connection& connection, const std::string& table);
std::vector<EventTotal> readTotals(soci::session& sql);
// Of each tenant the oldest, by age and by its share of the size. How many went.
std::uint64_t pruneEvents(soci::session& sql, const RetentionPolicy& policy, WallTime now);

}  // namespace mesh::history
