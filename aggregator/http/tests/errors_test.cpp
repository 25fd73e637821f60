#include "aggregator/http/tests/fixture.hpp"

#include <chrono>

namespace mesh::aggregator {
namespace {

class ServerErrors : public ServerTest {
protected:
    // The status of the answer to `request`; afterwards the connection must be closed by the server.
    int statusOf(const std::string& request)
    {
        Client client = connect();
        client.send(request);
        EXPECT_TRUE(runUntil([&] { return client.ended.has_value(); }));
        if (client.answers.size() != 1) {
            return -1;
        }
        const Answer& answer = client.answers[0];
        EXPECT_EQ(*findHeader(answer.head.headers, "Connection"), "close");
        EXPECT_NE(findHeader(answer.head.headers, "X-Every"), nullptr);
        EXPECT_EQ(answer.body.rfind("{\"status\":" + std::to_string(answer.head.status), 0), 0u) << answer.body;
        return answer.head.status;
    }
    static std::string put(const std::string& headers, const std::string& body = {})
    {
        return "PUT / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
    }
};

TEST_F(ServerErrors, WhatNeverBecomesARequestIsAnsweredByStatus)
{
    start();
    EXPECT_EQ(statusOf("nonsense\r\n\r\n"), 400);
    EXPECT_EQ(statusOf("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(statusOf("GET / HTTP/1.1\nHost: h\n\n"), 400);
    EXPECT_EQ(statusOf(put("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
    EXPECT_EQ(server->counters().malformed, 4u);
    EXPECT_EQ(statusOf(put("Transfer-Encoding: gzip\r\n")), 501);
    EXPECT_EQ(statusOf("GET /" + std::string(limits::maxHttpTargetBytes, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
    EXPECT_EQ(statusOf(put("X: " + std::string(limits::maxHttpHeaderBytes, 'a') + "\r\n")), 431);
    EXPECT_TRUE(recorder.exchanges.empty());
    EXPECT_EQ(server->counters().requests, 0u);
    ASSERT_TRUE(runUntil([&] { return server->counters().open == 0; }));
}

TEST_F(ServerErrors, MalformedRequestAfterAGoodOneIsRefused)
{
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {200, {}}); };
    start();
    Client client = connect();
    client.expectNoBody();
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    ASSERT_EQ(client.answers.size(), 2u);
    EXPECT_EQ(client.answers[1].head.status, 400);
    EXPECT_FALSE(client.answers[1].body.empty());
}

TEST_F(ServerErrors, AnnouncedBodyOverTheLimitIsRefusedBeforeItComes)
{
    ServerOptions options;
    options.maxBodyBytes = 1000;
    start(options);
    EXPECT_EQ(statusOf(put("Content-Length: 1001\r\n")), 413);
    EXPECT_EQ(statusOf(put("Expect: 100-continue\r\nContent-Length: 1001\r\n")), 413);
    // A client that sends on regardless gets to read the answer.
    EXPECT_EQ(statusOf(put("Content-Length: 1000000\r\n", std::string(1'000'000, 'x'))), 413);
    EXPECT_TRUE(recorder.exchanges.empty());
    EXPECT_EQ(server->counters().tooLarge, 3u);
}

TEST_F(ServerErrors, ChunkedBodyOverTheLimitIsRefusedWhenItGetsThere)
{
    ServerOptions options;
    options.maxBodyBytes = 100'000;
    start(options);
    const std::string chunk = "4e20\r\n" + std::string(20000, 'x') + "\r\n";
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    EXPECT_EQ(statusOf(put("Transfer-Encoding: chunked\r\n", chunk + chunk + chunk + chunk + chunk + chunk)), 413);
    ASSERT_EQ(recorder.exchanges.size(), 1u);
    EXPECT_TRUE(recorder.exchanges[0].aborted);
}

TEST_F(ServerErrors, NonsenseInMidBodyAbortsTheExchange)
{
    start();
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    const std::string chunk = "11170\r\n" + std::string(70000, 'x') + "\r\n";
    EXPECT_EQ(statusOf(put("Transfer-Encoding: chunked\r\n", chunk + "nonsense\r\n")), 400);
    ASSERT_EQ(recorder.exchanges.size(), 1u);
    EXPECT_TRUE(recorder.exchanges[0].aborted);
}

TEST_F(ServerErrors, SlowHeadIsTimedOutAndSilenceClosed)
{
    ServerOptions options;
    options.headerTimeout = 100ms;
    start(options);
    EXPECT_EQ(statusOf("GET / HTTP/1.1\r\nHost: "), 408);
    Client silent = connect();
    ASSERT_TRUE(runUntil([&] { return silent.ended.has_value(); }));
    EXPECT_TRUE(silent.raw.empty());
}

TEST_F(ServerErrors, HeadThatDripsInIsTimedOutAllTheSame)
{
    ServerOptions options;
    options.headerTimeout = 200ms;
    start(options);
    Client client = connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nX: ");
    auto dripped = std::chrono::steady_clock::now();
    ASSERT_TRUE(runUntil([&] {
        const auto now = std::chrono::steady_clock::now();
        if (client.answers.empty() && client.unsent == 0 && now - dripped > 1ms) {
            client.send("x");
            dripped = now;
        }
        return client.ended || client.answers.size() == 1;
    }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(client.answers[0].head.status, 408);
}

TEST_F(ServerErrors, BodyThatDripsInIsTimedOutAllTheSame)
{
    ServerOptions options;
    options.idleTimeout = 200ms;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    std::size_t asked = 0;
    for (const char* framing : {"Content-Length: 1000000", "Content-Length: 60000", "Expect: 100-continue\r\nContent-Length: 60000"}) {
        Client client = connect();
        client.send("POST / HTTP/1.1\r\nHost: h\r\n" + std::string(framing) + "\r\n\r\n");
        auto dripped = std::chrono::steady_clock::now();
        const auto is408 = [&client] { return !client.answers.empty() && client.answers.back().head.status == 408; };
        ASSERT_TRUE(runUntil([&] {
            const auto now = std::chrono::steady_clock::now();
            if (!is408() && client.unsent == 0 && now - dripped > 1ms) {
                client.send("x");
                dripped = now;
            }
            return client.ended || is408();
        })) << framing;
        EXPECT_TRUE(is408()) << framing;
        EXPECT_EQ(server->counters().timedOut, ++asked);
    }
}

TEST_F(ServerErrors, BodyThatComesSlowlyButDoesComeIsTaken)
{
    ServerOptions options;
    options.idleTimeout = 200ms;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    recorder.onPiece = [this](Recorder::Exchange& exchange, std::size_t) {
        if (exchange.bodyEnded) {
            respond(exchange.id, {200, {}});
        }
    };
    constexpr std::size_t pieces = 30;
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(pieces * limits::httpProgressBytes) + "\r\n\r\n");
    const auto began = std::chrono::steady_clock::now();
    auto sent = began;
    std::size_t left = pieces;
    ASSERT_TRUE(runUntil([&] {
        const auto now = std::chrono::steady_clock::now();
        if (left > 0 && client.unsent == 0 && now - sent > 20ms) {
            client.send(std::string(limits::httpProgressBytes, 'x'));
            sent = now;
            --left;
        }
        return client.ended || !client.answers.empty();
    }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(client.answers[0].head.status, 200);
    EXPECT_GT(std::chrono::steady_clock::now() - began, 2 * 200ms) << "or this shows nothing";
}

TEST_F(ServerErrors, IdleConnectionIsClosedQuietly)
{
    ServerOptions options;
    options.idleTimeout = 100ms;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {200, {}}); };
    Client client = connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    EXPECT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(*client.ended, boost::asio::error::eof);
    EXPECT_EQ(server->counters().timedOut, 0u);
}

TEST_F(ServerErrors, StalledBodyIsTimedOutBeforeAndAfterTheOwnerHasIt)
{
    ServerOptions options;
    options.idleTimeout = 100ms;
    start(options);
    EXPECT_EQ(statusOf(put("Content-Length: 10\r\n", "abc")), 408);
    EXPECT_TRUE(recorder.exchanges.empty());
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    EXPECT_EQ(statusOf(put("Content-Length: 100000\r\n", "abc")), 408);
    ASSERT_EQ(recorder.exchanges.size(), 1u);
    EXPECT_TRUE(recorder.exchanges[0].aborted);
    EXPECT_EQ(server->counters().timedOut, 2u);
}

TEST_F(ServerErrors, StalledBodyIsTimedOutBehindAnotherRequestToo)
{
    ServerOptions options;
    options.idleTimeout = 100ms;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) {
        if (exchange.info.head.method == "GET") {
            respond(exchange.id, {200, {}});
        } else {
            grant(exchange.id, 1'000'000);
        }
    };
    const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (const char* length : {"10", "100000"}) {
        Client client = connect();
        client.send(get + put(std::string("Content-Length: ") + length + "\r\n", "abc"));
        ASSERT_TRUE(runUntil([&] { return client.answers.size() == 2; })) << length;
        EXPECT_EQ(client.answers[1].head.status, 408) << length;
    }
    EXPECT_EQ(server->counters().timedOut, 2u);
}

TEST_F(ServerErrors, BodyThatStopsAfterItsFirstPiecesIsTimedOut)
{
    ServerOptions options;
    options.idleTimeout = 100ms;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) { grant(exchange.id, 1'000'000); };
    EXPECT_EQ(statusOf(put("Transfer-Encoding: chunked\r\n", "186a0\r\n" + std::string(90'000, 'x'))), 408);
    EXPECT_EQ(server->counters().timedOut, 1u);
}

TEST_F(ServerErrors, ConnectionsOverTheMaximumAreToldSoAndLaterOnesServed)
{
    ServerOptions options;
    options.maxConnections = 2;
    start(options);
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {200, {}}); };
    const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    {
        Client first = connect();
        Client second = connect();
        ASSERT_TRUE(runUntil([&] { return server->counters().open == 2; }));
        EXPECT_EQ(statusOf(get), 503);
        EXPECT_EQ(server->counters().refusedFull, 1u);
        first.send(get);
        ASSERT_TRUE(runUntil([&] { return first.answers.size() == 1; }));
        first.close();
        second.close();
        ASSERT_TRUE(runUntil([&] { return server->counters().open == 0; }));
    }
    EXPECT_EQ(ask(get)->head.status, 200);
}

TEST_F(ServerErrors, BeyondTheRefusedOnesConnectionsAreJustClosed)
{
    ServerOptions options;
    options.maxConnections = 1;
    start(options);
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < 1 + limits::httpRefusedConnections; ++i) {
        clients.push_back(std::make_unique<Client>(context, server->port()));
    }
    ASSERT_TRUE(runUntil([&] { return server->counters().open == clients.size(); }));
    Client last = connect();
    ASSERT_TRUE(runUntil([&] { return last.ended.has_value(); }));
    EXPECT_EQ(server->counters().open, clients.size());
}

}  // namespace
}  // namespace mesh::aggregator
