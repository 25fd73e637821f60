#pragma once

#include "shoset/base/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mesh::history {

// What a database of history keeps; whatever is exceeded first.
struct RetentionPolicy {
    Duration keep{};              // 0: any age
    std::uint64_t maxBytes = 0;   // of all chains of a node together; 0: any size
    std::map<std::string, std::uint64_t> maxEvents = {};  // that a tenant may have stored: its quota; 0: any number
};

// Nothing older than this is kept.
WallTime oldestKept(const RetentionPolicy& policy, WallTime now);

// How many bytes each chain may keep, given what they have now: all of it while they fit together; else who has the most
// gives first, so that a busy tenant does not push out the history of a quiet one. What is too much is cut a little lower than
// the limit, so that not every record that comes has to push out one.
std::vector<std::uint64_t> shares(const std::vector<std::uint64_t>& bytes, std::uint64_t maxBytes);

}  // namespace mesh::history
