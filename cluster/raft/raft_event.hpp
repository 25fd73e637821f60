#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mesh::cluster {

struct RaftMember {
    std::uint64_t id = 0;  // never 0, never used again for another node
    std::string name;      // unique
    bool voter = true;
};

// What keeps a member from its work. The sentence to it is EngineStatus::reason.
enum class RaftTrouble : std::uint8_t {
    none,
    starting,      // the log is being opened, or opened again
    noPrimary,     // no majority is known; an election may be under way
    diskFull,      // nothing can be proposed until there is room
    diskFailed,    // the log is closed, and tried again
    corrupt,       // stopped: the log or a snapshot is damaged
    unusable,      // stopped: not a directory that can be used
    unknownEntry,  // stopped: an entry or snapshot that this program does not understand
    removed,       // stopped: no member any more
    closed,
};

// ---- from raft's thread to the loop's, in order

struct EntryApplied {
    std::uint64_t index;
    std::string entry;
};
// Replaces everything before.
struct StateRestored {
    std::uint64_t index;
    std::string state;
};
struct RpcWritten {
    std::uint64_t to;
    std::string rpc;
};
// The end of a request. Code::ok, or as StateEngine::propose() says. `index`: the entry's.
struct RequestDone {
    std::uint64_t token;
    Error error;
    std::uint64_t index;
};
struct RaftView {
    NodeRole role = NodeRole::follower;
    std::uint64_t term = 0;
    std::uint64_t leader = 0;
    std::vector<Member> members;
    RaftTrouble trouble = RaftTrouble::starting;
    std::string reason;
    bool operator==(const RaftView&) const = default;
};
struct ViewChanged {
    RaftView view;
};
// How far the log is applied here and, on a primary, what each member has of it.
struct Progress {
    std::uint64_t applied = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> matches;
    bool operator==(const Progress&) const = default;
};
struct HostEnded {};

using RaftEvent =
    std::variant<EntryApplied, StateRestored, RpcWritten, RequestDone, ViewChanged, Progress, HostEnded>;

// ---- from the loop's thread to raft's

struct RaftRequest {
    enum class Kind : std::uint8_t { propose, barrier, add, assign, remove, transfer };
    Kind kind = Kind::propose;
    std::uint64_t token = 0;
    std::string bytes;     // propose: the operation; add: the name
    std::uint64_t id = 0;  // of a member
    bool voter = false;
    std::chrono::steady_clock::time_point deadline;  // not begun after this
};

}  // namespace mesh::cluster
