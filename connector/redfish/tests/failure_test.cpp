#include "connector/redfish/tests/harness.hpp"

namespace mesh::connector::testing {
namespace {

using Failure = ClientTest;

TEST_F(Failure, ABmcThatDoesNotListenIsNotSentAndServedAgainWhenItDoes)
{
    makeClient();
    const auto port = bmc.port();
    bmc.stopListening();
    EXPECT_EQ(ask("POST", "/x", "a").error->code, Code::notSent);
    EXPECT_EQ(ask("GET", "/x").error->code, Code::notSent);
    bmc.listenAgain(port);
    EXPECT_EQ(ask("GET", "/x").body, "{}");
    EXPECT_EQ(client->counters().failures, 2u);
}

TEST_F(Failure, ANameThatDoesNotResolveIsNotSent)
{
    BmcTarget target;
    target.url = "http://no-such-host.invalid";
    makeClient(std::move(target));
    EXPECT_EQ(ask("GET", "/x").error->code, Code::notSent);
}

TEST_F(Failure, AnUrlThatIsNoneIsRefusedAtTheStart)
{
    for (const char* url : {"ftp://bmc", "http://bmc/path", ""}) {
        BmcTarget target;
        target.url = url;
        RedfishClient wrong(context, target, *this, [] { return host::systemNow(); });
        EXPECT_FALSE(wrong.configure().ok()) << url;
    }
    BmcTarget target;
    target.url = "https://bmc";
    target.trust.caFile = "/nonexistent/ca.pem";
    RedfishClient wrong(context, target, *this, [] { return host::systemNow(); });
    EXPECT_FALSE(wrong.configure().ok());
}

TEST_F(Failure, SentButNotAnsweredIsOutcomeUnknownAndNeverRepeatedOnANewConnection)
{
    makeClient();
    bmc.resets = true;
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.close(); };
    EXPECT_EQ(ask("POST", "/x", "a").error->code, Code::outcomeUnknown);
    EXPECT_EQ(ask("GET", "/x").error->code, Code::outcomeUnknown);
    EXPECT_EQ(bmc.requests.size(), 2u);
    EXPECT_EQ(client->counters().staleRetries, 0u);
}

TEST_F(Failure, AGetOnAStaleConnectionIsRepeatedOnce)
{
    makeClient();
    ask("GET", "/a");
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        if (peer.number == 1) {
            peer.close();
        } else {
            peer.reply(200, "fresh");
        }
    };
    const Outcome& outcome = ask("GET", "/b");
    EXPECT_EQ(outcome.body, "fresh");
    EXPECT_EQ(outcome.heads, 1);
    EXPECT_EQ(bmc.count("GET /b"), 2);
    EXPECT_EQ(client->counters().staleRetries, 1u);
}

TEST_F(Failure, AGetThatBreaksTwiceIsNotTriedAThirdTime)
{
    makeClient();
    ask("GET", "/a");
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.close(); };
    EXPECT_EQ(ask("GET", "/b").error->code, Code::outcomeUnknown);
    EXPECT_EQ(bmc.count("GET /b"), 2);
}

TEST_F(Failure, APostWrittenOnAStaleConnectionIsOutcomeUnknownAndNotRepeated)
{
    makeClient();
    ask("GET", "/a");
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.close(); };
    EXPECT_EQ(ask("POST", "/b", "{}").error->code, Code::outcomeUnknown);
    settle();
    EXPECT_EQ(bmc.count("POST /b"), 1);
    EXPECT_EQ(bmc.peers.size(), 1u);
}

TEST_F(Failure, AnIdleConnectionThatWasClosedIsNotUsedForAPost)
{
    makeClient();
    for (int i = 0; i < 5; ++i) {
        ask("GET", "/a");
        bmc.peers.back()->close();
        settle();
        EXPECT_EQ(ask("POST", "/b", "{}").body, "{}");
        bmc.peers.back()->close();
        settle();
    }
    EXPECT_EQ(bmc.count("POST /b"), 5);
    EXPECT_EQ(client->counters().staleRetries, 0u);
}

TEST_F(Failure, WhatTheKernelRefusesToTakeIsSentAgainWhateverItIs)
{
    makeClient();
    bmc.resets = true;
    ask("GET", "/a");
    bmc.resets = false;
    bmc.peers[0]->close();
    // The reset is in the kernel, but the client has not looked yet: its write takes nothing.
    const BmcExchange id = request("POST", "/b", "{}");
    runUntilOver(id);
    EXPECT_FALSE(outcomes[id].error) << outcomes[id].error->message;
    EXPECT_EQ(bmc.count("POST /b"), 1);
    EXPECT_EQ(client->counters().staleRetries, 1u);
}

TEST_F(Failure, APostAvoidsAConnectionThatWasIdleForLong)
{
    makeClient();
    ask("GET", "/a");
    skew += limits::bmcReuseWindow;
    ask("POST", "/b", "{}");
    EXPECT_EQ(bmc.requests.back().connection, 2);
    skew += limits::bmcReuseWindow;
    ask("GET", "/c");
    EXPECT_EQ(bmc.peers.size(), 2u) << "a GET does not";
}

TEST_F(Failure, NoAnswerInTimeIsDeadlineExceeded)
{
    makeClient();
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    const auto begin = std::chrono::steady_clock::now();
    const BmcExchange id = request("GET", "/hang", "", 100ms);
    runUntilOver(id);
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(codeOf(id), Code::deadlineExceeded);
    EXPECT_GE(took, 100ms);
    EXPECT_LT(took, 200ms);
    runUntil([&] { return bmc.peers[0]->closed; });
}

TEST_F(Failure, ADrippingAnswerMeetsTheSameDeadline)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
    };
    const BmcExchange id = request("GET", "/drip", "", 100ms);
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::deadlineExceeded);
    EXPECT_EQ(outcomes[id].heads, 1);
    EXPECT_EQ(outcomes[id].body, "abc");
}

TEST_F(Failure, WhatWaitedUntilItsDeadlineWasNotSent)
{
    makeClient();
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    for (std::size_t i = 0; i < limits::bmcConnections; ++i) {
        request("GET", "/hang");
    }
    const BmcExchange id = request("POST", "/late", "", 100ms);
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::full);
    EXPECT_EQ(bmc.count("POST /late"), 0);
}

TEST_F(Failure, ABmcThatHangsFillsTheQueueAndThenRefuses)
{
    makeClient();
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    for (std::size_t i = 0; i < limits::bmcConnections + limits::bmcQueuedRequests; ++i) {
        request("GET", "/hang");
    }
    settle();
    EXPECT_EQ(client->counters().failures, 0u);
    const BmcExchange id = request("GET", "/more");
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::full);
    EXPECT_EQ(client->counters().queuedFull, 1u);
    bmc.script = nullptr;
    bmc.peers[0]->reply(200, "");
    runUntil([&] { return bmc.requests.size() >= limits::bmcConnections + 200; });
}

TEST_F(Failure, CancellingClosesTheConnectionAndIsSilent)
{
    makeClient();
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    const BmcExchange id = request("GET", "/hang");
    runUntil([&] { return bmc.requests.size() == 1; });
    client->cancel(id);
    runUntil([&] { return bmc.peers[0]->closed; });
    EXPECT_EQ(outcomes[id].ends, 0);
    client->cancel(id);
    client->cancel(12345);
    bmc.script = nullptr;
    EXPECT_EQ(ask("GET", "/y").body, "{}");
}

TEST_F(Failure, CancellingFromInsideAnAnswerEndsIt)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.reply(200, std::string(100000, 'x')); };
    onHeadHook = [&](BmcExchange id) {
        if (id == 1) {
            client->cancel(id);
        }
    };
    onBodyHook = [&](BmcExchange id) { client->cancel(id); };
    request("GET", "/x");
    request("GET", "/y");
    settle();
    EXPECT_EQ(outcomes[1].bodyBytes, 0u);
    EXPECT_GT(outcomes[2].bodyBytes, 0u);
    EXPECT_LT(outcomes[2].bodyBytes, 100000u);
    EXPECT_EQ(outcomes[2].ends, 0);
}

TEST_F(Failure, AClientMayBeDestroyedFromInsideAnAnswer)
{
    makeClient();
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.reply(200, std::string(100000, 'x')); };
    onHeadHook = [&](BmcExchange) { client.reset(); };
    request("GET", "/x");
    request("POST", "/x", "abc");
    runUntil([&] { return client == nullptr; });
    settle();
}

TEST_F(Failure, StoppingEndsEverythingAndCallsBack)
{
    makeClient();
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    for (int i = 0; i < 10; ++i) {
        request("POST", "/hang", "x");
    }
    runUntil([&] { return bmc.requests.size() == limits::bmcConnections; });
    bool done = false;
    client->stop([&] { done = true; });
    EXPECT_FALSE(done);
    runUntil([&] { return done; });
    for (BmcExchange id = 1; id <= 10; ++id) {
        EXPECT_EQ(outcomes[id].ends, 1);
    }
    EXPECT_EQ(codeOf(1), Code::outcomeUnknown);
    EXPECT_EQ(codeOf(10), Code::notSent);
    EXPECT_EQ(ask("GET", "/late").error->code, Code::notSent);
    runUntil([&] { return std::all_of(bmc.peers.begin(), bmc.peers.end(), [](auto& peer) { return peer->closed; }); });
}

TEST_F(Failure, IdleConnectionsAreClosedInTheEnd)
{
    makeClient();
    ask("GET", "/a");
    const BmcExchange id = request("GET", "/b", "", 50ms);
    runUntilOver(id);
    skew += limits::bmcIdleClose;
    runUntil([&] { return bmc.peers[0]->closed; });
}

}  // namespace
}  // namespace mesh::connector::testing
