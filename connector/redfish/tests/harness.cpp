#include "connector/redfish/tests/harness.hpp"

#include <zlib.h>

namespace mesh::connector::testing {

using boost::asio::ip::tcp;
using boost::system::error_code;

FakePeer::FakePeer(FakeBmc& owner, std::unique_ptr<http::Stream> accepted, int count)
    : number(count), bmc(owner), stream(std::move(accepted))
{
}

void FakePeer::readMore()
{
    if (closed || !reading || readOutstanding) {
        return;
    }
    readOutstanding = true;
    stream->read(buffer, [self = shared_from_this()](error_code error, std::size_t size) {
        self->readOutstanding = false;
        if (self->closed) {
            return;
        }
        if (error) {
            self->closed = true;
            return;
        }
        self->take(size);
        self->readMore();
    });
}

void FakePeer::take(std::size_t size)
{
    unparsed.append(buffer.data(), size);
    while (!closed && !unparsed.empty()) {
        const auto took = parser.consume(unparsed, *this);
        ASSERT_TRUE(took.ok()) << took.error().message << "\n" << unparsed.substr(0, 300);
        unparsed.erase(0, *took);
        if (parser.done()) {
            parser.reset();
        } else if (*took == 0) {
            return;
        }
    }
}

void FakePeer::onHead(RequestHead received, std::optional<std::uint64_t>)
{
    head = std::move(received);
    body = 0;
    bodyText.clear();
    if (bmc.onHead) {
        bmc.onHead(*this, head);
    }
}

void FakePeer::onBody(std::string_view piece)
{
    body += piece.size();
    bodyText.append(piece.substr(0, 65536 - std::min<std::size_t>(65536, bodyText.size())));
}

void FakePeer::onEnd()
{
    bmc.requests.push_back({head.method + " " + head.target, head.headers, bodyText, body, number});
    if (bmc.script) {
        const FakeRequest request = bmc.requests.back();
        bmc.script(*this, request);
    } else {
        reply(200, "{}");
    }
}

void FakePeer::send(std::string bytes)
{
    output += bytes;
    flush();
}

void FakePeer::reply(int status, const std::string& text, const std::string& headers)
{
    send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(text.size()) + "\r\n" +
         headers + "\r\n" + text);
}

void FakePeer::finish()
{
    finishing = true;
    flush();
}

void FakePeer::flush()
{
    if (closed || !writing.empty()) {
        return;
    }
    if (output.empty()) {
        if (finishing) {
            stream->shutdown([self = shared_from_this()] {});
        }
        return;
    }
    writing.swap(output);
    const boost::asio::const_buffer bytes(writing.data(), writing.size());
    stream->write({&bytes, 1}, [self = shared_from_this()](error_code error, std::size_t) {
        self->writing.clear();
        if (!error) {
            self->flush();
        }
    });
}

void FakePeer::close()
{
    closed = true;
    stream.reset();
}

FakeBmc::FakeBmc(boost::asio::io_context& loop, std::shared_ptr<http::ServerTls> serverTls)
    : context(loop), tls(std::move(serverTls)), acceptor(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0))
{
    accept();
}

FakeBmc::~FakeBmc()
{
    *alive = false;
    for (const auto& peer : peers) {
        peer->close();
    }
}

void FakeBmc::listenAgain(std::uint16_t on)
{
    acceptor = tcp::acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), on));
    accept();
}

std::string FakeBmc::url() const
{
    return (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port());
}

int FakeBmc::count(const std::string& line) const
{
    return static_cast<int>(std::count_if(requests.begin(), requests.end(),
                                          [&](const FakeRequest& request) { return request.line == line; }));
}

void FakeBmc::accept()
{
    acceptor.async_accept([this, living = alive](error_code error, tcp::socket socket) {
        if (error || !*living) {
            return;
        }
        if (resets) {
            socket.set_option(boost::asio::socket_base::linger(true, 0));
        }
        http::acceptStream(std::move(socket), tls, [this, living](Result<std::unique_ptr<http::Stream>> stream) {
            if (*living && stream) {
                peers.push_back(
                    std::make_shared<FakePeer>(*this, std::move(*stream), static_cast<int>(peers.size()) + 1));
                peers.back()->readMore();
            }
        });
        accept();
    });
}

ClientTest::~ClientTest()
{
    client.reset();
}

void ClientTest::makeClient(BmcTarget::Auth auth)
{
    BmcTarget target;
    target.url = bmc.url();
    target.auth = auth;
    target.user = "root";
    target.password = "0penBmc";
    makeClient(std::move(target));
}

void ClientTest::makeClient(BmcTarget target)
{
    client = std::make_unique<RedfishClient>(context, std::move(target), *this, [this] {
        Now now = host::systemNow();
        now.mono += skew;
        return now;
    });
    const auto configured = client->configure();
    ASSERT_TRUE(configured.ok()) << configured.error().message;
}

BmcExchange ClientTest::request(const std::string& method, const std::string& target, std::string body,
                                Duration deadline)
{
    const BmcExchange id = ++lastExchange;
    const auto length = static_cast<std::int64_t>(body.size());
    inCall = true;
    client->start(id, RequestHead{method, target, {{"Accept", "application/json"}}}, std::move(body), false, length,
                  method == "GET" || method == "HEAD", host::systemNow().mono + skew + deadline);
    inCall = false;
    return id;
}

Outcome& ClientTest::ask(const std::string& method, const std::string& target, std::string body)
{
    const BmcExchange id = request(method, target, std::move(body));
    runUntilOver(id);
    return outcomes[id];
}

void ClientTest::runUntil(const std::function<bool()>& condition)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    context.restart();
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            FAIL() << "the condition did not come true within 10 s";
        }
        context.run_one_for(std::chrono::milliseconds(100));
        if (context.stopped()) {
            context.restart();
        }
    }
}

void ClientTest::runUntilOver(BmcExchange id)
{
    runUntil([&] { return outcomes[id].over(); });
}

void ClientTest::settle()
{
    context.restart();
    while (context.run_one_for(std::chrono::milliseconds(20)) != 0) {
    }
}

Code ClientTest::codeOf(BmcExchange id)
{
    return outcomes[id].error ? outcomes[id].error->code : Code::ok;
}

void ClientTest::onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now)
{
    EXPECT_FALSE(inCall);
    Outcome& outcome = outcomes[id];
    EXPECT_EQ(outcome.ends, 0);
    ++outcome.heads;
    outcome.head = std::move(head);
    outcome.ends += bodyFollows ? 0 : 1;
    if (onHeadHook) {
        onHeadHook(id);
    }
}

void ClientTest::onBody(BmcExchange id, std::string_view piece, bool last, Now)
{
    EXPECT_FALSE(inCall);
    Outcome& outcome = outcomes[id];
    EXPECT_EQ(outcome.heads, 1);
    EXPECT_EQ(outcome.ends, 0);
    outcome.bodyBytes += piece.size();
    if (outcome.body.size() < keepBytes) {
        outcome.body += piece;
    }
    outcome.ends += last ? 1 : 0;
    if (autoGrant && !last) {
        client->grant(id, piece.size());
    }
    if (onBodyHook) {
        onBodyHook(id);
    }
}

void ClientTest::onBodySent(BmcExchange id, std::size_t bytes, Now)
{
    EXPECT_FALSE(inCall);
    outcomes[id].bodySent += bytes;
    if (onBodySentHook) {
        onBodySentHook(id);
    }
}

void ClientTest::onFailure(BmcExchange id, Error error, Now)
{
    EXPECT_FALSE(inCall);
    ++outcomes[id].ends;
    outcomes[id].error = std::move(error);
}

namespace {

std::string compress(const std::string& plain, int window)
{
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace

std::string gzip(const std::string& plain)
{
    return compress(plain, 15 + 16);
}

std::string zlibDeflate(const std::string& plain, bool bare)
{
    return compress(plain, bare ? -15 : 15);
}

}  // namespace mesh::connector::testing
