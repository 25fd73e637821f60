#pragma once

#include "cluster/history/connection.hpp"
#include "cluster/history/core/query.hpp"
#include "cluster/history/core/retention.hpp"

#include <vector>

// The events' rows, within a transaction of the caller's where they write. All throw as Connection says.
namespace mesh::history {

// One that is there already stays as it is.
void insertEvents(soci::session& sql, const std::vector<EventRecord>& events);
EventPage readEvents(soci::session& sql, const EventQuery& query);
// Of each tenant the oldest, by age and by its share of the size. How many went.
std::uint64_t pruneEvents(soci::session& sql, const RetentionPolicy& policy, WallTime now);

}  // namespace mesh::history
