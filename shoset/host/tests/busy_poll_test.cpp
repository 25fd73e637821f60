#include "shoset/host/busy_poll.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mesh::host {
namespace {

// A loop that waits as long as it is told, and looks as long as it is let.
struct BusyPolling : testing::Test {
    Duration wait(Duration time)
    {
        const Duration looked = std::min(policy.time(), time);
        now += time;
        policy.waited(time, looked, now);
        return looked;
    }
    // How often it looked of so many times.
    int looks(int times, Duration time)
    {
        int count = 0;
        for (int i = 0; i < times; ++i) {
            count += wait(time) > Duration{} ? 1 : 0;
        }
        return count;
    }
    BusyPoll policy;
    Instant now = Instant{} + 1h;
};

TEST_F(BusyPolling, WhoIsIdleSleeps)
{
    EXPECT_EQ(looks(100, 1s), 0);
    EXPECT_EQ(looks(100, BusyPoll::longest + 1us), 0);
    EXPECT_EQ(policy.looked(), Duration{});
}

TEST_F(BusyPolling, OnceMostWaitsAreShortItLooksAndAfterAFewLongOnesNoMore)
{
    EXPECT_EQ(looks(14, 20us), 0);
    EXPECT_EQ(looks(10, 20us), 10);
    EXPECT_EQ(policy.looked(), 200us);
    EXPECT_EQ(looks(100, 10ms), 3) << "the third of 16 shows that these are over";
}

TEST_F(BusyPolling, ALongWaitAfterEachShortOneIsNoReasonToLook)
{
    int looked = 0;
    for (int i = 0; i < 100; ++i) {
        looked += looks(1, 100us) + looks(1, 2ms);
    }
    EXPECT_EQ(looked, 0);
}

TEST_F(BusyPolling, ItLooksNoMoreThanItsShareOfTheTime)
{
    const Instant begun = now;
    const int looked = looks(20'000, 100us);
    EXPECT_EQ(policy.looked(), looked * 100us);
    EXPECT_LE(policy.looked() * 100 / BusyPoll::percent, now - begun + BusyPoll::saved + BusyPoll::longest);
    EXPECT_GE(policy.looked() * 100 / BusyPoll::percent, (now - begun) * 9 / 10);
}

TEST_F(BusyPolling, OnceItsShareIsUsedUpItSleepsForAWhile)
{
    looks(14, 100us);
    for (int i = 0; i < 1000 && wait(100us) > Duration{}; ++i) {
    }
    EXPECT_EQ(looks(BusyPoll::saved / 100us, 100us), 0);
    EXPECT_EQ(looks(10, 100us), 10);
}

TEST_F(BusyPolling, WhatItHasNotLookedIsNotSavedForLong)
{
    wait(1us);
    now += 24h;
    EXPECT_LE(looks(10'000, 10us) * 10us, (10'000 * 10us + BusyPoll::saved) * BusyPoll::percent / 100 + BusyPoll::longest);
}

}  // namespace
}  // namespace mesh::host
