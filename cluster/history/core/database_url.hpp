#pragma once

#include "shoset/base/result.hpp"

#include <string>

namespace mesh::history {

// Where history is kept: sqlite:/ABSOLUTE/PATH, or postgresql://USER@HOST/DATABASE?... as libpq takes it.
bool isSqlite(const std::string& url);
// Of the first kind.
std::string sqlitePath(const std::string& url);
// A sentence for any other.
Result<void> checkUrl(const std::string& url);
// Without a password and without parameters, for logs and answers.
std::string shownUrl(const std::string& url);

}  // namespace mesh::history
