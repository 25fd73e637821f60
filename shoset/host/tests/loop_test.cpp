#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <ctime>
#include <set>
#include <thread>

namespace mesh::host {
namespace {

TEST(Loop, ClocksAdvanceAndAgreeWithTheSystem)
{
    const Loop loop;
    const Now first = loop.now();
    const Now second = loop.now();
    EXPECT_LE(first.mono, second.mono);
    EXPECT_NEAR(static_cast<double>(toMillis(first.wall)) / 1000, static_cast<double>(std::time(nullptr)), 60);
}

TEST(Loop, RunsWithoutWorkUntilStoppedFromAnotherThread)
{
    Loop loop;
    bool ran = false;
    std::thread other([&loop, &ran] {
        boost::asio::post(loop.context(), [&ran] { ran = true; });
        boost::asio::post(loop.context(), [&loop] { loop.stop(); });
    });
    loop.run();
    other.join();
    EXPECT_TRUE(ran);
}

// The other thread posts one thing after the other, each once the one before was done.
TEST(Loop, OneThatPollsBusilyDoesSoWhereOneThingComesShortlyAfterTheOther)
{
    if (std::thread::hardware_concurrency() < 2) {
        GTEST_SKIP() << "on one core it never does";
    }
    constexpr int enough = 100'000;
    Loop loop;
    loop.pollBusily();
    std::atomic<int> done = 0;
    std::atomic<bool> ended = false;
    std::thread other([&] {
        for (int i = 0; !ended; ++i) {
            boost::asio::post(loop.context(), [&] {
                ++done;
                if (loop.busyPolled() > Duration{} || done == enough) {
                    ended = true;
                    loop.stop();
                }
            });
            while (done <= i && !ended) {
                std::this_thread::yield();
            }
        }
    });
    loop.run();
    other.join();
    EXPECT_GT(loop.busyPolled(), Duration{});
    EXPECT_LT(done, enough);
}

TEST(Loop, OneThatMayPollBusilySleepsWhereThereIsNothingToDo)
{
    Loop loop;
    loop.pollBusily();
    boost::asio::steady_timer timer(loop.context(), 20ms);
    timer.async_wait([&loop](const boost::system::error_code&) { loop.stop(); });
    loop.run();
    EXPECT_EQ(loop.busyPolled(), Duration{});
}

TEST(SystemRng, DrawsDiffer)
{
    SystemRng rng;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        seen.insert(rng.next());
    }
    EXPECT_EQ(seen.size(), 1000u);
    EXPECT_EQ(rng.bytes(33).size(), 33u);
}

}  // namespace
}  // namespace mesh::host
