#pragma once

#include "cluster/core/command.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

// What the programs of all nodes understand. Entries and snapshots are written in the format of the level, and rules are
// those of the level, so that a node with a newer program does what the older ones do until all are upgraded and the
// level is raised (RaiseFeatureLevel). Only then may what came with it be proposed.
namespace mesh::cluster {

// Level 1: accounts, sessions, registry, prefixes and properties of a single node. Level 2: the cluster. Level 3: sessions
// end by elapsed time, as the primary measures it, and not by the stamps of clocks that may be wrong. Level 4: a recovery begins a
// generation that no other one begins; quotas of tenants, and their removal with all they have. Level 5: documents whose versions are
// counted. Level 6: every node heeds where a tenant's history is to live (documents of the kind `database`). Level 7: sealing keys of nodes,
// and passwords of BMCs that are sealed to them. Level 8: configurations are changed only while what they were checked against is as it was;
// of the documents' bytes every tenant has a share, and former versions make room.
constexpr FeatureLevel clusterFeatureLevel = 2;
constexpr FeatureLevel elapsedTimeFeatureLevel = 3;
constexpr FeatureLevel generationFeatureLevel = 4;
constexpr FeatureLevel tenantQuotaFeatureLevel = 4;
constexpr FeatureLevel configurationFeatureLevel = 5;
constexpr FeatureLevel databaseFeatureLevel = 6;
constexpr FeatureLevel sealedSourcesFeatureLevel = 7;
constexpr FeatureLevel documentShareFeatureLevel = 8;
constexpr FeatureLevel newestFeatureLevel = documentShareFeatureLevel;  // that this program knows

// The level at which the operation came, or what it is given, which is also the format of its entry.
FeatureLevel featureLevelOf(const Operation& operation);
// What a program must know in order to apply it: the level at which it came, or, of RaiseFeatureLevel, the one it raises
// to.
FeatureLevel neededLevel(const Operation& operation);

// To be asked by every proposer, because an entry that a node's program does not know stops that node. `unsupported`
// above the level of the state, or, when the level itself is to be raised, above what this program or a registered node
// knows; the sentence names the nodes to upgrade as far as they are known.
Result<void> mayPropose(const State& state, const Operation& operation);
// Does every registered node know `level`? As above.
Result<void> allNodesKnow(const State& state, FeatureLevel level);

}  // namespace mesh::cluster
