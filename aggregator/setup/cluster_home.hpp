#pragma once

#include "aggregator/setup/config.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mesh::aggregator {

constexpr std::size_t storageIdBytes = 16;  // of ClusterHome::storage

struct KnownNode {
    std::uint64_t id = 0;  // raft's
    PeerAddress address;   // of its peer endpoint; its endpoint is empty for a node that has none
    bool operator==(const KnownNode&) const = default;
};

// What a node must know of its cluster before it has read any state: which member it is, and where the others are.
struct ClusterHome {
    std::uint64_t self = 0;
    std::string storage;           // random, of this directory: a node that lost its data is told from the one it was
    bool founder = false;          // starts the cluster with the others listed; else it was taken in by one
    bool recovered = false;        // was made the only member: raises the generation, and forgets the others
    std::vector<KnownNode> nodes;  // with ourselves; brought up to date with every change
    // Of the state that `nodes` are from. A log is applied again from its beginning after a start: what it says of earlier times has
    // been outlived, and whoever has left since then must not be dialled.
    std::uint64_t generation = 0;
    std::uint64_t revision = 0;
    bool operator==(const ClusterHome&) const = default;
};

// DIRECTORY/member.json, 0600, of the directory's owner where root asks. notFound before the first start; corrupt for anything that is not such a file.
Result<ClusterHome> loadClusterHome(const std::string& directory);
// Replaces it; blocks on the disk. Makes the directory (0700) where it is missing.
Result<void> saveClusterHome(const std::string& directory, const ClusterHome& home);

// DIRECTORY/break-glass: until when this node may order writes without a majority, by the word of an operator on this
// machine. WallTime{}: not at all; also where the file cannot be read.
WallTime loadBrokenGlass(const std::string& directory);
Result<void> saveBrokenGlass(const std::string& directory, WallTime until);

// Of a node that starts for the first time: with the members of its configuration it founds a cluster, each of them
// coming to the same ids by the order of names.
ClusterHome foundCluster(const Config& config, const std::string& publicKey, Rng& rng);

}  // namespace mesh::aggregator
