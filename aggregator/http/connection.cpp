#include "aggregator/http/connection.hpp"

#include "aggregator/http/address.hpp"

#include <boost/asio/post.hpp>

#include <sys/socket.h>

namespace mesh::aggregator {

using boost::asio::ip::tcp;
using boost::system::error_code;

static constexpr unsigned char tlsHandshakeRecord = 0x16;

Connection::Connection(ConnectionOwner& server, tcp::socket accepted, std::size_t atPlace, bool refuse)
    : owner(server), socket(std::move(accepted)), place(atPlace), refusing(refuse)
{
    error_code ignored;
    remote = formatEndpoint(socket.remote_endpoint(ignored));
}

void Connection::start(std::shared_ptr<http::ServerTls> tls)
{
    readDeadline = owner.tickAfter(owner.settings().headerTimeout);
    const auto self = shared_from_this();
    if (!tls) {
        http::acceptStream(std::move(socket), nullptr, [self](auto outcome) { self->onStream(std::move(outcome)); });
        return;
    }
    tlsContext = std::move(tls);
    socket.async_wait(tcp::socket::wait_read, [self](error_code) { self->onFirstByte(); });
}

// Whoever speaks plain HTTP to the TLS port gets a redirect instead of a broken handshake.
void Connection::onFirstByte()
{
    if (phase == Phase::closed) {
        return;
    }
    unsigned char first = 0;
    if (::recv(socket.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return close();
    }
    redirecting = first != tlsHandshakeRecord;
    const auto tls = redirecting ? nullptr : std::move(tlsContext);
    tlsContext.reset();
    cancelHandshake = http::acceptStream(std::move(socket), tls, [self = shared_from_this()](auto outcome) {
        self->onStream(std::move(outcome));
    });
}

void Connection::onStream(Result<std::unique_ptr<http::Stream>> outcome)
{
    cancelHandshake = nullptr;
    if (phase == Phase::closed) {
        return;
    }
    if (!outcome) {
        ++owner.count().tlsFailed;
        return close();
    }
    stream = std::move(*outcome);
    phase = Phase::head;
    if (draining) {
        return linger();
    }
    read();
}

void Connection::respond(ResponseHead head, std::string body, bool last)
{
    if (response.started()) {
        return fail();
    }
    response.begin({request.method == "HEAD", parser.http10(), keepsAlive()});
    if (!response.start(std::move(head), std::move(body), last, output)) {
        return fail();
    }
    write();
}

void Connection::fail()
{
    ++owner.count().cut;
    owner.post([self = shared_from_this()] { self->abandon(); });
}

// The connection can carry another request if the rest of this one will be read, that is, is known to be short.
bool Connection::keepsAlive() const
{
    if (!parser.keepAlive() || draining || redirecting || refusing) {
        return false;
    }
    if (parser.done()) {
        return true;
    }
    const bool awaitsContinue = parser.expectsContinue() && !continueSent && bodyBytes == 0;
    return !awaitsContinue && contentLength && *contentLength - bodyBytes <= limits::httpDiscardBytes;
}

void Connection::writeBody(std::string piece, bool last)
{
    if (!response.started() || response.ended() || !response.add(std::move(piece), last, output)) {
        return fail();
    }
    if (output.empty()) {
        return postPump();  // of HEAD: nothing to write, but the owner waits to hear that it may go on
    }
    write();
}

void Connection::abort()
{
    ++owner.count().cut;
    exchange = 0;
    stream->reset();
    close();
}

void Connection::grant(std::size_t bytes)
{
    granted += bytes;
    const bool awaitsContinue = parser.expectsContinue() && !continueSent && bodyBytes == 0 && !response.started();
    if (awaitsContinue && !parser.done()) {
        continueSent = true;
        output.push("HTTP/1.1 100 Continue\r\n\r\n", OutputQueue::Kind::framing);
        write();
    }
    if (!waitingBody.empty() || (parser.done() && !bodyDelivered)) {
        return postPump();
    }
    read();
}

void Connection::postPump()
{
    if (!std::exchange(pumpPosted, true)) {
        // Only in an exchange, and then by the loop: never from inside the owner's call.
        owner.post([self = shared_from_this()] { self->pump(); });
    }
}

void Connection::pump()
{
    pumpPosted = false;
    if (phase == Phase::exchange) {
        deliverBody();
    }
    if (phase == Phase::exchange) {
        read();
        afterOutput();
    }
}

void Connection::onTick(std::uint64_t tick)
{
    const bool readLate = readDeadline != 0 && tick >= readDeadline;
    const bool writeLate = writeDeadline != 0 && tick >= writeDeadline;
    if (writeLate) {
        ++owner.count().timedOut;
        return abandon();
    }
    if (readLate) {
        onTimeout();
    }
}

void Connection::onTimeout()
{
    const bool idle = phase == Phase::head && !headStarted;
    const bool began = parser.started() || !input.empty();
    if (phase == Phase::lingering) {
        return close();
    }
    if (idle) {
        return linger();
    }
    ++owner.count().timedOut;
    if ((phase == Phase::head && began) || phase == Phase::body) {
        return answer(408, "The request did not arrive in time.");
    }
    if (phase == Phase::exchange && !response.started()) {
        ++owner.count().aborted;
        owner.events().onAborted(std::exchange(exchange, 0));
        return answer(408, "The request's body did not arrive in time.");
    }
    abandon();
}

void Connection::abandon()
{
    if (exchange != 0) {
        ++owner.count().aborted;
        const ExchangeId ended = std::exchange(exchange, 0);
        stream->reset();
        close();
        return owner.events().onAborted(ended);
    }
    owner.count().aborted += phase == Phase::body ? 1 : 0;
    close();
}

void Connection::drain()
{
    draining = true;
    if (phase == Phase::head && !parser.started() && input.empty()) {
        linger();
    }
}

void Connection::close()
{
    if (std::exchange(phase, Phase::closed) == Phase::closed) {
        return;
    }
    const auto self = shared_from_this();
    exchange = 0;
    readDeadline = 0;
    writeDeadline = 0;
    if (cancelHandshake) {
        std::exchange(cancelHandshake, nullptr)();
    }
    // Also lets go of the handlers that hold this connection, should the loop not run again.
    stream.reset();
    error_code ignored;
    socket.close(ignored);
    owner.release(*this);
}

}  // namespace mesh::aggregator
