#pragma once

#include "shoset/core/link.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/world.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {

// What one process does with the network: the counterpart of the ZeroMQ shells.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    // Dialled connections: the transport came and went.
    virtual void onConnected(shoset::LinkId link) = 0;
    virtual void onDisconnected(shoset::LinkId link) = 0;
    // A connection was accepted from the holder of `identity`'s key, or has ended.
    virtual void onAccepted(shoset::LinkId link, const shoset::Address& identity) = 0;
    virtual void onAcceptedGone(shoset::LinkId link) = 0;
    virtual void onFrame(shoset::LinkId link, std::string_view frame) = 0;
};

// Connections with delay, order and loss at disconnect, between processes that crash, partitions that may hold in one
// direction only, and clogs that hold frames back. Frames of a connection arrive in order or, when it ends, not at all.
class Network {
public:
    Network(World& virtualWorld, const Fault& injected) : world(virtualWorld), fault(injected) {}

    // A process that listens, by its name; replaced after a restart.
    void listen(const std::string& name, Endpoint* endpoint);
    // It takes no more connections; those that are there go on.
    void closeListener(const std::string& name) { listeners.erase(name); }
    // Dials for as long as the dialler lives. `identity`: what the listener's ZAP makes of the key.
    void dial(const std::string& from, Endpoint* endpoint, shoset::LinkId link, const std::string& to,
              const shoset::Address& identity);
    // Dials no more; what is under way still arrives.
    void hangUp(Endpoint* endpoint, shoset::LinkId link);
    // The process is gone with all its connections; the other ends notice after a while.
    void crash(const std::string& name);

    void send(Endpoint* endpoint, shoset::LinkId link, std::string frame);
    void reset(Endpoint* endpoint, shoset::LinkId link);

    // Nothing passes from one to the other until heal().
    void cut(const std::string& from, const std::string& to);
    void clog(const std::string& from, const std::string& to, Duration howLong);
    void heal();
    // Neither cut nor clogged now.
    bool passes(const std::string& from, const std::string& to) const;
    std::size_t largestQueue() const { return worstQueue; }

private:
    struct Side {
        std::string name;
        Endpoint* endpoint = nullptr;
        shoset::LinkId link = 0;
    };
    struct Connection {
        Side dialler;
        Side listener;
        shoset::Address identity;
        bool up = false;
        std::uint64_t generation = 0;
        Instant lastArrival[2]{};  // to the listener, to the dialler
        std::size_t inFlight[2]{};
    };
    using Direction = std::pair<std::string, std::string>;

    void tryConnect(const std::shared_ptr<Connection>& connection);
    void end(const std::shared_ptr<Connection>& connection, bool tellDialler, bool tellListener);
    void retry(const std::shared_ptr<Connection>& connection);
    void deliver(const std::shared_ptr<Connection>& connection, bool toListener, std::string frame);
    bool isCut(const std::string& from, const std::string& to) const;

    World& world;
    const Fault& fault;
    std::map<std::string, Endpoint*> listeners;
    std::vector<std::shared_ptr<Connection>> connections;
    std::set<Direction> cuts;
    std::map<Direction, Instant> clogs;
    shoset::LinkId nextAccepted = 1000;
    std::size_t worstQueue = 0;
};

}  // namespace mesh::simulation
