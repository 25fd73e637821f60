#pragma once

#include "connector/config.hpp"
#include "connector/core/connector.hpp"
#include "connector/journal_file.hpp"
#include "connector/redfish/client.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/host/notify.hpp"
#include "shoset/host/system_rng.hpp"
#include "shoset/host/turns.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mesh::connector {

// The shell around the connector core: sockets, BMC client, journal file, timer. One thread: the loop's.
class Daemon final : public shoset::FramePort {
public:
    Daemon(host::Loop& loop, Config config, shoset::Context context, std::string stateDirectory, host::Notify notify);
    ~Daemon() override;

    // Opens what must be there. The error is for the operator.
    Result<void> start();
    // Says bye to the aggregators, ends the BMC session, then stops the loop.
    void stop();

    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;

private:
    class BmcTurn;
    Result<void> dial(const shoset::KeyPair& keys);
    void endTurn() { turns.end(); }
    void flush();
    void logLink(shoset::LinkId link, const char* event, const std::string& reason);

    host::Loop& loop;
    Config config;
    const std::string stateDirectory;
    host::Notify notify;
    host::SystemRng rng;
    host::BlockingWorker worker;
    shoset::Context context;
    JournalFile journal;
    std::unique_ptr<BmcTurn> bmcTurn;
    RedfishClient bmc;
    Connector core;
    std::vector<std::unique_ptr<shoset::MeshDialer>> dialers;  // LinkId is the index
    host::Turns turns;
    host::Watchdog watchdog;
    std::size_t lastLinksUp = 0;
    bool stopping = false;
    std::uint64_t framesDropped = 0;
};

}  // namespace mesh::connector
