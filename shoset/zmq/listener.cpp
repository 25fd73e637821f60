#include "shoset/zmq/listener.hpp"

#include "shoset/zmq/connection.hpp"
#include "shoset/zmq/pump.hpp"
#include "shoset/zmq/socket.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mesh::shoset {
namespace {

// zmq.h of 4.3.4 hides it among the drafts although every build has it. Without it a CURVE server whose ZAP handler is
// missing admits everybody.
constexpr int zapEnforceDomain = 93;

// Dead connections are swept out when the table has doubled, but not below this size.
constexpr std::size_t smallestSweep = 64;

struct Peer {
    std::string routingId;
    std::string address;
    Connection connection;
    std::deque<std::string> queue;
    std::size_t queueBytes = 0;
    bool refused = false;  // send() has said full, and onPeerWritable is owed
    bool cut = false;     // disconnected by us; kept until its connection is gone so that its remains are discarded
};

Result<void> applyServerSettings(Socket& socket, const ListenerOptions& options)
{
    return firstError({
        options.local ? Result<void>() : socket.set(ZMQ_CURVE_SERVER, 1),
        options.local ? Result<void>() : socket.set(ZMQ_CURVE_SECRETKEY, options.keys.secretKey.cString()),
        socket.set(ZMQ_ZAP_DOMAIN, options.domain),
        socket.set(zapEnforceDomain, 1),
        socket.set(ZMQ_ROUTER_MANDATORY, 1),
        socket.set(ZMQ_BACKLOG, limits::listenBacklog),
    });
}

}  // namespace

class MeshListener::Server final : public PumpClient {
public:
    Server(boost::asio::io_context& loop, ListenerOptions chosen, ListenerHandlers called)
        : options(std::move(chosen)), handlers(std::move(called)), retryTimer(loop)
    {
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server()
    {
        if (pump) {
            pump->close();
        }
    }

    Result<void> start(const Context& context, boost::asio::io_context& loop, const std::string& endpoint);
    Code send(PeerId id, std::string&& frame);
    bool disconnect(PeerId id);
    void forget(PeerId id);
    const Peer* find(PeerId id) const;
    void sweep();

    void onParts(std::span<const Part> parts, std::size_t total) override;
    void onBatchEnd() override;
    void onDrained() override;

    std::string boundEndpoint;
    ListenerCounters counters;
    std::unordered_map<PeerId, Peer> peers;

private:
    Peer* admit(PeerId id, std::span<const Part> parts);
    SendStatus transmit(const Peer& peer, std::string&& frame);
    void flush(PeerId id);
    void dropQueue(Peer& peer);
    void lose(PeerId id);
    void retryLater();

    ListenerOptions options;
    ListenerHandlers handlers;
    std::shared_ptr<Pump> pump;
    boost::asio::steady_timer retryTimer;
    bool retryPending = false;
    std::vector<PeerId> blocked;  // peers with a queue
    std::vector<PeerId> gone;    // onPeerGone is owed
    std::size_t sweepAt = smallestSweep;
};

Result<void> MeshListener::Server::start(const Context& context, boost::asio::io_context& loop,
                                         const std::string& endpoint)
{
    if (options.domain.empty() || (options.keys.secretKey.empty() && !options.local)) {
        return Error{Code::invalidArgument, "a listener needs a key pair and a domain"};
    }
    if (options.local != endpoint.starts_with("ipc://")) {
        return Error{Code::invalidArgument, "a listener on " + endpoint + (options.local ? " is not local" : " is local")};
    }
    auto socket = Socket::open(context, ZMQ_ROUTER);
    if (!socket) {
        return socket.error();
    }
    auto ready = firstError({applyLinkSettings(*socket, {options.maxFrameBytes, options.highWaterMark}, endpoint),
                             applyServerSettings(*socket, options)});
    if (!ready) {
        return ready;
    }
    if (auto bound = socket->bind(endpoint); !bound) {
        return bound;
    }
    boundEndpoint = socket->lastEndpoint();
    auto started = Pump::start(loop, std::move(socket.value()), *this);
    if (!started) {
        return started.error();
    }
    pump = started.value();
    return {};
}

void MeshListener::Server::onParts(std::span<const Part> parts, std::size_t total)
{
    if (total != 2) {
        ++counters.droppedMalformed;
        return;
    }
    const std::optional<ProvedOrigin> origin = parseOrigin(parts[1].property("User-Id"));
    if (!origin) {
        ++counters.droppedUnproved;
        return;
    }
    const auto known = peers.find(origin->serial);
    const Peer* peer = known != peers.end() ? &known->second : admit(origin->serial, parts);
    if (peer == nullptr) {
        ++counters.droppedTooMany;
        return;
    }
    if (peer->cut) {
        ++counters.droppedCut;
        return;
    }
    const std::string_view frame = parts[1].view();
    ++counters.received;
    counters.receivedBytes += frame.size();
    if (handlers.onMessage) {
        handlers.onMessage(origin->serial, origin->userId, frame);
    }
}

void MeshListener::Server::onBatchEnd()
{
    if (handlers.onBatchEnd) {
        handlers.onBatchEnd();
    }
}

// The first message of a connection.
Peer* MeshListener::Server::admit(PeerId id, std::span<const Part> parts)
{
    if (peers.size() >= std::min(sweepAt, options.maxPeers)) {
        sweep();
    }
    if (peers.size() >= options.maxPeers) {
        return nullptr;
    }
    Peer peer;
    peer.routingId = parts[0].view();
    const char* from = parts[1].property("Peer-Address");
    peer.address = from != nullptr ? from : "";
    peer.connection = identifyConnection(parts[1].sourceDescriptor(), boundEndpoint, peer.address);
    for (auto& [otherId, other] : peers) {
        // That one ended, and its descriptor was reused, before its first message was read here.
        if (other.connection.known() && other.connection.cookie == peer.connection.cookie) {
            other.connection = {};
        }
    }
    return &peers.emplace(id, std::move(peer)).first->second;
}

void MeshListener::Server::sweep()
{
    std::vector<PeerId> dead;
    for (const auto& [id, peer] : peers) {
        if (!isOpen(peer.connection)) {
            dead.push_back(id);
        }
    }
    for (const PeerId id : dead) {
        lose(id);
    }
    sweepAt = std::max(smallestSweep, 2 * peers.size());
}

Code MeshListener::Server::send(PeerId id, std::string&& frame)
{
    if (frame.size() > options.maxFrameBytes) {
        ++counters.refusedTooLarge;
        return Code::tooLarge;
    }
    const auto found = peers.find(id);
    if (found == peers.end() || found->second.cut) {
        ++counters.refusedGone;
        return Code::notSent;
    }
    Peer& peer = found->second;
    if (peer.queue.empty()) {
        const SendStatus status = transmit(peer, std::move(frame));
        if (status == SendStatus::sent) {
            return Code::ok;
        }
        if (status != SendStatus::wouldBlock) {
            ++counters.refusedGone;
            lose(id);
            return Code::notSent;
        }
    }
    const std::size_t cost = frame.size() + queueEntryBytes;
    if (peer.queueBytes + cost > options.peerQueueBytes) {
        ++counters.refusedFull;
        peer.refused = true;
        return Code::full;
    }
    if (peer.queue.empty()) {
        blocked.push_back(id);
        pump->schedule();
    }
    peer.queueBytes += cost;
    peer.queue.push_back(std::move(frame));
    ++counters.queued;
    return Code::ok;
}

SendStatus MeshListener::Server::transmit(const Peer& peer, std::string&& frame)
{
    const std::size_t size = frame.size();
    const SendStatus status = pump->send(peer.routingId, std::move(frame));
    if (status == SendStatus::sent) {
        ++counters.sent;
        counters.sentBytes += size;
    }
    return status;
}

void MeshListener::Server::onDrained()
{
    for (const PeerId id : std::exchange(blocked, {})) {
        flush(id);
    }
    for (const PeerId id : std::exchange(gone, {})) {
        if (handlers.onPeerGone) {
            handlers.onPeerGone(id);
        }
    }
    if (!blocked.empty()) {
        retryLater();
    }
}

void MeshListener::Server::flush(PeerId id)
{
    const auto found = peers.find(id);
    if (found == peers.end()) {
        return;
    }
    Peer& peer = found->second;
    while (!peer.queue.empty()) {
        const std::size_t cost = peer.queue.front().size() + queueEntryBytes;
        const SendStatus status = transmit(peer, std::move(peer.queue.front()));
        if (status == SendStatus::wouldBlock) {
            break;
        }
        if (status != SendStatus::sent) {
            lose(id);
            return;
        }
        peer.queueBytes -= cost;
        peer.queue.pop_front();
    }
    if (!peer.queue.empty()) {
        blocked.push_back(id);
    }
    if (peer.refused && peer.queueBytes <= options.peerQueueBytes / 2) {
        peer.refused = false;
        if (handlers.onPeerWritable) {
            handlers.onPeerWritable(id);
        }
    }
}

void MeshListener::Server::dropQueue(Peer& peer)
{
    counters.droppedGone += peer.queue.size();
    peer.queue.clear();
    peer.queueBytes = 0;
}

void MeshListener::Server::lose(PeerId id)
{
    const auto found = peers.find(id);
    dropQueue(found->second);
    if (!found->second.cut) {
        gone.push_back(id);
        ++counters.peersGone;
        pump->schedule();
    }
    peers.erase(found);
}

// ROUTER does not say which peer has become writable, ZMQ_EVENTS shows POLLOUT while any is, and the command that makes
// one writable may be processed by any call. A turn follows it almost always; this makes it always.
void MeshListener::Server::retryLater()
{
    if (retryPending) {
        return;
    }
    retryPending = true;
    retryTimer.expires_after(limits::blockedPeerRetry);
    retryTimer.async_wait([this, alive = std::weak_ptr<Pump>(pump)](const boost::system::error_code&) {
        if (const auto current = alive.lock()) {
            retryPending = false;
            current->schedule();
        }
    });
}

bool MeshListener::Server::disconnect(PeerId id)
{
    const auto found = peers.find(id);
    if (found == peers.end() || found->second.cut) {
        return false;
    }
    dropQueue(found->second);
    found->second.cut = true;
    const bool done = shutDown(found->second.connection);
    counters.disconnected += done ? 1 : 0;
    return done;
}

void MeshListener::Server::forget(PeerId id)
{
    const auto found = peers.find(id);
    if (found != peers.end() && !found->second.cut) {
        dropQueue(found->second);
        peers.erase(found);
    }
}

const Peer* MeshListener::Server::find(PeerId id) const
{
    const auto found = peers.find(id);
    return found != peers.end() ? &found->second : nullptr;
}

Result<std::unique_ptr<MeshListener>> MeshListener::bind(const Context& context, boost::asio::io_context& loop,
                                                         const std::string& endpoint, ListenerOptions options,
                                                         ListenerHandlers handlers)
{
    auto server = std::make_unique<Server>(loop, std::move(options), std::move(handlers));
    if (auto started = server->start(context, loop, endpoint); !started) {
        return started.error();
    }
    return std::unique_ptr<MeshListener>(new MeshListener(std::move(server)));
}

MeshListener::MeshListener(std::unique_ptr<Server> owned) : server(std::move(owned)) {}
MeshListener::~MeshListener() = default;
const std::string& MeshListener::endpoint() const
{
    return server->boundEndpoint;
}
Code MeshListener::send(PeerId peer, std::string&& frame)
{
    return server->send(peer, std::move(frame));
}
bool MeshListener::disconnect(PeerId peer)
{
    return server->disconnect(peer);
}
void MeshListener::forget(PeerId peer)
{
    server->forget(peer);
}
void MeshListener::sweep()
{
    server->sweep();
}
std::size_t MeshListener::peerCount() const
{
    return server->peers.size();
}
const ListenerCounters& MeshListener::counters() const
{
    return server->counters;
}

std::size_t MeshListener::queuedBytes(PeerId peer) const
{
    const Peer* found = server->find(peer);
    return found != nullptr ? found->queueBytes : 0;
}

std::string_view MeshListener::address(PeerId peer) const
{
    const Peer* found = server->find(peer);
    return found != nullptr ? std::string_view(found->address) : std::string_view();
}

}  // namespace mesh::shoset
