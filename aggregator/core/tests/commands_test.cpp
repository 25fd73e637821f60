#include "aggregator/core/commands.hpp"

#include "aggregator/core/tests/facade_fixture.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

using shoset::ReplyState;

// s1 and s2 of acme and s3 of zeta offer power.cycle.
struct CommandsTest : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        for (shoset::LinkId link = 1; link <= names.size(); ++link) {
            offer(link, 1);
        }
    }
    void offer(shoset::LinkId link, std::uint32_t major)
    {
        book.onOffers(name(link), {5, ++told, {{"power-controller", major, 3, {{"power.cycle", ""}}}}});
    }
    CommandAsk to(const std::string& connector, const std::string& tenant = "acme") const
    {
        CommandAsk ask;
        ask.tenant = tenant;
        ask.user = "op";
        ask.to.name = connector;
        ask.wanted.command = "power.cycle";
        ask.payload = R"({"delay":3})";
        ask.deadline = now.mono + 30s;
        return ask;
    }
    CommandAsk toType(bool all = false) const
    {
        CommandAsk ask = to("");
        ask.to = {"", "power-controller", all};
        return ask;
    }
    MessageId start(CommandAsk ask)
    {
        const Result<MessageId> started = carried.start(std::move(ask), now);
        EXPECT_TRUE(started.ok()) << (started ? "" : started.error().message);
        return started ? *started : MessageId{};
    }
    Error refusal(CommandAsk ask)
    {
        const Result<MessageId> started = carried.start(std::move(ask), now);
        EXPECT_FALSE(started.ok());
        return started ? Error{} : started.error();
    }
    void answer(shoset::LinkId link, const Sent& to, ReplyState state, const std::string& payload = {}, const std::string& failure = {},
                std::uint32_t progress = 0, const std::string& text = {})
    {
        shoset::Reply said{state, failure.empty() ? Code::ok : Code::refused, text, {state == ReplyState::success ? 200 : 0, {}}};
        said.failure = failure;
        said.progress = progress;
        say(link, {to.id, name(link), "agg", said}, payload, true);
    }
    void passTime(Duration time)
    {
        pass(time);
        carried.onTimer(now);
    }
    nlohmann::json document(const MessageId& id) const { return nlohmann::json::parse(commandDocument(*carried.record(id))); }
    ReplyState stateOf(const MessageId& id) const { return carried.record(id)->state(); }
    std::vector<shoset::Reply> repliesTo(shoset::LinkId link, const MessageId& id)
    {
        mesh.flush();
        std::vector<shoset::Reply> out;
        for (const std::string& frame : std::exchange(sentTo(link), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && message->id == id && std::holds_alternative<shoset::Reply>(message->content)) {
                    out.push_back(std::get<shoset::Reply>(message->content));
                }
            }
        }
        return out;
    }
    void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                        std::optional<Instant> deadline, Now when) override
    {
        carried.onAsked(from, id, std::move(command), payload, deadline, when);
    }
    // s1 asks.
    MessageId askFrom(shoset::LinkId link, shoset::Target target, const std::string& command = "power.cycle")
    {
        shoset::Command said;
        said.name = command;
        said.to = std::move(target);
        const MessageId id = MessageId::make(now.wall, rng);
        say(link, {id, name(link), "agg", said}, "{}", true);
        return id;
    }

    OfferBook book;
    tenants::Policy grants;
    Result<void> leave;
    Commands carried{mesh, broker, satellites, book, grants, [this](Now) { return leave; }, rng};
    std::uint64_t told = 0;
};

TEST_F(CommandsTest, ANamedConnectorGetsItAndItsProgressAndOutcomeAreTold)
{
    CommandAsk ask = to("s1");
    ask.wanted.major = 1;
    ask.wanted.minor = 2;
    const MessageId id = start(std::move(ask));
    const Sent sent = take(1);
    EXPECT_EQ(sent.id, id);
    EXPECT_EQ(std::tie(sent.command.name, sent.command.user, sent.command.type), std::make_tuple("power.cycle", "op", ""));
    EXPECT_EQ(std::tie(sent.command.major, sent.command.minor), std::make_tuple(1U, 2U));
    EXPECT_EQ(sent.body, R"({"delay":3})");
    answer(1, sent, ReplyState::onGoing, {}, {}, 40, "off");
    nlohmann::json seen = document(id);
    EXPECT_EQ(seen["state"], "ON_GOING");
    EXPECT_EQ(seen["replies"][0]["progress"], 40);
    EXPECT_EQ(seen["replies"][0]["text"], "off");
    answer(1, sent, ReplyState::success, R"({"took":[1,2]})");
    seen = document(id);
    EXPECT_EQ(seen["state"], "SUCCESS");
    EXPECT_EQ(seen["succeeded"], 1);
    EXPECT_EQ(seen["replies"][0]["payload"]["took"][1], 2);
    EXPECT_EQ(seen["replies"][0]["executed"], "yes");
    EXPECT_EQ(carried.running(), 0U);
    answer(1, sent, ReplyState::fail, {}, "late");
    EXPECT_EQ(document(id)["state"], "SUCCESS") << "it has ended once";
}

TEST_F(CommandsTest, AWorkersFailureKeepsItsCodeReasonAndPayload)
{
    const MessageId id = start(to("s1"));
    answer(1, take(1), ReplyState::fail, R"({"slot":9})", "no_such_slot", 0, "there is no slot 9");
    const nlohmann::json reply = document(id)["replies"][0];
    EXPECT_EQ(reply["failure"], "no_such_slot");
    EXPECT_EQ(reply["text"], "there is no slot 9");
    EXPECT_EQ(reply["payload"]["slot"], 9);
    EXPECT_EQ(reply["executed"], "yes");
}

TEST_F(CommandsTest, WhatAWorkerWroteThatIsNoJsonOrTooDeepStandsThereAsText)
{
    for (const std::string& wrote : {std::string("{oops"), std::string(limits::maxPayloadBytes, '['), std::string("\xff\xfe")}) {
        const MessageId id = start(to("s1"));
        answer(1, take(1), ReplyState::success, wrote);
        EXPECT_TRUE(document(id)["replies"][0]["payload"].is_string());
    }
}

TEST_F(CommandsTest, OfATypeTheLeastBusyOneGetsIt)
{
    for (int i = 0; i < 10; ++i) {
        const MessageId id = start(toType());
        EXPECT_EQ(carried.record(id)->parts.size(), 1U);
    }
    EXPECT_EQ(commands(1).size(), 5U);
    EXPECT_EQ(commands(2).size(), 5U);
    EXPECT_TRUE(commands(3).empty()) << "of another tenant";
    mesh.removeLink(1, now);
    for (int i = 0; i < 3; ++i) {
        start(toType());
    }
    EXPECT_EQ(commands(2).size(), 8U) << "the other one is not linked";
}

TEST_F(CommandsTest, OnlyWhoOffersTheVersionGetsIt)
{
    offer(2, 2);
    CommandAsk ask = toType();
    ask.wanted.major = 2;
    for (int i = 0; i < 4; ++i) {
        start(ask);
    }
    EXPECT_EQ(commands(2).size(), 4U);
    ask.wanted.major = 3;
    EXPECT_EQ(refusal(ask).code, Code::unsupported);
    CommandAsk named = to("s1");
    named.wanted.major = 2;
    EXPECT_EQ(refusal(named).code, Code::unsupported);
    named.wanted.command = "power.burn";
    EXPECT_EQ(refusal(named).code, Code::notFound);
}

TEST_F(CommandsTest, AnotherConnectorGetsItOnlyOnProofThatTheFirstHasNotExecutedIt)
{
    for (const Code code : {Code::notSent, Code::full, Code::notFound, Code::unsupported}) {
        const MessageId id = start(toType());
        const shoset::LinkId first = commands(1).empty() ? 2 : 1;
        fail(first, take(first), code, "not here");
        const shoset::LinkId second = 3 - first;
        const Sent again = take(second);
        EXPECT_EQ(again.id, id) << "one id for life";
        answer(second, again, ReplyState::success);
        EXPECT_EQ(stateOf(id), ReplyState::success) << codeName(code);
        EXPECT_EQ(document(id)["replies"][0]["not_executed_by"][0], shoset::nameOf(name(first)));
    }
    for (const Code code : {Code::outcomeUnknown, Code::ioError, Code::invalidArgument, Code::deadlineExceeded, Code::permissionDenied}) {
        const MessageId id = start(toType());
        const shoset::LinkId first = commands(1).empty() ? 2 : 1;
        fail(first, take(first), code, "no");
        EXPECT_EQ(stateOf(id), ReplyState::fail) << codeName(code);
        EXPECT_TRUE(commands(3 - first).empty());
    }
    const MessageId id = start(toType());
    const shoset::LinkId first = commands(1).empty() ? 2 : 1;
    answer(first, take(first), ReplyState::fail, {}, "no_such_slot");
    EXPECT_EQ(stateOf(id), ReplyState::fail) << "a worker has executed it";
    EXPECT_TRUE(commands(3 - first).empty());
}

TEST_F(CommandsTest, WhereNobodyOfATypeCanTakeItItEndsAsNotExecuted)
{
    const MessageId id = start(toType());
    const shoset::LinkId first = commands(1).empty() ? 2 : 1;
    fail(first, take(first), Code::full, "busy");
    fail(3 - first, take(3 - first), Code::full, "busy too");
    EXPECT_EQ(stateOf(id), ReplyState::fail);
    EXPECT_EQ(document(id)["replies"][0]["executed"], "no");
    EXPECT_TRUE(commands(first).empty());
}

TEST_F(CommandsTest, ToAllOfATypeEachAnswersForItself)
{
    const MessageId id = start(toType(true));
    const Sent one = take(1);
    const Sent two = take(2);
    EXPECT_NE(one.id, two.id);
    EXPECT_TRUE(commands(3).empty());
    answer(1, one, ReplyState::success, "{}");
    EXPECT_EQ(stateOf(id), ReplyState::onGoing);
    fail(2, two, Code::notSent, "no worker any more");
    const nlohmann::json seen = document(id);
    EXPECT_EQ(seen["state"], "FAIL");
    EXPECT_EQ(seen["succeeded"], 1);
    EXPECT_EQ(seen["replies"][0]["connector"], "s1");
    EXPECT_EQ(seen["replies"][1]["executed"], "no");
    EXPECT_TRUE(commands(1).empty()) << "to all means each its own, not another's";
    mesh.removeLink(2, now);
    const MessageId half = start(toType(true));
    EXPECT_EQ(carried.record(half)->parts[1].code, Code::notSent) << "who is not linked is accounted for";
}

TEST_F(CommandsTest, EachEndsByItsDeadlineWithWhatIsKnown)
{
    const MessageId silent = start(to("s1"));
    const MessageId busy = start(to("s2"));
    answer(2, take(2), ReplyState::onGoing, {}, {}, 10);
    passTime(11s);
    EXPECT_EQ(commands(1).size(), 2U) << "asked again under its id, as silence may be the way's fault";
    EXPECT_TRUE(commands(2).empty()) << "it has said that it is at it";
    passTime(20s);
    for (const MessageId& id : {silent, busy}) {
        EXPECT_EQ(stateOf(id), ReplyState::fail);
        EXPECT_EQ(document(id)["replies"][0]["executed"], "unknown");
    }
    EXPECT_EQ(carried.counters().unknown, 2U);
}

TEST_F(CommandsTest, WhatCannotBeSentIsRefusedAtOnce)
{
    mesh.removeLink(1, now);
    EXPECT_EQ(refusal(to("s1")).code, Code::notSent);
    EXPECT_EQ(refusal(to("s9")).message, "there is no connector s9 in tenant acme");
    EXPECT_EQ(refusal(to("s3")).message, "there is no connector s3 in tenant acme") << "it is another tenant's";
    CommandAsk ask = to("s2");
    ask.wanted.command = std::string(shoset::redfishRequest);
    EXPECT_EQ(refusal(ask).code, Code::invalidArgument);
    ask = to("s2");
    ask.payload.assign(limits::maxPayloadBytes + 1, ' ');
    EXPECT_EQ(refusal(ask).code, Code::tooLarge);
    ask = toType();
    ask.tenant = "nobody";
    EXPECT_EQ(refusal(ask).code, Code::notFound);
    leave = Error{Code::unavailable, "the majority was lost"};
    EXPECT_EQ(refusal(to("s2")).code, Code::unavailable);
    EXPECT_TRUE(commands(2).empty());
    EXPECT_EQ(carried.remembered(), 0U);
}

TEST_F(CommandsTest, ATenantsFloodLeavesTheOthersAlone)
{
    const std::size_t each = limits::maxCommandsPerTenant / 2;
    for (std::size_t i = 0; i < each && i < limits::maxPendingPerConnector; ++i) {
        start(to("s1"));
        start(to("s2"));
    }
    EXPECT_EQ(refusal(to("s1")).code, Code::full);
    start(to("s3", "zeta"));
    passTime(31s);
    EXPECT_EQ(carried.running(), 0U);
    start(to("s1"));
}

TEST_F(CommandsTest, AnOutcomeIsRememberedForAWhile)
{
    const MessageId id = start(to("s1"));
    answer(1, take(1), ReplyState::success);
    EXPECT_EQ(carried.nextDeadline(), now.mono + limits::commandMemory);
    passTime(limits::commandMemory - 1s);
    EXPECT_NE(carried.record(id), nullptr);
    passTime(1s);
    EXPECT_EQ(carried.record(id), nullptr);
    EXPECT_EQ(carried.nextDeadline(), never);
}

TEST_F(CommandsTest, WhatIsTooMuchToKeepIsForgottenWhereMostOfItIs)
{
    const MessageId other = start(to("s3", "zeta"));
    answer(3, take(3), ReplyState::success, "{}");
    const std::string large = '"' + std::string(limits::maxPayloadBytes - 2, 'x') + '"';
    const MessageId first = start(to("s1"));
    answer(1, take(1), ReplyState::success, large);
    for (std::size_t i = 0; i < limits::maxCommandMemoryBytes / limits::maxPayloadBytes; ++i) {
        start(to("s1"));
        answer(1, take(1), ReplyState::success, large);
    }
    EXPECT_EQ(carried.record(first), nullptr);
    EXPECT_NE(carried.record(other), nullptr);
    EXPECT_GT(carried.counters().forgotten, 0U);
}

TEST_F(CommandsTest, WhoWaitsIsToldOfTheNextChangeOrThatThereIsNone)
{
    const MessageId id = start(to("s1"));
    const Sent sent = take(1);
    int called = 0;
    const auto wait = [&](std::uint64_t seen, Duration time) {
        return carried.await(id, seen, now.mono + time, [&called](Now) { ++called; }, now);
    };
    EXPECT_FALSE(wait(carried.record(id)->revision + 1, 5s));
    EXPECT_TRUE(wait(carried.record(id)->revision, 5s));
    EXPECT_EQ(carried.nextDeadline(), now.mono + 5s);
    answer(1, sent, ReplyState::onGoing, {}, {}, 10);
    EXPECT_EQ(called, 1);
    EXPECT_TRUE(wait(carried.record(id)->revision, 5s));
    passTime(5s);
    EXPECT_EQ(called, 2);
    for (std::size_t i = 0; i < limits::maxCommandWaiters; ++i) {
        EXPECT_TRUE(wait(carried.record(id)->revision, 5s));
    }
    EXPECT_FALSE(wait(carried.record(id)->revision, 5s));
    answer(1, sent, ReplyState::success);
    EXPECT_EQ(called, 2 + static_cast<int>(limits::maxCommandWaiters));
    EXPECT_FALSE(wait(carried.record(id)->revision, 5s)) << "it has ended";
}

TEST_F(CommandsTest, AConnectorWithoutAPolicyIsDeniedInTheSameWordsWhateverThereIs)
{
    std::vector<std::string> said;
    for (const char* target : {"s2", "nobody", "s3"}) {
        const auto replies = repliesTo(1, askFrom(1, {target, "", false}));
        ASSERT_EQ(replies.size(), 1U);
        EXPECT_EQ(replies[0].code, Code::permissionDenied);
        EXPECT_EQ(replies[0].message, "no policy lets s1 send power.cycle to " + std::string(target));
    }
    for (const char* type : {"power-controller", "nothing"}) {
        const auto replies = repliesTo(1, askFrom(1, {"", type, false}));
        ASSERT_EQ(replies.size(), 1U);
        EXPECT_EQ(replies[0].code, Code::permissionDenied);
    }
    EXPECT_TRUE(commands(2).empty());
    EXPECT_EQ(carried.counters().denied, 5U);
}

TEST_F(CommandsTest, AConnectorWithAPolicyGetsTheRepliesUnderItsId)
{
    ASSERT_TRUE(grants.grant({"acme", "s1", "power.cycle", "s2"}));
    const MessageId id = askFrom(1, {"s2", "", false});
    const Sent sent = take(2);
    EXPECT_NE(sent.id, id) << "what a connector calls it is not what another one sees";
    EXPECT_EQ(sent.command.user, "acme/s1");
    answer(2, sent, ReplyState::onGoing, {}, {}, 50, "half");
    auto replies = repliesTo(1, id);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].progress, 50U);
    answer(2, sent, ReplyState::success, "{}");
    replies = repliesTo(1, id);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].state, ReplyState::success);
    say(1, {id, name(1), "agg", shoset::Command{}}, "{}", true);
    EXPECT_EQ(repliesTo(1, id).size(), 1U) << "asked again, it is told how it ended";
    EXPECT_TRUE(commands(2).empty());
    const auto denied = repliesTo(1, askFrom(1, {"s2", "", false}, "power.burn"));
    ASSERT_EQ(denied.size(), 1U);
    EXPECT_EQ(denied[0].code, Code::permissionDenied);
    const MessageId any = askFrom(1, {"", "power-controller", true});
    EXPECT_TRUE(commands(1).empty()) << "only whom the policy names";
    answer(2, take(2), ReplyState::fail, {}, "broken");
    replies = repliesTo(1, any);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].failure, "not_all");
}

TEST_F(CommandsTest, AnotherConnectorsAnswerIsNotTaken)
{
    const MessageId id = start(to("s1"));
    const Sent sent = take(1);
    answer(2, sent, ReplyState::success, R"("forged")");
    answer(3, sent, ReplyState::fail, {}, "forged");
    EXPECT_EQ(stateOf(id), ReplyState::onGoing);
    EXPECT_EQ(broker.counters().wrongSource, 2U);
}

}  // namespace
}  // namespace mesh::aggregator
