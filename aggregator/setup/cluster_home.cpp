#include "aggregator/setup/cluster_home.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/zmq/keys.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace mesh::aggregator {

namespace {

using json = nlohmann::json;


std::string pathOf(const std::string& directory)
{
    return directory + "/member.json";
}

Result<ClusterHome> parse(const std::string& text)
{
    const json document = json::parse(text, nullptr, false);
    const Error malformed{Code::corrupt, "it is not what a node writes there"};
    if (!document.is_object()) {
        return malformed;
    }
    ClusterHome home;
    try {
        home.self = document.at("self");
        home.storage = document.at("storage");
        home.founder = document.at("founder");
        home.recovered = document.at("recovered");
        home.generation = document.value("generation", std::uint64_t{0});  // none in files of older releases
        home.revision = document.value("revision", std::uint64_t{0});
        for (const json& node : document.at("nodes")) {
            home.nodes.push_back({node.at("id"), {node.at("name"), node.at("endpoint"), node.at("key")}});
        }
    } catch (const json::exception&) {
        return malformed;
    }
    const bool listed = std::any_of(home.nodes.begin(), home.nodes.end(),
                                    [&home](const KnownNode& node) { return node.id == home.self; });
    const bool sound = std::all_of(home.nodes.begin(), home.nodes.end(), [](const KnownNode& node) {
        return node.id != 0 && isValidName(node.address.name) && shoset::isValidKey(node.address.key);
    });
    return listed && sound && home.storage.size() == storageIdBytes && home.nodes.size() <= limits::maxAggregators ? Result<ClusterHome>(std::move(home))
                                                                         : Result<ClusterHome>(malformed);
}

}  // namespace

Result<ClusterHome> loadClusterHome(const std::string& directory)
{
    const std::string path = pathOf(directory);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        return Error{Code::notFound, path + " does not exist"};
    }
    const Result<std::string> text = host::readSecretFile(path, limits::maxConfigBytes, host::SecretOwner::usOrFolders);
    if (!text) {
        return text.error();
    }
    Result<ClusterHome> home = parse(*text);
    if (!home) {
        return Error{home.error().code, path + ": " + home.error().message +
                                            ". Take it back from a backup, or remove this node from the cluster, empty " +
                                            directory + " and let it join again"};
    }
    return home;
}

Result<void> saveClusterHome(const std::string& directory, const ClusterHome& home)
{
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (!failed) {
        std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failed);
    }
    if (failed) {
        return Error{Code::ioError, directory + ": " + failed.message()};
    }
    json nodes = json::array();
    for (const KnownNode& node : home.nodes) {
        nodes.push_back({{"id", node.id},
                         {"name", node.address.name},
                         {"endpoint", node.address.endpoint},
                         {"key", node.address.key}});
    }
    const json document{{"self", home.self}, {"storage", home.storage}, {"founder", home.founder},
                        {"recovered", home.recovered}, {"nodes", std::move(nodes)}, {"generation", home.generation},
                        {"revision", home.revision}};
    return host::writeFileAtomic(pathOf(directory), document.dump(2) + "\n", 0600);
}

WallTime loadBrokenGlass(const std::string& directory)
{
    const Result<std::string> text = host::readSecretFile(directory + "/break-glass", limits::maxConfigBytes);
    const json seconds = text ? json::parse(*text, nullptr, false) : json();
    return seconds.is_number_unsigned() ? WallTime{std::chrono::seconds(seconds.get<std::uint32_t>())} : WallTime{};
}

Result<void> saveBrokenGlass(const std::string& directory, WallTime until)
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until.time_since_epoch()).count();
    return host::writeFileAtomic(directory + "/break-glass", std::to_string(seconds) + "\n", 0600);
}

ClusterHome foundCluster(const Config& config, const std::string& publicKey, Rng& rng)
{
    ClusterHome home;
    home.storage = toHex(rng.bytes(storageIdBytes / 2));
    home.founder = true;
    std::vector<PeerAddress> everyone = config.peers;
    everyone.push_back({config.name, config.peersAdvertise, publicKey});
    std::sort(everyone.begin(), everyone.end(),
              [](const PeerAddress& one, const PeerAddress& other) { return one.name < other.name; });
    for (PeerAddress& address : everyone) {
        const std::uint64_t id = home.nodes.size() + 1;
        home.self = address.name == config.name ? id : home.self;
        home.nodes.push_back({id, std::move(address)});
    }
    return home;
}

}  // namespace mesh::aggregator
