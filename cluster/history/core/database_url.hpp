#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>

namespace mesh::history {

// Where history is kept: sqlite:/ABSOLUTE/PATH, or postgresql://USER@HOST/DATABASE?... as libpq takes it.
bool isSqlite(const std::string& url);
// Of the first kind.
std::string sqlitePath(const std::string& url);
// A sentence for any other.
Result<void> checkUrl(const std::string& url);
// Without a password and without parameters, for logs and answers.
std::string shownUrl(const std::string& url);

// Where a tenant's history is to live, as an operator says it for all nodes: "sqlite" (each node's own database), sqlite:NAME (a
// file of that name in the tenant's own directory at each node), or postgresql://USER@HOST/DATABASE?..., without a password and
// without what would name files of a node, but for the authority (sslrootcert). A sentence for anything else.
Result<void> checkPlace(const std::string& place);
// "" for each node's own database, whatever it was called; else as it was.
std::string plainPlace(const std::string& place);
// A file of each node's, which is no other node's.
bool isOwnFile(const std::string& place);
// The URL that such a place is at one node. `stateDirectory` is absolute.
std::string urlOfPlace(const std::string& place, const std::string& tenant, const std::string& ownUrl, const std::string& stateDirectory);
// With one more parameter, unless it has that already.
std::string withParameter(std::string url, std::string_view name, std::string_view value);

}  // namespace mesh::history
