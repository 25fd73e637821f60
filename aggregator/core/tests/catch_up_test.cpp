#include "aggregator/core/catch_up.hpp"

#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

class CatchUpTest : public testing::Test {
protected:
    void ask()
    {
        catchUp.run(now, [this](const Result<void>& done) { answers.push_back(done ? Code::ok : done.error().code); });
    }
    Instant now = Instant{} + 100s;
    cluster::MemoryEngine engine;
    CatchUp catchUp{engine};
    std::vector<Code> answers;
};

TEST_F(CatchUpTest, WhoAsksWhileABarrierIsUnderWayWaitsForTheNext)
{
    ask();
    ask();
    ask();
    EXPECT_EQ(engine.pump(now, 1), 1u);
    EXPECT_EQ(answers.size(), 1u) << "a barrier that began before the question proves nothing for it";
    EXPECT_EQ(engine.pump(now, 1), 1u);
    EXPECT_EQ(answers, (std::vector{Code::ok, Code::ok, Code::ok}));
    EXPECT_EQ(engine.pump(now), 0u);
}

TEST_F(CatchUpTest, WithoutAPrimaryTheAskerIsTold)
{
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    engine.setStatus(status);
    EXPECT_TRUE(catchUp.isBehind());
    ask();
    engine.pump(now);
    EXPECT_EQ(answers, std::vector{Code::unavailable});
}

TEST_F(CatchUpTest, ItIsBounded)
{
    for (std::size_t count = 0; count < limits::maxCatchUpWaiters + 2; ++count) {
        ask();
    }
    EXPECT_EQ(answers, std::vector{Code::full});
    EXPECT_EQ(catchUp.refused(), 1u);
    while (engine.pump(now) > 0) {
    }
    EXPECT_EQ(answers.size(), limits::maxCatchUpWaiters + 2);
}

TEST_F(CatchUpTest, WhoWaitsForTheNextHasPatienceOfItsOwn)
{
    ask();
    now += limits::catchUpPatience / 2;
    ask();
    now += limits::catchUpPatience / 2;
    engine.pump(now, 1);
    EXPECT_EQ(answers, std::vector{Code::deadlineExceeded});
    engine.pump(now, 1);
    EXPECT_EQ(answers, (std::vector{Code::deadlineExceeded, Code::ok}));
}

TEST_F(CatchUpTest, WhoIsAloneIsNeverBehind)
{
    EXPECT_FALSE(catchUp.isBehind());
}

TEST_F(CatchUpTest, ANewPrimaryIsBehindUntilItHasCaughtUpInItsTerm)
{
    cluster::EngineStatus status = engine.status();
    status.term = 2;
    engine.setStatus(status);
    EXPECT_TRUE(catchUp.isBehind()) << "what the last primary committed may not be applied yet";
    ask();
    engine.pump(now);
    EXPECT_EQ(answers, std::vector{Code::ok});
    EXPECT_FALSE(catchUp.isBehind());
    ask();
    status.term = 3;
    engine.setStatus(status);
    engine.pump(now);
    EXPECT_TRUE(catchUp.isBehind()) << "that barrier began in an older term";
}

}  // namespace
}  // namespace mesh::aggregator
