#include "shoset/host/loop.hpp"
#include "shoset/host/scheduling.hpp"
#include "shoset/host/system_rng.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <ctime>
#include <functional>
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

// A loop that has nothing but one timer after the other to wait for.
struct BusyLoop : testing::Test {
    BusyLoop() { loop.pollBusily(); }
    // Until `enough` says so or as many have passed; how long it has looked meanwhile.
    Duration looksFor(int timers, Duration each, const std::function<bool()>& enough = [] { return false; })
    {
        const Duration before = loop.busyPolled();
        std::function<void()> next = [&] {
            if (timers-- == 0 || enough()) {
                loop.stop();
                return;
            }
            timer.expires_after(each);
            timer.async_wait([&](const boost::system::error_code&) { next(); });
        };
        next();
        loop.run();
        loop.context().restart();
        return loop.busyPolled() - before;
    }
    Loop loop;
    boost::asio::steady_timer timer{loop.context()};
};

TEST_F(BusyLoop, LooksWhereWaitsAreShortAndSleepsWhereTheyAreLongAgain)
{
    if (usableCores() < 2) {
        EXPECT_EQ(looksFor(100, 100us), Duration{});
        return;
    }
    EXPECT_GT(looksFor(100'000, 100us, [this] { return loop.busyPolled() > Duration{}; }), Duration{});
    looksFor(16, 2 * BusyPoll::longest);
    EXPECT_EQ(looksFor(16, 2 * BusyPoll::longest), Duration{});
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
