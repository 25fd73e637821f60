#pragma once

#include "tests/simulation/aggregator.hpp"
#include "tests/simulation/cluster_checkers.hpp"
#include "tests/simulation/world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mesh::simulation {

// Clients of what the cluster keeps: they log in at one node and go on at another, make and remove accounts, change the
// session service, read; each with its own patience. They do everything once.
class ClusterClients {
public:
    ClusterClients(World& world, ClusterCheckers& checkers, std::vector<std::unique_ptr<SimAggregator>>& nodes);

    // One of them does something, at any node that is up.
    void act();

private:
    struct Known {
        std::string id;
        std::string user;
        std::string token;  // of a session
    };
    struct Request {
        RequestHead head;
        std::string body;
        std::string change;
        bool always = false;  // a read that has to be answered
    };
    using Done = std::function<void(const SimAggregator::Reply& reply)>;  // may be empty

    std::string newMarker();
    void ask(const std::string& marker, Request request, Done done);
    void logIn();
    void useToken(const Known& session);
    void endSession();
    void createAccount();
    void removeAccount();
    void useAccount(const Known& account);
    void setTimeout();
    void read();
    Known take(std::vector<Known>& from);

    World& world;
    ClusterCheckers& checkers;
    std::vector<std::unique_ptr<SimAggregator>>& nodes;
    std::vector<Known> sessions;
    std::vector<Known> accounts;
    std::uint64_t nextMarker = 1;
    unsigned nextTimeout = 600;  // seconds: longer than any run
};

}  // namespace mesh::simulation
