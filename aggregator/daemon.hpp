#pragma once

#include "aggregator/cluster_shell.hpp"
#include "aggregator/core/node.hpp"
#include "aggregator/history_shell.hpp"
#include "aggregator/host_programs.hpp"
#include "aggregator/http/server.hpp"
#include "aggregator/links.hpp"
#include "aggregator/role_hooks.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/notify.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/host/turns.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>

namespace mesh::aggregator {

// What the registry's file says; empty where there is none. The error is for the operator.
Result<tenants::Registry> readRegistry(const Config& config);

// The shell around an aggregator's logic: HTTPS server, mesh and peer endpoints, state file, password checks, timer.
// One thread: the loop's.
class Daemon final : public ServerEvents, public PasswordPort, public ShellMetrics, public LinkOwner {
public:
    Daemon(host::Loop& loop, Config config, std::string configPath, std::string stateDirectory, host::Notify notify);
    ~Daemon() override;

    // Opens what must be there. The error is for the operator.
    Result<void> start();
    // Takes over a changed registry and certificate; anything wrong leaves all as it was.
    void reload();
    // Stops accepting, lets what is in flight end within a bound, ends the connectors that it runs, hands the primary's part
    // over, says bye, has what follows the primary follow, stops the loop.
    void stop();

private:
    void openEnrolment();
    void readBrokenGlass();
    void onTimer();
    void followCluster();
    void onStateChange(const cluster::Change& change);
    void onClusterStatus(const cluster::EngineStatus& status);
    Result<shoset::KeyPair> loadKeys();
    Result<tenants::Registry> loadRegistry() const;
    Result<void> startServer();
    Result<void> loadCertificate(std::string& certificate, std::string& key);
    void checkStopped();
    void takeLeave();
    void leave();

    void onRequest(ExchangeId id, RequestInfo request) override;
    void onRequestBody(ExchangeId id, std::string piece, bool last) override;
    void onWritten(ExchangeId id, std::size_t bytes) override;
    void onAborted(ExchangeId id) override;
    void check(std::string password, std::string hash, std::function<void(Result<bool>, Now)> done) override;
    void hash(std::string password, std::function<void(Result<std::string>, Now)> done) override;
    std::vector<Counter> shellMetrics() const override;
    std::string whyNotReady() const override { return cluster.whyNotReady(); }
    Mesh& mesh() override { return node->mesh(); }
    void turn() override { endTurn(); }
    Now now() const override { return loop.now(); }
    void onStranger(const std::string& key, std::string_view frame, std::function<void(std::string)> answer) override
    {
        node->enrolment().onFrame(key, frame, loop.now(), std::move(answer));
    }
    void onClusterMessage(const std::string& from, std::string_view message) override { cluster.receive(from, message); }

    void endTurn() { turns.end(); }

    host::Loop& loop;
    Config config;
    const std::string configPath;
    const std::string stateDirectory;
    host::Notify notify;
    host::SystemRng rng;
    host::BlockingWorker worker;
    ClusterShell cluster;
    RoleHooks hooks;
    HostPrograms hosts;
    HistoryShell history;
    cluster::WatchId watching = 0;
    std::unique_ptr<Links> links;
    std::unique_ptr<Server> server;  // of a witness: not started
    std::unique_ptr<Node> node;
    host::Turns turns;
    host::Watchdog watchdog;
    boost::asio::steady_timer stopTimer;
    boost::asio::steady_timer enrolmentTimer;
    Instant stopBy = never;
    bool stopping = false;
    bool wasPrimary = false;
    bool recoveryNoted = false;
    std::string lastReason;  // why the cluster cannot write, as it was logged last
};

}  // namespace mesh::aggregator
