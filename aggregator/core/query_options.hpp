#pragma once

#include "aggregator/core/messages.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::aggregator {

constexpr std::uint64_t latestSecond = 4'000'000'000;  // since 1970, within WallTime

// What stands in a query below /mesh/v1/, by name, unescaped; of one name the last counts.
std::map<std::string, std::string> queryOptions(std::string_view query);
std::optional<std::uint64_t> wholeNumber(std::string_view text);
// 400, naming both.
Answer wrongOption(const std::string& name, const std::string& value);

}  // namespace mesh::aggregator
