#include "aggregator/http/tests/fixture.hpp"

namespace mesh::aggregator {
namespace {

const std::string get = "GET /redfish/v1?x=1 HTTP/1.1\r\nHost: h\r\nX-Auth-Token: t\r\n\r\n";

class ServerBasics : public ServerTest {
protected:
    void SetUp() override
    {
        recorder.handler = [this](Recorder::Exchange& exchange) {
            respond(exchange.id, {200, {{"Content-Type", "application/json"}}}, "for " + exchange.info.head.target);
        };
    }
};

TEST_F(ServerBasics, RequestArrivesWholeAndItsAnswerGoesBack)
{
    start();
    Client client = connect();
    client.send(get);
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    ASSERT_EQ(recorder.exchanges.size(), 1u);
    const RequestInfo& info = recorder.exchanges[0].info;
    EXPECT_EQ(info.head.method, "GET");
    EXPECT_EQ(info.head.target, "/redfish/v1?x=1");
    EXPECT_EQ(*findHeader(info.head.headers, "x-auth-token"), "t");
    EXPECT_FALSE(info.bodyFollows);
    EXPECT_EQ(info.remote.rfind("127.0.0.1:", 0), 0u);
    EXPECT_EQ(client.raw,
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\nfor /redfish/v1?x=1");
}

TEST_F(ServerBasics, ConnectionIsKeptForFurtherRequests)
{
    start();
    Client client = connect();
    for (std::size_t i = 1; i <= 5; ++i) {
        client.send(get);
        ASSERT_TRUE(runUntil([&] { return client.answers.size() == i; }));
    }
    EXPECT_EQ(server->counters().accepted, 1u);
    EXPECT_EQ(server->counters().requests, 5u);
    EXPECT_FALSE(client.ended);
}

TEST_F(ServerBasics, PipelinedRequestsAreAnsweredInOrderOneAtATime)
{
    recorder.handler = [](Recorder::Exchange&) {};
    start();
    Client client = connect();
    std::string all;
    for (int i = 0; i < 50; ++i) {
        all += "PUT /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n" +
               std::string(2000, 'b');
    }
    client.send(all);
    for (std::size_t i = 0; i < 50; ++i) {
        ASSERT_TRUE(runUntil([&] { return recorder.exchanges.size() == i + 1; })) << i;
        runReady();
        ASSERT_EQ(recorder.exchanges.size(), i + 1) << "the next one must wait for this answer";
        EXPECT_EQ(recorder.exchanges[i].body.size(), 2000u);
        respond(recorder.exchanges[i].id, {200, {}}, recorder.exchanges[i].info.head.target);
    }
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 50; }));
    for (std::size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(client.answers[i].body, "/" + std::to_string(i));
    }
}

TEST_F(ServerBasics, ConnectionCloseIsHonoured)
{
    start();
    Client client = connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Connection"), "close");
}

TEST_F(ServerBasics, Http10ClosesUnlessAskedToKeep)
{
    start();
    Client closing = connect();
    closing.send("GET / HTTP/1.0\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return closing.ended.has_value(); }));
    EXPECT_EQ(closing.answers.size(), 1u);
    Client kept = connect();
    for (std::size_t i = 1; i <= 2; ++i) {
        kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        ASSERT_TRUE(runUntil([&] { return kept.answers.size() == i; }));
    }
}

TEST_F(ServerBasics, HeadHasNoBodyAndTheConnectionGoesOn)
{
    start();
    Client client = connect();
    client.expectNoBody();
    client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Content-Length"), "6");
    client.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 2; }));
    EXPECT_EQ(client.answers[1].body, "for /b");
}

TEST_F(ServerBasics, SmallBodyComesWithTheRequestEvenInPieces)
{
    start();
    Client client = connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
    runReady();
    client.send("hello");
    runReady();
    EXPECT_TRUE(recorder.exchanges.empty());
    client.send("world");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_FALSE(recorder.exchanges[0].info.bodyFollows);
    EXPECT_EQ(recorder.exchanges[0].info.body, "helloworld");
    EXPECT_EQ(recorder.exchanges[0].info.contentLength, 10u);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 2; }));
    EXPECT_EQ(recorder.exchanges[1].info.body, "abc");
    EXPECT_EQ(recorder.exchanges[1].info.contentLength, 3u);
}

TEST_F(ServerBasics, ContinueIsSentOnlyWhenTheOwnerGrants)
{
    recorder.handler = [](Recorder::Exchange&) {};
    start();
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return recorder.exchanges.size() == 1; }));
    runReady();
    EXPECT_TRUE(client.raw.empty());
    EXPECT_TRUE(recorder.exchanges[0].info.bodyFollows);
    EXPECT_EQ(recorder.exchanges[0].info.contentLength, 5u);
    grant(recorder.exchanges[0].id, 100);
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_EQ(client.raw, "HTTP/1.1 100 Continue\r\n\r\n");
    grant(recorder.exchanges[0].id, 100);
    client.send("hello");
    ASSERT_TRUE(runUntil([&] { return recorder.exchanges[0].bodyEnded; }));
    EXPECT_EQ(recorder.exchanges[0].body, "hello");
    respond(recorder.exchanges[0].id, {200, {}});
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 2; }));
    EXPECT_FALSE(client.ended);
}

TEST_F(ServerBasics, RefusalInsteadOfContinueEndsTheConnection)
{
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {401, {}}, "no"); };
    start();
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(client.answers[0].head.status, 401);
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Connection"), "close");
}

TEST_F(ServerBasics, HeadersThatWouldSplitTheAnswerAreDefused)
{
    recorder.handler = [this](Recorder::Exchange& exchange) {
        respond(exchange.id, {200, {{"ETag", "x\r\nSet-Cookie: evil"}, {"Bad\r\nX", "y"}}}, "");
    };
    start();
    const auto answer = ask(get);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->head.headers, (Headers{{"ETag", "x  Set-Cookie: evil"}, {"Content-Length", "0"}}));
}

TEST_F(ServerBasics, StopAcceptingLetsTheRunningAnswerEnd)
{
    recorder.handler = [](Recorder::Exchange&) {};
    start();
    Client idle = connect();
    Client busy = connect();
    busy.send(get);
    ASSERT_TRUE(runUntil([&] { return recorder.exchanges.size() == 1; }));
    const std::uint16_t port = server->port();
    server->stopAccepting();
    ASSERT_TRUE(runUntil([&] { return idle.ended.has_value(); }));
    EXPECT_FALSE(busy.ended);
    EXPECT_FALSE(Client(context, port).connected());
    respond(recorder.exchanges[0].id, {200, {}}, "done");
    ASSERT_TRUE(runUntil([&] { return busy.ended.has_value(); }));
    EXPECT_EQ(busy.answers.at(0).body, "done");
    EXPECT_EQ(*findHeader(busy.answers[0].head.headers, "Connection"), "close");
}

TEST_F(ServerBasics, DestructionInMidExchangeIsQuiet)
{
    recorder.handler = [](Recorder::Exchange&) {};
    start();
    Client client = connect();
    client.send(get);
    ASSERT_TRUE(runUntil([&] { return recorder.exchanges.size() == 1; }));
    server.reset();
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    EXPECT_TRUE(client.answers.empty());
    EXPECT_FALSE(recorder.exchanges[0].aborted);
}

TEST_F(ServerBasics, BadOptionsAreNamedAtTheStart)
{
    const auto tryStart = [this](ServerOptions options) {
        Server other(context, std::move(options), recorder, [](int, std::string_view) { return ErrorDocument(); });
        return other.start();
    };
    start();
    ServerOptions taken;
    taken.bind = "127.0.0.1:" + std::to_string(server->port());
    const auto inUse = tryStart(taken);
    ASSERT_FALSE(inUse);
    EXPECT_NE(inUse.error().message.find(taken.bind), std::string::npos);
    ServerOptions nonsense;
    nonsense.bind = "nonsense";
    EXPECT_EQ(tryStart(nonsense).error().code, Code::invalidArgument);
    ServerOptions badCertificate;
    badCertificate.bind = "127.0.0.1:0";
    badCertificate.certificatePem = "x";
    EXPECT_EQ(tryStart(badCertificate).error().code, Code::invalidArgument);
}

}  // namespace
}  // namespace mesh::aggregator
