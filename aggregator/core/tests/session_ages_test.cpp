#include "aggregator/core/session_ages.hpp"

#include "cluster/core/memory_engine.hpp"
#include "cluster/core/sessions.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace mesh::aggregator {
namespace {

class SessionAgesTest : public testing::Test {
protected:
    SessionAgesTest()
    {
        propose(cluster::CreateAccount{"alice", "$argon2id$x", "Administrator", "", true, false});
        propose(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel});
    }
    void propose(cluster::Operation operation, Duration wrong = {})
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall + wrong, std::move(operation)}, never,
                       [](const Result<cluster::Applied>& applied) { EXPECT_TRUE(applied.ok() && applied->ok()); });
        settle();
    }
    void settle()
    {
        for (int i = 0; i < 8; ++i) {
            engine.pump(now.mono);
            if (ages) {
                ages->onTimer(now);
            }
        }
    }
    void start()
    {
        ages.emplace(engine, rng);
        settle();
    }
    void pass(Duration time)
    {
        now.mono += time;
        now.wall += time;
        settle();
    }
    // Of a node whose clock is wrong by that much.
    void create(const std::string& id, Duration wrong = {})
    {
        propose(cluster::CreateSession{id, cluster::hashToken(id), "1", "", 1800}, wrong);
    }
    bool has(const std::string& id) const { return cluster::findSession(engine.state(), id) != nullptr; }
    bool expired(const std::string& id) { return ages->isExpired(*cluster::findSession(engine.state(), id), now); }
    // How many entries it made.
    cluster::Revision use(const std::string& id)
    {
        const cluster::Revision before = engine.state().revision;
        ages->used(*cluster::findSession(engine.state(), id), now);
        settle();
        return engine.state().revision - before;
    }

    Now now{Instant{1h}, WallTime{std::chrono::seconds(1'800'000'000)}};
    SeededRng rng{1};
    cluster::MemoryEngine engine;
    std::optional<SessionAges> ages;
};

TEST_F(SessionAgesTest, WhatIsNotUsedForItsTimeoutIsEndedInTheState)
{
    start();
    pass(1min);
    create("s");
    pass(1799s);
    ASSERT_TRUE(has("s"));
    EXPECT_FALSE(expired("s"));
    pass(1s);
    EXPECT_FALSE(has("s"));
}

TEST_F(SessionAgesTest, UseIsRecordedOnceInAQuarterOfTheTimeout)
{
    start();
    pass(1min);
    create("s");
    pass(449s);
    EXPECT_EQ(use("s"), 0U);
    pass(1s);
    EXPECT_EQ(use("s"), 1U);
    EXPECT_EQ(use("s"), 0U);
    pass(1799s);
    EXPECT_TRUE(has("s"));
    pass(1s);
    EXPECT_FALSE(has("s"));
}

TEST_F(SessionAgesTest, AWrongClockNeitherEndsSessionsNorKeepsThem)
{
    start();
    pass(1min);
    for (const Duration wrong : {Duration(-1h), Duration(1h)}) {
        create("other", wrong);  // made elsewhere
        create("own");
        now.wall += wrong;  // and now our own clock jumps
        settle();
        ASSERT_TRUE(has("other") && has("own"));
        EXPECT_FALSE(expired("other") || expired("own"));
        pass(1799s);
        ASSERT_TRUE(has("other") && has("own"));
        pass(1s);
        EXPECT_FALSE(has("other") || has("own"));
    }
}

TEST_F(SessionAgesTest, AfterAStartTheStampCountsForHalfOfTheTimeoutAtMost)
{
    create("fresh");
    pass(10min);
    create("idle", -10min);
    now.wall += 1h;
    start();
    EXPECT_FALSE(expired("fresh") || expired("idle"));
    pass(899s);
    EXPECT_TRUE(has("fresh") && has("idle"));
    EXPECT_EQ(use("fresh"), 1U);
    pass(1s);
    EXPECT_FALSE(has("idle"));
    pass(1798s);
    EXPECT_TRUE(has("fresh"));
}

TEST_F(SessionAgesTest, AfterAStartAClockBehindCountsNothing)
{
    create("s");
    now.wall -= 1h;
    start();
    pass(1799s);
    EXPECT_TRUE(has("s"));
    pass(1s);
    EXPECT_FALSE(has("s"));
}

}  // namespace
}  // namespace mesh::aggregator
