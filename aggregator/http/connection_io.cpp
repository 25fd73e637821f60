#include "aggregator/http/connection.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace mesh::aggregator {

using boost::system::error_code;

bool Connection::wantsToRead() const
{
    switch (phase) {
        case Phase::head:
        case Phase::body:
        case Phase::discarding:
        case Phase::lingering: return true;
        // With the request complete, a read shows that the client goes away, and gets the next request when it does
        // not.
        case Phase::exchange: return parser.done() || granted > waitingBody.size();
        case Phase::greeting:
        case Phase::answering:
        case Phase::closed: return false;
    }
    return false;
}

bool Connection::awaitsBody() const
{
    return phase == Phase::body || phase == Phase::discarding || (phase == Phase::exchange && !parser.done());
}

void Connection::read()
{
    if (!wantsToRead()) {
        return;
    }
    // Also where a read is under way already: one that only watched whether the client goes has no deadline.
    if (awaitsBody() && readDeadline == 0) {
        readDeadline = owner.tickAfter(owner.settings().idleTimeout);
    }
    if (reading) {
        return;
    }
    const bool manyComing = phase != Phase::head && !parser.done() && (!contentLength || *contentLength > 4096);
    const auto room = input.prepare(manyComing);
    if (room.empty()) {
        return;  // pipelined requests: they wait in the client until this answer is out
    }
    reading = true;
    stream->read(room, [self = shared_from_this()](error_code error, std::size_t size) { self->onRead(error, size); });
}

void Connection::onRead(error_code error, std::size_t size)
{
    reading = false;
    if (phase == Phase::closed) {
        return;
    }
    if (error) {
        return onReadEnd();
    }
    input.commit(size);
    noteProgress(size);
    if (phase == Phase::lingering) {
        discarded += input.bytes().size();
        input.discard();
        return discarded > limits::httpDiscardBytes ? close() : read();
    }
    if (phase == Phase::head && !std::exchange(headStarted, true)) {
        readDeadline = owner.tickAfter(owner.settings().headerTimeout);
    }
    if (phase == Phase::exchange && parser.done()) {
        return read();
    }
    if (phase != Phase::answering) {
        processInput();
    }
}

// A body has its time for each of its parts, not for each byte: nobody holds a connection by dripping.
void Connection::noteProgress(std::size_t size)
{
    progress += size;
    if (awaitsBody() && progress >= limits::httpProgressBytes) {
        progress = 0;
        readDeadline = 0;
    }
}

// The client closed its side. Whoever waits for an answer keeps both sides open, so this is taken as going away.
void Connection::onReadEnd()
{
    if (phase == Phase::answering) {
        return;  // the write shows whether it still listens
    }
    abandon();
}

void Connection::processInput()
{
    while (!input.empty() && !parser.done()) {
        const auto used = parser.consume(input.bytes(), *this);
        if (!used) {
            return onParseError(used.error());
        }
        input.consume(*used);
        if (bodyBytes > owner.settings().maxBodyBytes) {
            return onParseError({Code::tooLarge, "The request's body is too large."});
        }
        if (!parser.done()) {
            break;
        }
    }
    if (phase == Phase::head && headSeen && !acceptHead()) {
        return;
    }
    if (phase == Phase::body && firstPieceComplete()) {
        return dispatch();
    }
    if (phase == Phase::exchange) {
        deliverBody();
    }
    if (phase == Phase::discarding && parser.done()) {
        return nextRequest();
    }
    if (phase == Phase::discarding && discarded > limits::httpDiscardBytes) {
        return linger();
    }
    read();
}

void Connection::onParseError(const Error& error)
{
    int status = 400;
    if (error.code == Code::tooLarge) {
        status = headSeen ? 413 : parser.targetTooLong() ? 414 : 431;
        ++owner.count().tooLarge;
    } else {
        status = error.code == Code::unsupported ? 501 : 400;
        ++owner.count().malformed;
    }
    if (phase == Phase::discarding) {
        return linger();
    }
    if (exchange != 0 && response.started()) {
        return abandon();
    }
    if (exchange != 0) {
        ++owner.count().aborted;
        owner.events().onAborted(std::exchange(exchange, 0));
    }
    answer(status, error.message);
}

void Connection::onHead(RequestHead head, std::optional<std::uint64_t> length)
{
    headSeen = true;
    request = std::move(head);
    contentLength = length;
}

void Connection::onBody(std::string_view piece)
{
    bodyBytes += piece.size();
    if (phase == Phase::discarding) {
        discarded += piece.size();
    } else {
        waitingBody += piece;
    }
}

bool Connection::acceptHead()
{
    progress = 0;
    readDeadline = 0;
    if (refusing) {
        ++owner.count().refusedFull;
        answer(503, "Too many connections.", {{"Retry-After", "1"}});
        return false;
    }
    if (redirecting) {
        redirect();
        return false;
    }
    if (contentLength.value_or(0) > owner.settings().maxBodyBytes) {
        ++owner.count().tooLarge;
        answer(413, "The request's body is too large.");
        return false;
    }
    phase = Phase::body;
    return true;
}

// Small bodies come to the owner whole. A large one, and one that waits for "100 Continue", is announced first.
bool Connection::firstPieceComplete() const
{
    return parser.done() || parser.expectsContinue() || waitingBody.size() >= limits::inlineBodyBytes ||
           contentLength.value_or(0) > limits::inlineBodyBytes;
}

void Connection::dispatch()
{
    phase = Phase::exchange;
    readDeadline = 0;
    exchange = owner.nextExchange(*this);
    response.begin({});
    ++owner.count().requests;
    RequestInfo info;
    info.head = std::move(request);
    request.method = info.head.method;
    info.remote = remote;
    if (waitingBody.size() <= limits::inlineBodyBytes) {
        info.body = std::exchange(waitingBody, {});
    } else {
        info.body = waitingBody.substr(0, limits::inlineBodyBytes);
        waitingBody.erase(0, limits::inlineBodyBytes);
    }
    bodyDelivered = parser.done() && waitingBody.empty();
    info.bodyFollows = !bodyDelivered;
    info.contentLength = bodyDelivered ? info.body.size() : contentLength.value_or(0);
    owner.events().onRequest(exchange, std::move(info));
    read();
}

void Connection::deliverBody()
{
    while (phase == Phase::exchange && exchange != 0 && !bodyDelivered) {
        const std::size_t size = std::min(granted, waitingBody.size());
        const bool last = parser.done() && size == waitingBody.size();
        if (size == 0 && !last) {
            return;
        }
        std::string piece;
        if (size == waitingBody.size()) {
            piece = std::exchange(waitingBody, {});
        } else {
            piece = waitingBody.substr(0, size);
            waitingBody.erase(0, size);
        }
        granted -= size;
        bodyDelivered = last;
        if (last || granted == 0) {  // the client is not awaited
            progress = 0;
            readDeadline = 0;
        }
        owner.events().onRequestBody(exchange, std::move(piece), last);
    }
}

void Connection::redirect()
{
    const std::string* host = findHeader(request.headers, "Host");
    if (host == nullptr || host->empty()) {
        ++owner.count().malformed;
        return answer(400, "This port speaks HTTPS.");
    }
    ++owner.count().redirected;
    answer(308, "This port speaks HTTPS.", {{"Location", "https://" + *host + request.target}});
}

// Our own last words: the connection ends with them.
void Connection::answer(int status, std::string_view sentence, Headers headers)
{
    phase = Phase::answering;
    readDeadline = 0;
    ErrorDocument document = owner.errorDocument(status, sentence);
    std::move(document.headers.begin(), document.headers.end(), std::back_inserter(headers));
    response.begin({request.method == "HEAD", parser.http10(), false});
    response.start({status, std::move(headers)}, std::move(document.body), true, output);
    write();
}

void Connection::write()
{
    if (writing || output.empty() || phase == Phase::closed) {
        return;
    }
    std::array<boost::asio::const_buffer, 16> buffers;
    const std::size_t count = output.front(buffers);
    writing = true;
    writeDeadline = owner.tickAfter(owner.settings().idleTimeout);
    stream->write(std::span(buffers).first(count),
                  [self = shared_from_this()](error_code error, std::size_t size) { self->onWritten(error, size); });
}

void Connection::onWritten(error_code error, std::size_t size)
{
    writing = false;
    writeDeadline = 0;
    if (phase == Phase::closed) {
        return;
    }
    if (error) {
        return abandon();
    }
    const std::size_t payload = output.consume(size) + response.takeDropped();
    if (payload > 0 && exchange != 0) {
        owner.events().onWritten(exchange, payload);
    }
    if (phase != Phase::closed) {
        write();
        afterOutput();
    }
}

void Connection::afterOutput()
{
    const std::size_t dropped = exchange != 0 ? response.takeDropped() : 0;
    if (dropped > 0) {
        owner.events().onWritten(exchange, dropped);
    }
    if (phase != Phase::closed && !writing && output.empty() && response.ended()) {
        finishExchange();
    }
}

void Connection::finishExchange()
{
    exchange = 0;
    waitingBody = {};
    if (response.closes() || draining) {
        return linger();
    }
    if (parser.done()) {
        return nextRequest();
    }
    phase = Phase::discarding;
    discarded = 0;
    processInput();
}

void Connection::nextRequest()
{
    parser.reset();
    response.begin({});
    request = {};
    contentLength.reset();
    headSeen = false;
    bodyBytes = 0;
    granted = 0;
    continueSent = false;
    phase = Phase::head;
    headStarted = !input.empty();
    readDeadline = owner.tickAfter(headStarted ? owner.settings().headerTimeout : owner.settings().idleTimeout);
    processInput();
}

void Connection::linger()
{
    phase = Phase::lingering;
    discarded = 0;
    input.discard();
    writeDeadline = 0;
    readDeadline = owner.tickAfter(limits::httpLingerTime);
    stream->shutdown([self = shared_from_this()] { self->read(); });
}

}  // namespace mesh::aggregator
