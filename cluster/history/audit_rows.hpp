#pragma once

#include "cluster/history/connection.hpp"
#include "cluster/history/core/query.hpp"
#include "cluster/history/core/retention.hpp"

#include <optional>
#include <string>
#include <vector>

// The audit's rows, within a transaction of the caller's where they write. All throw as Connection says.
namespace mesh::history {

std::optional<Chain> readChain(soci::session& sql, const std::string& node, const std::string& tenant);
std::vector<Chain> readChains(soci::session& sql, const std::optional<std::string>& tenant);
void writeChain(soci::session& sql, const Chain& chain);

void insertAudit(soci::session& sql, const std::vector<StoredAudit>& records);
AuditPage readAudit(soci::session& sql, const AuditQuery& query);

// The position up to which records of the chain have to go: all those before the first of `oldest` or later, and then as many
// as are more than `keepBytes`.
std::uint64_t goesUpTo(soci::session& sql, const Chain& chain, WallTime oldest, std::uint64_t keepBytes);
// Removes them and moves the chain's floor. How many there were.
std::uint64_t cutChain(soci::session& sql, Chain chain, std::uint64_t upTo);

// Between WallTime and what is stored.
long long toMicroseconds(WallTime time);
WallTime fromMicroseconds(long long micros);

}  // namespace mesh::history
