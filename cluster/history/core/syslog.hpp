#pragma once

#include "cluster/history/core/chain.hpp"

#include <string>

namespace mesh::history {

// One message of RFC 5424 with structured data, without a line feed: facility 13 (log audit), notice for an intent or a
// result below 400, warning for any other. It carries the record's hash, so that a copy elsewhere vouches for the chain here.
std::string syslogLine(const StoredAudit& stored);

// "2024-05-01T12:00:00.123456Z".
std::string preciseTime(WallTime time);

}  // namespace mesh::history
