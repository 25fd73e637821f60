#include "shoset/host/scheduling.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace mesh::host {
namespace {

struct Seen {
    int policy = -1;
    int nice = -1;
};

Seen seenHere()
{
    return {sched_getscheduler(0), getpriority(PRIO_PROCESS, 0)};
}

// In a thread of its own, which ends with what it was given.
Seen seenAfter(void (*change)())
{
    Seen seen;
    std::thread([&] {
        change();
        std::thread([&seen] { seen = seenHere(); }).join();
    }).join();
    return seen;
}

}  // namespace

TEST(Scheduling, AThreadAndThoseThatItStartsWorkInTheBackgroundAtTheSamePriority)
{
    const Seen seen = seenAfter(workInBackground);
    EXPECT_EQ(seen.policy, SCHED_BATCH);
    EXPECT_EQ(seen.nice, seenHere().nice);
}

TEST(Scheduling, AThreadThatServesIsAnOrdinaryOne)
{
    const Seen seen = seenAfter([] {
        workInBackground();
        serveAtOnce();
    });
    EXPECT_EQ(seen.policy, SCHED_OTHER);
    EXPECT_EQ(seen.nice, seenHere().nice);
}

TEST(Scheduling, APolicyThatSomebodyElseHasGivenStands)
{
    const Seen seen = seenAfter([] {
        const sched_param none{};
        EXPECT_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
        serveAtOnce();
        workInBackground();
    });
    EXPECT_EQ(seen.policy, SCHED_IDLE);
}

}  // namespace mesh::host
