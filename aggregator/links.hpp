#pragma once

#include "aggregator/setup/config.hpp"
#include "aggregator/core/mesh.hpp"
#include "aggregator/core/node_view.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/dialer.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/zap.hpp"

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

// What the sockets need of the daemon.
class LinkOwner {
public:
    virtual ~LinkOwner() = default;
    virtual Mesh& mesh() = 0;
    virtual Now now() const = 0;
    // Something happened to the mesh: flush and arm timers soon.
    virtual void turn() = 0;
    // A message of the cluster's own, from the node that the connection's key proved. It bypasses the mesh.
    virtual void onClusterMessage(const std::string& node, std::string_view message) = 0;
    // From a stranger on the enrolment endpoint, whose key (Z85) is proved; `answer` may be called once, also later.
    virtual void onStranger(const std::string& key, std::string_view frame, std::function<void(std::string)> answer) = 0;
};

// The aggregator's ZeroMQ sockets: the mesh endpoint for connectors, the peer endpoint in a context of its own, a dialler
// for each peer whose name sorts after ours (so that two nodes share one link), and one for each peer that carries the
// cluster's messages to it. Gives connections their LinkIds.
class Links final : public shoset::FramePort {
public:
    // The address that a connector's public key (Z85) stands for; empty: refused.
    using ConnectorOfKey = std::function<std::string(std::string_view key)>;

    Links(boost::asio::io_context& loop, const Config& config, LinkOwner& owner, ConnectorOfKey connectorOfKey);
    ~Links() override;

    // Opens the endpoints; a witness has none for connectors. Peers are there once setPeers() named them.
    Result<void> start(const shoset::KeyPair& keys);
    // Who the other nodes are from now on: dials new ones, ends the connections of those that are gone. An error names
    // the node that cannot be dialled; the others are done.
    Result<void> setPeers(std::vector<PeerAddress> peers);
    // A message of the cluster to a node. It is lost when there is no connection, or no room: raft says it again.
    void sendClusterMessage(const std::string& node, std::string_view message);
    // Opens or closes the enrolment endpoint. The same again does nothing.
    Result<void> setEnrolment(bool open);
    std::string meshEndpoint() const;
    std::string peersEndpoint() const;
    std::vector<Counter> metrics() const;
    // Ends the connections whose keys stand no longer for the connector that they stood for.
    void dropUnknown();

    void sendFrame(shoset::LinkId link, std::string frame) override;
    void resetLink(shoset::LinkId link) override;

private:
    // One of the two endpoints.
    struct Endpoint {
        std::optional<shoset::Context> context;
        std::unique_ptr<shoset::Zap> zap;
        std::unique_ptr<shoset::MeshListener> listener;
        std::unordered_map<shoset::PeerId, shoset::LinkId> linkOfPeer;
    };
    struct Way {
        Endpoint* endpoint = nullptr;  // accepted
        shoset::PeerId peer = 0;
        shoset::MeshDialer* dialer = nullptr;  // dialled
        std::string address;
        std::string key = {};  // of an accepted connector
    };

    Result<void> openEndpoint(Endpoint& endpoint, const std::string& bind, const std::string& domain,
                              const shoset::KeyPair& own);
    // Another aggregator. Cluster messages have connections of their own, one for each direction, so that they wait
    // behind nothing.
    struct Peer {
        PeerAddress address;
        std::unique_ptr<shoset::MeshDialer> cluster;
        std::unique_ptr<shoset::MeshDialer> mesh;  // where it is us who dials
        shoset::LinkId link = 0;
    };

    Result<void> addPeer(const PeerAddress& address);
    Result<void> dialMesh(Peer& peer);
    Result<void> dialCluster(Peer& peer);
    void removePeer(const std::string& name);
    std::optional<std::string> authenticate(std::string_view domain, std::string_view key) const;
    void onAcceptedMessage(Endpoint& endpoint, shoset::PeerId peer, std::string_view identity, std::string_view frame);
    std::string addressOf(const Endpoint& endpoint, std::string_view identity) const;
    void onStranger(shoset::PeerId peer, std::string_view key, std::string_view frame);
    void onPeerGone(Endpoint& endpoint, shoset::PeerId peer);
    void endLater(shoset::LinkId link);

    boost::asio::io_context& loop;
    const Config& config;
    LinkOwner& owner;
    const ConnectorOfKey connectorOfKey;
    Endpoint meshSide;
    Endpoint peerSide;
    Endpoint enrolSide;  // open while secrets are outstanding
    std::deque<shoset::PeerId> strangers;  // on it, the oldest first
    std::optional<shoset::KeyPair> keys;
    std::map<std::string, Peer> peers;  // by name
    std::unordered_map<shoset::LinkId, Way> ways;
    shoset::LinkId nextLink = 1;
    std::uint64_t framesDropped = 0;
    std::uint64_t clusterMessagesDropped = 0;
};

}  // namespace mesh::aggregator
