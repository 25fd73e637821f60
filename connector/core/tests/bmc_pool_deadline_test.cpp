#include "connector/core/tests/bmc_pool_fixture.hpp"

namespace mesh::connector {
namespace {

TEST_F(BmcPoolTest, TheDeadlineOfWhatWaitsProvesThatItWasNotSentAndOfWhatWasSentNothing)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id, false, 5s);
    }
    connectAll();
    start(4, false, 1s);
    EXPECT_EQ(pool.nextDeadline(), now + 1s);
    tick(1s);
    EXPECT_EQ(code(4), Code::full);
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

TEST_F(BmcPoolTest, AgainGoesBehindTheEarlyOnes)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id);
    }
    connectAll();
    BmcJob job;
    job.id = 4;
    job.repeatable = job.early = true;
    pool.start(job, now, out);
    const BmcConnection connection = sent[2];
    sent.erase(2);
    pool.again(connection, true, now, out);
    settle();
    EXPECT_EQ(sent[4], connection);
    EXPECT_FALSE(sent.contains(2));
    finish(4);
    EXPECT_EQ(sent[2], connection);
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

TEST_F(BmcPoolTest, WhoRunsOutOfTimeTogetherWithThoseHeWaitedForWaitedForThem)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id, true, 10s);
    }
    connectAll();
    start(4, true, 10s);
    tick(10s);
    EXPECT_EQ(code(1), Code::deadlineExceeded);
    EXPECT_EQ(code(4), Code::full);
}

TEST_F(BmcPoolTest, AnEarlyOneHasItsTimeFromWhenItIsSent)
{
    for (BmcExchange id = 1; id <= 3; ++id) {
        start(id, true, 60s);
    }
    connectAll();
    BmcJob job;
    job.id = 4;
    job.repeatable = job.early = true;
    job.deadline = now + limits::watchPatience;
    pool.start(job, now, out);
    settle();
    tick(limits::watchPatience - 1s);
    finish(1);
    ASSERT_TRUE(sent.contains(4));
    tick(limits::watchPatience - 1s);
    EXPECT_TRUE(failed[4].empty());
    EXPECT_EQ(pool.nextDeadline(), now + 1s);
    tick(1s);
    EXPECT_EQ(code(4), Code::deadlineExceeded);
}

TEST_F(BmcPoolTest, WhoWaitsForAConnectionThatDoesNotComeWasNotSent)
{
    start(1, false, 1s);
    tick(1s);
    EXPECT_EQ(code(1), Code::notSent);
}

TEST_F(BmcPoolTest, AStreamDoesNotHideThatTheBmcIsGone)
{
    start(1);
    connectAll();
    pool.endless(sent.at(1), now, out);
    settle();
    start(2);
    failConnect();
    EXPECT_EQ(code(2), Code::notSent);
}

}  // namespace
}  // namespace mesh::connector
