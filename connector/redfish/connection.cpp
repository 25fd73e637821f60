#include "connector/redfish/connection.hpp"

#include "shoset/base/limits.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstring>

namespace mesh::connector {

namespace {

using boost::system::error_code;

constexpr int switchingProtocols = 101;

}  // namespace

Connection::Connection(BmcConnection number, std::weak_ptr<ConnectionOwner> owning)
    : id(number), reportTo(std::move(owning))
{
}

Connection::~Connection()
{
    explicit_bzero(out.data(), out.size());
}

void Connection::connect(const boost::asio::any_io_executor& executor, const BmcUrl& url,
                         const std::shared_ptr<http::ClientTls>& tls)
{
    cancelConnect = http::connectStream(
        executor, url.host, url.port, tls, [self = shared_from_this()](Result<std::unique_ptr<http::Stream>> outcome) {
            const auto held = self->reportTo.lock();
            if (self->closed || !held) {
                return;
            }
            self->cancelConnect = nullptr;
            if (!outcome) {
                self->closed = true;
                held->onConnectFailed(self->id, outcome.error());
                return;
            }
            self->stream = std::move(*outcome);
            held->onConnected(self->id);
            self->armRead();
        });
}

void Connection::begin(BmcExchange carried, bool withoutBody)
{
    carrying = carried;
    busy = true;
    answerOver = false;
    requestComplete = false;
    accepted = 0;
    noBody = withoutBody;
    restartParser();
}

void Connection::restartParser()
{
    interim = false;
    parser.reset();
    if (noBody) {
        parser.expectNoBody();
    }
}

void Connection::write(bool complete)
{
    if (closed || writeOutstanding) {
        return;
    }
    requestComplete = complete;
    writeOutstanding = true;
    const boost::asio::const_buffer bytes(out.data(), out.size());
    stream->write({&bytes, 1},
                  [self = shared_from_this()](error_code error, std::size_t size) { self->onWrite(error, size); });
    if (!handling) {
        armRead();
    }
}

void Connection::onWrite(error_code error, std::size_t size)
{
    const auto held = reportTo.lock();
    writeOutstanding = false;
    accepted += size;
    if (closed || !held) {
        return;
    }
    owner = held.get();
    if (!lostBecause.empty() || (error && accepted == 0)) {
        lose(lostBecause.empty() ? error.message() : lostBecause);
    } else if (error) {
        // It may have answered before it closed; reading tells.
        requestComplete = false;
    } else {
        owner->onWritten(id);
    }
    owner = nullptr;
}

void Connection::resume()
{
    if (!handling) {
        armRead();
    }
}

void Connection::armRead()
{
    if (closed || readOutstanding || !lostBecause.empty() || answerOver) {
        return;
    }
    std::size_t room = limits::bmcReadBytes;
    if (busy) {
        const auto held = reportTo.lock();
        room = held ? held->answerRoom(id) : 0;
    }
    if (room == 0) {
        return;
    }
    if (filled == capacity || (filled == 0 && capacity > limits::bmcReadBytes)) {
        const std::size_t wanted = filled == 0 ? limits::bmcReadBytes : limits::httpBufferBytes;
        auto larger = std::make_unique_for_overwrite<char[]>(wanted);
        std::copy_n(buffer.get(), filled, larger.get());
        buffer = std::move(larger);
        capacity = wanted;
    }
    readOutstanding = true;
    stream->read({buffer.get() + filled, std::min(capacity - filled, room)},
                 [self = shared_from_this()](error_code error, std::size_t size) { self->onRead(error, size); });
}

void Connection::onRead(error_code error, std::size_t size)
{
    const auto held = reportTo.lock();
    readOutstanding = false;
    if (closed || !held) {
        return;
    }
    owner = held.get();
    handling = true;
    if (error) {
        onReadError(error);
    } else if (!busy) {
        lose("it sent bytes that nobody asked for");
    } else {
        filled += size;
        consume();
    }
    handling = false;
    owner = nullptr;
    armRead();
}

void Connection::onReadError(error_code error)
{
    if (busy && error == boost::asio::error::eof && parser.headDone() && !interim && parser.finish(*this) && !closed &&
        parser.done()) {
        endAnswer(false);
        return;
    }
    if (!closed) {
        lose(error == boost::asio::error::eof ? "it closed the connection" : error.message());
    }
}

void Connection::consume()
{
    std::size_t used = 0;
    bool more = true;
    while (more && used < filled) {
        const Result<std::size_t> took = parser.consume({buffer.get() + used, filled - used}, *this);
        if (closed) {
            return;
        }
        if (!took) {
            owner->onAnswering(id);
            lose("its answer is not HTTP: " + took.error().message);
            return;
        }
        used += *took;
        more = parser.done() && interim;
        if (more) {
            restartParser();
        }
    }
    if (parser.started() && !interim) {
        owner->onAnswering(id);
    }
    const bool done = parser.done();
    if (done) {
        answerOver = true;
        endAnswer(requestComplete && !writeOutstanding && used == filled && parser.keepAlive());
    } else {
        owner->onAnswerPause(id);
    }
    if (!closed) {
        filled = done ? 0 : filled - used;
        std::memmove(buffer.get(), buffer.get() + used, filled);
    }
}

void Connection::onHead(ResponseHead head, std::optional<std::uint64_t> length)
{
    if (closed) {
        return;
    }
    interim = head.status < 200 && head.status != switchingProtocols;
    if (!interim) {
        owner->onAnswerHead(id, std::move(head), length);
    }
}

void Connection::onBody(std::string_view piece)
{
    if (!closed && !interim) {
        owner->onAnswerBody(id, piece);
    }
}

void Connection::endAnswer(bool reusable)
{
    answerOver = true;
    owner->onAnswerEnd(id, reusable);
}

void Connection::release()
{
    busy = false;
    answerOver = false;
    carrying = 0;
    if (!writeOutstanding && out.capacity() > limits::bmcReadBytes) {
        std::string().swap(out);
    }
}

void Connection::giveUp(const std::string& why)
{
    if (const auto held = reportTo.lock(); held && !closed) {
        closed = true;
        stream.reset();
        held->onLost(id, false, why);
    }
}

// A write that is under way is waited for: only it knows whether anything was sent.
void Connection::lose(const std::string& why)
{
    lostBecause = why;
    stream->close();
    if (!writeOutstanding) {
        closed = true;
        stream.reset();
        owner->onLost(id, busy && accepted == 0, why);
    }
}

void Connection::close()
{
    closed = true;
    if (cancelConnect) {
        std::exchange(cancelConnect, nullptr)();
    }
    // Outstanding operations hold us, and the stream would hold them.
    stream.reset();
}

}  // namespace mesh::connector
