#include "connector/core/tests/bmc_pool_fixture.hpp"

namespace mesh::connector {
namespace {

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

}  // namespace
}  // namespace mesh::connector
