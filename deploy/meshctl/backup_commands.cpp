#include "aggregator/setup/cluster_home.hpp"
#include "cluster/core/backup.hpp"
#include "cluster/core/generation.hpp"
#include "cluster/raft/raft_directory.hpp"
#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "deploy/meshctl/offline_node.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

Error named(const std::string& what, const Error& error)
{
    return {error.code, what + ": " + error.message};
}

Error systemError(const std::string& path, int number)
{
    return {Code::ioError, path + ": " + std::generic_category().message(number)};
}

json describe(const cluster::Backup& backup)
{
    return {{"service", backup.state.serviceUuid},
            {"generation", backup.state.generation},
            {"revision", backup.state.revision},
            {"feature_level", backup.state.featureLevel},
            {"created", backup.created},
            {"node", backup.node},
            {"software", backup.software}};
}

Result<std::string> readInput(const std::string& file)
{
    if (file != "-") {
        return host::readSecretFile(file, cluster::maxBackupBytes);
    }
    std::string data;
    for (std::istreambuf_iterator<char> next(std::cin), end; next != end && data.size() <= cluster::maxBackupBytes; ++next) {
        data += *next;
    }
    return data;
}

// The directory of the node's cluster: what is in it, and the lock that keeps its daemon from starting meanwhile.
struct Place {
    std::string directory;
    bool occupied = false;
    cluster::RaftDirectory lock;
};

Result<Place> look(const OfflineNode& node)
{
    Place place;
    place.directory = fs::absolute(node.directory);
    while (place.directory.size() > 1 && place.directory.ends_with('/')) {
        place.directory.pop_back();
    }
    std::error_code failed;
    place.occupied = fs::exists(place.directory, failed) && !fs::is_empty(place.directory, failed);
    if (failed) {
        return systemError(place.directory, failed.value());
    }
    if (fs::exists(place.directory + "/log", failed)) {
        Result<cluster::RaftDirectory> lock = cluster::RaftDirectory::open(place.directory + "/log", false);
        if (!lock) {
            const bool running = lock.error().code == Code::unavailable;
            return Error{running ? Code::refused : lock.error().code,
                         running ? place.directory + " is in use: stop mesh-aggregatord on this machine first" : lock.error().message};
        }
        place.lock = std::move(*lock);
    }
    return place;
}

// A node's files in a directory of their own beside the place where they shall be; gone with the object unless put there.
class Scratch {
public:
    ~Scratch()
    {
        if (!path.empty()) {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        }
    }
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    Result<void> build(const std::string& place, const aggregator::ClusterHome& home, const cluster::Founding& founding)
    {
        const std::string parent = fs::path(place).parent_path();
        std::error_code failed;
        fs::create_directories(parent, failed);
        std::string pattern = place + ".restoring-XXXXXX";
        if (failed || ::mkdtemp(pattern.data()) == nullptr) {
            return systemError(parent, failed ? failed.value() : errno);
        }
        path = pattern;
        const std::string& name = home.nodes.front().address.name;
        Result<void> made = aggregator::saveClusterHome(path, home);
        made = made ? cluster::foundRaftDirectory(path + "/log", home.self, name, founding.snapshot) : made;
        return made ? giveToOwnerOf(parent, path) : made;
    }
    Result<void> moveTo(const std::string& place)
    {
        Result<void> moved = host::renameFile(path, place);
        if (moved) {
            path.clear();
        }
        return moved;
    }

private:
    std::string path;
};

std::string asideOf(const std::string& directory)
{
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts = {};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
    return directory + ".before-restore-" + text;
}

// The only member, which has run already: it waits for nobody, and founds nothing.
aggregator::ClusterHome homeOf(const OfflineNode& node, std::uint64_t self, Rng& rng)
{
    aggregator::ClusterHome home = aggregator::foundCluster(node.config, node.publicKey, rng);  // for its storage id
    home.founder = false;
    home.self = self;
    home.nodes = {{self, {node.config.name, node.config.peersAdvertise, node.publicKey}}};
    return home;
}

cluster::Founder founderOf(const OfflineNode& node, const std::string& storage, const cluster::State& backup, std::uint64_t generation,
                           Rng& rng)
{
    cluster::Founder founder;
    founder.node.name = node.config.name;
    founder.node.key = node.publicKey;
    founder.node.peerEndpoint = node.config.peersAdvertise;
    founder.node.meshEndpoint = node.config.meshAdvertise;
    founder.node.storage = storage;
    founder.now = host::systemNow().wall;
    founder.generation = generation != 0 ? generation
                                         : cluster::generationAfter(backup.generation, founder.now, rng.below(cluster::generationSpread));
    return founder;
}

// Who is who again, for somebody to say whether that is still right.
json identitiesOf(const cluster::State& state)
{
    json nodes = json::array();
    for (const auto& [id, node] : state.nodes) {
        nodes.push_back({{"name", node.name}, {"key", node.key}});
    }
    json connectors = json::array();
    for (const auto& [name, connector] : state.registry.connectors()) {
        if (!connector.agentless) {
            connectors.push_back({{"tenant", name.tenant},
                                  {"name", name.name},
                                  {"key", connector.key},
                                  {"offered_key", connector.pendingKey},
                                  {"revoked", connector.revoked}});
        }
    }
    json sources = json::array();
    for (const auto& [id, source] : state.sources) {
        sources.push_back({{"id", id}, {"tenant", source.tenant}, {"host", source.hostName}, {"user", source.userName}});
    }
    json accounts = json::array();
    for (const auto& [id, account] : state.accounts) {
        accounts.push_back({{"name", account.userName}, {"role", account.roleId}, {"tenant", account.tenant}, {"enabled", account.enabled}});
    }
    return {{"nodes", nodes}, {"connectors", connectors}, {"sources", sources}, {"accounts", accounts}};
}

std::string text(const json& entry, const char* name)
{
    const std::string value = entry.value(name, "");
    return value.empty() ? "-" : value;
}

void printIdentities(const json& all, const std::string& self)
{
    std::cout << "\nConfirm them: what was revoked, removed or changed since the backup is as it was then.\n";
    for (const json& node : all["nodes"]) {
        std::cout << "node       " << text(node, "name") << "  " << text(node, "key")
                  << (node["name"] == self ? "\n" : "  no member any more: meshctl cluster join\n");
    }
    for (const json& connector : all["connectors"]) {
        const std::string offered = connector.value("offered_key", "");
        std::cout << "connector  " << text(connector, "tenant") << '/' << text(connector, "name") << "  " << text(connector, "key")
                  << (connector["revoked"] == true ? "  revoked" : "") << (offered.empty() ? "" : "  or " + offered) << '\n';
    }
    for (const json& source : all["sources"]) {
        std::cout << "source     " << text(source, "id") << "  " << text(source, "tenant") << "  " << text(source, "host") << "  "
                  << text(source, "user") << '\n';
    }
    for (const json& account : all["accounts"]) {
        std::cout << "account    " << text(account, "name") << "  " << text(account, "role") << "  tenant " << text(account, "tenant")
                  << (account["enabled"] == true ? "" : "  disabled") << '\n';
    }
}

struct Restored {
    cluster::Backup backup;
    std::uint64_t generation = 0;
    std::string aside;  // where the data are that were there; empty: there were none
};

void printRestored(const Restored& done, const OfflineNode& node, bool asJson)
{
    const json identities = identitiesOf(done.backup.state);
    if (asJson) {
        std::cout << json{{"node", node.config.name}, {"generation", done.generation}, {"backup", describe(done.backup)},
                          {"moved_aside", done.aside}, {"identities", identities}} << '\n';
        return;
    }
    std::cout << node.config.name << " begins a cluster of one in generation " << done.generation << ", with what "
              << done.backup.node << " wrote at " << done.backup.created << " (generation " << done.backup.state.generation
              << ", revision " << done.backup.state.revision << ").\nSessions and enrolment secrets are void. Start mesh-aggregatord"
              << " now, then let other nodes join as new.\n";
    if (!done.aside.empty()) {
        std::cout << "What was there is in " << done.aside << ".\n";
    }
    if (!node.config.registryFile.empty()) {
        std::cout << "Connectors are those of " << node.config.registryFile << ".\n";
    }
    printIdentities(identities, node.config.name);
}

Result<Restored> restore(const OfflineNode& node, const ClusterOptions& options)
{
    const Result<std::string> file = readInput(options.file);
    if (!file) {
        return file.error();
    }
    Result<cluster::Backup> backup = cluster::readBackup(*file);
    if (!backup) {
        return named(options.file == "-" ? "standard input" : options.file, backup.error());
    }
    const Result<Place> place = look(node);
    if (!place) {
        return place.error();
    }
    if (place->occupied && !options.force) {
        return Error{Code::alreadyExists, place->directory + " holds the data of a node already. Restore on a node that has none, or say "
                                                             "--force, which moves them aside and deletes nothing"};
    }
    host::SystemRng rng;
    aggregator::ClusterHome home = homeOf(node, 0, rng);
    const cluster::Founder founder = founderOf(node, home.storage, backup->state, options.generation, rng);
    const Result<cluster::Founding> founding = cluster::foundFrom(backup->state, founder, rng);
    if (!founding) {
        return founding.error();
    }
    home.self = home.nodes.front().id = founding->self;
    Scratch scratch;
    if (Result<void> built = scratch.build(place->directory, home, *founding); !built) {
        return built.error();
    }
    Restored done{std::move(*backup), founder.generation, place->occupied ? asideOf(place->directory) : std::string()};
    if (Result<void> moved = place->occupied ? host::renameFile(place->directory, done.aside) : Result<void>{}; !moved) {
        return moved.error();
    }
    if (Result<void> moved = scratch.moveTo(place->directory); !moved) {
        const Result<void> back = place->occupied ? host::renameFile(done.aside, place->directory) : Result<void>{};
        return back ? moved.error() : Error{moved.error().code, moved.error().message + "; what was there is in " + done.aside};
    }
    return done;
}

}  // namespace

int clusterBackup(Connection connection, const ClusterOptions& options)
{
    const bool toFile = options.file != "-";
    std::error_code ignored;
    if (toFile && !options.force && fs::exists(fs::symlink_status(options.file, ignored))) {
        return complain({Code::alreadyExists, options.file + " is there already; say --force to replace it"});
    }
    const Result<std::string> file = download(connection, "/mesh/v1/cluster/backup");
    const Result<cluster::Backup> backup = file ? cluster::readBackup(*file) : Result<cluster::Backup>(file.error());
    if (!backup) {
        return complain(file ? named("the node's answer", backup.error()) : file.error());
    }
    if (!toFile) {
        std::cout << *file << std::flush;
        return std::cout ? exitOk : complain({Code::ioError, "standard output does not take it"});
    }
    if (Result<void> written = host::writeFileAtomic(options.file, *file, 0600); !written) {
        return complain(written.error());
    }
    json told = describe(*backup);
    told["file"] = options.file;
    told["bytes"] = file->size();
    if (connection.json) {
        std::cout << told << '\n';
        return exitOk;
    }
    return done({}, options.file + " has what the nodes agree on in generation " + std::to_string(backup->state.generation) + ", revision " +
                        std::to_string(backup->state.revision) + ", " + std::to_string(file->size()) +
                        " bytes. Keep it secret: it has the hashes of passwords");
}

int clusterRestore(const ClusterOptions& options, bool asJson)
{
    const Result<OfflineNode> node = readNode(options);
    if (!node) {
        return complain(node.error());
    }
    if (node->config.witness) {
        return complain({Code::preconditionFailed, "nobody can join by a witness, which has no facade. Restore on an aggregator, and let the "
                                                   "witness join"});
    }
    const Result<Restored> restored = restore(*node, options);
    if (!restored) {
        return complain(restored.error());
    }
    printRestored(*restored, *node, asJson);
    return exitOk;
}

}  // namespace mesh::ctl
