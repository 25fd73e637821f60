#pragma once

#include "connector/redfish/client.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/loop.hpp"
#include "shoset/http/certificate.hpp"
#include "shoset/http/parser.hpp"
#include "shoset/http/stream.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::connector::testing {

class FakeBmc;

// One connection of FakeBmc.
class FakePeer : public std::enable_shared_from_this<FakePeer>, private http::RequestParser::Events {
public:
    FakePeer(FakeBmc& bmc, std::unique_ptr<http::Stream> stream, int number);

    void readMore();
    // Raw bytes, in order.
    void send(std::string bytes);
    void reply(int status, const std::string& body, const std::string& headers = "");
    // The end of the stream after all that was sent.
    void finish();
    // At once; a reset when FakeBmc::resets.
    void close();
    // Bytes of the running request's body so far.
    std::size_t bodyBytes() const { return body; }

    const int number;     // in order of acceptance, from 1
    bool reading = true;  // false: what comes is left in the kernel
    bool closed = false;  // by either side

private:
    friend class FakeBmc;
    void onHead(RequestHead head, std::optional<std::uint64_t> length) override;
    void onBody(std::string_view piece) override;
    void onEnd() override;
    void take(std::size_t size);
    void flush();

    FakeBmc& bmc;
    std::unique_ptr<http::Stream> stream;
    http::RequestParser parser;
    std::array<char, 65536> buffer{};
    std::string unparsed;
    std::string output, writing;
    bool finishing = false, readOutstanding = false;
    RequestHead head;
    std::size_t body = 0;
    std::string bodyText;  // its first 64 KB
};

struct FakeRequest {
    std::string line;  // "GET /x"
    Headers headers;
    std::string body;
    std::size_t bodyBytes = 0;
    int connection = 0;
};

// A scripted HTTP server in the test's own loop.
class FakeBmc {
public:
    using Script = std::function<void(FakePeer&, const FakeRequest&)>;
    explicit FakeBmc(boost::asio::io_context& context, std::shared_ptr<http::ServerTls> tls = nullptr);
    ~FakeBmc();

    std::string url() const;
    std::uint16_t port() const { return acceptor.local_endpoint().port(); }
    void stopListening() { acceptor.close(); }
    void listenAgain(std::uint16_t on);
    int count(const std::string& line) const;

    Script script;                                      // for every complete request; default: 200, "{}"
    std::function<void(FakePeer&, const RequestHead&)> onHead;  // before the body; may be empty
    bool resets = false;                                // close() sends RST; for connections accepted from now on
    std::vector<FakeRequest> requests;
    std::vector<std::shared_ptr<FakePeer>> peers;

private:
    void accept();

    boost::asio::io_context& context;
    std::shared_ptr<http::ServerTls> tls;
    boost::asio::ip::tcp::acceptor acceptor;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

// What became of one exchange.
struct Outcome {
    ResponseHead head;
    std::string body;
    std::size_t bodyBytes = 0, bodySent = 0;
    int heads = 0, ends = 0;  // `ends` counts both kinds
    std::optional<Error> error;
    bool over() const { return ends > 0; }
};

// A client of one FakeBmc, its events recorded, in one loop.
class ClientTest : public ::testing::Test, public BmcEvents {
protected:
    ~ClientTest() override;

    void makeClient(BmcTarget::Auth auth = BmcTarget::Auth::none);
    void makeClient(BmcTarget target);
    // Starts a request; gives its id.
    BmcExchange request(const std::string& method, const std::string& target, std::string body = "",
                        Duration deadline = 10s);
    // request(), and runs until it is over.
    Outcome& ask(const std::string& method, const std::string& target, std::string body = "");
    // Runs the loop until the condition holds; a failure of the test if that takes longer than 10 s.
    void runUntil(const std::function<bool()>& condition);
    void runUntilOver(BmcExchange id);
    // Runs what is ready now.
    void settle();
    Code codeOf(BmcExchange id);

    void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now) override;
    void onBody(BmcExchange id, std::string_view piece, bool last, Now now) override;
    void onBodySent(BmcExchange id, std::size_t bytes, Now now) override;
    void onFailure(BmcExchange id, Error error, Now now) override;

    boost::asio::io_context context;
    FakeBmc bmc{context};
    std::unique_ptr<RedfishClient> client;
    std::map<BmcExchange, Outcome> outcomes;
    Duration skew{};                  // added to the client's clock
    bool autoGrant = true;            // every piece is granted again at once
    std::size_t keepBytes = 1 << 20;  // of each body
    std::function<void(BmcExchange)> onBodySentHook, onHeadHook, onBodyHook;
    BmcExchange lastExchange = 0;
    bool inCall = false;  // the client must never call back from inside a call
};

std::string gzip(const std::string& plain);
std::string zlibDeflate(const std::string& plain, bool bare);

}  // namespace mesh::connector::testing
