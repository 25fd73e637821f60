#pragma once

#include "aggregator/setup/config.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/result.hpp"

#include <string>

namespace mesh::ctl {

// A node that is not running: its configuration, its key, where its cluster's files are.
struct OfflineNode {
    aggregator::Config config;
    std::string publicKey;
    std::string directory;
};

Result<OfflineNode> readNode(const ClusterOptions& options);
// alreadyExists: it belongs to a cluster.
Result<void> requirePristine(const OfflineNode& node);

}  // namespace mesh::ctl
