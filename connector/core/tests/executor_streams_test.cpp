#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

TEST_F(ExecutorTest, ALongAnswerStreamsWithinItsCreditAndTheBmcIsHeldBack)
{
    const shoset::Message get = command("GET", system);
    give(get);
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    const std::string piece(16 * 1024, 'x');
    std::size_t fed = 0;
    while (fed < 2 * limits::streamWindowBytes) {
        executor.onBody(bmc.last, piece, false, now);
        fed += piece.size();
    }
    std::size_t out = 0;
    for (const FakeHost::Sent& sent : host.sent) {
        out += sent.body.size();
    }
    EXPECT_EQ(out, limits::streamWindowBytes);
    EXPECT_LT(bmc.granted, fed);
    executor.onCredit(get.id, 2 * limits::streamWindowBytes, now);
    executor.onBody(bmc.last, "", true, now);
    EXPECT_TRUE(host.sent.back().last);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, AnAnswerThatBreaksOffMidwayIsSaidToBeIncomplete)
{
    give(command("GET", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    executor.onBody(bmc.last, std::string(100 * 1024, 'x'), false, now);
    executor.onFailure(bmc.last, {Code::corrupt, "cut"}, now);
    const auto& chunk = std::get<shoset::Chunk>(host.sent.back().content);
    EXPECT_EQ(chunk.code, Code::corrupt);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, ARequestsBodyStreamsToTheBmcAndCreditFollowsWhatTheBmcTook)
{
    const shoset::Message post = command("POST", "/redfish/v1/P1_UpdateService/upload", {{"Content-Type", "application/octet-stream"}});
    shoset::Message large = post;
    std::get<shoset::Command>(large.content).bodyLength = 200 * 1024;
    give(large, std::string(limits::inlineBodyBytes, 'a'), false);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    EXPECT_EQ(bmc.started[bmc.last].bodyLength, 200 * 1024);
    executor.onBodySent(bmc.last, limits::inlineBodyBytes, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_GT(std::get<shoset::Credit>(host.sent[0].content).total, limits::inlineBodyBytes);
    const std::size_t rest = 200 * 1024 - limits::inlineBodyBytes;
    executor.onChunk(post.id, {limits::inlineBodyBytes, Code::ok, ""}, std::string(rest, 'b'), true, now);
    EXPECT_EQ(bmc.started[bmc.last].body.size(), 200U * 1024);
    EXPECT_FALSE(bmc.started[bmc.last].bodyFollows);
}

TEST_F(ExecutorTest, CreditCountsWhatTheClientSentAlsoWhereLocalisingShortensIt)
{
    const std::string prefix(16, 'A');  // the longest there is
    std::string text = R"({"Links":[)";
    while (text.size() < 3 * 1024 * 1024) {
        text += R"({"@odata.id":"/redfish/v1/Systems/)" + prefix + R"(_1"},)";
    }
    text += "{}]}";
    shoset::Message post = command("POST", "/redfish/v1/Systems/" + prefix + "_1", {{"Content-Type", "application/json"}});
    std::get<shoset::Command>(post.content).prefix = prefix;
    give(post, std::string_view(text).substr(0, limits::inlineBodyBytes), false);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    ASSERT_EQ(bmc.started.size(), 1U);
    const std::string& arrived = bmc.started[bmc.last].body;
    shoset::SendWindow client{limits::inlineBodyBytes, limits::inlineBodyBytes};
    std::size_t taken = 0;  // of `arrived`
    std::size_t credits = 0;
    while (client.sent < text.size()) {
        executor.onBodySent(bmc.last, arrived.size() - taken, now);
        taken = arrived.size();
        for (; credits < host.sent.size(); ++credits) {
            client.grant(std::get<shoset::Credit>(host.sent[credits].content).total);
        }
        ASSERT_GT(client.room(), 0U) << "it waits for ever after " << client.sent << " bytes";
        ASSERT_LE(client.room(), limits::streamWindowBytes);
        while (client.sent < text.size() && client.room() > 0) {
            const std::size_t size = std::min<std::uint64_t>({text.size() - client.sent, limits::chunkBytes, client.room()});
            executor.onChunk(post.id, {client.sent, Code::ok, ""}, std::string_view(text).substr(client.sent, size),
                             client.sent + size == text.size(), now);
            client.sent += size;
        }
    }
    EXPECT_FALSE(bmc.started[bmc.last].bodyFollows);
    EXPECT_EQ(executor.counters().unknownStream, 0U);
    EXPECT_LT(arrived.size() + limits::streamWindowBytes, text.size()) << "more than a window was taken away";
}

TEST_F(ExecutorTest, APieceThatIsNotTheNextOneEndsTheRequest)
{
    const shoset::Message post = command("POST", "/redfish/v1/P1_UpdateService/upload", {{"Content-Type", "application/octet-stream"}});
    give(post, "aaaa", false);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onChunk(post.id, {99, Code::ok, ""}, "b", true, now);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::corrupt);
}

TEST_F(ExecutorTest, AnAnswerThatNobodyTakesIsGivenUp)
{
    give(command("GET", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
    executor.onBody(bmc.last, std::string(limits::streamWindowBytes + 1000, '\n'), false, now);
    EXPECT_EQ(executor.nextDeadline(), now.mono + limits::answerStall);
    now.mono += limits::answerStall - 1s;
    executor.onCredit(host.sent.at(0).id, limits::streamWindowBytes + 500, now);
    now.mono += limits::answerStall - 1s;
    executor.onTimer(now);
    EXPECT_EQ(executor.running(), 1U) << "some of it was taken";
    now.mono += 1s;
    executor.onTimer(now);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(executor.counters().notTaken, 1U);
}

// An event stream that says nothing.
struct QuietStream : ExecutorTest {
    void SetUp() override
    {
        give(asked);
        executor.onHead(bmc.last, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
        ASSERT_EQ(host.sent.size(), 1U);
    }
    void loseLink()
    {
        host.linked = false;
        executor.onLinkDown("agg-a", now);
    }
    void pass(Duration time)
    {
        now.mono += time;
        executor.onTimer(now);
    }
    const shoset::Message asked = command("GET", system);
};

TEST_F(QuietStream, IsGivenUpWhenItsAskerCannotBeReachedForAWhile)
{
    EXPECT_EQ(executor.nextDeadline(), never);
    host.reachable = false;
    loseLink();
    EXPECT_EQ(executor.nextDeadline(), now.mono + limits::linkRecovery);
    pass(limits::linkRecovery - 1ms);
    EXPECT_EQ(executor.running(), 1U);
    EXPECT_TRUE(bmc.cancelled.empty());
    pass(1ms);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{bmc.last});
    EXPECT_EQ(executor.counters().undeliverable, 1U);
}

TEST_F(QuietStream, GoesOnWhenItsAskersLinkIsBackInTimeAndItStillWaits)
{
    host.reachable = false;
    loseLink();
    pass(limits::linkRecovery / 2);
    host.reachable = host.linked = true;
    pass(limits::linkRecovery / 2);
    ASSERT_EQ(host.sent.size(), 2U) << "who was started anew would answer that it does not wait";
    EXPECT_EQ(std::get<shoset::Chunk>(host.sent[1].content).offset, 0U);
    EXPECT_EQ(std::get<shoset::Chunk>(host.sent[1].content).code, Code::ok);
    EXPECT_EQ(host.sent[1].body, "");
    EXPECT_FALSE(host.sent[1].last);
    EXPECT_EQ(executor.nextDeadline(), never);
    pass(limits::linkRecovery * 2);
    EXPECT_EQ(host.sent.size(), 2U);
    EXPECT_EQ(executor.running(), 1U);
    EXPECT_TRUE(bmc.cancelled.empty());
}

TEST_F(QuietStream, IsAskedForThroughOthersUntilTheySayThatItsAskerIsGone)
{
    executor.onLinkDown("agg-b", now);
    EXPECT_EQ(executor.nextDeadline(), never) << "another one's";
    loseLink();
    pass(limits::linkRecovery);
    pass(limits::linkRecovery);
    EXPECT_EQ(host.sent.size(), 3U);
    EXPECT_EQ(executor.running(), 1U) << "it is reachable as far as anybody knows";
    executor.onCancel(asked.id, now);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{bmc.last});
}

TEST_F(QuietStream, ThatBeganOverAnotherAggregatorIsLookedAfterFromItsBeginning)
{
    host.linked = false;
    give(command("GET", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
    EXPECT_EQ(executor.nextDeadline(), now.mono + limits::linkRecovery);
    host.reachable = false;
    pass(limits::linkRecovery);
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{bmc.last});
    EXPECT_EQ(executor.running(), 1U) << "the first one's link is still up";
}

}  // namespace
}  // namespace mesh::connector
