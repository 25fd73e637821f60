#include "shoset/host/loop.hpp"
#include "shoset/host/system_rng.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

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
