#pragma once

#include "aggregator/setup/cluster_home.hpp"
#include "aggregator/setup/config.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>

namespace mesh::ctl {

// A node that is not running: its configuration, its key, where its cluster's files are.
struct OfflineNode {
    aggregator::Config config;
    std::string publicKey;
    std::string directory;
};

enum class NodeKey : std::uint8_t { needed, unused };
// `unused`: where the key is not given by an option it is not looked for, and `publicKey` stays empty.
Result<OfflineNode> readNode(const ClusterOptions& options, NodeKey key = NodeKey::needed);
// alreadyExists: it belongs to a cluster.
Result<void> requirePristine(const OfflineNode& node);
// Under systemd the state directory is that of a user of the daemon's own, and root works beside it: what is root's in `tree` gets
// the owner of `parent`, unless that is root's or we are not root. Not what has another name elsewhere, or is no file: that user
// may have put it there.
Result<void> giveToOwnerOf(const std::string& parent, const std::string& tree);
// As aggregator::saveClusterHome(), for the daemon's user.
Result<void> saveHomeOf(const OfflineNode& node, const aggregator::ClusterHome& home);

}  // namespace mesh::ctl
