#include "shoset/host/loop.hpp"
#include "shoset/host/signals.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace mesh::host {
namespace {

TEST(Signals, FirstStopSignalStopsInOrder)
{
    for (const int number : {SIGINT, SIGTERM}) {
        Loop loop;
        int stops = 0;
        const Signals signals(
            loop.context(),
            [&] {
                ++stops;
                loop.stop();
            },
            {});
        ::raise(number);
        loop.run();
        EXPECT_EQ(stops, 1);
    }
}

TEST(Signals, HangUpReloadsEveryTime)
{
    Loop loop;
    int reloads = 0;
    const Signals signals(loop.context(), {}, [&] {
        if (++reloads == 2) {
            loop.stop();
        } else {
            ::raise(SIGHUP);
        }
    });
    ::raise(SIGHUP);
    loop.run();
    EXPECT_EQ(reloads, 2);
}

TEST(Signals, BrokenPipesAreIgnored)
{
    Loop loop;
    const Signals signals(loop.context(), {}, {});
    ::raise(SIGPIPE);
}

TEST(Signals, SecondStopSignalEndsAProcessWhoseLoopHangs)
{
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        Loop loop;
        const Signals signals(
            loop.context(),
            [] {
                ::raise(SIGTERM);  // while the loop is stuck in here
                ::_exit(3);
            },
            {});
        ::raise(SIGINT);
        loop.run();
        ::_exit(4);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 128 + SIGTERM);
}

TEST(Signals, DestructionRestoresWhatWasBefore)
{
    struct sigaction before = {};
    struct sigaction after = {};
    ::sigaction(SIGTERM, nullptr, &before);
    {
        Loop loop;
        const Signals signals(loop.context(), {}, {});
    }
    ::sigaction(SIGTERM, nullptr, &after);
    EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace mesh::host
