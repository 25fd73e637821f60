#pragma once

#include "shoset/base/result.hpp"

#include <string>
#include <string_view>

namespace mesh::connector {

// Blocking. Appends to an open file and returns when it is on disk. All or nothing: what a failed write or sync left behind is cut
// off, so that what comes next does not follow half of it, and nobody reads what was refused. The error names `path`.
Result<void> appendAndSync(int descriptor, const std::string& path, std::string_view data);

}  // namespace mesh::connector
