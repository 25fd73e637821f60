#include "cluster/history/core/history_move.hpp"

#include <gtest/gtest.h>

namespace mesh::history {
namespace {

const std::string server = "postgresql://mesh@db/history";

class MoveTest : public testing::Test {
protected:
    MoveDeed step()
    {
        const std::optional<MoveStep> next = move.next(now);
        EXPECT_TRUE(next.has_value());
        last = next.value_or(MoveStep{});
        return last.deed;
    }
    bool rests() { return !move.next(now).has_value(); }
    void done(MoveReply reply = {}) { move.onDone(reply, now); }
    void fails(const std::string& why) { move.onDone(Error{Code::ioError, why}, now); }
    // Up to the hold, with a page of each.
    void copyAll()
    {
        ASSERT_EQ(step(), MoveDeed::open);
        done();
        ASSERT_EQ(step(), MoveDeed::copyAudit);
        done({3, false, 3});
        ASSERT_EQ(step(), MoveDeed::copyEvents);
        done({9, false, 5});
    }

    void copyHeld()
    {
        copyAll();
        ASSERT_EQ(step(), MoveDeed::copyAudit);
        done();
        ASSERT_EQ(step(), MoveDeed::copyEvents);
        done();
    }
    void moveAll()
    {
        copyHeld();
        ASSERT_EQ(step(), MoveDeed::readIds);
        done();
        ASSERT_EQ(step(), MoveDeed::settle);
        done();
    }

    HistoryMove move{""};
    MoveStep last;
    Now now{Instant{} + 100s, WallTime{}};
};

TEST_F(MoveTest, CopiesPageByPageThenWhatCameMeanwhileWhileWritesWait)
{
    EXPECT_TRUE(rests());
    move.want(server);
    EXPECT_EQ(move.phase(), MovePhase::opening);
    ASSERT_EQ(step(), MoveDeed::open);
    EXPECT_EQ(last.from, "");
    EXPECT_EQ(last.to, server);
    EXPECT_TRUE(rests()) << "one thing at a time";
    done();
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(move.phase(), MovePhase::copying);
    done({10, true, 10});
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(last.after, 10U);
    done({12, false, 2});
    ASSERT_EQ(step(), MoveDeed::copyEvents);
    EXPECT_EQ(last.after, 0U);
    EXPECT_FALSE(move.holdsWrites());
    done({50, false, 8});
    EXPECT_TRUE(move.holdsWrites());
    EXPECT_EQ(move.phase(), MovePhase::closing);
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(last.after, 12U);
    done({13, false, 1});
    ASSERT_EQ(step(), MoveDeed::copyEvents);
    EXPECT_EQ(last.after, 50U);
    done({51, false, 1});
    ASSERT_EQ(step(), MoveDeed::readIds);
    EXPECT_EQ(last.from, "");
    EXPECT_EQ(last.to, server);
    done();
    ASSERT_EQ(step(), MoveDeed::settle);
    EXPECT_EQ(move.inUse(), "") << "until that is on disk";
    done();
    EXPECT_EQ(move.inUse(), server);
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.phase(), MovePhase::settled);
    EXPECT_EQ(move.copied(), 22U);
    const auto news = move.takeNews();
    ASSERT_TRUE(news);
    EXPECT_EQ(news->place, server);
    EXPECT_EQ(news->failure, "");
    EXPECT_FALSE(move.takeNews());
}

TEST_F(MoveTest, WhatIsLeftInAFileOfTheNodesOwnIsRemovedPageByPageAndNothingOfAServers)
{
    move.want(server);
    moveAll();
    ASSERT_EQ(step(), MoveDeed::clear);
    EXPECT_EQ(last.from, "");
    done({0, true, 0});
    ASSERT_EQ(step(), MoveDeed::clear);
    fails("busy");
    EXPECT_TRUE(rests());
    now.mono = move.nextDeadline();
    ASSERT_EQ(step(), MoveDeed::clear);
    done();
    EXPECT_TRUE(rests());
    EXPECT_EQ(move.nextDeadline(), never);
    EXPECT_EQ(move.inUse(), server);

    move.want("");
    moveAll();
    EXPECT_EQ(move.inUse(), "");
    EXPECT_TRUE(rests()) << "other nodes may still use it";
}

TEST_F(MoveTest, WhatFailsLeavesTheOldOneInUseAndIsTriedAgainLessAndLessOften)
{
    move.want(server);
    step();
    fails("no route to host");
    EXPECT_EQ(move.inUse(), "");
    EXPECT_EQ(move.phase(), MovePhase::failed);
    EXPECT_EQ(move.failure(), "no route to host");
    EXPECT_EQ(move.takeNews()->failure, "no route to host");
    EXPECT_TRUE(rests());
    const Instant first = move.nextDeadline();
    EXPECT_EQ(first, now.mono + limits::historyMoveRetry);
    now.mono = first;
    step();
    fails("no route to host");
    EXPECT_FALSE(move.takeNews()) << "the same is told once";
    EXPECT_EQ(move.nextDeadline(), now.mono + 2 * limits::historyMoveRetry);
    now.mono = move.nextDeadline();
    step();
    fails("wrong password");
    EXPECT_EQ(move.takeNews()->failure, "wrong password");
    EXPECT_EQ(move.failures(), 3U);
    move.want(server);
    EXPECT_EQ(step(), MoveDeed::open) << "somebody has done something about it";
}

TEST_F(MoveTest, AFailureWhileWritesWaitLetsThemGoOnInTheOldOneAndBeginsAnewLater)
{
    move.want(server);
    copyAll();
    EXPECT_TRUE(move.holdsWrites());
    step();
    fails("the connection was lost");
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.inUse(), "");
    now.mono = move.nextDeadline();
    ASSERT_EQ(step(), MoveDeed::open);
    done();
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(last.after, 0U) << "what is at the other end may be another database";
}

TEST_F(MoveTest, WritesWaitForABoundedTimeAndWhatComesLaterCountsForNothing)
{
    move.want(server);
    copyAll();
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(move.nextDeadline(), now.mono + limits::historyHold);
    now.mono += limits::historyHold;
    move.onTimer(now);
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.failures(), 1U);
    now.mono += limits::historyMoveRetryMax;
    EXPECT_TRUE(rests()) << "that step has not ended";
    done({13, false, 1});
    EXPECT_EQ(move.copied(), 8U);
    EXPECT_EQ(step(), MoveDeed::open);
}

TEST_F(MoveTest, ADatabaseThatHangsWhenAllIsCopiedFailsTheMoveInTheSameTime)
{
    move.want(server);
    copyHeld();
    ASSERT_EQ(step(), MoveDeed::readIds);
    now.mono = move.nextDeadline();
    EXPECT_LT(now.mono, never);
    move.onTimer(now);
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.failures(), 1U);
    done();
    now.mono = move.nextDeadline();
    EXPECT_EQ(step(), MoveDeed::open) << "what came too late counts for nothing";
    EXPECT_EQ(move.inUse(), "");
}

TEST_F(MoveTest, TheNoteOnDiskIsWaitedForAsNobodyKnowsBeforeWhetherItIsThere)
{
    move.want(server);
    copyHeld();
    step(), done();
    ASSERT_EQ(step(), MoveDeed::settle);
    now.mono += limits::historyHold;
    move.onTimer(now);
    EXPECT_TRUE(move.holdsWrites());
    fails("no space left on device");
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.inUse(), "");
}

TEST_F(MoveTest, AnotherWishMeanwhileEndsTheMoveAndWhatItLeftInAFileIsRemoved)
{
    move.want("sqlite:own.db");
    ASSERT_EQ(step(), MoveDeed::open);
    done();
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    move.want(server);
    done({3, true, 3});
    ASSERT_EQ(step(), MoveDeed::open);
    EXPECT_EQ(last.to, server);
    move.want("");
    done();
    ASSERT_EQ(step(), MoveDeed::clear);
    EXPECT_EQ(last.from, "sqlite:own.db");
    done();
    EXPECT_TRUE(rests());
    EXPECT_EQ(move.inUse(), "");
}

TEST_F(MoveTest, AWishForTheOldOneAgainWhileWritesWaitLetsThemGoOn)
{
    move.want(server);
    copyAll();
    step();
    move.want("");
    done({4, false, 1});
    EXPECT_TRUE(rests());
    EXPECT_FALSE(move.holdsWrites());
    EXPECT_EQ(move.inUse(), "");
}

TEST_F(MoveTest, WhatAMoveLeftInTheNodesOwnDatabaseWhenTheNodeEndedIsRemovedAtTheNextStart)
{
    HistoryMove later(server);
    const auto clear = later.next(now);
    ASSERT_TRUE(clear);
    EXPECT_EQ(clear->deed, MoveDeed::clear);
    EXPECT_EQ(clear->from, "");
    later.onDone(MoveReply{}, now);
    EXPECT_FALSE(later.next(now));
    EXPECT_FALSE(HistoryMove(server, false).next(now)) << "of a server that others may use nothing is removed";
    HistoryMove back(server);
    back.want("");
    EXPECT_EQ(back.next(now)->deed, MoveDeed::open);
    back.onDone(MoveReply{}, now);
    EXPECT_EQ(back.next(now)->deed, MoveDeed::clear) << "how much of it is left is not known";
    back.onDone(MoveReply{}, now);
    EXPECT_EQ(back.next(now)->deed, MoveDeed::copyAudit);
}

TEST_F(MoveTest, AClearingThatHasBegunIsFinishedBeforeAnythingIsCopiedThereAgain)
{
    move.want(server);
    moveAll();
    ASSERT_EQ(step(), MoveDeed::clear);
    move.want("");
    done({0, true, 0});
    ASSERT_EQ(step(), MoveDeed::open);
    EXPECT_EQ(last.to, "");
    done();
    ASSERT_EQ(step(), MoveDeed::clear);
    EXPECT_EQ(last.from, "");
    done({0, true, 0});
    ASSERT_EQ(step(), MoveDeed::clear);
    fails("busy");
    EXPECT_EQ(move.phase(), MovePhase::failed);
    EXPECT_EQ(move.inUse(), server);
    now.mono = move.nextDeadline();
    ASSERT_EQ(step(), MoveDeed::open);
    done();
    ASSERT_EQ(step(), MoveDeed::clear);
    done();
    ASSERT_EQ(step(), MoveDeed::copyAudit);
    EXPECT_EQ(last.after, 0U);
    EXPECT_EQ(last.from, server);
}

}  // namespace
}  // namespace mesh::history
