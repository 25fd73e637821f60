#pragma once

#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What a cluster agrees on, as a file that another cluster can be founded from.
//
//   bmcmesh backup 1      the format; an older program refuses a newer one
//   service UUID          these are for people, and so that `head FILE` tells what it is
//   generation N
//   revision N            of the last entry in it
//   feature-level N
//   created TIME          by the clock of the node that made it
//   node NAME
//   software TEXT
//   bytes N               of the snapshot
//   sha256 HEX            of all that is above and below this line
//                         (an empty line)
//   the state as a snapshot (snapshot_codec), without sessions and enrolment secrets
namespace mesh::cluster {

constexpr std::size_t maxBackupBytes = limits::maxStateBytes + 4096;
// Entries that the old cluster is taken to have applied since the backup, so that no revision, and with it no ETag, comes
// again for something else.
constexpr std::uint64_t restoredRevisionGap = std::uint64_t{1} << 32;

struct BackupOrigin {
    std::string node;      // a name
    std::string software;  // printable
    WallTime created{};
};

// Of a state that has its service UUID. Sessions and enrolment secrets are left out: a copy of them would be worth something
// to a thief, and a restore voids them.
std::string makeBackup(const State& state, const BackupOrigin& origin);

struct Backup {
    std::string node;
    std::string software;
    std::string created;
    State state;  // whole, with look-ups
};
// corrupt: it is no backup, cut off, or damaged; unsupported: a newer program wrote it.
Result<Backup> readBackup(std::string_view file);

// Who begins a cluster with a state from elsewhere, as its only node.
struct Founder {
    Node node;                     // its id counts for nothing
    std::uint64_t generation = 0;  // above the backup's
    WallTime now{};
};
struct Founding {
    std::uint64_t self = 0;  // the founder's id: as in the backup where name and key are, so that what is sealed to it stays readable
    std::string snapshot;
};
// What such a cluster begins with: the backup's state in the new generation, without sessions and enrolment secrets, with no
// node but the founder. No node hosts a BMC without an agent, and what tasks a node ran have ended in an exception.
// invalidArgument: the generation is too low; otherwise as the state machine says.
Result<Founding> foundFrom(const State& backup, Founder founder, Rng& rng);

}  // namespace mesh::cluster
