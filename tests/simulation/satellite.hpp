#pragma once

#include "connector/core/connector.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/disks.hpp"
#include "tests/simulation/event_checkers.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::simulation {

// A BMC in virtual time: two systems, which count their resets, a long attachment; slow, sometimes mute.
class SimBmc final : public connector::BmcPort {
public:
    SimBmc(World& world, Checkers& checkers, const Fault& fault, std::string satellite);
    // From now on it answers everything.
    void makeReliable() { reliable = true; }
    // Whose answers these are; nullptr while the connector is down.
    void attach(connector::BmcEvents* events, std::function<void()> endTurn);

    void start(connector::BmcExchange id, RequestHead head, std::string body, bool bodyFollows, std::int64_t bodyLength,
               bool repeatable, Instant deadline) override;
    void sendBody(connector::BmcExchange id, std::string piece, bool last) override;
    void grant(connector::BmcExchange id, std::size_t bytes) override;
    void cancel(connector::BmcExchange id) override;

private:
    struct Exchange {
        std::string rest;  // of the answer's body
        std::size_t room = 0;
        bool mute = false;
        bool pushing = false;
    };
    void execute(connector::BmcExchange id, const RequestHead& head, std::size_t seen);
    void answer(connector::BmcExchange id, int status, const char* type, std::string body);
    void push(connector::BmcExchange id);
    // Runs later if the connector that asked still lives and has not cancelled.
    void later(connector::BmcExchange id, Duration delay, std::function<void()> step);

    World& world;
    Checkers& checkers;
    const Fault& fault;
    const std::string satellite;
    connector::BmcEvents* events = nullptr;
    std::function<void()> endTurn;
    bool reliable = false;
    std::uint64_t incarnation = 0;
    std::map<connector::BmcExchange, Exchange> exchanges;
    std::map<std::string, std::size_t> resets;  // by system
};

class SimWorker;

// One satellite: a connector process that can crash and come back, its files, its BMC, its workers.
class SimSatellite final : public Endpoint,
                           public connector::ConnectorPort,
                           public connector::JournalPort,
                           public connector::StatePort {
public:
    // `aggregators`: as its configuration names them.
    SimSatellite(World& world, Network& network, Checkers& checkers, EventCheckers& eventCheckers, const Fault& fault,
                 std::string tenant, std::string name, std::vector<shoset::AggregatorAddress> aggregators);

    void start();
    void crash();  // loses what was not synced
    // In order: it takes its leave, and is gone a little later.
    void stop();
    bool isUp() const { return core != nullptr; }
    const std::string& processName() const { return process; }
    const connector::Connector& connector() const { return *core; }
    // In the files of its outbox.
    bool hasOnDisk(std::string_view text) const { return outbox.has(text); }
    // Before start(): the name that it greets with, whatever its key says.
    void claimName(std::string other) { claimed = std::move(other); }
    void makeBmcReliable() { bmc.makeReliable(); }
    // Sees each frame that it sends.
    void watchFrames(std::function<void(std::string_view frame)> watch) { watchFrame = std::move(watch); }

    // By workers.
    void addWorker(SimWorker& worker);
    void removeWorker(SimWorker& worker);
    connector::WorkerId connectWorker(SimWorker& worker);
    void disconnectWorker(connector::WorkerId id);
    void fromWorker(connector::WorkerId id, const std::string& word);

    void onConnected(shoset::LinkId link) override;
    void onDisconnected(shoset::LinkId link) override;
    void onAccepted(shoset::LinkId, const shoset::Address&) override {}
    void onAcceptedGone(shoset::LinkId) override {}
    void onFrame(shoset::LinkId link, std::string_view frame) override;
    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;
    void dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string& key) override;
    void hangUp(shoset::LinkId link) override;
    Code sendToWorker(connector::WorkerId id, std::string word) override;
    void writeOutbox(std::uint64_t segment, std::string bytes, bool fresh) override;
    void removeOutbox(std::uint64_t segment) override { outbox.remove(segment); }
    void save(connector::StateFile file, std::string content) override;
    void persist(std::uint64_t token, std::string lines) override;
    void rewrite(std::string content) override;

private:
    void believeOfAll(shoset::LinkId link, std::string_view frame);
    void checkOutbox();
    void endTurn();

    World& world;
    Network& network;
    EventCheckers& eventCheckers;
    const Fault& fault;
    const std::string tenant;
    const std::string name;
    const std::string process;
    const std::vector<shoset::AggregatorAddress> aggregators;
    std::string claimed;
    SimBmc bmc;
    std::unique_ptr<connector::Connector> core;
    std::string durable;  // the journal
    Instant journalIdleAt{};
    OutboxDisk outbox;
    std::map<shoset::LinkId, std::string> dialled;
    std::vector<SimWorker*> workers;
    std::map<connector::WorkerId, SimWorker*> attached;
    connector::WorkerId lastWorker = 0;
    std::function<void(std::string_view)> watchFrame;
    std::map<connector::StateFile, std::string> files;
    std::uint64_t incarnation = 0;
    Instant armed = never;
};

}  // namespace mesh::simulation
