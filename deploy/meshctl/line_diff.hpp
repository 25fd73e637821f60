#pragma once

#include <string>

namespace mesh::ctl {

// The lines by which two texts differ, as `diff -u` shows them; empty: they are the same. For texts of some thousand lines.
std::string unifiedDiff(const std::string& from, const std::string& to, const std::string& fromLabel, const std::string& toLabel);

}  // namespace mesh::ctl
