#include "aggregator/links.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace mesh::aggregator {

using shoset::LinkId;
using shoset::PeerId;

namespace {

// In front of a cluster message; a frame of the mesh begins with its wireVersion.
constexpr char clusterMark = '\xc1';

}  // namespace

Links::Links(boost::asio::io_context& context, const Config& given, LinkOwner& linkOwner, ConnectorOfKey lookUp)
    : loop(context), config(given), owner(linkOwner), connectorOfKey(std::move(lookUp))
{
}

Links::~Links() = default;

Result<void> Links::start(const shoset::KeyPair& own)
{
    keys = own;
    if (!config.witness) {
        if (Result<void> opened = openEndpoint(meshSide, config.meshBind, "mesh", own); !opened) {
            return opened;
        }
    }
    return config.peersBind.empty() ? Result<void>{} : openEndpoint(peerSide, config.peersBind, "peers", own);
}

Result<void> Links::setPeers(std::vector<PeerAddress> wanted)
{
    std::vector<std::string> gone;
    for (const auto& [name, peer] : peers) {
        if (std::find(wanted.begin(), wanted.end(), peer.address) == wanted.end()) {
            gone.push_back(name);
        }
    }
    for (const std::string& name : gone) {
        removePeer(name);
    }
    Result<void> first;
    for (const PeerAddress& address : wanted) {
        if (peers.contains(address.name)) {
            continue;
        }
        const Result<void> added = addPeer(address);
        if (!added && first) {
            first = Error{added.error().code, "peer " + address.name + ": " + added.error().message};
        }
    }
    return first;
}

Result<void> Links::openEndpoint(Endpoint& endpoint, const std::string& bind, const std::string& domain,
                                 const shoset::KeyPair& own)
{
    Result<shoset::Context> context = shoset::Context::create();
    if (!context) {
        return context.error();
    }
    endpoint.context = std::move(*context);
    auto zap = shoset::Zap::start(
        *endpoint.context, loop,
        [this](std::string_view zapDomain, std::string_view key, std::string_view) { return authenticate(zapDomain, key); },
        [](const shoset::ZapRefusal& refusal) {
            log::warning("key_refused", {{"endpoint", refusal.domain},
                                         {"address", refusal.address},
                                         {"key", refusal.key},
                                         {"count", refusal.count}});
        });
    if (!zap) {
        return zap.error();
    }
    endpoint.zap = std::move(*zap);
    shoset::ListenerOptions options;
    options.keys = own;
    options.domain = domain;
    if (&endpoint == &peerSide) {
        options.maxFrameBytes = limits::maxClusterFrameBytes;
    } else if (&endpoint == &enrolSide) {
        options.maxFrameBytes = limits::maxEnrolmentFrameBytes;
        options.maxPeers = limits::maxEnrolmentPeers;
    }
    shoset::ListenerHandlers handlers;
    handlers.onMessage = [this, &endpoint](PeerId peer, std::string_view identity, std::string_view frame) {
        onAcceptedMessage(endpoint, peer, identity, frame);
    };
    handlers.onBatchEnd = [this] { owner.turn(); };
    handlers.onPeerGone = [this, &endpoint](PeerId peer) { onPeerGone(endpoint, peer); };
    auto listener = shoset::MeshListener::bind(*endpoint.context, loop, bind, std::move(options), std::move(handlers));
    if (!listener) {
        return Error{listener.error().code, domain + " endpoint " + bind + ": " + listener.error().message};
    }
    endpoint.listener = std::move(*listener);
    return {};
}

Result<void> Links::addPeer(const PeerAddress& address)
{
    if (!peerSide.context) {
        return Error{Code::invalidArgument, "this node has no endpoint for peers: set peers.bind"};
    }
    Peer& peer = peers[address.name];
    peer.address = address;
    Result<void> dialled = dialCluster(peer);
    if (dialled && config.name < address.name) {
        dialled = dialMesh(peer);
    }
    if (!dialled) {
        removePeer(address.name);
    }
    return dialled;
}

void Links::removePeer(const std::string& name)
{
    auto peer = std::make_shared<Peer>(std::move(peers.extract(name).mapped()));
    boost::asio::post(loop, [peer] {});  // a dialler must not end while it may be calling us
    if (peer->mesh) {
        ways.erase(peer->link);
        owner.mesh().removeLink(peer->link, owner.now());
    }
    std::vector<LinkId> accepted;
    for (const auto& [link, way] : ways) {
        if (way.endpoint == &peerSide && way.address == name) {
            accepted.push_back(link);
        }
    }
    for (const LinkId link : accepted) {
        resetLink(link);
    }
}

Result<void> Links::dialMesh(Peer& peer)
{
    const LinkId link = nextLink++;
    owner.mesh().addDialledPeer(link, peer.address.name);
    shoset::DialerHandlers handlers;
    handlers.onMessage = [this, link](std::string_view frame) { owner.mesh().onFrame(link, frame, owner.now()); };
    handlers.onBatchEnd = [this] { owner.turn(); };
    handlers.onConnected = [this, link] {
        owner.mesh().onConnected(link, owner.now());
        owner.turn();
    };
    handlers.onDisconnected = [this, link] {
        owner.mesh().onDisconnected(link, owner.now());
        resetLink(link);
        owner.turn();
    };
    handlers.onHandshakeFailed = [name = peer.address.name](const std::string& reason) {
        log::warning("handshake_failed", {{"peer", name}, {"reason", reason}});
    };
    auto dialer = shoset::MeshDialer::connect(*peerSide.context, loop, {peer.address.endpoint, peer.address.key, *keys},
                                              std::move(handlers));
    if (!dialer) {
        owner.mesh().removeLink(link, owner.now());
        return dialer.error();
    }
    ways[link] = {nullptr, 0, dialer->get(), peer.address.name};
    peer.link = link;
    peer.mesh = std::move(*dialer);
    return {};
}

Result<void> Links::dialCluster(Peer& peer)
{
    shoset::DialerOptions options{peer.address.endpoint, peer.address.key, *keys};
    options.maxFrameBytes = limits::maxClusterFrameBytes;
    options.queueBytes = 2 * limits::maxClusterFrameBytes;
    shoset::DialerHandlers handlers;
    handlers.onDisconnected = [this, name = peer.address.name] {
        if (const auto found = peers.find(name); found != peers.end()) {
            found->second.cluster->reset();
        }
    };
    auto dialer = shoset::MeshDialer::connect(*peerSide.context, loop, std::move(options), std::move(handlers));
    if (!dialer) {
        return dialer.error();
    }
    peer.cluster = std::move(*dialer);
    return {};
}

Result<void> Links::setEnrolment(bool open)
{
    if (open == (enrolSide.listener != nullptr)) {
        return {};
    }
    if (!open) {
        log::info("enrolment_closed", {{"endpoint", config.enrolBind}});
        const auto closed = std::make_shared<Endpoint>(std::move(enrolSide));
        boost::asio::post(loop, [closed] {});  // it may be what calls us
        enrolSide = {};
        strangers.clear();
        return {};
    }
    Result<void> opened = openEndpoint(enrolSide, config.enrolBind, "enrolment", *keys);
    if (opened) {
        log::info("enrolment_open", {{"endpoint", enrolSide.listener->endpoint()}});
    }
    return opened;
}

void Links::sendClusterMessage(const std::string& node, std::string_view message)
{
    const auto found = peers.find(node);
    if (found == peers.end() || !found->second.cluster->connected()) {
        ++clusterMessagesDropped;
        return;
    }
    std::string frame;
    frame.reserve(message.size() + 1);
    frame += clusterMark;
    frame += message;
    if (found->second.cluster->send(std::move(frame)) != Code::ok) {
        ++clusterMessagesDropped;
    }
}

std::optional<std::string> Links::authenticate(std::string_view domain, std::string_view key) const
{
    if (domain == "mesh") {
        return connectorOfKey(key).empty() ? std::nullopt : std::optional<std::string>(key);
    }
    if (domain == "enrolment") {  // anybody may knock; what comes of it is the secret's to decide
        return std::string(key);
    }
    const auto peer = std::find_if(peers.begin(), peers.end(), [key](const auto& entry) {
        return shoset::sameKey(entry.second.address.key, key);
    });
    return peer == peers.end() ? std::nullopt : std::optional<std::string>(peer->first);
}

void Links::onAcceptedMessage(Endpoint& endpoint, PeerId peer, std::string_view identity, std::string_view frame)
{
    if (&endpoint == &peerSide && !frame.empty() && frame.front() == clusterMark) {
        if (peers.contains(std::string(identity))) {
            owner.onClusterMessage(std::string(identity), frame.substr(1));
        }
        return;
    }
    if (&endpoint == &enrolSide) {
        return onStranger(peer, identity, frame);
    }
    auto found = endpoint.linkOfPeer.find(peer);
    if (found == endpoint.linkOfPeer.end()) {
        const std::string address = addressOf(endpoint, identity);
        if (address.empty()) {
            endpoint.listener->disconnect(peer);
            return;
        }
        const LinkId link = nextLink++;
        found = endpoint.linkOfPeer.emplace(peer, link).first;
        ways[link] = {&endpoint, peer, nullptr, address, std::string(identity)};
        owner.mesh().addAccepted(link, address, std::string(identity));
    }
    owner.mesh().onFrame(found->second, frame, owner.now());
}

// Empty for one that was let in and has been put out since, before it said its first word.
std::string Links::addressOf(const Endpoint& endpoint, std::string_view identity) const
{
    if (&endpoint == &meshSide) {
        return connectorOfKey(identity);
    }
    std::string name(identity);
    return peers.contains(name) ? name : std::string();
}

void Links::onStranger(PeerId peer, std::string_view key, std::string_view frame)
{
    if (std::find(strangers.begin(), strangers.end(), peer) == strangers.end()) {
        strangers.push_back(peer);
        if (strangers.size() > limits::maxStrangers) {
            enrolSide.listener->disconnect(strangers.front());
            strangers.pop_front();
        }
    }
    owner.onStranger(std::string(key), frame, [this, peer](std::string answer) {
        if (!enrolSide.listener) {
            return;
        }
        if (answer.empty()) {
            enrolSide.listener->disconnect(peer);
        } else {
            static_cast<void>(enrolSide.listener->send(peer, std::move(answer)));  // who is gone asks again
        }
    });
}

void Links::onPeerGone(Endpoint& endpoint, PeerId peer)
{
    const auto found = endpoint.linkOfPeer.find(peer);
    if (found == endpoint.linkOfPeer.end()) {
        return;
    }
    const LinkId link = found->second;
    endpoint.linkOfPeer.erase(found);
    ways.erase(link);
    owner.mesh().removeLink(link, owner.now());
    owner.turn();
}

void Links::sendFrame(LinkId link, std::string frame)
{
    const auto found = ways.find(link);
    if (found == ways.end()) {
        ++framesDropped;
        return;
    }
    const Way& way = found->second;
    const Code sent = way.dialer != nullptr ? way.dialer->send(std::move(frame))
                                            : way.endpoint->listener->send(way.peer, std::move(frame));
    if (sent != Code::ok) {
        ++framesDropped;
        log::warning("frame_dropped", {{"peer", way.address}, {"code", codeName(sent)}});
        endLater(link);
    }
}

// A frame that could not be sent leaves a hole in the conversation; both sides start over.
void Links::endLater(LinkId link)
{
    boost::asio::post(loop, [this, link] { resetLink(link); });
}

void Links::resetLink(LinkId link)
{
    const auto found = ways.find(link);
    if (found == ways.end()) {
        return;
    }
    const Way way = found->second;
    if (way.dialer != nullptr) {
        owner.mesh().onDisconnected(link, owner.now());
        way.dialer->reset();
        return;
    }
    way.endpoint->listener->disconnect(way.peer);
    boost::asio::post(loop, [this, way] { onPeerGone(*way.endpoint, way.peer); });
}

void Links::dropUnknown()
{
    std::vector<LinkId> gone;
    for (const auto& [link, way] : ways) {
        if (way.endpoint == &meshSide && connectorOfKey(way.key) != way.address) {
            gone.push_back(link);
        }
    }
    for (const LinkId link : gone) {
        log::info("connector_cut", {{"connector", ways[link].address}, {"reason", "its key is not registered any more"}});
        resetLink(link);
    }
}

std::string Links::meshEndpoint() const
{
    return meshSide.listener ? meshSide.listener->endpoint() : std::string();
}

std::string Links::peersEndpoint() const
{
    return peerSide.listener ? peerSide.listener->endpoint() : std::string();
}

std::vector<Counter> Links::metrics() const
{
    std::vector<Counter> out{
        {"bmcmesh_frames_dropped_total", "Frames that a peer's queue had no room for", framesDropped, false},
        {"bmcmesh_cluster_messages_dropped_total", "Messages of the cluster for a node that could not take them", clusterMessagesDropped, false}};
    const std::pair<const char*, const Endpoint*> sides[] = {
        {"mesh", &meshSide}, {"peers", &peerSide}, {"enrolment", &enrolSide}};
    for (const auto& [name, side] : sides) {
        if (!side->listener) {
            continue;
        }
        const std::string base = std::string("bmcmesh_") + name + "_";
        const shoset::ListenerCounters& c = side->listener->counters();
        out.push_back({base + "connections", "Connections", side->listener->peerCount(), true});
        out.push_back({base + "keys_refused_total", "Connections of unknown keys", side->zap->counters().refused, false});
        out.push_back({base + "messages_received_total", "Messages received", c.received, false});
        out.push_back({base + "messages_sent_total", "Messages sent", c.sent, false});
        out.push_back({base + "refused_full_total", "Messages refused by a full queue", c.refusedFull, false});
        out.push_back({base + "dropped_gone_total", "Messages for connections that ended", c.droppedGone, false});
        out.push_back({base + "dropped_too_many_total", "Messages of connections beyond the most", c.droppedTooMany, false});
        out.push_back({base + "dropped_malformed_total", "Messages that were not one frame", c.droppedMalformed, false});
        out.push_back({base + "dropped_unproved_total", "Messages without a proved identity", c.droppedUnproved, false});
    }
    return out;
}

}  // namespace mesh::aggregator
