#include "cluster/history/core/retention.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace mesh::history {

TEST(Retention, NothingIsOlderThanItMayBe)
{
    const WallTime now(std::chrono::hours(10000));
    EXPECT_EQ(oldestKept({std::chrono::hours(24), 0}, now), now - std::chrono::hours(24));
    EXPECT_EQ(oldestKept({Duration::zero(), 0}, now), WallTime{});
}

TEST(Retention, AClockThatWasNeverSetRemovesNothing)
{
    EXPECT_EQ(oldestKept({std::chrono::hours(24), 0}, WallTime(std::chrono::hours(2))), WallTime{});
}

TEST(Retention, WhatFitsIsKept)
{
    EXPECT_EQ(shares({10, 20, 30}, 60), (std::vector<std::uint64_t>{10, 20, 30}));
    EXPECT_EQ(shares({10, 20, 30}, 0), (std::vector<std::uint64_t>{10, 20, 30}));
    EXPECT_TRUE(shares({}, 60).empty());
}

TEST(Retention, WhoHasTheMostGivesFirst)
{
    EXPECT_EQ(shares({10, 1000, 30}, 800), (std::vector<std::uint64_t>{10, 660, 30}));
    EXPECT_EQ(shares({1000, 10, 1000}, 800), (std::vector<std::uint64_t>{345, 10, 345}));
}

TEST(Retention, AllTogetherStayBelowTheLimit)
{
    for (std::uint64_t most = 1; most < 3000; most += 7) {
        const std::vector<std::uint64_t> kept = shares({5, 700, 80, 1300, 80, 0}, most);
        EXPECT_LE(std::accumulate(kept.begin(), kept.end(), std::uint64_t{0}), most);
    }
}

}  // namespace mesh::history
