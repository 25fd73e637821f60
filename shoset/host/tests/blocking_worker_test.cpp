#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <vector>

namespace mesh::host {
namespace {

TEST(BlockingWorker, RunsJobsInOrderOnItsThreadAndAnswersOnTheLoop)
{
    Loop loop;
    BlockingWorker worker(loop.context());
    const auto loopThread = std::this_thread::get_id();
    std::vector<int> ran;
    std::vector<int> answered;
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(worker.submit(
            [&, i] {
                EXPECT_NE(std::this_thread::get_id(), loopThread);
                ran.push_back(i);
            },
            [&, i] {
                EXPECT_EQ(std::this_thread::get_id(), loopThread);
                answered.push_back(i);
                if (i == 9) {
                    loop.stop();
                }
            }));
    }
    loop.run();
    EXPECT_EQ(ran, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(answered, ran);
}

TEST(BlockingWorker, RefusesWhatIsBeyondItsBoundAndCountsIt)
{
    Loop loop;
    BlockingWorker worker(loop.context(), 2);
    std::latch running(1);
    std::latch mayEnd(1);
    ASSERT_TRUE(worker.submit(
        [&] {
            running.count_down();
            mayEnd.wait();
        },
        {}));
    running.wait();
    std::atomic<int> ran = 0;
    EXPECT_TRUE(worker.submit([&] { ++ran; }, {}));
    EXPECT_TRUE(worker.submit([&] { ++ran; }, {}));
    EXPECT_FALSE(worker.submit([&] { ++ran; }, {}));
    EXPECT_EQ(worker.refused(), 1u);
    mayEnd.count_down();
    worker.stop();
    EXPECT_EQ(ran, 2);
}

TEST(BlockingWorker, StopRunsWhatWasAcceptedAndRefusesTheRest)
{
    Loop loop;
    std::atomic<int> ran = 0;
    int answered = 0;
    BlockingWorker worker(loop.context());
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(worker.submit([&] { ++ran; }, [&] { ++answered; }));
    }
    worker.stop();
    EXPECT_EQ(ran, 20);
    EXPECT_FALSE(worker.submit([&] { ++ran; }, {}));
    loop.context().poll();
    EXPECT_EQ(answered, 20);
}

}  // namespace
}  // namespace mesh::host
