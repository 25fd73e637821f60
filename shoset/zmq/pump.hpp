#pragma once

#include "shoset/zmq/socket.hpp"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// Inner header of this module.
namespace mesh::shoset {

// What a pump tells the object that it serves, on the loop's thread, never from inside a call into the pump.
class PumpClient {
public:
    // One whole message. `total` counts its frames, `parts` holds the first of them, at most Pump::maxParts.
    virtual void onParts(std::span<const Part> parts, std::size_t total) = 0;
    // After the messages of one batch.
    virtual void onBatchEnd() {}
    // Once per turn, after the input was read: the commands that make a peer writable have been processed.
    virtual void onDrained() {}
    // Whether something waits for the socket to be writable, and the moment when it is. onWritable() must send or empty
    // the queue.
    virtual bool wantsWritable() const { return false; }
    virtual void onWritable() {}

protected:
    ~PumpClient() = default;
};

enum class SendStatus { sent, wouldBlock, unreachable, failed };

// Owns a socket and both its directions on the loop; the only place that calls send and receive.
//
// ZMQ_FD tells once that libzmq has put commands into the socket's mailbox. Any call on the socket may process them,
// and then the descriptor stays silent although messages are there. So the pump waits only in a state that it has
// proved: the last call on the socket was a receive that found nothing (which processes all commands before it says
// so), or, when output waits too, a reading of ZMQ_EVENTS that shows neither direction ready. Whatever comes after
// that proof makes the descriptor readable. A send outside a turn asks for a turn.
class Pump : public std::enable_shared_from_this<Pump> {
public:
    static constexpr std::size_t maxParts = 8;

    // `client` must live until close().
    static Result<std::shared_ptr<Pump>> start(boost::asio::io_context& loop, Socket socket, PumpClient& client);
    ~Pump();

    // Sends one frame without waiting, after `routingId` when that is not empty (ROUTER). Takes the bytes only when the
    // status is `sent`.
    SendStatus send(std::string_view routingId, std::string&& frame);
    // A reply of several frames, to REP.
    SendStatus sendParts(std::span<const std::string_view> frames);
    // Ends the monitoring of the socket. libzmq's I/O thread would wait for ever for a monitor that has closed its end.
    void stopMonitor();
    // Asks for a turn of the loop, once however often it is called.
    void schedule();
    // Ends all calls to the client and closes the socket. May be called from inside the client's functions.
    void close();

private:
    Pump(boost::asio::io_context& loop, Socket owned, PumpClient& served, int descriptorCopy);
    void turn();
    bool receive();
    bool settled();
    void wait();
    void touch();

    PumpClient& client;
    std::unique_ptr<Socket> socket;
    std::unique_ptr<boost::asio::posix::stream_descriptor> descriptor;  // a copy of ZMQ_FD; ends before the socket
    boost::asio::io_context& loop;
    std::array<Part, maxParts> parts;
    Part surplus;
    std::size_t turnBytes = 0;  // received in this turn
    bool inTurn = false;
    bool scheduled = false;
    bool waiting = false;
    bool touched = false;  // a call that may have processed commands came after the last empty receive
};

}  // namespace mesh::shoset
