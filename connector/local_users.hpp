#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace mesh::connector {

// Of this machine's users and groups, by name. Start-up only: where they come from may be slow. Code::notFound.
Result<std::uint32_t> userIdOf(const std::string& user);

struct LocalGroup {
    std::uint32_t gid = 0;
    std::set<std::uint32_t> members;  // users who have it beside their own group
};
Result<LocalGroup> groupOf(const std::string& group);

}  // namespace mesh::connector
