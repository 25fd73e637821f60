#pragma once

#include "shoset/base/result.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace mesh::ctl {

// As a value of a query: everything but what surely needs no escape.
std::string escapeValue(const std::string& text);

// Seconds since 1970 of "90m", "12h", "3d" (ago), "2024-05-01" or "2024-05-01T12:00:00Z".
Result<std::int64_t> readTime(const std::string& text);

// Tells on stderr whose history an answer does not show (`elsewhere`), unless that was told already.
void noteElsewhere(const nlohmann::json& page, bool& told);

}  // namespace mesh::ctl
