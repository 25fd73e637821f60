#pragma once

#include "connector/config.hpp"
#include "connector/core/connector.hpp"
#include "connector/journal_file.hpp"
#include "connector/key_files.hpp"
#include "connector/outbox_files.hpp"
#include "connector/redfish/client.hpp"
#include "connector/state_files.hpp"
#include "connector/worker_socket.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/notify.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/host/turns.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"

#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>

namespace mesh::connector {

// The shell around the connector core: sockets, BMC client, files, timer. One thread: the loop's.
class Daemon final : public ConnectorPort {
public:
    Daemon(host::Loop& loop, Config config, shoset::Context context, std::string stateDirectory, host::Notify notify);
    ~Daemon() override;

    // Opens what must be there. The error is for the operator.
    Result<void> start();
    // Ends what is under way at the BMC and the session there; tells the aggregators how each request ended, and bye; then stops
    // the loop.
    void stop();

    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;
    void dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string& key) override;
    void hangUp(shoset::LinkId link) override;
    void makeKey(std::string note) override;
    void adoptKey() override;
    void dropKey() override;
    Code sendToWorker(WorkerId id, std::string word) override;
    void writeOutbox(std::uint64_t segment, std::string bytes, bool fresh) override;
    void removeOutbox(std::uint64_t segment) override;

    std::size_t linksUp() const { return core.linksUp(); }

private:
    class BmcTurn;
    struct Way {
        std::string aggregator;  // for the log
        std::unique_ptr<shoset::MeshDialer> dialer;
        std::unique_ptr<boost::asio::steady_timer> farewell;  // once it was hung up
    };
    Result<void> loadState();
    Result<void> loadOutbox();
    Result<void> loadKeys();
    Result<std::string> loadSecretFile() const;
    void logSecrets();
    void logEvents();
    Result<void> openWorkerSocket();
    shoset::DialerHandlers handlersOf(shoset::LinkId link);
    void disconnected(shoset::LinkId link);
    void endTurn() { turns.end(); }
    void flush();
    void logLink(shoset::LinkId link, const char* event, const std::string& reason);
    void checkStopped();

    host::Loop& loop;
    Config config;
    const std::string stateDirectory;
    host::Notify notify;
    host::SystemRng rng;
    host::BlockingWorker worker;
    shoset::Context context;
    JournalFile journal;
    StateFiles files;
    OutboxFiles outbox;
    KeyFiles keys;
    std::unique_ptr<BmcTurn> bmcTurn;
    RedfishClient bmc;
    Connector core;
    std::unique_ptr<WorkerSocket> workers;  // if the configuration has one
    std::map<shoset::LinkId, Way> ways;
    Result<void> dialFailure;  // the first, while starting
    host::Turns turns;
    host::Watchdog watchdog;
    std::size_t lastLinksUp = 0;
    std::size_t lastAttached = 0;
    std::string lastSealingKey;
    std::uint64_t lastSecretsFailed = 0;
    std::uint64_t lastResealed = 0;
    bool outboxFailing = false;
    std::uint64_t lastRefused = 0;  // events
    Instant refusalsLoggedAt{};
    Instant outboxLoggedAt{};
    bool stopping = false;
    Instant stopBy{};
    boost::asio::steady_timer stopTimer;
    std::uint64_t framesDropped = 0;
};

}  // namespace mesh::connector
