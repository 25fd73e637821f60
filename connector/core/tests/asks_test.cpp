#include "connector/core/asks.hpp"

#include "connector/core/tests/fixture.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::connector {
namespace {

using nlohmann::json;
using shoset::LinkId;
using shoset::Reply;
using shoset::ReplyState;

// Link 1 is to agg-a, 2 to agg-b, 4 to agg-c where that is up; worker 7 asks.
struct AsksTest : testing::Test, AskPort {
    struct Sent {
        LinkId link = 0;
        shoset::Address aggregator;
        MessageId id;
        shoset::Command command;
        std::string payload;
        Instant deadline{};
    };

    std::optional<Aggregator> nextAggregator() override
    {
        return up.empty() ? std::nullopt : std::optional(Aggregator{*up.begin() == 1 ? "agg-a" : "agg-b", 40 + *up.begin()});
    }
    std::optional<LinkId> sendAsk(const shoset::Address& aggregator, const MessageId& id, const shoset::Command& command,
                                  std::string_view payload, Instant deadline, std::optional<LinkId> avoid,
                                  const std::set<LinkId>& closed, Now) override
    {
        std::vector<LinkId> ways(up.begin(), up.end());
        std::erase_if(ways, [&](LinkId link) { return closed.contains(link) || full.contains(link); });
        std::stable_partition(ways.begin(), ways.end(), [&](LinkId link) { return link != avoid; });
        if (ways.empty()) {
            return std::nullopt;
        }
        sent.push_back({ways.front(), aggregator, id, command, std::string(payload), deadline});
        return ways.front();
    }
    static WorkerSend cycle(std::uint64_t ref = 1)
    {
        WorkerSend send;
        send.ref = ref;
        send.to.name = "s2";
        send.command = "power.cycle";
        send.payload = R"({"system":"one"})";
        send.within = 30s;
        return send;
    }
    void start(WorkerSend send, WorkerId worker = 7) { asks.start(worker, std::move(send), now); }
    void pass(Duration time)
    {
        now.mono += time;
        now.wall += time;
        asks.onTimer(now);
    }
    std::vector<json> told(WorkerId worker = 7)
    {
        std::vector<json> out;
        for (const std::string& word : socket.told(worker)) {
            out.push_back(json::parse(word));
        }
        return out;
    }
    void reply(const std::string& from, ReplyState state, Code code = Code::ok, const std::string& payload = {},
               const std::string& failure = {})
    {
        Reply said{state, code, "so it is", {}};
        said.failure = failure;
        said.progress = 40;
        const LinkId via = from == "agg-a" ? LinkId{1} : from == "agg-b" ? LinkId{2} : LinkId{4};
        asks.onReply(from, via, sent.back().id, said, payload, true, now);
    }

    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    FakeWorkers socket;
    std::set<LinkId> up{1, 2};
    std::set<LinkId> full;  // and take nothing
    std::vector<Sent> sent;
    Asks asks{*this, socket, rng};
};

TEST_F(AsksTest, ACommandGoesToOneAggregatorAndItsProgressAndEndComeBack)
{
    start(cycle(11));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].aggregator, "agg-a");
    EXPECT_EQ(sent[0].command.to.name, "s2");
    EXPECT_EQ(sent[0].command.incarnation, 41U);
    EXPECT_EQ(sent[0].payload, R"({"system":"one"})");
    EXPECT_EQ(sent[0].deadline, now.mono + 30s);
    EXPECT_EQ(told(), (std::vector<json>{{{"message", "sent"}, {"ref", 11}, {"id", sent[0].id.hex()}}}));
    reply("agg-a", ReplyState::onGoing);
    reply("agg-a", ReplyState::success, Code::ok, R"({"state":"on"})");
    const std::vector<json> words = told();
    ASSERT_EQ(words.size(), 2U);
    EXPECT_EQ(words[0], json::parse(R"({"message":"answer","ref":11,"id":")" + sent[0].id.hex() +
                                    R"(","state":"ON_GOING","progress":40,"text":"so it is"})"));
    EXPECT_EQ(words[1].at("state"), "SUCCESS");
    EXPECT_EQ(words[1].at("executed"), "yes");
    EXPECT_EQ(words[1].at("payload"), json::parse(R"({"state":"on"})"));
    EXPECT_EQ(asks.running(), 0U);
    EXPECT_EQ(asks.nextDeadline(), never);
}

TEST_F(AsksTest, WhatIsWrongWithItIsToldAndNothingIsSent)
{
    WorkerSend wrong = cycle();
    wrong.wrong = Error{Code::invalidArgument, "at /system: expected a text"};
    start(std::move(wrong));
    EXPECT_TRUE(sent.empty());
    const json word = told().at(0);
    EXPECT_EQ(word.at("code"), "invalid_argument");
    EXPECT_EQ(word.at("executed"), "no");
    EXPECT_FALSE(word.contains("id"));
}

TEST_F(AsksTest, WithoutAnAggregatorItIsNotSent)
{
    up.clear();
    start(cycle());
    EXPECT_EQ(told().at(0).at("code"), "not_sent");
    EXPECT_EQ(asks.running(), 0U);
}

TEST_F(AsksTest, AfterALostLinkTheSameAggregatorIsAskedAgainUnderTheSameId)
{
    start(cycle());
    up.erase(1);
    asks.onLinkDown(1, now);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[1].link, 2U);
    EXPECT_EQ(sent[1].aggregator, "agg-a");
    EXPECT_EQ(sent[1].id, sent[0].id);
    EXPECT_EQ(sent[1].command.incarnation, 41U) << "another process of it must not begin it";
    reply("agg-a", ReplyState::success);
    EXPECT_EQ(told().back().at("state"), "SUCCESS");
}

TEST_F(AsksTest, AnAggregatorThatIsGoneLeavesAnUnknownOutcomeSoon)
{
    start(cycle());
    up.erase(1);
    asks.onLinkDown(1, now);
    reply("agg-b", ReplyState::fail, Code::notSent);
    EXPECT_EQ(asks.running(), 1U) << "it may have arrived over the first way";
    pass(limits::linkRecovery - 1ms);
    EXPECT_EQ(asks.running(), 1U);
    pass(1ms);
    const json word = told().back();
    EXPECT_EQ(word.at("code"), "outcome_unknown");
    EXPECT_EQ(word.at("executed"), "unknown");
}

TEST_F(AsksTest, ThatACopyMetAnAggregatorThatIsCutOffEndsNothingWhileTheFirstWayIsOpen)
{
    start(cycle());
    pass(10s);
    ASSERT_EQ(sent.size(), 2U);
    ASSERT_EQ(sent[1].link, 2U);
    reply("agg-b", ReplyState::fail, Code::notSent);
    pass(limits::linkRecovery + 1s);
    ASSERT_EQ(asks.running(), 1U) << "agg-a is linked and may still answer";
    EXPECT_EQ(sent.size(), 2U);
    reply("agg-a", ReplyState::success);
    EXPECT_EQ(told().back().at("state"), "SUCCESS");
}

TEST_F(AsksTest, WhenTheFirstWayEndsAfterwardsTheOthersAreTriedOnceMore)
{
    start(cycle());
    pass(10s);
    reply("agg-b", ReplyState::fail, Code::notSent);
    up.erase(1);
    asks.onLinkDown(1, now);
    ASSERT_EQ(sent.size(), 3U) << "it may have its link to agg-a back";
    EXPECT_EQ(sent[2].link, 2U);
    reply("agg-b", ReplyState::fail, Code::notSent);
    EXPECT_EQ(sent.size(), 3U) << "and is not asked again at once";
    pass(limits::linkRecovery);
    EXPECT_EQ(told().back().at("code"), "outcome_unknown");
}

TEST_F(AsksTest, WhereOneCannotPassItOnTheNextOneIsTried)
{
    up = {1, 2, 4};
    start(cycle());
    up.erase(1);
    asks.onLinkDown(1, now);
    reply("agg-b", ReplyState::fail, Code::notSent);
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[2].link, 4U);
    EXPECT_EQ(sent[2].aggregator, "agg-a");
    pass(limits::linkRecovery);
    reply("agg-a", ReplyState::success);
    EXPECT_EQ(told().back().at("state"), "SUCCESS");
}

TEST_F(AsksTest, ASecondWayThatEndsLeavesTheFirst)
{
    start(cycle());
    pass(10s);
    up.erase(2);
    asks.onLinkDown(2, now);
    EXPECT_EQ(sent.back().link, 1U);
    pass(limits::linkRecovery + 1s);
    EXPECT_EQ(asks.running(), 1U);
}

TEST_F(AsksTest, WhatHasNotLeftIsAskedOfAnother)
{
    full = {1, 2};
    start(cycle());
    EXPECT_TRUE(sent.empty());
    full.clear();
    up = {2};
    pass(limits::linkRecovery);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].aggregator, "agg-b") << "nothing of it can have arrived at agg-a";
    EXPECT_EQ(sent[0].command.incarnation, 42U);
    reply("agg-b", ReplyState::success);
    EXPECT_EQ(told().back().at("state"), "SUCCESS");
}

TEST_F(AsksTest, WhatHasNotLeftWhereNobodyElseIsLinkedWasNotSent)
{
    full = {1, 2};
    start(cycle());
    up.clear();
    pass(limits::linkRecovery);
    EXPECT_EQ(told().back().at("code"), "not_sent");
    EXPECT_EQ(asks.counters().unknown, 0U);
}

TEST_F(AsksTest, ALinkThatComesBackInTimeIsUsed)
{
    up = {1};
    start(cycle());
    up.clear();
    asks.onLinkDown(1, now);
    pass(limits::linkRecovery / 2);
    up = {3};
    asks.onLinkUp(now);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[1].link, 3U);
    EXPECT_EQ(asks.counters().again, 1U);
}

TEST_F(AsksTest, SilenceIsTriedOverAnotherWayOnceAndEndsAtTheDeadline)
{
    start(cycle());
    pass(10s);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[1].link, 2U);
    pass(19s);
    EXPECT_EQ(sent.size(), 2U);
    EXPECT_EQ(asks.running(), 1U);
    pass(1s);
    EXPECT_EQ(told().back().at("executed"), "unknown");
    EXPECT_EQ(asks.counters().unknown, 1U);
}

TEST_F(AsksTest, WhoIsToldThatItGoesOnNeedNotAskAgain)
{
    start(cycle());
    reply("agg-a", ReplyState::onGoing);
    pass(29s);
    EXPECT_EQ(sent.size(), 1U);
}

TEST_F(AsksTest, AnotherAggregatorsWordCountsForNothing)
{
    start(cycle());
    reply("agg-b", ReplyState::success, Code::ok, "1");
    EXPECT_EQ(asks.running(), 1U);
    EXPECT_EQ(told().size(), 1U) << "that it was sent";
}

TEST_F(AsksTest, ARefusalOfTheMeshAndAFailureOfTheWorkerAreToldApart)
{
    start(cycle(1));
    reply("agg-a", ReplyState::fail, Code::permissionDenied);
    EXPECT_EQ(told().back().at("executed"), "no");
    start(cycle(2));
    reply("agg-a", ReplyState::fail, Code::refused, "[1]", "no_such_system");
    const json word = told().back();
    EXPECT_EQ(word.at("executed"), "yes");
    EXPECT_EQ(word.at("failure"), "no_such_system");
    EXPECT_EQ(word.at("payload"), json::parse("[1]"));
    EXPECT_EQ(word.at("text"), "so it is");
}

TEST_F(AsksTest, APayloadThatIsNoJsonIsToldAsAText)
{
    start(cycle());
    reply("agg-a", ReplyState::success, Code::ok, "{oops");
    EXPECT_EQ(told().back().at("payload"), "{oops");
}

TEST_F(AsksTest, OneWorkerLeavesRoomForOthersAndAllTogetherAreBounded)
{
    for (std::size_t i = 0; i <= limits::maxAsksOfWorker; ++i) {
        start(cycle(i));
    }
    EXPECT_EQ(told().back().at("code"), "full");
    for (std::size_t i = 0; i < limits::maxAsks - limits::maxAsksOfWorker; ++i) {
        start(cycle(i), 8);
    }
    EXPECT_EQ(told(8).back().at("message"), "sent");
    start(cycle(), 9);
    EXPECT_EQ(told(9).back().at("code"), "full");
    EXPECT_EQ(asks.running(), limits::maxAsks);
    EXPECT_EQ(asks.counters().refusedFull, 2U);
    asks.onWorkerEnded(7);
    EXPECT_EQ(asks.running(), limits::maxAsks - limits::maxAsksOfWorker);
}

TEST_F(AsksTest, AnswersToNothingAreCounted)
{
    EXPECT_FALSE(asks.onReply("agg-a", 1, MessageId::make(now.wall, rng), Reply{}, {}, true, now));
    EXPECT_EQ(asks.counters().unknownReply, 1U);
}

}  // namespace
}  // namespace mesh::connector
