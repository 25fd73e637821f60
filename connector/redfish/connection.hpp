#pragma once

#include "connector/core/bmc_pool.hpp"
#include "connector/core/bmc_request.hpp"
#include "shoset/http/parser.hpp"
#include "shoset/http/stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mesh::connector {

// What a Connection reports, always from the loop, never from inside a call into it.
class ConnectionOwner {
public:
    virtual ~ConnectionOwner() = default;
    virtual void onConnected(BmcConnection id) = 0;
    virtual void onConnectFailed(BmcConnection id, Error error) = 0;
    virtual void onWritten(BmcConnection id) = 0;
    virtual void onAnswering(BmcConnection id) = 0;  // first bytes of an answer
    virtual void onAnswerHead(BmcConnection id, ResponseHead head, std::optional<std::uint64_t> length) = 0;
    // The piece stays valid until onAnswerPause or, if that comes first, until after onAnswerEnd.
    virtual void onAnswerBody(BmcConnection id, std::string_view piece) = 0;
    virtual void onAnswerPause(BmcConnection id) = 0;  // all that was received is handed out; more will follow
    virtual void onAnswerEnd(BmcConnection id, bool reusable) = 0;
    // It broke, and is closed. nothingSent: the kernel took no byte of the request.
    virtual void onLost(BmcConnection id, bool nothingSent, const std::string& why) = 0;
    // How many bytes of the answer may be read now.
    virtual std::size_t answerRoom(BmcConnection id) const = 0;
};

// One connection: HTTP/1.1 exchanges, one at a time, over a stream. Between them a read stays outstanding, which is how
// the BMC's closing is noticed. Decides nothing. Loop's thread; held by shared_ptr, as outstanding operations hold it.
class Connection final : public std::enable_shared_from_this<Connection>, private http::ResponseParser::Events {
public:
    Connection(BmcConnection number, std::weak_ptr<ConnectionOwner> reportTo);
    ~Connection() override;

    void connect(const boost::asio::any_io_executor& executor, const BmcUrl& url,
                 const std::shared_ptr<http::ClientTls>& tls);
    // Begins the exchange `carried`. noBody: of its answer (HEAD).
    void begin(BmcExchange carried, bool noBody);
    // Writes `out`; not while writing(). onWritten follows. complete: the request ends with it.
    void write(bool complete);
    // Goes on reading where answerRoom() had been 0.
    void resume();
    // The exchange is over; the connection is idle.
    void release();
    // Closes and reports onLost: the answer makes no sense to the owner.
    void giveUp(const std::string& why);
    // Nothing is reported any more.
    void close();

    bool writing() const { return writeOutstanding; }
    bool isOpen() const { return !closed; }
    BmcExchange exchange() const { return carrying; }

    std::string out;  // what write() sends; not to be touched while writing()

private:
    void onHead(ResponseHead head, std::optional<std::uint64_t> length) override;
    void onBody(std::string_view piece) override;
    void onEnd() override {}

    void onRead(boost::system::error_code error, std::size_t size);
    void onReadError(boost::system::error_code error);
    void onWrite(boost::system::error_code error, std::size_t size);
    void consume();
    void restartParser();
    void endAnswer(bool reusable);
    void lose(const std::string& why);
    void armRead();

    const BmcConnection id;
    std::weak_ptr<ConnectionOwner> reportTo;
    ConnectionOwner* owner = nullptr;  // only while a handler runs, which holds it
    std::unique_ptr<http::Stream> stream;
    std::function<void()> cancelConnect;
    http::ResponseParser parser;
    std::unique_ptr<char[]> buffer;
    std::size_t capacity = 0;
    std::size_t filled = 0;
    BmcExchange carrying = 0;
    std::size_t accepted = 0;  // bytes of the request that the kernel took
    bool busy = false, answerOver = false, requestComplete = false, noBody = false, interim = false;
    bool readOutstanding = false, writeOutstanding = false, handling = false, closed = false;
    std::string lostBecause;  // reported when the outstanding write has said how much it wrote
};

}  // namespace mesh::connector
