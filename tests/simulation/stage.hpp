#pragma once

#include "tests/simulation/aggregator.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/cluster.hpp"
#include "tests/simulation/event_checkers.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/satellite.hpp"
#include "tests/simulation/world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mesh::simulation {

struct StagePlace {
    std::string tenant;
    std::string name;
    std::string prefix;
};

// "/redfish/v1/Systems/A1_1" for prefix A1.
std::string systemUri(const std::string& prefix, const std::string& tail = {});

// A mesh for one scenario: nothing happens to it but what the test does. Aggregators and satellites start when they are told
// to. The consensus between the aggregators has wires of its own, that are never cut: what is on stage are the messages.
class Stage {
public:
    // `configured`: the aggregators that stand in the satellites' configuration; none: all.
    Stage(std::vector<std::string> aggregators, std::vector<StagePlace> satellites, std::vector<std::string> configured = {},
          std::uint64_t seed = 1);
    ~Stage();

    SimAggregator& node(const std::string& name);
    SimSatellite& satellite(const std::string& address);
    void startNode(const std::string& name) { node(name).start(registry); }
    void startAll();
    // From now on no others can reach each other: pairs of aggregators, or of an aggregator and a satellite.
    using Ways = std::vector<std::pair<std::string, std::string>>;
    void leaveOnly(const Ways& ways);
    void cut(const std::string& one, const std::string& other);

    void pass(Duration time);
    // False: it was not so within `patience`.
    bool until(const std::function<bool()>& condition, Duration patience = 30s);
    // Each node that runs knows a way to each other one and to every satellite that runs.
    bool isWhole();

    // It answers for the satellite of that prefix.
    bool serves(const std::string& atNode, const std::string& prefix) { return ask(atNode, "GET", systemUri(prefix)).head.status == 200; }
    // One request, answered. `user`: as SimAggregator::basicOf() knows them.
    SimAggregator::Reply ask(const std::string& atNode, const std::string& method, const std::string& uri, const std::string& body = {},
                             const std::string& user = "root");
    // The same, later: `done` is told.
    void askLater(const std::string& atNode, const std::string& method, const std::string& uri, const std::string& body,
                  std::function<void(const SimAggregator::Reply&)> done, const std::string& user = "root");
    // The cluster's answer to a change.
    Result<cluster::Applied> propose(cluster::Operation operation);

private:
    const Fault fault = Fault::none;

public:
    World world;
    Network network;
    EventCheckers events{world};

private:
    Network clusterNetwork;
    Checkers checkers{world};
    ClusterCheckers clusterCheckers{world};
    tenants::Registry registry;
    SimMembers members;
    std::vector<std::unique_ptr<SimAggregator>> aggregators;
    std::vector<std::unique_ptr<SimSatellite>> satellites;
    Instant shownTime{};  // the world's own stands still while nothing happens
    std::uint64_t nextMarker = 1;
};

// A command to fan.speed's workers, as it is asked for over HTTP. `to`: members of the JSON object that say who.
std::string fanCommand(const std::string& to, int percent, int timeoutSeconds = 30);

}  // namespace mesh::simulation
