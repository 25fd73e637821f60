#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

using shoset::Fence;

const std::string powerAction = "/redfish/v1/Systems/P1_1/Actions/ComputerSystem.Reset";

struct FenceTest : ExecutorTest {
    shoset::Message ordered(const Fence& fence, const std::string& method = "POST")
    {
        shoset::Message message = command(method, powerAction);
        std::get<shoset::Command>(message.content).fence = fence;
        return message;
    }
    // The oldest fence that waits for the disk is there now.
    void onDisk()
    {
        state.written();
        executor.onFenceSaved({}, now);
    }
    void begunOnDisk(std::size_t entry) { executor.onPersisted(journal.tokens.at(entry), {}, now); }
};

TEST(FenceGuard, WhatWasSavedIsReadAgain)
{
    FenceGuard guard;
    EXPECT_FALSE(guard.toSave());
    guard.see({3, 17});
    const std::optional<std::string> content = guard.toSave();
    ASSERT_TRUE(content);
    FenceGuard later;
    ASSERT_TRUE(later.load(*content));
    EXPECT_EQ(later.seen(), (Fence{3, 17}));
    EXPECT_TRUE(later.isDurable({3, 17}));
    EXPECT_TRUE(later.outranks({3, 16}));
    EXPECT_TRUE(later.outranks({2, UINT64_MAX}));
    EXPECT_FALSE(later.outranks({3, 17}));
    EXPECT_FALSE(later.outranks({}));
}

TEST(FenceGuard, OneIsWrittenAtATimeAndWhatFailedIsNotDurable)
{
    FenceGuard guard;
    guard.see({1, 1});
    EXPECT_EQ(guard.toSave(), "1 1\n");
    guard.see({1, 3});
    EXPECT_EQ(guard.toSave(), std::nullopt);
    EXPECT_EQ(guard.onSaved(false), (Fence{1, 1}));
    EXPECT_FALSE(guard.isDurable({1, 1}));
    EXPECT_EQ(guard.toSave(), "1 3\n");
    EXPECT_EQ(guard.onSaved(true), (Fence{1, 3}));
    EXPECT_TRUE(guard.isDurable({1, 3}));
    EXPECT_EQ(guard.toSave(), std::nullopt);
}

TEST(FenceGuard, ADamagedFileIsRefused)
{
    for (const char* content : {"1", "1 2", "1 2\n3", "x 2\n", "1 -2\n", " 1 2\n", "1  2\n", "18446744073709551616 1\n", "\n"}) {
        FenceGuard guard;
        const Result<void> loaded = guard.load(content);
        ASSERT_FALSE(loaded.ok()) << content;
        EXPECT_EQ(loaded.error().code, Code::corrupt);
        EXPECT_FALSE(guard.seen().isSet());
    }
}

TEST_F(FenceTest, WhatRaisesTheFenceIsExecutedOnlyWhenTheFenceIsOnDisk)
{
    const shoset::Message post = ordered({1, 4});
    give(post);
    EXPECT_EQ(journal.content, "") << "not even begun";
    ASSERT_EQ(state.waiting.size(), 1U);
    EXPECT_EQ(state.waiting[0], std::make_pair(StateFile::fence, std::string("1 4\n")));
    onDisk();
    EXPECT_EQ(journal.content, "B " + post.id.hex() + "\n");
    EXPECT_TRUE(bmc.started.empty());
    begunOnDisk(0);
    EXPECT_EQ(bmc.started.size(), 1U);
}

TEST_F(FenceTest, AReadThatRaisesTheFenceWaitsForItToo)
{
    give(ordered({1, 4}, "GET"));
    EXPECT_TRUE(bmc.started.empty());
    onDisk();
    EXPECT_EQ(bmc.started.size(), 1U);
}

TEST_F(FenceTest, TheSameFenceIsNotWrittenAgain)
{
    give(ordered({1, 4}));
    onDisk();
    give(ordered({1, 4}));
    EXPECT_TRUE(state.waiting.empty());
    EXPECT_EQ(journal.tokens.size(), 2U);
}

TEST_F(FenceTest, OneThatANodeRunsExecutesWhatWasMeantForItsOwnAssignmentAlone)
{
    Executor hosted(LocalPolicy(), {"bmc"}, bmc, journal, state, workers, host, 12);
    const auto told = [&](Executor& executed, std::uint64_t assignment) {
        shoset::Message message = command("GET", "/redfish/v1/Systems/P1_1");
        std::get<shoset::Command>(message.content).assignment = assignment;
        host.sent.clear();
        executed.onCommand(1, message, {}, true, now.mono + 30s, now);
        return host.sent.empty() ? Code::ok : host.reply(0).code;
    };
    for (const std::uint64_t other : {0, 11, 13}) {
        EXPECT_EQ(told(hosted, other), Code::notSent) << other;
    }
    EXPECT_EQ(told(executor, 12), Code::notSent) << "the BMC's own agent has none";
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(told(hosted, 12), Code::ok);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(hosted.counters().refusedAssignment, 3U);
}

TEST_F(FenceTest, APrimaryThatWasReplacedOrdersNothing)
{
    give(ordered({2, 7}));
    onDisk();
    begunOnDisk(0);
    bmc.started.clear();
    for (const Fence lower : {Fence{2, 6}, Fence{1, 900}, Fence{0, 1}}) {
        host.sent.clear();
        give(ordered(lower));
        give(ordered(lower, "GET"));
        ASSERT_EQ(host.sent.size(), 2U);
        EXPECT_EQ(host.reply(0).code, Code::refused);
        EXPECT_NE(host.reply(0).message.find("term 7"), std::string::npos) << host.reply(0).message;
        EXPECT_EQ(host.reply(1).code, Code::refused);
    }
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(journal.tokens.size(), 1U);
    EXPECT_EQ(executor.counters().refusedFence, 6U);
}

TEST_F(FenceTest, ItIsRefusedAlsoWhileTheHigherFenceIsOnItsWayToTheDisk)
{
    give(ordered({1, 5}));
    give(ordered({1, 4}));
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::refused);
}

TEST_F(FenceTest, WhatNoPrimaryOrderedIsNotChecked)
{
    give(ordered({2, 7}));
    onDisk();
    give(command("GET", powerAction));
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(executor.counters().refusedFence, 0U);
}

TEST_F(FenceTest, ARestartForgetsNoFence)
{
    give(ordered({2, 7}));
    onDisk();
    FakeState stateLater;
    Executor later{LocalPolicy(), {"bmc"}, bmc, journal, stateLater, workers, host};
    ASSERT_TRUE(later.loadFence(state.files[StateFile::fence]));
    later.onCommand(1, ordered({2, 6}), {}, true, now.mono + 30s, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::refused);
    later.onCommand(1, ordered({2, 7}, "GET"), {}, true, now.mono + 30s, now);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_TRUE(stateLater.waiting.empty());
}

TEST_F(FenceTest, WhenTheFenceCannotBeRecordedNothingIsExecutedAndTheNextOneTriesAgain)
{
    give(ordered({1, 4}));
    state.waiting.clear();
    executor.onFenceSaved(Error{Code::ioError, "no space"}, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::notSent);
    EXPECT_EQ(executor.counters().fenceFailures, 1U);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_TRUE(state.waiting.empty()) << "nobody needs it now";
    give(ordered({1, 4}, "GET"));
    onDisk();
    EXPECT_EQ(bmc.started.size(), 1U);
}

TEST_F(FenceTest, WhatWasOutrankedWhileItWaitedForTheDiskIsNotExecuted)
{
    give(ordered({1, 4}));
    give(ordered({1, 5}));
    onDisk();
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::refused);
    onDisk();
    begunOnDisk(0);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(state.files[StateFile::fence], "1 5\n");
}

TEST_F(FenceTest, ABegunCommandIsOutrankedUntilItReachesTheBmc)
{
    give(ordered({1, 4}));
    onDisk();
    give(ordered({1, 5}));
    begunOnDisk(0);
    EXPECT_TRUE(bmc.started.empty());
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::refused);
}

TEST_F(FenceTest, WhatIsLateWhenItsFenceIsOnDiskIsNotExecuted)
{
    give(ordered({1, 4}, "GET"));
    now.mono += 31s;
    onDisk();
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::deadlineExceeded);
}

TEST_F(FenceTest, ARepeatUnderAHigherFenceIsNotExecutedAgainButCounts)
{
    const shoset::Message post = ordered({1, 4});
    give(post);
    onDisk();
    begunOnDisk(0);
    shoset::Message repeat = post;
    std::get<shoset::Command>(repeat.content).fence = {1, 5};
    give(repeat);
    onDisk();
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(state.files[StateFile::fence], "1 5\n");
}

TEST_F(FenceTest, WhatWaitsForTheDiskIsBegunInItsOrderAndKeepsItsBody)
{
    shoset::Message first = ordered({1, 4});
    std::get<shoset::Command>(first.content).http = {"POST", "/redfish/v1/P1_UpdateService/upload", {{"Content-Type", "text/plain"}}};
    std::get<shoset::Command>(first.content).bodyLength = 2;
    give(first, "a", false);
    const shoset::Message second = ordered({1, 4});
    give(second);
    executor.onChunk(first.id, {1, Code::ok, ""}, "b", true, now);
    onDisk();
    EXPECT_EQ(journal.content, "B " + first.id.hex() + "\nB " + second.id.hex() + "\n");
    begunOnDisk(0);
    EXPECT_EQ(bmc.started[bmc.last].body, "ab");
    EXPECT_FALSE(bmc.started[bmc.last].bodyFollows);
}

TEST_F(FenceTest, WhatIsCancelledBeforeItsFenceIsOnDiskIsNeverBegun)
{
    const shoset::Message post = ordered({1, 4});
    give(post);
    executor.onCancel(post.id, now);
    onDisk();
    EXPECT_EQ(journal.content, "");
    EXPECT_EQ(executor.running(), 0U);
}

}  // namespace
}  // namespace mesh::connector
