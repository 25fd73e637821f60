#include "shoset/zmq/pump.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace mesh::shoset {
namespace asio = boost::asio;

namespace {

// Rounds of one turn before other handlers of the loop get theirs.
constexpr int maxRounds = 8;

SendStatus statusOfErrno()
{
    return errno == EAGAIN         ? SendStatus::wouldBlock
           : errno == EHOSTUNREACH ? SendStatus::unreachable
                                   : SendStatus::failed;
}

bool sendPart(void* handle, Part& part, int flags)
{
    int sent = 0;
    do {
        sent = zmq_msg_send(part.raw(), handle, flags | ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

bool sendBytes(void* handle, std::string_view bytes, int flags)
{
    int sent = 0;
    do {
        sent = zmq_send(handle, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

}  // namespace

Result<std::shared_ptr<Pump>> Pump::start(asio::io_context& loop, Socket socket, PumpClient& client)
{
    int original = -1;
    std::size_t size = sizeof original;
    if (zmq_getsockopt(socket.handle(), ZMQ_FD, &original, &size) != 0) {
        return Error{Code::unavailable, std::string("no descriptor of a ZeroMQ socket: ") + zmq_strerror(errno)};
    }
    const int copy = fcntl(original, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return Error{Code::unavailable, std::string("cannot copy a descriptor: ") + std::strerror(errno)};
    }
    std::shared_ptr<Pump> pump(new Pump(loop, std::move(socket), client, copy));
    pump->schedule();
    return pump;
}

Pump::Pump(asio::io_context& servingLoop, Socket owned, PumpClient& served, int descriptorCopy)
    : client(served),
      socket(std::make_unique<Socket>(std::move(owned))),
      descriptor(std::make_unique<asio::posix::stream_descriptor>(servingLoop, descriptorCopy)),
      loop(servingLoop)
{
}

Pump::~Pump()
{
    close();
}

void Pump::close()
{
    descriptor.reset();
    socket.reset();
}

SendStatus Pump::send(std::string_view routingId, std::string&& frame)
{
    if (!socket) {
        return SendStatus::failed;
    }
    touch();
    if (!routingId.empty() && !sendBytes(socket->handle(), routingId, ZMQ_SNDMORE)) {
        return statusOfErrno();
    }
    Part part;
    part.assign(std::move(frame));
    if (sendPart(socket->handle(), part, 0)) {
        return SendStatus::sent;
    }
    const SendStatus status = statusOfErrno();
    frame = part.takeBack();
    return status;
}

SendStatus Pump::sendParts(std::span<const std::string_view> frames)
{
    if (!socket) {
        return SendStatus::failed;
    }
    touch();
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (!sendBytes(socket->handle(), frames[i], i + 1 < frames.size() ? ZMQ_SNDMORE : 0)) {
            return statusOfErrno();
        }
    }
    return SendStatus::sent;
}

void Pump::stopMonitor()
{
    if (socket) {
        touch();
        zmq_socket_monitor(socket->handle(), nullptr, 0);
    }
}

void Pump::touch()
{
    touched = true;
    if (!inTurn) {
        schedule();
    }
}

void Pump::schedule()
{
    if (scheduled || !socket) {
        return;
    }
    scheduled = true;
    asio::post(loop, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->scheduled = false;
            self->turn();
        }
    });
}

void Pump::wait()
{
    if (waiting) {
        return;
    }
    waiting = true;
    descriptor->async_wait(asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                               const auto self = weak.lock();
                               if (!self) {
                                   return;
                               }
                               self->waiting = false;
                               if (!error) {
                                   self->turn();
                               }
                           });
}

void Pump::turn()
{
    if (!socket) {
        return;
    }
    const std::shared_ptr<Pump> self = shared_from_this();
    inTurn = true;
    std::size_t received = 0;
    bool quiet = false;
    turnBytes = 0;
    const auto hasRoom = [&] { return received < limits::messagesPerTurn && turnBytes < limits::bytesPerTurn; };
    for (int round = 0; round < maxRounds && hasRoom() && socket && !quiet; ++round) {
        const std::size_t before = received;
        while (hasRoom() && receive()) {
            ++received;
        }
        if (socket && received > before) {
            client.onBatchEnd();
        }
        if (socket && round == 0) {
            client.onDrained();
        }
        quiet = socket && hasRoom() && settled();
    }
    inTurn = false;
    if (!socket) {
        return;
    }
    if (quiet) {
        wait();
    } else {
        schedule();
    }
}

bool Pump::receive()
{
    if (!socket) {
        return false;
    }
    std::size_t total = 0;
    for (bool more = true; more; ++total) {
        Part& part = total < maxParts ? parts[total] : surplus;
        int got = 0;
        do {
            got = zmq_msg_recv(part.raw(), socket->handle(), ZMQ_DONTWAIT);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            touched = false;
            return false;
        }
        more = part.more();
        turnBytes += static_cast<std::size_t>(got);
    }
    const std::size_t kept = std::min(total, maxParts);
    client.onParts(std::span<const Part>(parts).first(kept), total);
    for (std::size_t i = 0; i < kept; ++i) {
        parts[i].clear();
    }
    surplus.clear();
    return true;
}

// True when nothing can progress and every later change makes the descriptor readable.
bool Pump::settled()
{
    if (touched) {
        return false;
    }
    if (!client.wantsWritable()) {
        return true;
    }
    int ready = 0;
    std::size_t size = sizeof ready;
    if (zmq_getsockopt(socket->handle(), ZMQ_EVENTS, &ready, &size) != 0) {
        return true;
    }
    if ((ready & ZMQ_POLLOUT) != 0) {
        client.onWritable();
    }
    return (ready & (ZMQ_POLLIN | ZMQ_POLLOUT)) == 0;
}

}  // namespace mesh::shoset
