#pragma once

#include "shoset/http/parser.hpp"
#include "shoset/http/stream.hpp"

#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

struct Answer {
    ResponseHead head;
    std::string body;
};

// An HTTP client that sends exactly the bytes it is told to, and keeps what comes back.
class Client final : private http::ResponseParser::Events {
public:
    // Connects to 127.0.0.1; runs the loop meanwhile.
    Client(boost::asio::io_context& io, std::uint16_t port, std::shared_ptr<http::ClientTls> tls = nullptr);
    ~Client() override;

    bool connected() const { return stream != nullptr; }
    void send(std::string bytes);
    void reading(bool on);  // off: what comes stays in the kernel
    void expectNoBody();    // of the next answer
    void close() { stream->close(); }
    void shutdown();

    std::vector<Answer> answers;  // complete ones
    std::string raw;              // everything received
    std::size_t partialBody = 0;  // bytes of the answer that is coming in
    std::optional<ResponseHead> partialHead;
    std::optional<boost::system::error_code> ended;
    bool malformed = false;
    std::size_t unsent = 0;

private:
    void readOn();
    void onBytes(std::size_t size);
    void onHead(ResponseHead head, std::optional<std::uint64_t> contentLength) override;
    void onBody(std::string_view piece) override;
    void onEnd() override;

    boost::asio::io_context& context;
    std::unique_ptr<http::Stream> stream;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    std::string buffer = std::string(65536, '\0');
    std::string kept;
    std::vector<std::string> sending;
    http::ResponseParser parser;
    Answer current;
    bool wantsRead = true;
    bool readOutstanding = false;
};

}  // namespace mesh::aggregator
