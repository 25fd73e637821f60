#include "deploy/meshctl/offline_node.hpp"

#include "shoset/zmq/keys.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace mesh::ctl {

namespace {

Error ownerError(const std::string& path, int number)
{
    return {Code::ioError, path + ": " + std::generic_category().message(number)};
}

Error noKeyThere(const Error& error)
{
    return {error.code, error.message + "; where systemd hands the key to the service, which does not run now, say --key "
                                        "/etc/bmcmesh/aggregator.key"};
}

}  // namespace

Result<OfflineNode> readNode(const ClusterOptions& options, NodeKey key)
{
    Result<aggregator::Config> config = aggregator::loadConfig(options.config, options.witness);
    if (!config) {
        return config.error();
    }
    const std::string directory = config->clusterDirectory.empty() ? options.state + "/cluster" : config->clusterDirectory;
    if (key == NodeKey::unused && options.key.empty()) {
        return OfflineNode{std::move(*config), {}, directory};
    }
    Result<shoset::KeyPair> keys = shoset::loadKeyFile(options.key.empty() ? config->keyFile : options.key);
    if (!keys) {
        return options.key.empty() && keys.error().code == Code::notFound ? noKeyThere(keys.error()) : keys.error();
    }
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

Result<void> giveToOwnerOf(const std::string& parent, const std::string& tree)
{
    namespace fs = std::filesystem;
    struct stat owner = {};
    if (::stat(parent.c_str(), &owner) != 0) {
        return ownerError(parent, errno);
    }
    if (::geteuid() != 0 || owner.st_uid == 0) {
        return {};
    }
    std::vector<std::string> paths{tree};
    std::error_code failed;
    if (fs::is_directory(fs::symlink_status(tree, failed))) {
        for (fs::recursive_directory_iterator next(tree, failed), end; !failed && next != end; next.increment(failed)) {
            paths.push_back(next->path());
        }
    }
    for (const std::string& path : paths) {
        struct stat status = {};
        if (failed || ::lstat(path.c_str(), &status) != 0) {
            return ownerError(path, failed ? failed.value() : errno);
        }
        const bool made = S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink == 1);
        if (status.st_uid == 0 && made && ::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
            return ownerError(path, errno);
        }
    }
    return {};
}

Result<void> saveHomeOf(const OfflineNode& node, const aggregator::ClusterHome& home)
{
    const Result<void> saved = aggregator::saveClusterHome(node.directory, home);
    std::filesystem::path place = std::filesystem::absolute(node.directory);
    place = place.has_filename() ? place : place.parent_path();
    return saved ? giveToOwnerOf(place.parent_path(), place) : saved;
}

}  // namespace mesh::ctl
