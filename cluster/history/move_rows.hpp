#pragma once

#include "cluster/history/connection.hpp"
#include "cluster/history/core/query.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Rows of one tenant that come from another database, or go; within a transaction of the caller's where they write. All throw as
// Connection says.
namespace mesh::history {

// Puts records with their hashes behind those that are there of the same chain. A chain that the other database has cut behind the
// end of what is here begins anew where that cut was, as does one whose clearing here was cut off. Refused where
// a record's place has another hash: that is another history.
Result<std::uint64_t> takeAudit(soci::session& sql, const AuditPage& page);
EventIds readEventIds(Connection& connection, const std::string& tenant);
// In a database that others may append to meanwhile.
EventLanding findLanding(soci::session& sql, const std::string& tenant, const EventIds& seenElsewhere);
// Whether there are more. The chains go with the first: what is left of their records then counts for nothing to takeAudit().
bool dropSome(soci::session& sql, const std::string& tenant, std::size_t limit);

}  // namespace mesh::history
