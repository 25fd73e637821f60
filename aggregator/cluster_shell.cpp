#include "aggregator/cluster_shell.hpp"

#include "cluster/core/feature_level.hpp"
#include "cluster/local/local_engine.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr const char* asideSuffix = ".taken-over";
// A message between nodes: what it is, the sender's storage id (ClusterHome), and the content: the engine's own, the
// decimal id of the member that is to be the primary, what the node says of itself, or nothing: we do not know you with that
// storage. One of another kind is ignored, as a node of the release before does with reports.
constexpr char ofEngine = 'e';
constexpr char ofTransfer = 't';
constexpr char ofReport = 's';
constexpr char ofRefusal = 'r';

bool isSame(const KnownNode& node, const PeerAddress& configured)
{
    return node.address.name == configured.name && node.address.key == configured.key;
}

cluster::Node nodeOf(const KnownNode& known)
{
    cluster::Node node;
    node.id = known.id;
    node.name = known.address.name;
    node.key = known.address.key;
    node.peerEndpoint = known.address.endpoint;
    node.featureLevel = cluster::clusterFeatureLevel;  // or it could not be among the founders
    return node;
}

}  // namespace

ClusterShell::ClusterShell(host::Loop& ownLoop, host::BlockingWorker& blocking, const Config& given,
                           const std::string& stateDirectory, Rng& random)
    : loop(ownLoop), worker(blocking), ticker(loop.context()), config(given),
      directory(config.clusterDirectory.empty() ? stateDirectory + "/cluster" : config.clusterDirectory), rng(random),
      file(loop.context(), worker, directory)
{
}

ClusterShell::~ClusterShell() = default;

Result<void> ClusterShell::open(const std::string& ownKey, Environment environment)
{
    publicKey = ownKey;
    for (const auto& step : {std::function<Result<void>()>([&] { return openHome(ownKey); }),
                             std::function<Result<void>()>([&] { return readInheritance(); }),
                             std::function<Result<void>()>([&] { return openEngine(environment); })}) {
        if (Result<void> done = step(); !done) {
            return done;
        }
    }
    return {};
}

Result<void> ClusterShell::openHome(const std::string& ownKey)
{
    Result<ClusterHome> loaded = loadClusterHome(directory);
    if (loaded) {
        home = std::move(*loaded);
        applyConfigured(home);
        warnOfStrangers();
        return {};
    }
    if (loaded.error().code != Code::notFound) {
        return loaded.error();
    }
    if (config.witness && config.peers.empty()) {
        return Error{Code::preconditionFailed, "a witness founds no cluster of its own: name the other nodes in peers.members, or have "
                                               "one of them take it in (meshctl cluster join)"};
    }
    home = foundCluster(config, ownKey, rng);
    log::info("cluster_founded", {{"member", home.self}, {"members", home.nodes.size()}, {"directory", directory}});
    return saveClusterHome(directory, home);
}

// The list of members founds a cluster and does nothing else; a node that is added to it later would wait for ever.
void ClusterShell::warnOfStrangers() const
{
    for (const PeerAddress& peer : config.peers) {
        if (std::none_of(home.nodes.begin(), home.nodes.end(), [&peer](const KnownNode& node) { return isSame(node, peer); })) {
            log::warning("peer_ignored", {{"peer", peer.name},
                                          {"reason", "it is in peers.members, but not in the cluster that this node is a member of"},
                                          {"remedy", "have it join (meshctl cluster join), or remove " + directory +
                                                         " before the first use, to found the cluster anew"}});
        }
    }
}

// Where the operator says that a node is counts more than what was registered: all may have moved at once.
void ClusterShell::applyConfigured(ClusterHome& known) const
{
    for (KnownNode& node : known.nodes) {
        const auto configured = std::find_if(config.peers.begin(), config.peers.end(), [&node](const PeerAddress& peer) { return isSame(node, peer); });
        if (configured != config.peers.end()) {
            node.address.endpoint = configured->endpoint;
        }
    }
}

// A file that is there means that it has not been put aside: nobody has said yet that the cluster's state is complete.
Result<void> ClusterShell::readInheritance()
{
    std::error_code ignored;
    if (config.witness || !std::filesystem::exists(config.accountsFile, ignored)) {
        return {};
    }
    cluster::LocalEngine::Environment environment{
        [](const std::function<void()>&, const std::function<void()>&) { return false; },
        [](const std::function<void()>&) {}, [this] { return loop.now().mono; }};
    auto opened = cluster::LocalEngine::open({config.accountsFile, config.name}, std::move(environment));
    if (!opened && !home.founder) {
        ignoreAccountsFile(opened.error().message);
        return {};
    }
    if (!opened) {
        return opened.error();
    }
    inherited = (*opened)->state();
    return {};
}

void ClusterShell::ignoreAccountsFile(const std::string& reason)
{
    inherited.reset();
    log::warning("accounts_file_ignored", {{"file", config.accountsFile}, {"reason", reason}});
}

Result<void> ClusterShell::openEngine(Environment around)
{
    toNode = around.send;
    onReport = around.report;
    if (knownLevel() < cluster::clusterFeatureLevel || knownLevel() > cluster::newestFeatureLevel) {
        return Error{Code::invalidArgument, "cluster.newest_feature_level is " + std::to_string(knownLevel()) + ", and this program knows " +
                                                std::to_string(cluster::clusterFeatureLevel) + " to " +
                                                std::to_string(cluster::newestFeatureLevel)};
    }
    cluster::RaftEngine::Options options;
    options.directory = directory + "/log";
    options.self = home.self;
    options.name = config.name;
    if (home.founder) {
        for (const KnownNode& node : home.nodes) {
            options.bootstrap.push_back({node.id, node.address.name, true});
        }
    }
    options.election = config.electionTimeout;
    options.heartbeat = config.clusterHeartbeat;
    options.featureLevel = knownLevel();
    options.witness = config.witness;
    cluster::RaftEngine::Environment environment;
    environment.post = [this, turn = around.turn](std::function<void()> job) {
        boost::asio::post(loop.context(), [job = std::move(job), turn] {
            job();
            turn();
        });
    };
    environment.now = [this] { return loop.now().mono; };
    environment.send = [this, send = around.send](std::uint64_t to, std::string message) {
        const auto found = std::find_if(home.nodes.begin(), home.nodes.end(),
                                        [to](const KnownNode& node) { return node.id == to; });
        if (found != home.nodes.end()) {
            send(found->address.name, ofEngine + home.storage + message);
        }
    };
    environment.waits = [this] { tick(); };
    auto opened = cluster::RaftEngine::open(std::move(options), std::move(environment));
    if (!opened) {
        return opened.error();
    }
    raft = std::move(*opened);
    return {};
}

// An operator may hold a node back.
cluster::FeatureLevel ClusterShell::knownLevel() const
{
    return config.newestFeatureLevel == 0 ? cluster::newestFeatureLevel : config.newestFeatureLevel;
}

KeeperSettings ClusterShell::keeperSettings(const std::string& facadeUrl, const std::string& software) const
{
    KeeperSettings settings;
    settings.inherited = inherited;
    settings.recovered = home.recovered;
    for (const KnownNode& known : home.nodes) {
        settings.founders.push_back(nodeOf(known));
    }
    settings.self.id = home.self;
    settings.self.name = config.name;
    settings.self.key = publicKey;
    settings.self.peerEndpoint = config.peersAdvertise;
    settings.self.meshEndpoint = config.meshAdvertise;
    settings.self.enrolEndpoint = config.registryFile.empty() ? config.enrolAdvertise : std::string();
    settings.self.facadeUrl = facadeUrl;
    settings.self.witness = config.witness;
    settings.self.storage = home.storage;
    settings.self.software = software;
    settings.self.featureLevel = knownLevel();
    return settings;
}

std::vector<PeerAddress> ClusterShell::peers() const
{
    std::vector<PeerAddress> out;
    for (const KnownNode& node : home.nodes) {
        if (node.id != home.self && !node.address.endpoint.empty()) {
            out.push_back(node.address);
        }
    }
    return out;
}

bool ClusterShell::followState(bool recovered)
{
    const cluster::State& state = raft->state();
    if (state.serviceUuid.empty()) {
        return false;  // founders are still being registered
    }
    if (std::pair(state.generation, state.revision) < std::pair(home.generation, home.revision)) {
        return false;  // the log is applied again
    }
    ClusterHome fresh = home;
    fresh.founder = false;
    fresh.recovered = home.recovered && !recovered;
    fresh.nodes.clear();
    for (const auto& [id, node] : state.nodes) {
        fresh.nodes.push_back({id, {node.name, node.peerEndpoint, node.key}});
    }
    applyConfigured(fresh);
    if (cluster::findNode(state, home.self) == nullptr) {  // removed; what we were stays, so that a restart says so too
        return false;
    }
    if (fresh == home) {
        return false;
    }
    const std::vector<PeerAddress> before = peers();
    fresh.generation = state.generation;
    fresh.revision = state.revision;
    recoveryEnded = recoveryEnded || fresh.recovered != home.recovered;
    home = std::move(fresh);
    file.save(home);
    return peers() != before;
}

std::string ClusterShell::whyNotReady() const
{
    if (!refusal.empty() || !recoveryEnded || file.isSaved()) {
        return refusal;
    }
    return "a new generation has begun after a recovery, and that is not on the disk yet" +
           (file.problem().empty() ? "" : ": " + file.problem() + ". Make room, or make it writable; it is tried again");
}

void ClusterShell::followAccounts()
{
    const cluster::State& state = raft->state();
    if (config.witness || state.serviceUuid.empty()) {
        return;
    }
    const GivenAccounts fate = judgeAccounts(state, inherited);
    if (fate == GivenAccounts::missing) {
        tellOfNoAccount();
    }
    if (inherited && (fate == GivenAccounts::taken || fate == GivenAccounts::missing)) {
        putAccountsFileAside();
    }
    if (fate == GivenAccounts::superseded) {
        ignoreAccountsFile("accounts are kept in the cluster: change them with meshctl account --url");
    }
}

void ClusterShell::tellOfNoAccount()
{
    if (!std::exchange(toldOfNoAccount, true)) {
        log::warning("no_account", {{"reason", "nobody can log in"},
                                    {"remedy", "stop this node, run: meshctl account add NAME --role Administrator --new-password-file FILE "
                                               "--file " + config.accountsFile + ", and start it again"}});
    }
}

void ClusterShell::putAccountsFileAside()
{
    inherited.reset();
    worker.submit(
        [file = config.accountsFile] {
            std::error_code failed;
            std::filesystem::rename(file, file + asideSuffix, failed);
            log::info("accounts_taken_over", {{"file", file + asideSuffix}, {"problem", failed ? failed.message() : ""}});
        },
        {});
}

void ClusterShell::receive(const std::string& node, std::string_view message)
{
    const auto found = std::find_if(home.nodes.begin(), home.nodes.end(),
                                    [&node](const KnownNode& known) { return known.address.name == node; });
    if (!raft || found == home.nodes.end() || message.size() <= storageIdBytes) {
        return;
    }
    const std::string_view storage = message.substr(1, storageIdBytes);
    const std::string_view content = message.substr(1 + storageIdBytes);
    if (message.front() == ofRefusal) {
        return onRefusal(node);
    }
    const cluster::Node* registered = cluster::findNode(raft->state(), found->id);
    if (registered != nullptr && !registered->storage.empty() && registered->storage != storage) {
        return refuse(node);
    }
    if (message.front() == ofEngine) {
        raft->receive(found->id, std::string(content));
    } else if (message.front() == ofReport) {
        onReport(node, content);
    } else if (message.front() == ofTransfer) {
        std::uint64_t wanted = 0;
        const auto [end, error] = std::from_chars(content.begin(), content.end(), wanted);
        if (error == std::errc{} && end == content.end() && raft->status().role == cluster::NodeRole::primary) {
            transferTo(wanted, [](const Result<void>&) {});
        }
    }
}

void ClusterShell::tell(const std::string& node, const std::string& report)
{
    toNode(node, ofReport + home.storage + report);
}

// It has lost its data: its votes would be those of somebody who has forgotten what he voted for.
void ClusterShell::refuse(const std::string& node)
{
    if (refused.insert(node).second) {
        log::error("node_lost_its_data", {{"node", node}, {"remedy", "meshctl cluster remove " + node + ", then let it join as new"}});
    }
    toNode(node, ofRefusal + home.storage);
}

void ClusterShell::onRefusal(const std::string& node)
{
    if (refusal.empty()) {
        refusal = "the cluster knows this node with other data than it has: if they are lost, remove it (meshctl cluster "
                  "remove " + config.name + "), empty " + directory + ", and let it join as new";
        log::error("refused_by_the_cluster", {{"node", node}, {"reason", refusal}});
    }
}

void ClusterShell::stop(std::function<void()> done)
{
    raft->close(std::move(done));
}

// While something waits.
void ClusterShell::tick()
{
    if (ticking) {
        return;
    }
    ticking = true;
    ticker.expires_after(limits::clusterTick);
    ticker.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        ticking = false;
        raft->expire();
        if (raft->isWaiting()) {
            tick();
        }
    });
}

Instant ClusterShell::deadline() const
{
    return loop.now().mono + limits::keeperDeadline;
}

void ClusterShell::addSpare(std::uint64_t id, const std::string& name, Done done)
{
    raft->addSpare(id, name, deadline(), std::move(done));
}

void ClusterShell::makeVoter(std::uint64_t id, Done done)
{
    raft->assign(id, true, deadline(), std::move(done));
}

void ClusterShell::removeMember(std::uint64_t id, Done done)
{
    raft->remove(id, deadline(), std::move(done));
}

void ClusterShell::transferTo(std::uint64_t id, Done done)
{
    const cluster::EngineStatus status = raft->status();
    const auto primary = std::find_if(home.nodes.begin(), home.nodes.end(),
                                      [&status](const KnownNode& node) { return node.id == status.leader; });
    if (status.role != cluster::NodeRole::primary && primary != home.nodes.end()) {
        toNode(primary->address.name, ofTransfer + home.storage + std::to_string(id));
        boost::asio::post(loop.context(), [done = std::move(done)] { done({}); });
        return;
    }
    raft->transfer(id, loop.now().mono + limits::transferPatience, std::move(done));
}

}  // namespace mesh::aggregator
