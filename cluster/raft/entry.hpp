#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::cluster {

// One entry of raft's log: the operations of proposals that share it, as encodeCommand() made them.
constexpr std::uint32_t raftEntryFormat = 1;
// What one proposal takes of an entry beside its bytes.
constexpr std::size_t entryOverhead = 4;

// A multiple of eight bytes, as libraft wants it.
std::string encodeEntry(const std::vector<std::string>& operations);
// unsupported: written by a newer program; corrupt. The views are into `entry`.
Result<std::vector<std::string_view>> decodeEntry(std::string_view entry);

// A snapshot of raft's: a state machine's, and the index of the last entry in it. Errors as decodeEntry.
struct RaftSnapshot {
    std::uint64_t index;
    std::string_view state;
};
std::string encodeRaftSnapshot(const RaftSnapshot& snapshot);
Result<RaftSnapshot> decodeRaftSnapshot(std::string_view bytes);

}  // namespace mesh::cluster
