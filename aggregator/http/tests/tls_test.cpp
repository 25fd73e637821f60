#include "aggregator/http/tests/fixture.hpp"

namespace mesh::aggregator {
namespace {

const std::string getOverTls = "GET /redfish/v1?a=b HTTP/1.1\r\nHost: facade:8443\r\n\r\n";

class ServerTls : public ServerTest {
protected:
    void SetUp() override
    {
        recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {200, {}}, "secure"); };
        startTls();
        ASSERT_TRUE(server);
    }
    std::shared_ptr<http::ClientTls> trusting(const http::CertificateAndKey& given)
    {
        return *http::makeClientTls({"", *http::certificateFingerprint(given.certificatePem), false});
    }
};

TEST_F(ServerTls, ServesOverTlsWithKeepAlive)
{
    Client client(context, server->port(), trusting(certificate));
    ASSERT_TRUE(client.connected());
    for (std::size_t i = 1; i <= 3; ++i) {
        client.send(getOverTls);
        ASSERT_TRUE(runUntil([&] { return client.answers.size() == i; }));
    }
    EXPECT_EQ(client.answers[0].body, "secure");
    EXPECT_EQ(server->counters().accepted, 1u);
}

TEST_F(ServerTls, ClosingAnswerEndsWithCloseNotify)
{
    Client client(context, server->port(), trusting(certificate));
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    EXPECT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(*client.ended, boost::asio::error::eof);
}

TEST_F(ServerTls, PlainHttpIsRedirectedToHttps)
{
    Client client = connect();
    client.send(getOverTls);
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(client.answers[0].head.status, 308);
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Location"), "https://facade:8443/redfish/v1?a=b");
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Connection"), "close");
    EXPECT_TRUE(recorder.exchanges.empty());
    EXPECT_EQ(server->counters().redirected, 1u);
}

TEST_F(ServerTls, PlainHttpThatCannotBeRedirectedIsRefused)
{
    EXPECT_EQ(ask("GET / HTTP/1.0\r\n\r\n")->head.status, 400);
    EXPECT_EQ(ask("nonsense\r\n\r\n")->head.status, 400);
    EXPECT_TRUE(recorder.exchanges.empty());
}

TEST_F(ServerTls, BrokenHandshakeIsCountedAndHarmsNobody)
{
    Client broken = connect();
    broken.send("\x16 this is no handshake, although it begins like one");
    ASSERT_TRUE(runUntil([&] { return broken.ended.has_value(); }));
    EXPECT_EQ(server->counters().tlsFailed, 1u);
    Client client(context, server->port(), trusting(certificate));
    EXPECT_TRUE(client.connected());
}

TEST_F(ServerTls, SilentAndHalfShakenConnectionsAreTimedOut)
{
    server.reset();
    ServerOptions options;
    options.certificatePem = certificate.certificatePem;
    options.keyPem = certificate.keyPem;
    options.headerTimeout = 100ms;
    start(std::move(options));
    Client silent = connect();
    Client halfway = connect();
    halfway.send("\x16\x03\x01");
    ASSERT_TRUE(runUntil([&] { return silent.ended && halfway.ended; }));
    ASSERT_TRUE(runUntil([&] { return server->counters().open == 0; }));
    EXPECT_EQ(server->counters().timedOut, 2u);
}

TEST_F(ServerTls, NewCertificateServesNewConnectionsAndOldOnesGoOn)
{
    Client before(context, server->port(), trusting(certificate));
    ASSERT_TRUE(before.connected());
    const auto renewed = *http::makeSelfSigned({"localhost"}, {"127.0.0.1"}, 1);
    ASSERT_TRUE(server->setCertificate(renewed.certificatePem, renewed.keyPem));
    EXPECT_FALSE(Client(context, server->port(), trusting(certificate)).connected());
    EXPECT_TRUE(Client(context, server->port(), trusting(renewed)).connected());
    before.send(getOverTls);
    EXPECT_TRUE(runUntil([&] { return before.answers.size() == 1; }));
    EXPECT_FALSE(server->setCertificate("nonsense", renewed.keyPem));
    EXPECT_TRUE(Client(context, server->port(), trusting(renewed)).connected()) << "a bad one changes nothing";
}

TEST_F(ServerTls, LargeAnswerPassesWhole)
{
    recorder.handler = [this](Recorder::Exchange& exchange) {
        respond(exchange.id, {200, {}}, std::string(900'000, 'z'));
    };
    Client client(context, server->port(), trusting(certificate));
    client.send(getOverTls);
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_TRUE(client.answers[0].body == std::string(900'000, 'z'));
}

}  // namespace
}  // namespace mesh::aggregator
