#include "aggregator/http/tests/fixture.hpp"

namespace mesh::aggregator {
namespace {

const std::string getRoot = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

class Disconnect : public ServerTest {
protected:
    void SetUp() override { start(); }
    Recorder::Exchange& only() { return recorder.exchanges.at(0); }
    bool arrived() { return runUntil([this] { return recorder.exchanges.size() == 1; }); }
};

TEST_F(Disconnect, ClientThatLeavesWhileWaitingAbortsTheExchange)
{
    Client client = connect();
    client.send(getRoot);
    ASSERT_TRUE(arrived());
    client.close();
    ASSERT_TRUE(runUntil([&] { return only().aborted; }));
    EXPECT_EQ(server->counters().aborted, 1u);
    EXPECT_EQ(server->counters().open, 0u);
    respond(only().id, {200, {}}, "too late");
    writeBody(only().id, "x", true);
    grant(only().id, 1);
    server->abort(only().id);
    runReady();
}

TEST_F(Disconnect, ClientThatLeavesALongAnswerAbortsTheExchange)
{
    Client client = connect();
    client.send(getRoot);
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {{"Content-Type", "text/event-stream"}}}, "data: 1\n\n", false);
    ASSERT_TRUE(runUntil([&] { return client.partialBody == 9; }));
    EXPECT_FALSE(only().aborted);
    client.close();
    EXPECT_TRUE(runUntil([&] { return only().aborted; }));
}

TEST_F(Disconnect, ClientThatLeavesInMidBodyAbortsTheExchange)
{
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
    ASSERT_TRUE(arrived());
    grant(only().id, 1'000'000);
    runReady();
    client.close();
    EXPECT_TRUE(runUntil([&] { return only().aborted; }));
}

TEST_F(Disconnect, ClientThatStopsReadingIsCutAfterTheIdleTime)
{
    server.reset();
    ServerOptions options;
    options.idleTimeout = 150ms;
    start(options);
    Client client = connect();
    client.reading(false);
    client.send(getRoot);
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {}}, std::string(50'000'000, 'x'), true);
    EXPECT_TRUE(runUntil([&] { return only().aborted; }));
    EXPECT_EQ(server->counters().timedOut, 1u);
}

TEST_F(Disconnect, AbortCutsSoThatTheAnswerNeverLooksComplete)
{
    for (const std::string version : {"1.1", "1.0"}) {
        recorder.exchanges.clear();
        Client client = connect();
        client.send("GET / HTTP/" + version + "\r\nHost: h\r\n\r\n");
        ASSERT_TRUE(arrived());
        respond(only().id, {200, {}}, "half of it", false);
        ASSERT_TRUE(runUntil([&] { return client.partialBody == 10; }));
        server->abort(only().id);
        ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
        EXPECT_TRUE(client.answers.empty());
        EXPECT_NE(*client.ended, boost::asio::error::eof) << "until close, an orderly end would mean all of it";
        EXPECT_FALSE(only().aborted) << "the owner knows";
    }
    EXPECT_EQ(server->counters().cut, 2u);
}

TEST_F(Disconnect, AnswersThatContradictTheirLengthAreCut)
{
    for (const std::string piece : {"too much", "no"}) {
        recorder.exchanges.clear();
        Client client = connect();
        client.send(getRoot);
        ASSERT_TRUE(arrived());
        respond(only().id, {200, {{"Content-Length", "5"}}}, "ab", false);
        writeBody(only().id, piece, true);
        EXPECT_TRUE(runUntil([&] { return client.ended && only().aborted; }));
        EXPECT_TRUE(client.answers.empty());
    }
}

TEST_F(Disconnect, OpenAnswerWithoutNewsOutlivesTheIdleTime)
{
    server.reset();
    ServerOptions options;
    options.idleTimeout = 40ms;
    start(options);
    Client stream = connect();
    stream.send(getRoot);
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {}}, "data: 1\n\n", false);
    // An idle connection made later is closed for its idleness before: so that time has passed for both.
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {200, {}}); };
    Client idle = connect();
    idle.send(getRoot);
    ASSERT_TRUE(runUntil([&] { return idle.ended.has_value(); }));
    EXPECT_FALSE(stream.ended);
    writeBody(only().id, "data: 2\n\n", true);
    ASSERT_TRUE(runUntil([&] { return stream.answers.size() == 1; }));
    EXPECT_EQ(stream.answers[0].body, "data: 1\n\ndata: 2\n\n");
}

}  // namespace
}  // namespace mesh::aggregator
