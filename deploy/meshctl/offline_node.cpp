#include "deploy/meshctl/offline_node.hpp"

#include "aggregator/setup/cluster_home.hpp"
#include "shoset/zmq/keys.hpp"

#include <utility>

namespace mesh::ctl {

Result<OfflineNode> readNode(const ClusterOptions& options)
{
    Result<aggregator::Config> config = aggregator::loadConfig(options.config, options.witness);
    if (!config) {
        return config.error();
    }
    Result<shoset::KeyPair> keys = shoset::loadKeyFile(config->keyFile);
    if (!keys) {
        return keys.error();
    }
    const std::string directory = config->clusterDirectory.empty() ? options.state + "/cluster" : config->clusterDirectory;
    return OfflineNode{std::move(*config), keys->publicKey, directory};
}

Result<void> requirePristine(const OfflineNode& node)
{
    const Result<aggregator::ClusterHome> home = aggregator::loadClusterHome(node.directory);
    if (!home && home.error().code == Code::notFound) {
        return {};
    }
    return Error{Code::alreadyExists, node.directory + " belongs to a member of a cluster already. To start anew, remove the "
                                                       "node from that cluster and empty the directory"};
}

}  // namespace mesh::ctl
