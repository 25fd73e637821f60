#include "connector/core/bmc_pool.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace mesh::connector {
namespace {

using Kind = BmcAction::Kind;

// Drives the pool and keeps what it ordered.
struct BmcPoolTest : testing::Test {
    BmcPool pool{"bmc", BmcPool::Options{3, 4, 1}};
    Instant now{1h};
    BmcActions out;
    std::vector<BmcConnection> connecting, closed;
    std::map<BmcExchange, BmcConnection> sent;
    std::map<BmcExchange, std::vector<Code>> failed;
    int sends = 0;

    void settle()
    {
        for (const BmcAction& action : out) {
            switch (action.kind) {
                case Kind::connect: connecting.push_back(action.connection); break;
                case Kind::send: sent[action.exchange] = action.connection; ++sends; break;
                case Kind::close: closed.push_back(action.connection); break;
                case Kind::fail: failed[action.exchange].push_back(action.error.code); break;
                case Kind::stopped: break;
            }
        }
        out.clear();
        ASSERT_LE(pool.open(), 3u);
        ASSERT_LE(pool.waitingCount(), 4u + 3u);
    }
    void start(BmcExchange id, bool repeatable = true, Duration deadline = 30s, bool urgent = false)
    {
        BmcJob job;
        job.id = id;
        job.repeatable = repeatable;
        job.urgent = urgent;
        job.deadline = now + deadline;
        pool.start(job, now, out);
        settle();
    }
    void connectAll()
    {
        std::vector<BmcConnection> ids;
        ids.swap(connecting);
        for (const BmcConnection id : ids) {
            pool.connected(id, now, out);
            settle();
        }
    }
    void failConnect(Code code = Code::notSent)
    {
        const BmcConnection id = connecting.front();
        connecting.erase(connecting.begin());
        pool.connectFailed(id, {code, "why"}, now, out);
        settle();
    }
    void finish(BmcExchange id, bool reusable = true)
    {
        pool.finished(sent.at(id), reusable, now, out);
        settle();
    }
    void lose(BmcConnection connection, bool nothingSent = false, bool replayable = true)
    {
        pool.lost(connection, nothingSent, replayable, "reset", now, out);
        settle();
    }
    void tick(Duration later)
    {
        now += later;
        pool.tick(now, out);
        settle();
    }
    // A connection that has served exchange 1000 and is idle.
    BmcConnection usedConnection()
    {
        start(1000);
        connectAll();
        finish(1000);
        sends = 0;
        return sent.at(1000);
    }
    Code code(BmcExchange id) { return failed[id].size() == 1 ? failed[id][0] : Code::ok; }
};

TEST_F(BmcPoolTest, OpensAConnectionSendsAndReusesIt)
{
    start(1);
    ASSERT_EQ(connecting.size(), 1u);
    EXPECT_TRUE(sent.empty());
    connectAll();
    EXPECT_TRUE(sent.contains(1));
    finish(1);
    start(2);
    EXPECT_TRUE(connecting.empty());
    EXPECT_EQ(sent[2], sent[1]);
    EXPECT_EQ(pool.counters().connects, 1u);
}

TEST_F(BmcPoolTest, NeverOpensMoreThanItsLimitAndServesInOrder)
{
    for (BmcExchange id = 1; id <= 5; ++id) {
        start(id);
    }
    EXPECT_EQ(connecting.size(), 3u);
    EXPECT_EQ(pool.open(), 3u);
}

TEST_F(BmcPoolTest, WaitingExchangesAreServedFirstComeFirst)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    for (BmcExchange id = 4; id <= 7; ++id) {
        start(id);
    }
    EXPECT_EQ(sends, 3);
    finish(2);
    EXPECT_EQ(sent[4], sent[2]);
    finish(1, false);
    EXPECT_FALSE(sent.contains(5));
    ASSERT_EQ(connecting.size(), 1u);
    connectAll();
    EXPECT_TRUE(sent.contains(5));
    EXPECT_FALSE(sent.contains(6));
}

TEST_F(BmcPoolTest, RefusesWhatItsQueueCannotHold)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    for (BmcExchange id = 4; id <= 7; ++id) {
        start(id);
    }
    EXPECT_TRUE(failed.empty());
    start(8);
    EXPECT_EQ(code(8), Code::full);
    EXPECT_EQ(pool.counters().queuedFull, 1u);
    finish(1);
    start(9);
    EXPECT_EQ(code(9), Code::ok);
}

TEST_F(BmcPoolTest, TheConnectionUsedLastIsReusedFirstAndTheOthersAgeOut)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    finish(1);
    now += 1s;
    finish(3);
    now += 1s;
    finish(2);
    start(4);
    EXPECT_EQ(sent[4], sent[2]);
    finish(4);
    tick(limits::bmcIdleClose - 2s);
    EXPECT_EQ(closed, std::vector<BmcConnection>{sent[1]});
    EXPECT_EQ(pool.nextDeadline(), now + 1s);
    tick(2s);
    EXPECT_EQ(closed.size(), 3u);
    EXPECT_EQ(pool.open(), 0u);
    EXPECT_EQ(pool.nextDeadline(), never);
}

TEST_F(BmcPoolTest, AStaleConnectionCostsARepeatableExchangeOneRetryOnANewOne)
{
    const BmcConnection stale = usedConnection();
    start(1);
    EXPECT_EQ(sent[1], stale);
    lose(stale);
    EXPECT_TRUE(failed.empty());
    ASSERT_EQ(connecting.size(), 1u);
    connectAll();
    EXPECT_NE(sent[1], stale);
    EXPECT_EQ(pool.counters().staleRetries, 1u);
    lose(sent[1]);
    EXPECT_EQ(code(1), Code::outcomeUnknown);
    EXPECT_EQ(sends, 2);
}

TEST_F(BmcPoolTest, ARetryIsNotGivenAnotherOldConnection)
{
    start(1);
    start(2);
    connectAll();
    finish(1);
    finish(2);
    start(3);
    const BmcConnection other = sent[3] == sent[1] ? sent[2] : sent[1];
    lose(sent[3]);
    ASSERT_EQ(connecting.size(), 1u) << "connection " << other << " may be as stale";
    connectAll();
    EXPECT_NE(sent[3], other);
}

TEST_F(BmcPoolTest, WhatWasWrittenAndMustNotBeRepeatedIsOfUnknownOutcome)
{
    const BmcConnection stale = usedConnection();
    start(1, false);
    EXPECT_EQ(sent[1], stale);
    lose(stale);
    EXPECT_EQ(code(1), Code::outcomeUnknown);
    EXPECT_EQ(sends, 1);
}

TEST_F(BmcPoolTest, WhatWasNotWrittenIsSentAgainWhateverItIs)
{
    const BmcConnection stale = usedConnection();
    start(1, false);
    lose(stale, true);
    EXPECT_TRUE(failed.empty());
    connectAll();
    EXPECT_EQ(sends, 2);
    lose(sent[1], true);
    EXPECT_EQ(code(1), Code::notSent);
}

TEST_F(BmcPoolTest, ABodyThatIsGoneCannotBeSentAgain)
{
    const BmcConnection stale = usedConnection();
    start(1, true);
    lose(stale, false, false);
    EXPECT_EQ(code(1), Code::outcomeUnknown);
}

TEST_F(BmcPoolTest, ANewConnectionThatBreaksIsNoReasonToRepeat)
{
    start(1);
    connectAll();
    lose(sent[1]);
    EXPECT_EQ(code(1), Code::outcomeUnknown);
    EXPECT_EQ(sends, 1);
}

TEST_F(BmcPoolTest, ACutAnswerIsCorruptAndNeverRepeated)
{
    const BmcConnection connection = usedConnection();
    start(1);
    pool.answering(connection);
    lose(connection);
    EXPECT_EQ(code(1), Code::corrupt);
    EXPECT_EQ(sends, 1);
}

TEST_F(BmcPoolTest, WhatMustNotBeRepeatedAvoidsConnectionsThatWereIdle)
{
    const BmcConnection old = usedConnection();
    now += limits::bmcReuseWindow;
    start(1, false);
    EXPECT_FALSE(sent.contains(1));
    connectAll();
    EXPECT_NE(sent[1], old);
    start(2);
    EXPECT_EQ(sent[2], old) << "repeatable ones may use it";
}

TEST_F(BmcPoolTest, AnIdleConnectionMakesRoomForANewOne)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    for (BmcExchange id = 1; id <= 3; ++id) {
        finish(id);
        now += 1ms;
    }
    now += limits::bmcReuseWindow;
    start(4, false);
    EXPECT_EQ(closed, std::vector<BmcConnection>{sent[1]});
    connectAll();
    EXPECT_TRUE(sent.contains(4));
    EXPECT_EQ(pool.open(), 3u);
}

TEST_F(BmcPoolTest, ABmcThatClosesSoonIsRemembered)
{
    const BmcConnection first = usedConnection();
    now += 100ms;
    lose(first);
    const BmcConnection second = usedConnection();
    now += 50ms;
    start(1, false);
    EXPECT_FALSE(sent.contains(1)) << "idle for half of what the BMC allowed is too long";
    connectAll();
    EXPECT_NE(sent[1], second);
    finish(1);
    now += 49ms;
    start(2, false);
    EXPECT_EQ(sent[2], sent[1]);
    finish(2);
    // One that is seen to last longer ends the caution.
    now += limits::bmcReuseWindow;
    start(3);
    finish(3);
    now += 500ms;
    start(4, false);
    EXPECT_EQ(sent[4], sent[3]);
}

TEST_F(BmcPoolTest, AnIdleConnectionThatClosesFailsNobody)
{
    const BmcConnection connection = usedConnection();
    lose(connection);
    EXPECT_TRUE(failed.empty());
    EXPECT_EQ(pool.open(), 0u);
    start(1);
    EXPECT_EQ(connecting.size(), 1u);
}

TEST_F(BmcPoolTest, AnUnreachableBmcFailsAllWhoWaitAsNotSent)
{
    for (BmcExchange id = 1; id <= 5; ++id) {
        start(id);
    }
    failConnect();
    failConnect();
    EXPECT_TRUE(failed.empty()) << "one more is being tried";
    failConnect();
    for (BmcExchange id = 1; id <= 5; ++id) {
        EXPECT_EQ(code(id), Code::notSent);
    }
    start(6);
    EXPECT_EQ(connecting.size(), 1u) << "the next request tries again";
}

TEST_F(BmcPoolTest, ACertificateThatIsNotAcceptedIsRefused)
{
    start(1);
    failConnect(Code::refused);
    EXPECT_EQ(code(1), Code::refused);
}

TEST_F(BmcPoolTest, ABmcThatAllowsFewConnectionsStillServesAll)
{
    start(1);
    connectAll();
    start(2);
    start(3);
    failConnect();
    failConnect();
    EXPECT_TRUE(failed.empty());
    EXPECT_EQ(pool.nextDeadline(), now + limits::bmcConnectPause);
    finish(1);
    EXPECT_TRUE(sent.contains(2));
    finish(2);
    EXPECT_TRUE(sent.contains(3));
    EXPECT_TRUE(connecting.empty()) << "no new one within the pause";
}

TEST_F(BmcPoolTest, AConnectionThatDoesNotComeIsGivenUp)
{
    start(1);
    tick(limits::bmcConnectTimeout - 1ms);
    EXPECT_TRUE(failed.empty());
    tick(1ms);
    EXPECT_EQ(code(1), Code::notSent);
    EXPECT_EQ(closed.size(), 1u);
}

TEST_F(BmcPoolTest, TheDeadlineOfWhatWaitsIsNotSentAndOfWhatWasSentUnknown)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id, false, 5s);
    }
    connectAll();
    start(4, false, 1s);
    EXPECT_EQ(pool.nextDeadline(), now + 1s);
    tick(1s);
    EXPECT_EQ(code(4), Code::notSent);
    EXPECT_TRUE(closed.empty());
    pool.answering(sent[2]);
    tick(4s);
    EXPECT_EQ(code(1), Code::deadlineExceeded);
    EXPECT_EQ(code(2), Code::deadlineExceeded);
    EXPECT_EQ(closed.size(), 3u);
}

TEST_F(BmcPoolTest, TheDeadlineCountsFromTheStartAlsoForARetry)
{
    const BmcConnection stale = usedConnection();
    start(1, true, 2s);
    now += 1s;
    lose(stale);
    connectAll();
    tick(1s);
    EXPECT_EQ(code(1), Code::deadlineExceeded);
}

TEST_F(BmcPoolTest, EventStreamsHaveNoDeadlineAndABoundOfTheirOwn)
{
    start(1, true, 1s);
    start(2, true, 1s);
    connectAll();
    pool.endless(sent[1], now, out);
    settle();
    pool.endless(sent[2], now, out);
    settle();
    EXPECT_EQ(code(2), Code::full);
    tick(1h);
    EXPECT_TRUE(failed[1].empty());
    EXPECT_EQ(pool.open(), 1u);
    finish(1);
    start(3);
    pool.endless(sent[3], now, out);
    settle();
    EXPECT_TRUE(failed[3].empty()) << "the first has ended";
}

TEST_F(BmcPoolTest, CancellingClosesWhatWasSentAndForgetsWhatWaits)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    start(4);
    start(5);
    pool.cancel(4, now, out);
    pool.cancel(99, now, out);
    settle();
    pool.cancel(1, now, out);
    settle();
    EXPECT_EQ(closed, std::vector<BmcConnection>{sent[1]});
    connectAll();
    EXPECT_TRUE(sent.contains(5));
    EXPECT_FALSE(sent.contains(4));
    EXPECT_TRUE(failed.empty());
}

TEST_F(BmcPoolTest, WhileHeldOnlyUrgentExchangesGo)
{
    const BmcConnection connection = usedConnection();
    pool.hold();
    start(1);
    start(2);
    EXPECT_EQ(sends, 0);
    start(3, true, 30s, true);
    EXPECT_EQ(sent[3], connection);
    finish(3);
    EXPECT_EQ(sends, 1);
    pool.release(now, out);
    settle();
    EXPECT_EQ(sent[1], connection);
    connectAll();
    EXPECT_TRUE(sent.contains(2));
}

TEST_F(BmcPoolTest, UrgentExchangesOvertakeAFullQueue)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    for (BmcExchange id = 4; id <= 6; ++id) {
        start(id);
    }
    start(7, true, 30s, true);
    finish(1);
    EXPECT_TRUE(sent.contains(7));
    EXPECT_FALSE(sent.contains(4));
}

TEST_F(BmcPoolTest, FailingWhoWaitsLeavesTheOthers)
{
    const BmcConnection connection = usedConnection();
    start(1);
    pool.hold();
    start(2);
    pool.failWaiting({Code::refused, "login"}, out);
    settle();
    EXPECT_EQ(code(2), Code::refused);
    EXPECT_TRUE(failed[1].empty());
    EXPECT_EQ(sent[1], connection);
}

TEST_F(BmcPoolTest, AgainPutsAnExchangeBeforeAllOthers)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    start(4);
    sent.erase(2);
    const BmcConnection connection = 2;
    ASSERT_EQ(pool.job(connection)->id, 2u);
    pool.again(connection, true, now, out);
    settle();
    EXPECT_EQ(sent[2], connection);
    EXPECT_FALSE(sent.contains(4));
}

TEST_F(BmcPoolTest, ClosingAllSaysOfEachExchangeWhatIsKnown)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    start(4);
    pool.answering(sent[2]);
    sent.clear();
    pool.closeAll(true, "stop", out);
    settle();
    EXPECT_EQ(code(1), Code::outcomeUnknown);
    EXPECT_EQ(code(2), Code::corrupt);
    EXPECT_EQ(code(4), Code::notSent);
    EXPECT_EQ(closed.size(), 3u);
    EXPECT_EQ(pool.open(), 0u);
}

TEST_F(BmcPoolTest, ReportsAboutUnknownConnectionsAreIgnored)
{
    pool.connected(7, now, out);
    pool.connectFailed(7, {Code::notSent, ""}, now, out);
    pool.finished(7, true, now, out);
    pool.again(7, true, now, out);
    pool.answering(7);
    pool.endless(7, now, out);
    lose(7);
    EXPECT_TRUE(out.empty());
    EXPECT_TRUE(failed.empty());
}

}  // namespace
}  // namespace mesh::connector
