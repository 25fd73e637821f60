#include "aggregator/daemon.hpp"

#include "aggregator/core/messages.hpp"
#include "aggregator/sealing_keys.hpp"
#include "cluster/local/password.hpp"
#include "cluster/local/registry_file.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"
#include "shoset/http/certificate.hpp"

#include <boost/asio/post.hpp>

#include <filesystem>

namespace mesh::aggregator {

namespace {

constexpr Duration stopPatience = 3s;  // for requests in flight when the service stops
constexpr int certificateDays = 3650;

AuditMode auditMode(AuditWish wish)
{
    switch (wish) {
    case AuditWish::required:
        return AuditMode::required;
    case AuditWish::bestEffort:
        return AuditMode::bestEffort;
    case AuditWish::off:
        break;
    }
    return AuditMode::off;
}

}  // namespace

Result<tenants::Registry> readRegistry(const Config& config)
{
    return config.registryFile.empty() ? tenants::Registry() : cluster::readRegistryFile(config.registryFile);
}

Daemon::Daemon(host::Loop& ownLoop, Config given, std::string configFile, std::string state, host::Notify systemd)
    : loop(ownLoop), config(std::move(given)), configPath(std::move(configFile)), stateDirectory(std::move(state)),
      notify(std::move(systemd)), worker(loop.context()),
      cluster(loop, worker, config, stateDirectory, rng),
      hooks(loop.context(), {config.onPrimary, config.onStandby, config.primaryTarget, config.systemctl}, config.name),
      hosts(loop.context(), worker, stateDirectory), history(loop, config, stateDirectory, [this] { endTurn(); }),
      turns(loop, {[this] { node->flush(); }, [this] { return node->nextDeadline(); }, [this] { onTimer(); }}),
      watchdog(loop, notify), stopTimer(loop.context()), enrolmentTimer(loop.context())
{
}

Daemon::~Daemon()
{
    history.stop();
    worker.stop();
}

// The node's own, and what opens passwords of BMCs.
Result<shoset::KeyPair> Daemon::loadKeys()
{
    Result<shoset::KeyPair> keys = shoset::loadKeyFile(config.keyFile);
    if (!keys || config.witness) {
        return keys;
    }
    const Result<void> opened = hosts.open(*keys);
    return opened ? std::move(keys) : Result<shoset::KeyPair>(opened.error());
}

Result<void> Daemon::start()
{
    const Result<shoset::KeyPair> keys = loadKeys();
    if (!keys) {
        return keys.error();
    }
    // What the operator provides comes before the cluster: a first start that fails on it must not have founded one.
    if (Result<void> started = startServer(); !started) {
        return started;
    }
    Result<tenants::Registry> registry = readRegistry(config);
    if (!registry) {
        return registry.error();
    }
    links = std::make_unique<Links>(loop.context(), config, *this,
                                    [this](std::string_view key) { return node->connectorOfKey(key); });
    // Before anybody is linked, too: an election may be due by the time the log is read. What nobody gets raft says again.
    const auto send = [&ways = *links](const std::string& to, const std::string& message) { ways.sendClusterMessage(to, message); };
    const auto report = [this](const std::string& from, std::string_view text) { node->onPeerReport(from, text); };
    if (Result<void> opened = cluster.open(keys->publicKey, {send, [this] { endTurn(); }, report}); !opened) {
        return opened;
    }
    if (config.registryFile.empty()) {
        registry = cluster.engine().state().registry;
    }
    if (Result<void> loaded = history.load(); !loaded) {
        return loaded;
    }
    Result<std::optional<sealing::Seed>> seed = loadDatabaseKey(config, stateDirectory, rng);
    if (!seed) {
        return seed.error();
    }
    const std::string software = "bmcmesh " MESH_VERSION;
    NodeSettings settings{config.name, software, cluster.keeperSettings("", MESH_VERSION), config.registryFile.empty(),
                          config.collectionDeadline, config.authorityLease,
                          [this](const std::string& to, const std::string& text) { cluster.tell(to, text); }, auditMode(config.audit), std::move(*seed)};
    settings.cluster.self.sealingKey = config.witness ? std::string() : hosts.sealingKey();
    node = std::make_unique<Node>(std::move(settings), *links, *server, cluster.engine(), cluster, *this, hosts, history, *this, rng);
    if (Result<void> accepted = node->setRegistry(std::move(*registry)); !accepted) {
        return accepted;
    }
    readBrokenGlass();
    history.setEventQuotas([this] { return node->eventQuotas(); });
    history.start();
    if (Result<void> linked = links->start(*keys); !linked) {
        return linked;
    }
    if (Result<void> dialled = links->setPeers(cluster.peers()); !dialled) {
        return dialled;
    }
    watching = cluster.engine().watch(cluster.engine().state().revision, [this](const cluster::Change& change) { onStateChange(change); });
    cluster.followAccounts();
    openEnrolment();
    cluster.engine().onStatus([this](const cluster::EngineStatus& status) { onClusterStatus(status); });
    if (Result<void> listening = config.witness ? Result<void>{} : server->start(); !listening) {
        return listening;
    }
    if (config.witness) {
        log::info("ready", {{"witness", config.name}, {"peers", links->peersEndpoint()}});
    } else {
        log::info("ready", {{"node", config.name},
                            {"facade_port", server->port()},
                            {"mesh", links->meshEndpoint()},
                            {"peers", links->peersEndpoint()}});
    }
    onClusterStatus(cluster.engine().status());  // what the engine became while there was nobody to tell
    notify.ready();
    watchdog.start();
    return {};
}

void Daemon::onStateChange(const cluster::Change& change)
{
    const bool all = change.kind == cluster::ChangeKind::everything;
    if (all || change.kind == cluster::ChangeKind::node || change.kind == cluster::ChangeKind::service) {
        followCluster();
    }
    if (change.kind == cluster::ChangeKind::account) {
        cluster.followAccounts();
    }
    if (all || change.kind == cluster::ChangeKind::enrolment) {
        openEnrolment();
    }
    if (config.registryFile.empty() && (all || change.kind == cluster::ChangeKind::connector)) {
        links->dropUnknown();
    }
}

void Daemon::onClusterStatus(const cluster::EngineStatus& status)
{
    const bool primary = status.role == cluster::NodeRole::primary;
    if (primary != wasPrimary) {
        wasPrimary = primary;
        log::info(primary ? "primary" : "standby", {{"term", status.term}, {"generation", cluster.engine().state().generation}});
    }
    if (!config.witness && (primary || status.leader != 0)) {
        hooks.setRole(primary, cluster.engine().state().generation, status.term);
    }
    if (!status.reason.empty() && status.reason != lastReason) {
        log::warning("cluster", {{"reason", status.reason}});
    }
    lastReason = status.reason;
    node->onClusterStatus(loop.now());
    endTurn();
}

void Daemon::onTimer()
{
    node->onTimer(loop.now());
    if (!recoveryNoted && node->hasRecovered()) {  // no change of the state may come after it
        recoveryNoted = true;
        followCluster();
    }
}

// The cluster's nodes are the peers.
void Daemon::followCluster()
{
    node->onClusterStatus(loop.now());
    cluster.followAccounts();
    if (cluster.followState(node->hasRecovered())) {
        if (const Result<void> set = links->setPeers(cluster.peers()); !set) {
            log::error("peer_not_reachable", {{"reason", set.error().message}});
        }
    }
}

Result<tenants::Registry> Daemon::loadRegistry() const
{
    return config.registryFile.empty() ? cluster.engine().state().registry : readRegistry(config);
}

Result<void> Daemon::startServer()
{
    ServerOptions options;
    options.bind = config.facadeBind;
    options.maxBodyBytes = config.maxBody;
    options.idleTimeout = std::chrono::duration_cast<std::chrono::milliseconds>(config.idleTimeout);
    if (!config.plainHttp && !config.witness) {
        if (Result<void> loaded = loadCertificate(options.certificatePem, options.keyPem); !loaded) {
            return loaded;
        }
    }
    server = std::make_unique<Server>(loop.context(), std::move(options), *this, [](int status, std::string_view sentence) {
        Answer answer = errorAnswerForStatus(status, sentence);
        return ErrorDocument{std::move(answer.head.headers), std::move(answer.body)};
    });
    return {};
}

// A configured certificate, or one of our own that is made at the first start and kept.
Result<void> Daemon::loadCertificate(std::string& certificate, std::string& key)
{
    const bool own = config.certificateFile.empty();
    const std::string certificatePath = own ? stateDirectory + "/" + config.name + ".crt" : config.certificateFile;
    const std::string keyPath = own ? stateDirectory + "/" + config.name + ".crt.key" : config.certificateKeyFile;
    if (own && !std::filesystem::exists(certificatePath)) {
        std::vector<std::string> names = config.certificateNames;
        names.push_back("localhost");
        Result<http::CertificateAndKey> made = http::makeSelfSigned(names, {"127.0.0.1"}, certificateDays);
        if (!made) {
            return made.error();
        }
        if (Result<void> written = host::writeFileAtomic(keyPath, made->keyPem, 0600); !written) {
            return written;
        }
        if (Result<void> written = host::writeFileAtomic(certificatePath, made->certificatePem, 0644); !written) {
            return written;
        }
    }
    Result<std::string> certificateText = host::readFile(certificatePath, limits::maxConfigBytes);
    Result<std::string> keyText = host::readSecretFile(keyPath, limits::maxConfigBytes);
    if (!certificateText || !keyText) {
        return certificateText ? keyText.error() : certificateText.error();
    }
    certificate = std::move(*certificateText);
    key = std::move(*keyText);
    return {};
}

// Opens or closes the endpoint, and comes back when that may change by itself.
void Daemon::openEnrolment()
{
    if (!config.registryFile.empty() || config.witness) {
        return;
    }
    const bool wanted = node->enrolment().isWanted(loop.now());
    const Result<void> opened = links->setEnrolment(wanted);
    if (!opened) {
        log::error("enrolment_not_open", {{"reason", opened.error().message}});
    }
    if (!wanted) {
        enrolmentTimer.cancel();
        return;
    }
    enrolmentTimer.expires_after(opened ? node->enrolment().nextChange(loop.now()) : limits::enrolmentReopen);
    enrolmentTimer.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            openEnrolment();
        }
    });
}

void Daemon::readBrokenGlass()
{
    const WallTime until = cluster.brokenGlass();
    if (until > loop.now().wall) {
        log::warning("glass_broken", {{"until", toMillis(until) / 1000},
                                      {"effect", "writes to satellites go on without a majority"}});
    }
    node->facade().orders().breakGlass(until);
}

void Daemon::reload()
{
    notify.reloading(loop.now().mono);
    readBrokenGlass();
    const auto refuse = [](const Error& error) { log::error("reload_refused", {{"reason", error.message}}); };
    Result<Config> fresh = loadConfig(configPath, config.witness);
    Result<tenants::Registry> registry = fresh ? loadRegistry() : Result<tenants::Registry>(fresh.error());
    std::string certificate;
    std::string key;
    const bool tls = !config.plainHttp && !config.witness;
    Result<void> loaded = tls ? loadCertificate(certificate, key) : Result<void>{};
    if (!registry || !loaded) {
        refuse(registry ? loaded.error() : registry.error());
    } else if (Result<void> accepted = node->setRegistry(std::move(*registry)); !accepted) {
        refuse(accepted.error());
    } else if (Result<void> changed = tls ? server->setCertificate(certificate, key) : Result<void>{}; !changed) {
        refuse(changed.error());
    } else {
        links->dropUnknown();
        log::info("reloaded", {});
    }
    notify.ready();
    endTurn();
}

void Daemon::stop()
{
    if (stopping) {
        return;
    }
    stopping = true;
    notify.stopping();
    log::info("stopping", {{"in_flight", node ? node->facade().open() : 0}});
    if (!server || !node) {
        loop.stop();
        return;
    }
    server->stopAccepting();
    stopBy = loop.now().mono + stopPatience;
    checkStopped();
}

void Daemon::checkStopped()
{
    if ((node->facade().open() > 0 || node->audit().isBusy()) && loop.now().mono < stopBy) {
        stopTimer.expires_after(std::chrono::milliseconds(20));
        stopTimer.async_wait([this](const boost::system::error_code&) { checkStopped(); });
        return;
    }
    node->hosting().stop();
    hosts.stop([this] { cluster.stop([this] { takeLeave(); }); });
}

// Others run our connectors from the bye on.
void Daemon::takeLeave()
{
    node->mesh().bye("stopping", loop.now());
    endTurn();
    hooks.stop([this] { leave(); });
}

void Daemon::leave()
{
    server->closeAll();
    endTurn();
    stopTimer.expires_after(std::chrono::milliseconds(50));  // for the byes to leave
    stopTimer.async_wait([this](const boost::system::error_code&) { loop.stop(); });
}

void Daemon::onRequest(ExchangeId id, RequestInfo request)
{
    node->facade().setNow(loop.now());
    node->facade().onRequest(id, std::move(request));
    endTurn();
}

void Daemon::onRequestBody(ExchangeId id, std::string piece, bool last)
{
    node->facade().setNow(loop.now());
    node->facade().onRequestBody(id, std::move(piece), last);
    endTurn();
}

void Daemon::onWritten(ExchangeId id, std::size_t bytes)
{
    node->facade().setNow(loop.now());
    node->facade().onWritten(id, bytes);
    endTurn();
}

void Daemon::onAborted(ExchangeId id)
{
    node->facade().setNow(loop.now());
    node->facade().onAborted(id);
    endTurn();
}

void Daemon::check(std::string password, std::string hash, std::function<void(Result<bool>, Now)> done)
{
    auto right = std::make_shared<bool>(false);
    const bool accepted = worker.submit(
        [right, password = std::move(password), hash = std::move(hash)]() mutable {
            if (hash.empty()) {
                cluster::spendVerifyTime(password);
            } else {
                *right = cluster::verifyPassword(hash, password);
            }
            cluster::wipe(password);
        },
        [this, right, done] {
            done(*right, loop.now());
            endTurn();
        });
    if (!accepted) {
        boost::asio::post(loop.context(), [this, done] { done(Error{Code::unavailable, "too much waits"}, loop.now()); });
    }
}

void Daemon::hash(std::string password, std::function<void(Result<std::string>, Now)> done)
{
    auto result = std::make_shared<Result<std::string>>(Error{Code::unavailable, "too much waits"});
    const bool accepted = worker.submit(
        [result, password = std::move(password)]() mutable {
            *result = cluster::hashPassword(password);
            cluster::wipe(password);
        },
        [this, result, done] {
            done(std::move(*result), loop.now());
            endTurn();
        });
    if (!accepted) {
        boost::asio::post(loop.context(), [this, result, done] { done(std::move(*result), loop.now()); });
    }
}

std::vector<Counter> Daemon::shellMetrics() const
{
    std::vector<Counter> out = links->metrics();
    const ServerCounters& c = server->counters();
    out.push_back({"bmcmesh_http_connections", "Open connections", c.open, true});
    out.push_back({"bmcmesh_http_accepted_total", "Connections accepted", c.accepted, false});
    out.push_back({"bmcmesh_http_refused_full_total", "Connections refused at the limit", c.refusedFull, false});
    out.push_back({"bmcmesh_http_tls_failed_total", "TLS handshakes that failed", c.tlsFailed, false});
    out.push_back({"bmcmesh_http_malformed_total", "Malformed requests", c.malformed, false});
    out.push_back({"bmcmesh_http_too_large_total", "Requests over a limit", c.tooLarge, false});
    out.push_back({"bmcmesh_http_timed_out_total", "Connections ended by a timeout", c.timedOut, false});
    out.push_back({"bmcmesh_http_aborted_total", "Requests that the client gave up", c.aborted, false});
    out.push_back({"bmcmesh_blocking_refused_total", "Jobs refused by the full blocking queue", worker.refused(), false});
    out.push_back({"bmcmesh_member_file_failures_total", "Times that member.json could not be written", cluster.memberFileFailures(), false});
    out.push_back({"bmcmesh_audit_syslog_dropped_total", "Records of the audit that the syslog socket did not take", history.syslogDropped(), false});
    out.push_back({"bmcmesh_hosted_restarts_total", "Connectors run here that ended by themselves and were started again", hosts.restarts(), false});
    out.push_back({"bmcmesh_busy_poll_microseconds_total", "Time that the loop looked for something to do instead of sleeping",
                   static_cast<std::uint64_t>(loop.busyPolled() / 1us), false});
    out.push_back({"bmcmesh_log_lines_dropped_total", "Log lines that stderr did not take", log::droppedLines(), false});
    return out;
}

}  // namespace mesh::aggregator
