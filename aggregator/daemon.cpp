#include "aggregator/daemon.hpp"

#include "aggregator/core/messages.hpp"
#include "cluster/local/local_engine.hpp"
#include "cluster/local/password.hpp"
#include "cluster/local/registry_file.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/files.hpp"
#include "shoset/host/log.hpp"
#include "shoset/http/certificate.hpp"

#include <boost/asio/post.hpp>

#include <sodium.h>

#include <filesystem>
#include <set>

namespace mesh::aggregator {

namespace {

constexpr Duration stopPatience = 3s;  // for requests in flight when the service stops
constexpr int certificateDays = 3650;

// The nodes are one service, so they must come to the same UUID without a word: RFC 9562, version 8, from the hash of
// all nodes' public keys. It is made once and kept, so that later members do not change it.
std::string makeUuid(const Config& config, const std::string& ownKey)
{
    std::set<std::string> keys{ownKey};
    for (const PeerAddress& peer : config.peers) {
        keys.insert(peer.key);
    }
    std::string text = "bmcmesh service";
    for (const std::string& key : keys) {
        text += "\n" + key;
    }
    std::string raw(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(raw.data()), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size());
    raw.resize(16);
    raw[6] = static_cast<char>((raw[6] & 0x0f) | 0x80);
    raw[8] = static_cast<char>((raw[8] & 0x3f) | 0x80);
    const std::string hex = toHex(raw);
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
           hex.substr(20);
}

}  // namespace

Daemon::Daemon(host::Loop& ownLoop, Config given, std::string configFile, std::string state, host::Notify systemd)
    : loop(ownLoop), config(std::move(given)), configPath(std::move(configFile)), stateDirectory(std::move(state)),
      notify(std::move(systemd)), worker(loop.context()), turns(loop, {[this] { node->flush(); }, [this] { return node->nextDeadline(); }, [this] { node->onTimer(loop.now()); }}),
      watchdog(loop, notify), stopTimer(loop.context())
{
}

Daemon::~Daemon()
{
    worker.stop();
}

Result<void> Daemon::start()
{
    Result<shoset::KeyPair> keys = shoset::loadKeyFile(config.keyFile);
    if (!keys) {
        return keys.error();
    }
    if (Result<void> opened = openState(keys->publicKey); !opened) {
        return opened;
    }
    Result<tenants::Registry> registry = loadRegistry();
    if (!registry) {
        return registry.error();
    }
    if (Result<void> started = startServer(); !started) {
        return started;
    }
    NodeSettings settings{config.name, "bmcmesh " MESH_VERSION, {}, config.collectionDeadline};
    for (const PeerAddress& peer : config.peers) {
        settings.peers.push_back(peer.name);
    }
    links = std::make_unique<Links>(loop.context(), config, *this,
                                    [this](std::string_view key) { return node->connectorOfKey(key); });
    node = std::make_unique<Node>(std::move(settings), *links, *server, *engine, *this, *this, rng);
    if (Result<void> accepted = node->setRegistry(std::move(*registry)); !accepted) {
        return accepted;
    }
    if (Result<void> linked = links->start(*keys); !linked) {
        return linked;
    }
    if (Result<void> listening = server->start(); !listening) {
        return listening;
    }
    log::info("ready", {{"node", config.name},
                        {"facade_port", server->port()},
                        {"mesh", links->meshEndpoint()},
                        {"peers", links->peersEndpoint()}});
    endTurn();
    notify.ready();
    watchdog.start();
    return {};
}

Result<void> Daemon::openState(const std::string& ownKey)
{
    cluster::LocalEngine::Environment environment{
        [this](std::function<void()> job, std::function<void()> done) {
            return worker.submit(std::move(job), std::move(done));
        },
        [this](std::function<void()> job) { boost::asio::post(loop.context(), std::move(job)); },
        [this] { return loop.now().mono; }};
    auto opened = cluster::LocalEngine::open({config.accountsFile, config.name}, std::move(environment));
    if (!opened) {
        return opened.error();
    }
    engine = std::move(*opened);
    return ensureServiceUuid(ownKey);
}

// The UUID must be there before anything is served under it.
Result<void> Daemon::ensureServiceUuid(const std::string& ownKey)
{
    if (!engine->state().serviceUuid.empty()) {
        return {};
    }
    const Now now = loop.now();
    bool done = false;
    Result<void> outcome;
    engine->propose({MessageId::make(now.wall, rng), now.wall, cluster::SetServiceUuid{makeUuid(config, ownKey)}},
                    now.mono + limits::defaultRequestDeadline, [&](const Result<cluster::Applied>& applied) {
                        done = true;
                        outcome = applied ? Result<void>{} : Result<void>{applied.error()};
                    });
    while (!done) {
        loop.context().run_one();
    }
    return outcome;
}

Result<tenants::Registry> Daemon::loadRegistry() const
{
    return cluster::readRegistryFile(config.registryFile);
}

Result<void> Daemon::startServer()
{
    ServerOptions options;
    options.bind = config.facadeBind;
    options.maxBodyBytes = config.maxBody;
    options.idleTimeout = std::chrono::duration_cast<std::chrono::milliseconds>(config.idleTimeout);
    if (!config.plainHttp) {
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

void Daemon::reload()
{
    notify.reloading(loop.now().mono);
    const auto refuse = [](const Error& error) { log::error("reload_refused", {{"reason", error.message}}); };
    Result<Config> fresh = loadConfig(configPath);
    Result<tenants::Registry> registry = fresh ? loadRegistry() : Result<tenants::Registry>(fresh.error());
    std::string certificate;
    std::string key;
    Result<void> loaded = config.plainHttp ? Result<void>{} : loadCertificate(certificate, key);
    if (!registry || !loaded) {
        refuse(registry ? loaded.error() : registry.error());
    } else if (Result<void> accepted = node->setRegistry(std::move(*registry)); !accepted) {
        refuse(accepted.error());
    } else if (Result<void> changed = config.plainHttp ? Result<void>{} : server->setCertificate(certificate, key); !changed) {
        refuse(changed.error());
    } else {
        links->dropUnknown([this](const shoset::Address& address) { return node->satellites().find(address) != nullptr; });
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
    if (node->facade().open() > 0 && loop.now().mono < stopBy) {
        stopTimer.expires_after(std::chrono::milliseconds(20));
        stopTimer.async_wait([this](const boost::system::error_code&) { checkStopped(); });
        return;
    }
    node->mesh().bye("stopping", loop.now());
    server->closeAll();
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

void Daemon::check(std::string password, std::string hash, std::function<void(bool, Now)> done)
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
        boost::asio::post(loop.context(), [this, done] { done(false, loop.now()); });
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
    out.push_back({"bmcmesh_log_lines_dropped_total", "Log lines that stderr did not take", log::droppedLines(), false});
    return out;
}

}  // namespace mesh::aggregator
