#pragma once

#include "aggregator/core/http_port.hpp"
#include "aggregator/http/input_buffer.hpp"
#include "aggregator/http/response_writer.hpp"
#include "aggregator/http/server.hpp"
#include "shoset/http/parser.hpp"
#include "shoset/http/stream.hpp"

#include <functional>
#include <optional>

namespace mesh::aggregator {

class Connection;

// What a connection needs of its server.
class ConnectionOwner {
public:
    virtual ~ConnectionOwner() = default;
    virtual ServerEvents& events() = 0;
    virtual ServerCounters& count() = 0;
    virtual const ServerOptions& settings() const = 0;
    virtual ErrorDocument errorDocument(int status, std::string_view sentence) const = 0;
    virtual ExchangeId nextExchange(const Connection& connection) = 0;
    virtual void post(std::function<void()> task) = 0;  // runs it from the loop
    // Time in ticks of the server's sweep; the tick a duration from now, rounded up.
    virtual std::uint64_t tickAfter(Duration duration) const = 0;
    // The connection is closed: forget it.
    virtual void release(Connection& connection) = 0;
};

// One client connection: greeting, then request after request, one exchange at a time. The server calls it; it calls
// the owner's events from the loop only. Alive while the server or an outstanding operation holds it.
class Connection final : public std::enable_shared_from_this<Connection>, private http::RequestParser::Events {
public:
    // `refuse`: the server is full; the first request is answered with 503.
    Connection(ConnectionOwner& server, boost::asio::ip::tcp::socket accepted, std::size_t atPlace, bool refuse);

    void start(std::shared_ptr<http::ServerTls> tls);
    std::size_t slot() const { return place; }
    ExchangeId exchangeId() const { return exchange; }

    // For the current exchange; see HttpPort.
    void respond(ResponseHead head, std::string body, bool last);
    void writeBody(std::string piece, bool last);
    void abort();
    void grant(std::size_t bytes);

    void onTick(std::uint64_t tick);
    // Ends after the current exchange, at once if there is none.
    void drain();
    void close();

private:
    // head: waiting for or reading a head. body: collecting the first piece of the body. exchange: the owner has the
    // request. answering: our own last answer is being written. discarding: the answer is out, the rest of the request
    // is not in. lingering: everything was said, the client may read it and close.
    enum class Phase { greeting, head, body, exchange, answering, discarding, lingering, closed };

    // Greeting.
    void onFirstByte();
    void onStream(Result<std::unique_ptr<http::Stream>> outcome);

    // Reading.
    void read();
    bool wantsToRead() const;
    // The client is to send the body, or the rest of it, and has settings().idleTimeout for each piece.
    bool awaitsBody() const;
    void onRead(boost::system::error_code error, std::size_t size);
    void noteProgress(std::size_t size);
    void onReadEnd();
    void processInput();
    void onParseError(const Error& error);
    void onHead(RequestHead head, std::optional<std::uint64_t> contentLength) override;
    void onBody(std::string_view piece) override;
    void onEnd() override {}
    // True: the request goes on to the owner; false: we answer it, or the rest of the body is awaited.
    bool acceptHead();
    bool firstPieceComplete() const;
    void dispatch();
    void deliverBody();
    void redirect();

    // Writing.
    void write();
    void onWritten(boost::system::error_code error, std::size_t size);
    void answer(int status, std::string_view sentence, Headers headers = {});
    void afterOutput();
    void finishExchange();
    void nextRequest();
    void linger();

    // deliverBody() and afterOutput() from the loop, for when there is no other event to follow.
    void postPump();
    void pump();
    bool keepsAlive() const;
    void onTimeout();
    // What the owner gave cannot be sent: abandon() from the loop.
    void fail();
    // The exchange ends without a whole answer: the owner is told, the connection cut.
    void abandon();

    ConnectionOwner& owner;
    boost::asio::ip::tcp::socket socket;  // until there is a stream
    const std::size_t place;
    const bool refusing;
    std::string remote;
    std::unique_ptr<http::Stream> stream;
    std::function<void()> cancelHandshake;
    std::shared_ptr<http::ServerTls> tlsContext;

    Phase phase = Phase::greeting;
    bool redirecting = false, draining = false, reading = false, writing = false, pumpPosted = false;
    std::uint64_t readDeadline = 0;  // tick; 0: none
    std::size_t progress = 0;        // bytes of a body since it was last renewed
    std::uint64_t writeDeadline = 0;

    InputBuffer input;
    http::RequestParser parser;
    RequestHead request;
    bool headStarted = true;  // its time runs
    bool headSeen = false;
    std::optional<std::uint64_t> contentLength;
    std::uint64_t bodyBytes = 0;  // received of the current body
    std::size_t discarded = 0;
    std::string waitingBody;    // received, not delivered; at most inlineBodyBytes + httpBufferBytes
    std::size_t granted = 0;    // that the owner can take
    bool bodyDelivered = false;  // the last piece, too
    bool continueSent = false;

    ExchangeId exchange = 0;  // 0: none
    ResponseWriter response;
    OutputQueue output;
};

}  // namespace mesh::aggregator
