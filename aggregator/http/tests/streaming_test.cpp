#include "aggregator/http/tests/fixture.hpp"

#include <fstream>

namespace mesh::aggregator {
namespace {

constexpr std::size_t large = 50'000'000;

// 0 under the sanitizers, which keep freed memory.
std::size_t residentBytes()
{
#ifdef MESH_SANITIZED
    return 0;
#endif
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return pages * 4096;
}

class Streaming : public ServerTest {
protected:
    void SetUp() override { start(); }
    Recorder::Exchange& only() { return recorder.exchanges.at(0); }
    bool arrived() { return runUntil([this] { return recorder.exchanges.size() == 1; }); }
};

TEST_F(Streaming, LargeUploadPassesInBoundedPiecesAndMemory)
{
    const std::size_t before = residentBytes();
    std::size_t received = 0;
    std::size_t outstanding = 0;
    recorder.keepBody = 0;
    recorder.handler = [&](Recorder::Exchange& exchange) {
        EXPECT_TRUE(exchange.info.bodyFollows);
        EXPECT_LE(exchange.info.body.size(), limits::inlineBodyBytes);
        EXPECT_EQ(exchange.info.contentLength, large);
        received = exchange.info.body.size();
        outstanding = 100'000;
        grant(exchange.id, 100'000);
    };
    recorder.onPiece = [&](Recorder::Exchange& exchange, std::size_t size) {
        EXPECT_LE(size, outstanding);
        received += size;
        outstanding -= size;
        if (outstanding < 50'000) {
            outstanding += 70'000;
            grant(exchange.id, 70'000);
        }
        if (exchange.bodyEnded) {
            respond(exchange.id, {200, {}}, "thanks");
        }
    };
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    std::size_t sent = 0;
    ASSERT_TRUE(runUntil([&] {
        while (client.unsent == 0 && sent < large) {
            client.send(std::string(500'000, 'x'));
            sent += 500'000;
        }
        return client.answers.size() == 1;
    }));
    EXPECT_EQ(received, large);
    EXPECT_LT(residentBytes(), before + 20'000'000);
}

TEST_F(Streaming, BodyIsNotReadBeyondWhatWasGranted)
{
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
    client.send(std::string(20'000'000, 'x'));
    ASSERT_TRUE(arrived());
    for (const std::size_t bytes : {1u, 10u, 100'000u}) {
        const std::size_t before = only().body.size();
        grant(only().id, bytes);
        ASSERT_TRUE(runUntil([&] { return only().body.size() == before + bytes; })) << only().body.size();
        runReady();
        EXPECT_EQ(only().body.size(), before + bytes);
    }
    runReady();
    EXPECT_EQ(client.unsent, 20'000'000u) << "the rest must wait at the client";
}

TEST_F(Streaming, LargeAnswerIsPulledAtTheClientsPace)
{
    Client client = connect();
    client.reading(false);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(arrived());
    const std::size_t before = residentBytes();
    std::size_t given = 500'000;
    std::size_t most = 0;
    recorder.onDrained = [&](Recorder::Exchange& exchange) {
        while (given < large && given - exchange.written < 500'000) {
            given += 50'000;
            writeBody(exchange.id, std::string(50'000, 'y'), given == large);
        }
        most = std::max(most, given - exchange.written);
    };
    respond(only().id, {200, {}}, std::string(500'000, 'y'), false);
    runReady();
    const std::size_t stalledAt = given;
    EXPECT_LT(stalledAt, large) << "a client that does not read must hold the owner back";
    client.reading(true);
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_EQ(only().written, large);
    EXPECT_LE(most, 550'000u);
    EXPECT_LT(residentBytes(), before + 20'000'000);
    EXPECT_FALSE(client.malformed);
}

TEST_F(Streaming, BothDirectionsAtOnce)
{
    recorder.handler = [&](Recorder::Exchange& exchange) {
        respond(exchange.id, {200, {}}, exchange.info.body, false);
        grant(exchange.id, 1 << 20);
    };
    std::size_t echoed = 0;
    recorder.onPiece = [&](Recorder::Exchange& exchange, std::size_t size) {
        echoed += size;
        writeBody(exchange.id, std::string(size, 'e'), exchange.bodyEnded);
        grant(exchange.id, size);
    };
    Client client = connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n");
    client.send(std::string(1'000'000, 'a'));
    ASSERT_TRUE(runUntil([&] { return client.partialBody >= 1'000'000; })) << "echoed before all was sent";
    client.send(std::string(2'000'000, 'b'));
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
}

TEST_F(Streaming, SseEventsLeaveOneByOne)
{
    Client client = connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {{"Content-Type", "text/event-stream"}}}, "", false);
    ASSERT_TRUE(runUntil([&] { return client.partialHead.has_value(); }));
    for (std::size_t i = 1; i <= 20; ++i) {
        writeBody(only().id, "data: x\n\n", false);
        ASSERT_TRUE(runUntil([&] { return client.partialBody == 9 * i; }));
    }
    writeBody(only().id, "", true);
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    EXPECT_FALSE(client.ended);
}

TEST_F(Streaming, Http10StreamEndsWithTheConnection)
{
    Client client = connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {}}, "one ", false);
    writeBody(only().id, "two", true);
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    EXPECT_EQ(client.raw, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none two");
    EXPECT_EQ(*client.ended, boost::asio::error::eof);
}

TEST_F(Streaming, StreamedHeadTellsTheOwnerToGoOnAndSendsNothing)
{
    Client client = connect();
    client.expectNoBody();
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(arrived());
    respond(only().id, {200, {{"Content-Length", "30"}}}, "0123456789", false);
    ASSERT_TRUE(runUntil([&] { return only().written == 10; }));
    writeBody(only().id, "0123456789", false);
    ASSERT_TRUE(runUntil([&] { return only().written == 20; }));
    writeBody(only().id, "0123456789", true);
    ASSERT_TRUE(runUntil([&] { return only().written == 30; }));
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return recorder.exchanges.size() == 2; }));
    EXPECT_EQ(client.raw, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n");
}

TEST_F(Streaming, ShortRestOfABodyIsDiscardedAndTheConnectionKept)
{
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {403, {}}, "no"); };
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 1; }));
    client.send(std::string(1'000'000, 'x') + "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.answers.size() == 2; }));
    EXPECT_EQ(recorder.exchanges[1].info.head.target, "/next");
    EXPECT_TRUE(recorder.exchanges[0].body.empty());
}

TEST_F(Streaming, LongRestOfABodyEndsTheConnection)
{
    recorder.handler = [this](Recorder::Exchange& exchange) { respond(exchange.id, {403, {}}, "no"); };
    Client client = connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    ASSERT_TRUE(runUntil([&] { return client.ended.has_value(); }));
    ASSERT_EQ(client.answers.size(), 1u);
    EXPECT_EQ(*findHeader(client.answers[0].head.headers, "Connection"), "close");
}

}  // namespace
}  // namespace mesh::aggregator
