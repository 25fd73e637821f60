#include "tests/simulation/network.hpp"

#include "shoset/base/limits.hpp"
#include "tests/simulation/tampering.hpp"

#include <algorithm>

namespace mesh::simulation {

using shoset::LinkId;

void Network::listen(const std::string& name, Endpoint* endpoint)
{
    listeners[name] = endpoint;
}

void Network::dial(const std::string& from, Endpoint* endpoint, LinkId link, const std::string& to,
                   const shoset::Address& identity)
{
    auto connection = std::make_shared<Connection>();
    connection->dialler = {from, endpoint, link};
    connection->listener.name = to;
    connection->identity = identity;
    connections.push_back(connection);
    retry(connection);
}

void Network::hangUp(Endpoint* endpoint, LinkId link)
{
    const auto found = std::find_if(connections.begin(), connections.end(), [&](const auto& connection) {
        return connection->dialler.endpoint == endpoint && connection->dialler.link == link;
    });
    if (found == connections.end()) {
        return;
    }
    world.after(limits::farewellTime, [this, connection = *found] {
        connection->dialler.endpoint = nullptr;
        end(connection, false, true);
        std::erase(connections, connection);
    });
}

void Network::retry(const std::shared_ptr<Connection>& connection)
{
    world.after(world.between(100ms, 500ms), [this, connection] { tryConnect(connection); });
}

void Network::tryConnect(const std::shared_ptr<Connection>& connection)
{
    if (connection->up || connection->dialler.endpoint == nullptr) {
        return;
    }
    const auto listener = listeners.find(connection->listener.name);
    const std::string& from = connection->dialler.name;
    const std::string& to = connection->listener.name;
    if (listener == listeners.end() || isCut(from, to) || isCut(to, from)) {
        retry(connection);
        return;
    }
    connection->up = true;
    ++connection->generation;
    connection->listener.endpoint = listener->second;
    connection->listener.link = nextAccepted++;
    connection->inFlight[0] = connection->inFlight[1] = 0;
    world.trace("connect " + from + " " + to);
    connection->listener.endpoint->onAccepted(connection->listener.link, connection->identity);
    connection->dialler.endpoint->onConnected(connection->dialler.link);
}

void Network::end(const std::shared_ptr<Connection>& connection, bool tellDialler, bool tellListener)
{
    if (!connection->up) {
        return;
    }
    connection->up = false;
    ++connection->generation;
    world.trace("disconnect " + connection->dialler.name + " " + connection->listener.name);
    if (tellListener && connection->listener.endpoint != nullptr) {
        Endpoint* endpoint = connection->listener.endpoint;
        const LinkId link = connection->listener.link;
        const std::string name = connection->listener.name;
        world.after(world.between(1ms, 20ms), [this, endpoint, link, name] {
            const auto now = listeners.find(name);
            if (now != listeners.end() && now->second == endpoint) {
                endpoint->onAcceptedGone(link);
            }
        });
    }
    connection->listener.endpoint = nullptr;
    if (tellDialler && connection->dialler.endpoint != nullptr) {
        world.after(world.between(1ms, 20ms), [this, connection, generation = connection->generation] {
            if (connection->dialler.endpoint != nullptr && connection->generation == generation) {
                connection->dialler.endpoint->onDisconnected(connection->dialler.link);
            }
        });
    }
    retry(connection);
}

void Network::crash(const std::string& name)
{
    world.trace("crash " + name);
    listeners.erase(name);
    for (const auto& connection : connections) {
        if (connection->listener.name == name && connection->up) {
            connection->listener.endpoint = nullptr;
            end(connection, true, false);
        }
        if (connection->dialler.name == name) {
            connection->dialler.endpoint = nullptr;
            end(connection, false, true);
        }
    }
    std::erase_if(connections, [](const auto& connection) { return connection->dialler.endpoint == nullptr; });
}

void Network::send(Endpoint* endpoint, LinkId link, std::string frame)
{
    for (const auto& connection : connections) {
        const bool toListener = connection->dialler.endpoint == endpoint && connection->dialler.link == link;
        const bool toDialler = connection->listener.endpoint == endpoint && connection->listener.link == link;
        if (connection->up && (toListener || toDialler)) {
            deliver(connection, toListener, tamper(fault, std::move(frame), world.rng()));
            return;
        }
    }
}

void Network::deliver(const std::shared_ptr<Connection>& connection, bool toListener, std::string frame)
{
    if (frame.empty()) {
        return;
    }
    const std::string from = toListener ? connection->dialler.name : connection->listener.name;
    const std::string to = toListener ? connection->listener.name : connection->dialler.name;
    Instant& last = connection->lastArrival[toListener ? 0 : 1];
    std::size_t& inFlight = connection->inFlight[toListener ? 0 : 1];
    const unsigned slow = fault == Fault::stampLate ? 20 : 2;  // percent: what is stamped too late matters only to what comes late
    Instant arrival = std::max(last, world.now().mono + world.between(50us, world.chance(slow) ? 80ms : 2ms));
    if (const auto clogged = clogs.find({from, to}); clogged != clogs.end()) {
        arrival = std::max(arrival, clogged->second);
    }
    last = arrival;
    inFlight += frame.size();
    worstQueue = std::max(worstQueue, inFlight);
    world.at(arrival, [this, connection, toListener, from, to, generation = connection->generation,
                       bytes = std::move(frame)] {
        if (connection->generation != generation || !connection->up) {
            return;
        }
        connection->inFlight[toListener ? 0 : 1] -= bytes.size();
        if (isCut(from, to)) {
            return;
        }
        const Side& side = toListener ? connection->listener : connection->dialler;
        side.endpoint->onFrame(side.link, bytes);
    });
}

void Network::reset(Endpoint* endpoint, LinkId link)
{
    for (const auto& connection : connections) {
        if (!connection->up) {
            continue;
        }
        if (connection->dialler.endpoint == endpoint && connection->dialler.link == link) {
            end(connection, false, true);
            return;
        }
        if (connection->listener.endpoint == endpoint && connection->listener.link == link) {
            end(connection, true, true);
            return;
        }
    }
}

void Network::cut(const std::string& from, const std::string& to)
{
    world.trace("cut " + from + " > " + to);
    cuts.insert({from, to});
}

void Network::clog(const std::string& from, const std::string& to, Duration howLong)
{
    world.trace("clog " + from + " > " + to);
    clogs[{from, to}] = world.now().mono + howLong;
}

void Network::heal()
{
    world.trace("heal");
    cuts.clear();
    clogs.clear();
}

bool Network::passes(const std::string& from, const std::string& to) const
{
    const auto clogged = clogs.find({from, to});
    return !isCut(from, to) && (clogged == clogs.end() || clogged->second <= world.now().mono);
}

bool Network::isCut(const std::string& from, const std::string& to) const
{
    return cuts.contains({from, to});
}

}  // namespace mesh::simulation
