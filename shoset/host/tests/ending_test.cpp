#include "shoset/host/ending.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace mesh::host {
namespace {

using EndingDeathTest = testing::Test;

TEST_F(EndingDeathTest, AProcessThatJoinsAThreadThatHangsEndsAllTheSame)
{
    const auto hang = [] {
        endProcessWithin(50ms);
        std::thread([] { ::pause(); }).join();
    };
    EXPECT_EXIT(hang(), testing::ExitedWithCode(endedByForce), "event=ended_by_force after_ms=50 reason=.*status=70");
}

// As libuv's destructor does.
TEST_F(EndingDeathTest, AlsoWhereWhatRunsAfterMainHangs)
{
    const auto end = [] {
        std::atexit([] { ::pause(); });
        endProcessWithin(50ms);
        std::exit(0);
    };
    EXPECT_EXIT(end(), testing::ExitedWithCode(endedByForce), "ended_by_force");
}

TEST_F(EndingDeathTest, AProcessThatEndsInTimeHasItsOwnStatus)
{
    const auto end = [] {
        endProcessWithin(std::chrono::hours(1));
        std::exit(3);
    };
    EXPECT_EXIT(end(), testing::ExitedWithCode(3), "");
}

TEST_F(EndingDeathTest, OfSeveralTimesTheShortestCounts)
{
    const auto end = [] {
        endProcessWithin(std::chrono::hours(1));
        endProcessWithin(50ms);
        ::pause();
    };
    EXPECT_EXIT(end(), testing::ExitedWithCode(endedByForce), "after_ms=50");
}

}  // namespace
}  // namespace mesh::host
