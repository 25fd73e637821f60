#include "connector/redfish/tests/harness.hpp"

#include <fstream>

namespace mesh::connector::testing {
namespace {

constexpr std::size_t large = 50u << 20;

// Anonymous memory of this process in KB. Means nothing under the sanitizers, which keep what was freed.
std::size_t rssAnon()
{
#ifdef MESH_SANITIZED
    return 0;
#endif
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        if (word == "RssAnon:") {
            std::size_t value = 0;
            status >> value;
            return value;
        }
    }
    return 0;
}

class Streaming : public ClientTest {
protected:
    // Sends the body piece by piece, as much ahead as the window allows.
    void upload(BmcExchange id, std::size_t total, std::int64_t announced)
    {
        client->start(id, {"POST", "/upload", {}}, "", true, announced, false, host::systemNow().mono + 30s);
        given = 0;
        feed = [this, id, total] {
            while (given < total && given - outcomes[id].bodySent < limits::streamWindowBytes) {
                const std::size_t count = std::min(limits::chunkBytes, total - given);
                given += count;
                client->sendBody(id, std::string(count, 'u'), given == total);
                most = std::max(most, given - outcomes[id].bodySent);
            }
        };
        onBodySentHook = [this](BmcExchange) { feed(); };
        feed();
    }
    std::function<void()> feed;
    std::size_t given = 0, most = 0;
};

TEST_F(Streaming, FiftyMegabytesDownNeedLittleMemory)
{
    makeClient();
    keepBytes = 0;
    std::size_t toSend = large;
    bmc.script = [&](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    };
    std::size_t before = 0, peak = 0;
    onBodyHook = [&](BmcExchange) {
        const std::size_t now = rssAnon();
        before = before == 0 ? now : before;
        peak = std::max(peak, now);
    };
    const BmcExchange id = request("GET", "/x", "", 60s);
    runUntil([&] { return bmc.requests.size() == 1; });
    while (!outcomes[id].over()) {
        if (toSend > 0 && outcomes[id].bodyBytes + 1000000 > large - toSend) {
            const std::size_t count = std::min<std::size_t>(toSend, 256 * 1024);
            toSend -= count;
            bmc.peers[0]->send(std::string(count, 'd'));
        }
        context.restart();
        context.run_one_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(outcomes[id].bodyBytes, large);
    EXPECT_FALSE(outcomes[id].error);
    EXPECT_LT(peak - before, 8u * 1024) << "client and fake server together";
}

TEST_F(Streaming, FiftyMegabytesUpWithKnownAndUnknownLength)
{
    for (const std::int64_t announced : {static_cast<std::int64_t>(large), std::int64_t{-1}}) {
        makeClient();
        const BmcExchange id = ++lastExchange;
        upload(id, large, announced);
        const std::size_t before = rssAnon();
        runUntilOver(id);
        EXPECT_EQ(outcomes[id].body, "{}");
        ASSERT_FALSE(bmc.requests.empty());
        EXPECT_EQ(bmc.requests.back().bodyBytes, large);
        EXPECT_EQ(outcomes[id].bodySent, large);
        EXPECT_LE(most, limits::streamWindowBytes + limits::chunkBytes);
        EXPECT_LT(rssAnon(), before + 8 * 1024);
        EXPECT_EQ(findHeader(bmc.requests.back().headers, "Content-Length") != nullptr, announced >= 0);
        EXPECT_EQ(findHeader(bmc.requests.back().headers, "Transfer-Encoding") != nullptr, announced < 0);
    }
}

TEST_F(Streaming, WithoutCreditTheBmcIsNotRead)
{
    makeClient();
    autoGrant = false;
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.reply(200, std::string(20 << 20, 'x')); };
    const BmcExchange id = request("GET", "/x", "", 60s);
    runUntil([&] { return outcomes[id].bodyBytes == limits::streamWindowBytes; });
    settle();
    EXPECT_EQ(outcomes[id].bodyBytes, limits::streamWindowBytes);
    client->grant(id, 1000);
    settle();
    EXPECT_EQ(outcomes[id].bodyBytes, limits::streamWindowBytes + 1000);
    client->grant(id, 100 << 20);
    runUntilOver(id);
    EXPECT_EQ(outcomes[id].bodyBytes, 20u << 20);
}

TEST_F(Streaming, CreditCountsDecodedBytes)
{
    makeClient();
    autoGrant = false;
    std::string plain;
    for (int i = 0; plain.size() < 4u << 20; ++i) {
        plain += "line " + std::to_string(i % 977) + " of a log that compresses well\n";
    }
    keepBytes = plain.size();
    bmc.script = [&](FakePeer& peer, const FakeRequest&) {
        peer.reply(200, gzip(plain), "Content-Encoding: gzip\r\n");
    };
    const BmcExchange id = request("GET", "/x", "", 60s);
    runUntil([&] { return outcomes[id].bodyBytes == limits::streamWindowBytes; });
    settle();
    EXPECT_EQ(outcomes[id].bodyBytes, limits::streamWindowBytes);
    std::size_t granted = limits::streamWindowBytes;
    while (!outcomes[id].over()) {
        client->grant(id, 100000);
        granted += 100000;
        settle();
        EXPECT_LE(outcomes[id].bodyBytes, granted);
    }
    EXPECT_FALSE(outcomes[id].error) << outcomes[id].error->message;
    EXPECT_TRUE(outcomes[id].body == plain);
    bmc.script = nullptr;
    ask("GET", "/y");
    EXPECT_EQ(bmc.peers.size(), 1u) << "the connection was kept";
}

TEST_F(Streaming, ABmcThatDoesNotReadIsNotGivenMore)
{
    makeClient();
    bmc.onHead = [](FakePeer& peer, const RequestHead&) { peer.reading = false; };
    upload(++lastExchange, large, static_cast<std::int64_t>(large));
    settle();
    const std::size_t sent = outcomes[1].bodySent;
    EXPECT_LT(sent, large / 2) << "the kernel's buffers are all there is";
    settle();
    EXPECT_EQ(outcomes[1].bodySent, sent);
    EXPECT_LE(given, sent + limits::streamWindowBytes);
    bmc.peers[0]->reading = true;
    bmc.peers[0]->readMore();
    runUntilOver(1);
    EXPECT_EQ(outcomes[1].bodySent, large);
}

TEST_F(Streaming, AnAnswerBeforeTheEndOfTheRequestIsGivenAndTheConnectionClosed)
{
    makeClient();
    bmc.onHead = [](FakePeer& peer, const RequestHead&) {
        peer.reading = false;
        peer.reply(413, "too much");
    };
    upload(++lastExchange, large, static_cast<std::int64_t>(large));
    runUntilOver(1);
    EXPECT_EQ(outcomes[1].head.status, 413);
    EXPECT_EQ(outcomes[1].body, "too much");
    client->sendBody(1, "more", false);
    settle();
    bmc.onHead = nullptr;
    onBodySentHook = nullptr;
    EXPECT_EQ(ask("GET", "/x").body, "{}");
    EXPECT_EQ(bmc.peers.size(), 2u);
}

TEST_F(Streaming, ABodyLongerOrShorterThanAnnouncedNeverBecomesAnotherRequest)
{
    makeClient();
    client->start(1, {"POST", "/x", {}}, "12345", true, 10, false, host::systemNow().mono + 10s);
    client->sendBody(1, "67890GET /evil HTTP/1.1\r\nHost: x\r\n\r\n", true);
    runUntilOver(1);
    EXPECT_EQ(codeOf(1), Code::invalidArgument);
    client->start(2, {"POST", "/x", {}}, "12345", true, 10, false, host::systemNow().mono + 10s);
    client->sendBody(2, "6", true);
    runUntilOver(2);
    EXPECT_EQ(codeOf(2), Code::invalidArgument);
    lastExchange = 2;
    EXPECT_EQ(ask("GET", "/y").body, "{}");
    EXPECT_EQ(bmc.requests.size(), 1u);
}

TEST_F(Streaming, EventsArriveAsTheyAreSentAndOutliveTheDeadline)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    };
    const BmcExchange id = request("GET", "/sse", "", 100ms);
    runUntil([&] { return outcomes[id].heads == 1; });
    skew += 1h;
    for (int i = 0; i < 3; ++i) {
        bmc.peers[0]->send("9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
        const std::size_t expected = 9u * static_cast<std::size_t>(i + 1);
        runUntil([&] { return outcomes[id].bodyBytes == expected; });
    }
    // A request with a short deadline makes the client look at its clock.
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    runUntilOver(request("GET", "/hang", "", 50ms));
    EXPECT_EQ(outcomes[id].ends, 0);
    bmc.peers[0]->send("0\r\n\r\n");
    runUntilOver(id);
    EXPECT_FALSE(outcomes[id].error);
}

TEST_F(Streaming, EventStreamsCannotTakeAllConnections)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest& r) {
        if (r.line == "GET /sse") {
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        } else {
            peer.reply(200, "{}");
        }
    };
    for (std::size_t i = 0; i < limits::bmcConnections; ++i) {
        request("GET", "/sse");
    }
    runUntil([&] { return client->counters().failures == limits::bmcConnections - limits::bmcEventStreams; });
    EXPECT_EQ(ask("GET", "/x").body, "{}");
}

}  // namespace
}  // namespace mesh::connector::testing
