#include "shoset/zmq/dialer.hpp"

#include "shoset/zmq/pump.hpp"
#include "shoset/zmq/socket.hpp"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <deque>
#include <sodium.h>
#include <utility>

namespace mesh::shoset {
namespace {

constexpr std::size_t routingIdBytes = 16;

// An address that nobody can guess; its first byte may not be zero (RFC 28).
std::string freshRoutingId()
{
    std::string id(routingIdBytes, '\0');
    randombytes_buf(id.data(), id.size());
    id[0] = static_cast<char>(id[0] | 1);
    return id;
}

// Up to a quarter off, so that clients do not come back in step; libzmq adds no jitter when a maximum is set.
int jittered(Duration interval)
{
    const auto millis = static_cast<std::uint32_t>(toMillis(interval));
    return static_cast<int>(millis - randombytes_uniform(millis / 4 + 1));
}

std::string failureReason(std::uint16_t event, std::uint32_t value)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        return "the listener refused our key (status " + std::to_string(value) + ")";
    }
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        return "the other side does not speak the protocol or does not hold the expected key (detail " +
               std::to_string(value) + ")";
    }
    return std::string("the connection ended during the handshake: ") + zmq_strerror(static_cast<int>(value));
}

}  // namespace

class MeshDialer::Client final : public PumpClient {
public:
    Client(const Context& owner, boost::asio::io_context& servingLoop, DialerOptions chosen, DialerHandlers called)
        : context(owner),
          loop(servingLoop),
          options(std::move(chosen)),
          handlers(std::move(called)),
          monitor(*this),
          redialTimer(servingLoop)
    {
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { hangUp(); }

    Result<void> dial();
    void hangUp();
    void reset();
    void redial();
    Code send(std::string&& frame);

    void onParts(std::span<const Part> parts, std::size_t total) override;
    void onBatchEnd() override;
    void onDrained() override;
    bool wantsWritable() const override { return !queue.empty(); }
    void onWritable() override;

    bool isConnected = false;
    std::size_t queueBytes = 0;
    DialerCounters counters;

private:
    class Monitor final : public PumpClient {
    public:
        explicit Monitor(Client& watched) : owner(watched) {}
        void onParts(std::span<const Part> parts, std::size_t total) override;

    private:
        Client& owner;
    };

    Result<void> applySettings(Socket& socket) const;
    Result<std::shared_ptr<Pump>> startMonitor(Socket& watched);
    void onEvent(std::uint16_t event, std::uint32_t value);
    void onRefused(std::uint16_t event, std::uint32_t value);
    void redialLater();
    SendStatus transmit(std::string&& frame);

    Context context;
    boost::asio::io_context& loop;
    DialerOptions options;
    DialerHandlers handlers;
    Monitor monitor;
    std::shared_ptr<Pump> pump;
    std::shared_ptr<Pump> monitorPump;
    boost::asio::steady_timer redialTimer;
    std::uint64_t dialled = 0;  // which socket it is, so that a late timer does not reset another one
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    std::deque<std::string> queue;
    bool refused = false;  // send() has said full, and onWritable is owed
};

Result<void> MeshDialer::Client::applySettings(Socket& socket) const
{
    return firstError({
        applyLinkSettings(socket, {options.maxFrameBytes, options.highWaterMark}, options.endpoint),
        socket.set(ZMQ_CURVE_SERVERKEY, options.serverKey),
        socket.set(ZMQ_CURVE_PUBLICKEY, options.keys.publicKey),
        socket.set(ZMQ_CURVE_SECRETKEY, options.keys.secretKey.cString()),
        socket.set(ZMQ_ROUTING_ID, freshRoutingId()),
        socket.set(ZMQ_IMMEDIATE, 1),
        socket.set(ZMQ_CONNECT_TIMEOUT, static_cast<int>(toMillis(limits::connectTimeout))),
        socket.set(ZMQ_RECONNECT_IVL, jittered(limits::reconnectInitial)),
        socket.set(ZMQ_RECONNECT_IVL_MAX, jittered(limits::reconnectMax)),
    });
}

Result<void> MeshDialer::Client::dial()
{
    auto socket = Socket::open(context, ZMQ_DEALER);
    if (!socket) {
        return socket.error();
    }
    if (auto ready = applySettings(*socket); !ready) {
        return ready;
    }
    auto watching = startMonitor(*socket);
    if (!watching) {
        return watching.error();
    }
    monitorPump = watching.value();
    if (auto connecting = socket->connect(options.endpoint); !connecting) {
        return connecting;
    }
    auto started = Pump::start(loop, std::move(socket.value()), *this);
    if (!started) {
        return started.error();
    }
    pump = started.value();
    ++dialled;
    return {};
}

Result<std::shared_ptr<Pump>> MeshDialer::Client::startMonitor(Socket& watched)
{
    constexpr int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                           ZMQ_EVENT_DISCONNECTED;
    const std::string endpoint = "inproc://monitor-" + std::to_string(context.nextSerial());
    if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), events) != 0) {
        return Error{Code::unavailable, std::string("cannot monitor a socket: ") + zmq_strerror(errno)};
    }
    auto socket = Socket::open(context, ZMQ_PAIR);
    if (!socket) {
        return socket.error();
    }
    if (auto connected = socket->connect(endpoint); !connected) {
        return connected.error();
    }
    return Pump::start(loop, std::move(socket.value()), monitor);
}

void MeshDialer::Client::hangUp()
{
    redialTimer.cancel();
    if (pump) {
        pump->stopMonitor();
    }
    if (monitorPump) {
        std::exchange(monitorPump, nullptr)->close();
    }
    if (pump) {
        std::exchange(pump, nullptr)->close();
    }
}

void MeshDialer::Client::reset()
{
    counters.droppedReset += queue.size();
    queue.clear();
    queueBytes = 0;
    redial();
}

void MeshDialer::Client::redial()
{
    hangUp();
    isConnected = false;
    ++counters.redialled;
    if (!dial()) {
        // No descriptors or sockets left at the moment.
        hangUp();
        redialLater();
    }
}

Code MeshDialer::Client::send(std::string&& frame)
{
    if (frame.size() > options.maxFrameBytes) {
        ++counters.refusedTooLarge;
        return Code::tooLarge;
    }
    if (queue.empty() && transmit(std::move(frame)) == SendStatus::sent) {
        return Code::ok;
    }
    const std::size_t cost = frame.size() + queueEntryBytes;
    if (queueBytes + cost > options.queueBytes) {
        ++counters.refusedFull;
        refused = true;
        return Code::full;
    }
    queueBytes += cost;
    queue.push_back(std::move(frame));
    ++counters.queued;
    return Code::ok;
}

SendStatus MeshDialer::Client::transmit(std::string&& frame)
{
    if (!pump) {
        return SendStatus::wouldBlock;
    }
    const std::size_t size = frame.size();
    const SendStatus status = pump->send({}, std::move(frame));
    if (status == SendStatus::sent) {
        ++counters.sent;
        counters.sentBytes += size;
    }
    return status;
}

// Also while so much comes in that no turn gets to the end of it.
void MeshDialer::Client::onDrained()
{
    if (!queue.empty()) {
        onWritable();
    }
}

void MeshDialer::Client::onWritable()
{
    while (!queue.empty()) {
        const std::size_t cost = queue.front().size() + queueEntryBytes;
        if (transmit(std::move(queue.front())) != SendStatus::sent) {
            break;
        }
        queueBytes -= cost;
        queue.pop_front();
    }
    if (refused && queueBytes <= options.queueBytes / 2) {
        refused = false;
        if (handlers.onWritable) {
            handlers.onWritable();
        }
    }
}

void MeshDialer::Client::onParts(std::span<const Part> parts, std::size_t total)
{
    if (total != 1) {
        ++counters.droppedMalformed;
        return;
    }
    const std::string_view frame = parts[0].view();
    ++counters.received;
    counters.receivedBytes += frame.size();
    if (handlers.onMessage) {
        handlers.onMessage(frame);
    }
}

void MeshDialer::Client::onBatchEnd()
{
    if (handlers.onBatchEnd) {
        handlers.onBatchEnd();
    }
}

// Event: 16 bits of number, 32 bits of value, in host order; then the endpoint.
void MeshDialer::Client::Monitor::onParts(std::span<const Part> parts, std::size_t total)
{
    std::uint16_t event = 0;
    std::uint32_t value = 0;
    if (total < 1 || parts[0].view().size() != sizeof event + sizeof value) {
        return;
    }
    std::memcpy(&event, parts[0].view().data(), sizeof event);
    std::memcpy(&value, parts[0].view().data() + sizeof event, sizeof value);
    owner.onEvent(event, value);
}

void MeshDialer::Client::onEvent(std::uint16_t event, std::uint32_t value)
{
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        isConnected = true;
        ++counters.connected;
        if (handlers.onConnected) {
            handlers.onConnected();
        }
    } else if (event != ZMQ_EVENT_DISCONNECTED) {
        onRefused(event, value);
    } else if (isConnected) {
        isConnected = false;
        ++counters.disconnected;
        if (handlers.onDisconnected) {
            handlers.onDisconnected();
        }
    }
}

void MeshDialer::Client::onRefused(std::uint16_t event, std::uint32_t value)
{
    ++counters.handshakesFailed;
    if (event != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        redialLater();
    }
    if (handlers.onHandshakeFailed) {
        handlers.onHandshakeFailed(failureReason(event, value));
    }
}

// After a refusal libzmq gives the connection up for good; we do not: the key may be registered in a moment. What waits
// was never sent, so it stays.
void MeshDialer::Client::redialLater()
{
    redialTimer.expires_after(std::chrono::milliseconds(jittered(limits::reconnectMax)));
    redialTimer.async_wait(
        [this, which = dialled, watch = std::weak_ptr<bool>(alive)](const boost::system::error_code& error) {
            if (!error && watch.lock() && which == dialled) {
                redial();
            }
        });
}

Result<std::unique_ptr<MeshDialer>> MeshDialer::connect(const Context& context, boost::asio::io_context& loop,
                                                        DialerOptions options, DialerHandlers handlers)
{
    if (!isValidKey(options.serverKey) || !isValidKey(options.keys.publicKey) || options.keys.secretKey.empty()) {
        return Error{Code::invalidArgument, "a dialer needs its own key pair and the listener's public key"};
    }
    auto client = std::make_unique<Client>(context, loop, std::move(options), std::move(handlers));
    if (auto dialled = client->dial(); !dialled) {
        return dialled.error();
    }
    return std::unique_ptr<MeshDialer>(new MeshDialer(std::move(client)));
}

MeshDialer::MeshDialer(std::unique_ptr<Client> owned) : client(std::move(owned)) {}
MeshDialer::~MeshDialer() = default;
Code MeshDialer::send(std::string&& frame)
{
    return client->send(std::move(frame));
}
void MeshDialer::reset()
{
    client->reset();
}
bool MeshDialer::connected() const
{
    return client->isConnected;
}
std::size_t MeshDialer::queuedBytes() const
{
    return client->queueBytes;
}
const DialerCounters& MeshDialer::counters() const
{
    return client->counters;
}

}  // namespace mesh::shoset
