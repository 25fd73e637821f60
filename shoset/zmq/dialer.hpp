#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/zmq/context.hpp"
#include "shoset/zmq/keys.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mesh::shoset {

struct DialerOptions {
    std::string endpoint;   // of one listener: "tcp://10.0.0.1:5670", "tcp://[fd00::1]:5670"; a name resolves to IPv4
    std::string serverKey;  // its public key, Z85
    KeyPair keys;           // our own
    std::size_t maxFrameBytes = limits::maxFrameBytes;
    std::size_t queueBytes = limits::peerQueueBytes;  // waiting for the link or beyond libzmq's high-water mark
    int highWaterMark = limits::socketHighWaterMark;
};

// All are called on the loop's thread and never from inside a function of the dialer. They may call every function of
// it, but not destroy it. Unset ones are not called.
struct DialerHandlers {
    // `frame` lives as long as the call. It comes from the holder of the server key.
    std::function<void(std::string_view frame)> onMessage = {};
    // After each batch of messages: the moment to send what they gave rise to, coalesced.
    std::function<void()> onBatchEnd = {};
    // After send() has said Code::full: half of the queue is free again.
    std::function<void()> onWritable = {};
    // Advice from libzmq's monitor, which can be late: the session's own hello and heartbeats decide. Connected: the
    // handshake is done, say hello now. Disconnected: what was in flight is lost; call reset().
    std::function<void()> onConnected = {};
    std::function<void()> onDisconnected = {};
    // A sentence for the log. The dialer goes on trying.
    std::function<void(const std::string& reason)> onHandshakeFailed = {};
};

struct DialerCounters {
    std::uint64_t received = 0;
    std::uint64_t receivedBytes = 0;
    std::uint64_t sent = 0;              // taken by libzmq
    std::uint64_t sentBytes = 0;
    std::uint64_t queued = 0;            // had to wait
    std::uint64_t refusedFull = 0;       // send() said Code::full
    std::uint64_t refusedTooLarge = 0;   // send() said Code::tooLarge
    std::uint64_t droppedReset = 0;      // frames that waited when reset() came
    std::uint64_t droppedMalformed = 0;  // messages that were not one frame
    std::uint64_t connected = 0;
    std::uint64_t disconnected = 0;
    std::uint64_t handshakesFailed = 0;
    std::uint64_t redialled = 0;         // sockets made anew by reset() or after a refusal
};

// A CURVE client (DEALER) for one listener, dialling until it is destroyed. One thread: the loop's.
//
// libzmq dials again by itself, under the same routing id, which the listener may still hold for a connection whose end
// it has not seen; then the new one is mute. Hence: after onDisconnected, after an unanswered hello and after missed
// heartbeats call reset(), which starts over under a fresh random routing id. libzmq never resends.
class MeshDialer {
public:
    // Code::invalidArgument for a bad key or endpoint. An unreachable listener is not an error.
    static Result<std::unique_ptr<MeshDialer>> connect(const Context& context, boost::asio::io_context& loop,
                                                       DialerOptions options, DialerHandlers handlers);
    ~MeshDialer();

    // Sends one message, now or as soon as the link takes it. Takes the frame only when it returns Code::ok; what is
    // queued is dropped by reset(). Code::full, Code::tooLarge.
    [[nodiscard]] Code send(std::string&& frame);

    // Drops the connection and all queued frames, and dials anew. No handler is called for the old connection any more.
    void reset();

    // As far as the monitor told.
    bool connected() const;
    std::size_t queuedBytes() const;
    const DialerCounters& counters() const;

private:
    class Client;
    explicit MeshDialer(std::unique_ptr<Client> owned);
    std::unique_ptr<Client> client;
};

}  // namespace mesh::shoset
