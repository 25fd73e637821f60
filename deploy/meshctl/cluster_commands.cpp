#include "aggregator/setup/cluster_home.hpp"
#include "cluster/raft/raft_directory.hpp"
#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/offline_node.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;

constexpr auto transferPatience = std::chrono::seconds(10);
constexpr auto transferPoll = std::chrono::milliseconds(100);
constexpr const char* membersUri = "/mesh/v1/cluster/members";

}  // namespace

int clusterMembers(Connection connection)
{
    const Result<json> registered = ask(connection, "GET", membersUri, nullptr);
    const Result<json> status = registered ? ask(connection, "GET", "/mesh/v1/status", nullptr) : registered;
    if (!status) {
        return complain(status.error());
    }
    const json cluster = status->value("cluster", json::object());
    if (connection.json) {
        std::cout << json{{"cluster", cluster}, {"nodes", registered->value("nodes", json::array())}} << '\n';
        return exitOk;
    }
    for (const json& node : registered->value("nodes", json::array())) {
        std::string part = "not a member";
        std::string known = "-";
        for (const json& member : cluster.value("members", json::array())) {
            if (member.value("id", 0) == node.value("id", -1)) {
                const std::string voting = node.value("witness", false) ? "witness" : "standby";
                part = member.value("primary", false) ? "primary" : member.value("voter", false) ? voting : "spare";
                known = whatIsKnown(member);
            }
        }
        std::cout << node.value("id", 0) << "  " << node.value("name", "") << "  " << part << "  "
                  << node.value("peer_endpoint", "") << "  " << node.value("software", "") << "  " << known << '\n';
    }
    return exitOk;
}

int clusterTransfer(Connection connection, const ClusterOptions& options)
{
    if (const Result<json> asked = ask(connection, "POST", "/mesh/v1/cluster/transfer", {{"to", options.node}}); !asked) {
        return complain(asked.error());
    }
    const auto deadline = std::chrono::steady_clock::now() + transferPatience;
    while (std::chrono::steady_clock::now() < deadline) {
        const Result<json> status = ask(connection, "GET", "/mesh/v1/status", nullptr);
        if (status && status->value("cluster", json::object()).value("primary", "") == options.node) {
            return done({}, options.node + " is the primary");
        }
        std::this_thread::sleep_for(transferPoll);
    }
    return complain({Code::deadlineExceeded, options.node + " has not become the primary"});
}

int clusterRemove(Connection connection, const ClusterOptions& options)
{
    const Result<json> removed = ask(connection, "DELETE", std::string(membersUri) + "/" + options.node, nullptr);
    return removed ? done({}, options.node + " is removed") : complain(removed.error());
}

int clusterJoin(Connection connection, const ClusterOptions& options)
{
    const Result<OfflineNode> node = readNode(options);
    if (!node) {
        return complain(node.error());
    }
    if (Result<void> pristine = requirePristine(*node); !pristine) {
        return complain(pristine.error());
    }
    if (node->config.peersAdvertise.empty()) {
        return complain({Code::invalidArgument, options.config + ": set peers.advertise (or bind it to one address), so that "
                                                                 "the other nodes can reach this one"});
    }
    const Result<json> taken = ask(connection, "POST", membersUri,
                                   {{"name", node->config.name},
                                    {"key", node->publicKey},
                                    {"peer_endpoint", node->config.peersAdvertise},
                                    {"mesh_endpoint", node->config.meshAdvertise},
                                    {"witness", node->config.witness}});
    if (!taken) {
        return complain(taken.error());
    }
    host::SystemRng rng;
    aggregator::ClusterHome home = aggregator::foundCluster(node->config, node->publicKey, rng);  // for its storage id
    home.founder = false;
    home.nodes.clear();
    try {
        home.self = taken->at("id");
        for (const json& other : taken->at("nodes")) {
            home.nodes.push_back({other.at("id"), {other.at("name"), other.at("peer_endpoint"), other.at("key")}});
        }
    } catch (const json::exception&) {
        return complain({Code::corrupt, "the cluster's answer is not what a node needs"});
    }
    return done(saveHomeOf(*node, home),
                node->config.name + " is taken in as member " + std::to_string(home.self) + ": start mesh-aggregatord now");
}

int clusterInit(const ClusterOptions& options)
{
    const Result<OfflineNode> node = readNode(options);
    if (!node) {
        return complain(node.error());
    }
    if (node->config.witness && node->config.peers.empty()) {
        return complain({Code::preconditionFailed, "a witness founds no cluster of its own: name the other nodes in peers.members, or "
                                                   "have one of them take it in (meshctl cluster join)"});
    }
    if (Result<void> pristine = requirePristine(*node); !pristine) {
        return complain(pristine.error());
    }
    host::SystemRng rng;
    const aggregator::ClusterHome home = aggregator::foundCluster(node->config, node->publicKey, rng);
    return done(saveHomeOf(*node, home),
                node->config.name + " founds a cluster of " + std::to_string(home.nodes.size()) + ": start mesh-aggregatord now");
}

int clusterBreakGlass(const ClusterOptions& options)
{
    const Result<OfflineNode> node = readNode(options, NodeKey::unused);
    const Result<aggregator::ClusterHome> home = node ? aggregator::loadClusterHome(node->directory)
                                                      : Result<aggregator::ClusterHome>(node.error());
    if (!home) {
        return complain(home.error());
    }
    const WallTime until = options.minutes == 0 ? WallTime{} : host::systemNow().wall + std::chrono::minutes(options.minutes);
    Result<void> saved = aggregator::saveBrokenGlass(node->directory, until);
    saved = saved ? giveToOwnerOf(node->directory, node->directory + "/break-glass") : saved;
    return done(saved,
                (options.minutes == 0 ? "writes need a majority again" :
                                        "writes go on without a majority for " + std::to_string(options.minutes) + " minutes") +
                    std::string(", once mesh-aggregatord has had its SIGHUP (systemctl reload mesh-aggregatord)"));
}

int clusterRecover(const ClusterOptions& options)
{
    const Result<OfflineNode> node = readNode(options, NodeKey::unused);
    if (!node) {
        return complain(node.error());
    }
    if (node->config.witness) {
        return complain({Code::preconditionFailed, "nobody can join by a witness, which has no facade. It has the whole state: give it "
                                                   "the configuration of an aggregator under its name and key, then recover it"});
    }
    Result<aggregator::ClusterHome> home = aggregator::loadClusterHome(node->directory);
    if (!home) {
        return complain(home.error());
    }
    if (!options.yes) {
        return complain({Code::refused, "this makes " + node->config.name + " the only node of a new generation. What only the "
                                        "lost nodes knew is lost, and none of them may ever run again with its data. If that "
                                        "is what you want, say --yes"});
    }
    if (Result<void> recovered = cluster::recoverRaftDirectory(node->directory + "/log", home->self, node->config.name);
        !recovered) {
        return complain(recovered.error());
    }
    home->recovered = true;
    return done(saveHomeOf(*node, *home),
                node->config.name + " is the only member now: start mesh-aggregatord, then let other nodes join anew");
}

}  // namespace mesh::ctl
