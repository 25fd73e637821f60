#pragma once

#include "cluster/history/connection.hpp"

namespace mesh::history {

// Brings the database to the version that this program knows, one migration after the other in one transaction; several
// programs may do so at once. Code::unsupported where a newer program has been there. Throws as Connection says.
Result<void> migrate(Connection& connection, const std::string& url);

int newestSchema();

}  // namespace mesh::history
