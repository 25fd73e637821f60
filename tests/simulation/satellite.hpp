#pragma once

#include "connector/core/connector.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::simulation {

// A BMC in virtual time: two systems, which count their resets, a long attachment; slow, sometimes mute.
class SimBmc final : public connector::BmcPort {
public:
    SimBmc(World& world, Checkers& checkers, const Fault& fault, std::string satellite);
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
    std::uint64_t incarnation = 0;
    std::map<connector::BmcExchange, Exchange> exchanges;
    std::map<std::string, std::size_t> resets;  // by system
};

// One satellite: a connector process that can crash and come back, its files, its BMC.
class SimSatellite final : public Endpoint,
                           public connector::ConnectorPort,
                           public connector::JournalPort,
                           public connector::StatePort {
public:
    SimSatellite(World& world, Network& network, Checkers& checkers, const Fault& fault, std::string tenant,
                 std::string name, std::vector<std::string> aggregators);

    void start();
    void crash();  // loses what was not synced
    bool isUp() const { return core != nullptr; }
    const std::string& processName() const { return process; }
    std::size_t running() const { return core ? core->running() : 0; }

    void onConnected(shoset::LinkId link) override;
    void onDisconnected(shoset::LinkId link) override;
    void onAccepted(shoset::LinkId, const shoset::Address&) override {}
    void onAcceptedGone(shoset::LinkId) override {}
    void onFrame(shoset::LinkId link, std::string_view frame) override;
    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;
    void dial(shoset::LinkId link, const shoset::AggregatorAddress& address, const std::string& key) override;
    void hangUp(shoset::LinkId link) override;
    void save(connector::StateFile file, std::string content) override;
    void persist(std::uint64_t token, std::string lines) override;
    void rewrite(std::string content) override;

private:
    std::vector<shoset::AggregatorAddress> addresses() const;
    void endTurn();

    World& world;
    Network& network;
    const Fault& fault;
    const std::string tenant;
    const std::string name;
    const std::string process;
    const std::vector<std::string> aggregators;
    SimBmc bmc;
    std::unique_ptr<connector::Connector> core;
    std::string durable;  // the journal
    std::map<connector::StateFile, std::string> files;
    std::uint64_t incarnation = 0;
    Instant armed = never;
};

}  // namespace mesh::simulation
