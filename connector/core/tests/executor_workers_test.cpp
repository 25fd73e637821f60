#include "connector/core/tests/fixture.hpp"

namespace mesh::connector {
namespace {

using shoset::ReplyState;

struct ExecutorWorkersTest : ExecutorTest {
    void SetUp() override
    {
        says(R"({"message":"register","protocol":1,"worker":"power","type":"chassis","version":"1.0","commands":[)"
             R"({"name":"power.cycle","schema":{"required":["system"]}},{"name":"power.never"}]})");
        socket.words.clear();
    }
    void says(const std::string& frame) { workers.onMessage(1, {1000, 1000, 7}, frame, now); }
    void replies(const MessageId& id, const std::string& rest)
    {
        says(R"({"message":"reply","id":")" + id.hex() + "\"," + rest + "}");
    }
    shoset::Message cycle(const std::string& name = "power.cycle")
    {
        shoset::Command content;
        content.name = name;
        content.user = "admin";
        return {MessageId::make(now.wall, rng), "agg-a", "acme/s1", std::move(content)};
    }
    void onDisk() { executor.onPersisted(journal.tokens.back(), {}, now); }
    // A command that the worker has been given.
    MessageId begun()
    {
        const shoset::Message message = cycle();
        give(message, R"({"system":"one"})");
        onDisk();
        return message.id;
    }
    const shoset::Reply& lastReply() const { return host.reply(host.sent.size() - 1); }
};

TEST_F(ExecutorWorkersTest, ACommandIsGivenOnceItsJournalEntryIsOnDisk)
{
    const shoset::Message message = cycle();
    give(message, R"({ "system" : "one" })");
    EXPECT_TRUE(socket.words.empty());
    EXPECT_NE(journal.content.find(message.id.hex()), std::string::npos);
    onDisk();
    ASSERT_EQ(socket.words.size(), 1U);
    EXPECT_NE(socket.words[0].second.find(R"("payload":{"system":"one"})"), std::string::npos);
    EXPECT_NE(socket.words[0].second.find(R"("user":"admin")"), std::string::npos);
    EXPECT_NE(socket.words[0].second.find(R"("deadline_ms":30000)"), std::string::npos);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(lastReply().state, ReplyState::onGoing);
    EXPECT_EQ(lastReply().message, "accepted");
    EXPECT_TRUE(bmc.started.empty());

    replies(message.id, R"("state":"SUCCESS","payload":{"state":"on"})");
    ASSERT_EQ(host.sent.size(), 2U);
    EXPECT_EQ(lastReply().state, ReplyState::success);
    EXPECT_EQ(lastReply().http.status, 200);
    EXPECT_EQ(host.sent[1].body, R"({"state":"on"})");
    EXPECT_TRUE(host.sent[1].last);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_NE(journal.content.find("F " + message.id.hex() + " 200"), std::string::npos);
}

TEST_F(ExecutorWorkersTest, ARepeatIsAnsweredAndNotExecutedAgain)
{
    const shoset::Message message = cycle();
    give(message, R"({"system":"one"})");
    onDisk();
    give(message, R"({"system":"one"})");
    EXPECT_EQ(socket.words.size(), 1U);
    replies(message.id, R"("state":"FAIL","failure":"no_such_system","text":"there is no 'one'","payload":[1])");
    EXPECT_EQ(lastReply().code, Code::refused);
    EXPECT_EQ(lastReply().failure, "no_such_system");
    EXPECT_EQ(lastReply().message, "there is no 'one'");
    const std::size_t before = host.sent.size();
    give(message, R"({"system":"one"})");
    ASSERT_EQ(host.sent.size(), before + 1);
    EXPECT_EQ(lastReply().failure, "no_such_system");
    EXPECT_EQ(host.sent.back().body, "[1]");
    EXPECT_EQ(socket.words.size(), 1U);
}

TEST_F(ExecutorWorkersTest, WhatMayNotBeExecutedReachesNoJournalAndNoWorker)
{
    const auto codeOf = [this](shoset::Message message, std::string_view payload, bool last = true) {
        give(message, payload, last);
        EXPECT_EQ(lastReply().state, ReplyState::fail);
        EXPECT_TRUE(lastReply().failure.empty()) << "it is the mesh's word";
        return lastReply().code;
    };
    EXPECT_EQ(codeOf(cycle(), "{}"), Code::invalidArgument);
    EXPECT_EQ(codeOf(cycle(), "{"), Code::invalidArgument);
    EXPECT_EQ(codeOf(cycle("power.never"), ""), Code::permissionDenied);
    EXPECT_EQ(codeOf(cycle("fan.speed"), ""), Code::notFound);
    EXPECT_EQ(codeOf(cycle(), "{", false), Code::tooLarge) << "a payload comes whole";
    shoset::Message newer = cycle();
    std::get<shoset::Command>(newer.content).major = 2;
    EXPECT_EQ(codeOf(newer, "{}"), Code::unsupported);
    executor.onCommand(1, cycle(), "{}", true, std::nullopt, now);
    EXPECT_EQ(lastReply().code, Code::deadlineExceeded);
    EXPECT_TRUE(journal.content.empty());
    EXPECT_TRUE(socket.words.empty());
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorWorkersTest, ACopyOfWhatWasRefusedIsRefusedAlikeAlsoWhenItCouldBeExecutedNow)
{
    shoset::Message early = cycle("fan.speed");
    give(early, "");
    EXPECT_EQ(lastReply().code, Code::notFound);
    workers.onMessage(2, {1000, 1000, 8}, R"({"message":"register","protocol":1,"worker":"fan","type":"chassis","version":"1.0",)"
                                          R"("commands":[{"name":"fan.speed"}]})", now);
    socket.words.clear();
    const std::size_t before = host.sent.size();
    give(early, "");
    ASSERT_EQ(host.sent.size(), before + 1);
    EXPECT_EQ(lastReply().code, Code::notFound) << "by the first word another connector may have got it";
    EXPECT_TRUE(socket.words.empty());
    EXPECT_EQ(executor.running(), 0U);
    give(cycle("fan.speed"), "");
    EXPECT_EQ(executor.running(), 1U) << "another command is another matter";
}

TEST_F(ExecutorWorkersTest, OfProgressTheNewestIsPassedOnNowAndThen)
{
    const MessageId id = begun();
    replies(id, R"("state":"ON_GOING","progress":1)");
    replies(id, R"("state":"ON_GOING","progress":2,"text":"off")");
    EXPECT_EQ(host.sent.size(), 1U) << "accepted, and no more";
    EXPECT_EQ(executor.nextDeadline(), now.mono + limits::progressInterval);
    now.mono += limits::progressInterval;
    executor.onTimer(now);
    ASSERT_EQ(host.sent.size(), 2U);
    EXPECT_EQ(lastReply().progress, 2U);
    EXPECT_EQ(lastReply().message, "off");
    EXPECT_EQ(executor.counters().progressReplaced, 1U);
    now.mono += limits::progressInterval;
    executor.onTimer(now);
    EXPECT_EQ(host.sent.size(), 2U);
    replies(id, R"("state":"ON_GOING","progress":3)");
    EXPECT_EQ(host.sent.size(), 3U) << "at once after a pause";
    replies(id, R"("state":"ON_GOING","progress":4)");
    replies(id, R"("state":"SUCCESS")");
    now.mono += limits::progressInterval;
    executor.onTimer(now);
    EXPECT_EQ(host.sent.size(), 4U) << "nothing follows the end";
    EXPECT_EQ(lastReply().state, ReplyState::success);
}

TEST_F(ExecutorWorkersTest, WhenTheWorkerDiesTheOutcomeIsUnknownAlsoForRepeats)
{
    const shoset::Message message = cycle();
    give(message, R"({"system":"one"})");
    onDisk();
    workers.onGone(1, now);
    EXPECT_EQ(lastReply().code, Code::outcomeUnknown);
    give(message, R"({"system":"one"})");
    EXPECT_EQ(lastReply().code, Code::outcomeUnknown);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorWorkersTest, WhatTheWorkerWasNotGivenWasNotSent)
{
    give(cycle(), R"({"system":"one"})");
    workers.onGone(1, now);
    onDisk();
    EXPECT_EQ(lastReply().code, Code::notSent);
    EXPECT_TRUE(socket.words.empty());
}

TEST_F(ExecutorWorkersTest, ADeadlineEndsTheWaitingAndALateAnswerChangesNothing)
{
    const MessageId id = begun();
    EXPECT_EQ(executor.nextDeadline(), now.mono + 30s);
    now.mono += 30s;
    executor.onTimer(now);
    EXPECT_EQ(lastReply().code, Code::outcomeUnknown);
    EXPECT_EQ(executor.counters().workerTimeouts, 1U);
    EXPECT_EQ(executor.nextDeadline(), never);
    const std::size_t before = host.sent.size();
    replies(id, R"("state":"SUCCESS")");
    EXPECT_EQ(host.sent.size(), before);
    EXPECT_EQ(workers.busy(), 0U);
}

TEST_F(ExecutorWorkersTest, ACancelLeavesWhatWasBegunToItsEnd)
{
    const MessageId id = begun();
    executor.onCancel(id, now);
    EXPECT_EQ(executor.running(), 1U);
    replies(id, R"("state":"SUCCESS")");
    EXPECT_EQ(lastReply().state, ReplyState::success);
}

TEST_F(ExecutorWorkersTest, AReadOfTheBmcMeanwhileIsNotUndisturbed)
{
    give(command("GET", "/redfish/v1/Systems/P1_1"));
    begun();
    executor.onHead(bmc.last, {200, {}}, false, now);
    EXPECT_EQ(lastReply().http.status, 200);
    EXPECT_FALSE(lastReply().undisturbed);
}

}  // namespace
}  // namespace mesh::connector
