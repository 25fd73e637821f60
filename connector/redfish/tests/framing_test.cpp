#include "connector/redfish/tests/harness.hpp"

namespace mesh::connector::testing {
namespace {

using Framing = ClientTest;

TEST_F(Framing, AGetIsOneRequestOnOneKeptConnection)
{
    makeClient();
    for (int i = 0; i < 20; ++i) {
        const Outcome& outcome = ask("GET", "/redfish/v1/Systems");
        EXPECT_EQ(outcome.head.status, 200);
        EXPECT_EQ(outcome.body, "{}");
        EXPECT_EQ(outcome.heads, 1);
        EXPECT_EQ(outcome.ends, 1);
    }
    EXPECT_EQ(bmc.peers.size(), 1u);
    ASSERT_EQ(bmc.requests.size(), 20u);
    const Headers& headers = bmc.requests[0].headers;
    EXPECT_EQ(*findHeader(headers, "Host"), "127.0.0.1:" + std::to_string(bmc.port()));
    EXPECT_EQ(*findHeader(headers, "Accept-Encoding"), "identity");
    EXPECT_EQ(findHeader(headers, "Authorization"), nullptr);
    EXPECT_EQ(client->counters().requests, 20u);
    EXPECT_EQ(client->counters().connects, 1u);
}

TEST_F(Framing, ARequestStartedFromAnAnswerReusesItsConnection)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest& r) { peer.reply(r.line == "GET /1" ? 304 : 200, ""); };
    onHeadHook = [&](BmcExchange id) {
        if (id < 3) {
            request("GET", "/" + std::to_string(id + 1));
        }
    };
    onBodyHook = nullptr;
    request("GET", "/1");
    runUntilOver(3);
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Framing, RequestsAtTheSameTimeUseUpToEightConnections)
{
    makeClient();
    std::vector<std::shared_ptr<FakePeer>> waiting;
    bmc.script = [&](FakePeer& peer, const FakeRequest&) { waiting.push_back(peer.shared_from_this()); };
    for (int i = 0; i < 20; ++i) {
        request("GET", "/x");
    }
    runUntil([&] { return waiting.size() == limits::bmcConnections; });
    settle();
    EXPECT_EQ(waiting.size(), limits::bmcConnections);
    bmc.script = nullptr;
    for (const auto& peer : waiting) {
        peer->reply(200, "{}");
    }
    runUntil([&] { return std::all_of(outcomes.begin(), outcomes.end(), [](auto& o) { return o.second.over(); }) && outcomes.size() == 20; });
    EXPECT_EQ(bmc.peers.size(), limits::bmcConnections);
}

TEST_F(Framing, PassesStatusAndHeadersButNotThoseOfTheConnection)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        peer.reply(301, "moved", "Location: /elsewhere\r\nETag: \"a\"\r\nConnection: keep-alive, X-Hop\r\nX-Hop: "
                                 "1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n");
    };
    const Outcome& outcome = ask("GET", "/x");
    EXPECT_EQ(outcome.head.status, 301);
    EXPECT_EQ(*findHeader(outcome.head.headers, "Location"), "/elsewhere");
    EXPECT_EQ(*findHeader(outcome.head.headers, "ETag"), "\"a\"");
    EXPECT_EQ(*findHeader(outcome.head.headers, "Content-Length"), "5");
    for (const char* name : {"Connection", "X-Hop", "Keep-Alive", "Set-Cookie"}) {
        EXPECT_EQ(findHeader(outcome.head.headers, name), nullptr) << name;
    }
    EXPECT_EQ(bmc.count("GET /elsewhere"), 0);
}

TEST_F(Framing, HeadNoContentAndNotModifiedHaveNoBodyAndKeepTheConnection)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest& r) {
        if (r.line == "HEAD /x") {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        } else if (r.line == "GET /304") {
            peer.send("HTTP/1.1 304 Not Modified\r\nETag: 1\r\nContent-Length: 7\r\n\r\n");
        } else {
            peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        }
    };
    for (const char* one : {"HEAD /x", "GET /304", "DELETE /204"}) {
        const std::string line = one;
        const Outcome& outcome = ask(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
        EXPECT_EQ(outcome.ends, 1) << one;
        EXPECT_EQ(outcome.bodyBytes, 0u) << one;
    }
    EXPECT_EQ(*findHeader(outcomes[1].head.headers, "Content-Length"), "1000");
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Framing, ChunkedBodiesInDripsArriveWhole)
{
    makeClient();
    const std::string all = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: "
                            "1\r\n\r\n";
    std::shared_ptr<FakePeer> peer;
    bmc.script = [&](FakePeer& p, const FakeRequest&) { peer = p.shared_from_this(); };
    const BmcExchange id = request("GET", "/x");
    runUntil([&] { return peer != nullptr; });
    for (const char c : all) {
        peer->send(std::string(1, c));
        context.restart();
        while (context.poll() != 0) {
        }
    }
    runUntilOver(id);
    EXPECT_EQ(outcomes[id].body, "hello world");
    EXPECT_EQ(findHeader(outcomes[id].head.headers, "Transfer-Encoding"), nullptr);
    bmc.script = nullptr;
    EXPECT_EQ(ask("GET", "/y").body, "{}");
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Framing, InterimAnswersAreSkipped)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n");
        peer.reply(200, "done");
    };
    const Outcome& outcome = ask("POST", "/x", "body");
    EXPECT_EQ(outcome.head.status, 200);
    EXPECT_EQ(outcome.body, "done");
    EXPECT_EQ(outcome.bodySent, 4u);
    EXPECT_EQ(ask("GET", "/y").body, "done");
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Framing, SwitchingProtocolsUnaskedIsCorrupt)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.send("HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n"); };
    EXPECT_EQ(ask("GET", "/x").error->code, Code::corrupt);
}

TEST_F(Framing, ABodyUntilCloseEndsWithTheConnection)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it");
        peer.finish();
    };
    EXPECT_EQ(ask("GET", "/x").body, "all of it");
    EXPECT_EQ(ask("GET", "/x").body, "all of it");
    EXPECT_EQ(bmc.peers.size(), 2u);
}

TEST_F(Framing, ConnectionCloseIsHonoured)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.reply(200, "x", "Connection: close\r\n"); };
    ask("GET", "/x");
    ask("GET", "/x");
    EXPECT_EQ(bmc.peers.size(), 2u);
    runUntil([&] { return bmc.peers[0]->closed && bmc.peers[1]->closed; });
}

TEST_F(Framing, ACutBodyIsCorruptWhateverItsFraming)
{
    makeClient();
    for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                               "HTTP/1.1 200 OK\r\nContent-Le"}) {
        bmc.script = [answer](FakePeer& peer, const FakeRequest&) {
            peer.send(answer);
            peer.finish();
        };
        const Outcome& outcome = ask("GET", "/x");
        ASSERT_TRUE(outcome.error) << answer;
        EXPECT_EQ(outcome.error->code, Code::corrupt);
        EXPECT_EQ(outcome.ends, 1);
        EXPECT_NE(outcome.error->message.find("127.0.0.1"), std::string::npos);
    }
    EXPECT_EQ(bmc.requests.size(), 3u) << "none was repeated";
}

TEST_F(Framing, WhatIsNotHttpIsCorrupt)
{
    makeClient();
    for (const char* answer :
         {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 999 OK\r\n\r\n"}) {
        bmc.script = [answer](FakePeer& peer, const FakeRequest&) { peer.send(answer); };
        const Outcome& outcome = ask("GET", "/x");
        ASSERT_TRUE(outcome.error) << answer;
        EXPECT_EQ(outcome.error->code, Code::corrupt) << answer << outcome.error->message;
    }
}

TEST_F(Framing, AnEndlessHeadIsCorruptAndALargeOneIsNot)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest& r) {
        const std::size_t bytes = r.line == "GET /large" ? limits::maxHttpHeaderBytes - 200 : limits::maxHttpHeaderBytes * 2;
        peer.reply(200, "ok", "X-Large: " + std::string(bytes, 'x') + "\r\n");
    };
    const Outcome& large = ask("GET", "/large");
    EXPECT_EQ(large.body, "ok");
    EXPECT_EQ(findHeader(large.head.headers, "X-Large")->size(), limits::maxHttpHeaderBytes - 200);
    EXPECT_EQ(ask("GET", "/endless").error->code, Code::corrupt);
}

TEST_F(Framing, BytesBeyondTheAnswerAreNeverTakenForTheNextOne)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest& r) {
        if (r.line == "GET /a") {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        } else {
            peer.reply(200, "good");
        }
    };
    EXPECT_EQ(ask("GET", "/a").body, "ok");
    EXPECT_EQ(ask("GET", "/b").body, "good");
    EXPECT_EQ(bmc.peers.size(), 2u);
}

TEST_F(Framing, BytesOnAnIdleConnectionCloseIt)
{
    makeClient();
    ask("GET", "/a");
    bmc.peers[0]->send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    runUntil([&] { return bmc.peers[0]->closed; });
    EXPECT_EQ(ask("GET", "/b").body, "{}");
    EXPECT_EQ(bmc.peers.size(), 2u);
}

TEST_F(Framing, AHeadThatWouldBecomeAnotherRequestIsNotSent)
{
    makeClient();
    const BmcExchange id = request("GET", "/a HTTP/1.1\r\nX: y");
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::invalidArgument);
    EXPECT_TRUE(bmc.requests.empty());
}

TEST_F(Framing, CompressedBodiesAreDecodedAndSaidToBePlain)
{
    makeClient();
    std::string plain;
    for (int i = 0; i < 100000; ++i) {
        plain += std::to_string(i * 7919 % 100003) + ",";
    }
    const std::map<std::string, std::pair<std::string, std::string>> variants{
        {"/gzip", {"gzip", gzip(plain)}},
        {"/x", {"X-GZIP", gzip(plain)}},
        {"/deflate", {"deflate", zlibDeflate(plain, false)}},
        {"/bare", {"deflate", zlibDeflate(plain, true)}},
        {"/members", {"gzip", gzip(plain.substr(0, 1000)) + gzip(plain.substr(1000))}}};
    bmc.script = [&](FakePeer& peer, const FakeRequest& r) {
        const auto& [name, bytes] = variants.at(r.line.substr(4));
        peer.reply(200, bytes, "Content-Encoding: " + name + "\r\nETag: 1\r\n");
    };
    for (const auto& [target, variant] : variants) {
        const Outcome& outcome = ask("GET", target);
        ASSERT_FALSE(outcome.error) << target << outcome.error->message;
        EXPECT_TRUE(outcome.body == plain) << target;
        EXPECT_EQ(outcome.head.headers, (Headers{{"ETag", "1"}})) << target;
    }
    EXPECT_EQ(client->counters().gzipDecoded, 5u);
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Framing, DamagedAndCutCompressedBodiesAreCorrupt)
{
    makeClient();
    const std::string good = gzip(std::string(10000, 'a') + "b");
    std::string damaged = good;
    damaged[good.size() - 6] = static_cast<char>(damaged[good.size() - 6] ^ 1);
    for (const std::string& bytes : {damaged, good.substr(0, good.size() - 9), good + "garbage", std::string("plain")}) {
        bmc.script = [&](FakePeer& peer, const FakeRequest&) { peer.reply(200, bytes, "Content-Encoding: gzip\r\n"); };
        const Outcome& outcome = ask("GET", "/x");
        ASSERT_TRUE(outcome.error);
        EXPECT_EQ(outcome.error->code, Code::corrupt);
    }
    bmc.script = [&](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    };
    EXPECT_EQ(ask("GET", "/empty").body, "");
}

TEST_F(Framing, ADecompressionBombIsStopped)
{
    makeClient();
    keepBytes = 0;
    const std::string bomb = gzip(std::string(64 << 20, '\0'));
    bmc.script = [&](FakePeer& peer, const FakeRequest&) { peer.reply(200, bomb, "Content-Encoding: gzip\r\n"); };
    const Outcome& outcome = ask("GET", "/x");
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, Code::corrupt);
    EXPECT_LT(outcome.bodyBytes, 20u << 20);
}

}  // namespace
}  // namespace mesh::connector::testing
