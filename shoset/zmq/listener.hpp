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

// One authenticated connection to a listener. Never reused by a later connection, also not by one of the same key.
using PeerId = std::uint64_t;

struct ListenerOptions {
    KeyPair keys;                                         // none where it is local
    bool local = false;                                   // "ipc://…": no encryption, Zap's local authenticator decides
    std::string domain = "mesh";                          // what Zap's authenticator is told
    std::size_t maxFrameBytes = limits::maxFrameBytes;    // a peer that sends a longer one loses its connection
    std::size_t peerQueueBytes = limits::peerQueueBytes;  // waiting for one peer beyond libzmq's high-water mark
    int highWaterMark = limits::socketHighWaterMark;      // messages per peer and direction inside libzmq
    std::size_t maxPeers = limits::maxLinks;
};

// All are called on the loop's thread and never from inside a function of the listener. They may call every function of
// it, but not destroy it. Unset ones are not called.
struct ListenerHandlers {
    // `userId` is the registry id that the connection's key proved; `frame` lives as long as the call. A peer is known
    // from its first message.
    std::function<void(PeerId peer, std::string_view userId, std::string_view frame)> onMessage = {};
    // After each batch of messages: the moment to send what they gave rise to, coalesced.
    std::function<void()> onBatchEnd = {};
    // The connection has ended and the peer is forgotten. Noticed when something is sent to it, or by and by:
    // heartbeats are faster. Not called after forget() or disconnect().
    std::function<void(PeerId peer)> onPeerGone = {};
    // After send() has said Code::full: half of the queue is free again.
    std::function<void(PeerId peer)> onPeerWritable = {};
};

struct ListenerCounters {
    std::uint64_t received = 0;
    std::uint64_t receivedBytes = 0;
    std::uint64_t sent = 0;               // taken by libzmq
    std::uint64_t sentBytes = 0;
    std::uint64_t queued = 0;             // had to wait in a peer's queue
    std::uint64_t refusedFull = 0;        // send() said Code::full
    std::uint64_t refusedTooLarge = 0;    // send() said Code::tooLarge
    std::uint64_t refusedGone = 0;        // send() said Code::notSent
    std::uint64_t droppedGone = 0;        // frames that waited for a peer that vanished, was forgotten or disconnected
    std::uint64_t droppedMalformed = 0;   // messages that were not one frame
    std::uint64_t droppedUnproved = 0;    // messages without an identity proved by Zap
    std::uint64_t droppedTooMany = 0;     // messages of peers beyond maxPeers
    std::uint64_t droppedCut = 0;         // messages of peers that were disconnected
    std::uint64_t peersGone = 0;
    std::uint64_t disconnected = 0;       // connections ended by disconnect()
};

// A CURVE server (ROUTER) on one endpoint, or one for the processes of this machine. One thread: the loop's.
//
// Invariants: nobody gets in without Zap's consent. A frame for which send() said Code::ok is given to libzmq in order,
// or counted in droppedGone; what libzmq took is lost without a word when the connection ends, so sessions acknowledge.
// A peer that does not read holds up nobody else and costs at most its queue and high-water mark.
class MeshListener {
public:
    // `endpoint` as for zmq_bind: "tcp://0.0.0.0:5670", port 0 or "*" for any free one. Code::unavailable: address
    // taken.
    static Result<std::unique_ptr<MeshListener>> bind(const Context& context, boost::asio::io_context& loop,
                                                      const std::string& endpoint, ListenerOptions options,
                                                      ListenerHandlers handlers);
    ~MeshListener();

    // With the real port.
    const std::string& endpoint() const;

    // Sends one message, now or as soon as the peer takes it. Takes the frame only when it returns Code::ok.
    // Code::full: its queue is; Code::notSent: no such peer (any more); Code::tooLarge.
    [[nodiscard]] Code send(PeerId peer, std::string&& frame);

    // Ends that peer's connection and no other's, drops what waits for it, discards what still comes from it. The
    // client may connect again and is then authenticated anew. False when the connection was already gone.
    bool disconnect(PeerId peer);

    // Drops what is kept for the peer. Should it speak again on the same connection, it is back under the same id.
    void forget(PeerId peer);

    // Looks now whose connection has ended; onPeerGone follows.
    void sweep();

    std::size_t queuedBytes(PeerId peer) const;
    // The IP address that the connection came from; empty when the peer is not known.
    std::string_view address(PeerId peer) const;
    std::size_t peerCount() const;
    const ListenerCounters& counters() const;

private:
    class Server;
    explicit MeshListener(std::unique_ptr<Server> owned);
    std::unique_ptr<Server> server;
};

}  // namespace mesh::shoset
