#include "aggregator/core/commands.hpp"
#include "aggregator/core/tests/facade_fixture.hpp"
#include "aggregator/core/tests/fake_history.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

using shoset::Reply;
using shoset::ReplyState;

// s1 may send power.cycle and redfish.* to s2, and what is asked for is recorded.
struct CommandAsksTest : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        book.onOffers(name(2), {5, 1, {{"power-controller", 1, 3, {{"power.cycle", ""}, {"redfish.patch", ""}, {"redfish.post", ""}}}}});
        for (const char* command : {"power.cycle", "redfish.patch", "redfish.post"}) {
            ASSERT_TRUE(grants.grant({"acme", "s1", command, "s2"}));
        }
        carried.setAudit(trail);
    }
    void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                        std::optional<Instant>, Now when) override
    {
        carried.onAsked(from, id, std::move(command), payload, when.mono + 30s, when);
    }
    MessageId askFor(const std::string& command = "power.cycle", const std::string& payload = "{}", std::uint64_t incarnation = 0,
                     std::optional<MessageId> again = std::nullopt, const std::string& target = "s2")
    {
        shoset::Command said;
        said.name = command;
        said.to.name = target;
        said.incarnation = incarnation;
        const MessageId id = again.value_or(MessageId::make(now.wall, rng));
        say(1, {id, name(1), "agg", said}, payload, true);
        return id;
    }
    std::vector<Reply> repliesTo(const MessageId& id)
    {
        mesh.flush();
        std::vector<Reply> out;
        for (const std::string& frame : std::exchange(sentTo(1), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && message->id == id && std::holds_alternative<Reply>(message->content)) {
                    out.push_back(std::get<Reply>(message->content));
                }
            }
        }
        return out;
    }
    void succeed()
    {
        const Sent sent = take(2);
        say(2, {sent.id, name(2), "agg", Reply{ReplyState::success, Code::ok, {}, {200, {}}}}, "{}", true);
    }

    FakeHistory history;
    AuditTrail trail{AuditMode::required, "agg", history, rng};
    OfferBook book;
    tenants::Policy grants;
    Commands carried{mesh, broker, satellites, book, grants, [](Now) { return Result<void>(); }, rng};
};

TEST_F(CommandAsksTest, WhoAsksIsRecordedBeforeAnythingIsSentAndHowItEndedAfterwards)
{
    const MessageId id = askFor();
    EXPECT_TRUE(commands(2).empty()) << "not before its intent is on disk";
    askFor("power.cycle", "{}", 0, id);
    ASSERT_TRUE(history.finish(now));
    ASSERT_EQ(history.stored.size(), 1U) << "asked twice meanwhile, it is one";
    EXPECT_EQ(history.stored[0].phase, history::Phase::intent);
    EXPECT_EQ(history.stored[0].tenant, "acme");
    EXPECT_EQ(history.stored[0].account, "acme/s1");
    EXPECT_EQ(history.stored[0].method, "POST");
    EXPECT_EQ(history.stored[0].uri, "/mesh/v1/commands/acme/s2/power.cycle");
    ASSERT_EQ(commands(2).size(), 1U);
    succeed();
    EXPECT_EQ(repliesTo(id).back().state, ReplyState::success);
    ASSERT_TRUE(history.finish(now));
    ASSERT_EQ(history.stored.size(), 2U);
    EXPECT_EQ(history.stored[1].phase, history::Phase::result);
    EXPECT_EQ(history.stored[1].status, 200);
}

TEST_F(CommandAsksTest, WhatCannotBeRecordedIsNotSent)
{
    const MessageId id = askFor();
    ASSERT_TRUE(history.fail(now));
    const auto replies = repliesTo(id);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].code, Code::notSent);
    EXPECT_TRUE(commands(2).empty());
}

TEST_F(CommandAsksTest, WhatWasRefusedIsNotBegunWhenACopyOfItComesLater)
{
    const MessageId id = askFor();
    ASSERT_TRUE(history.fail(now));
    EXPECT_EQ(repliesTo(id).at(0).code, Code::notSent);
    pass(1s);
    askFor("power.cycle", "{}", 0, id);
    EXPECT_FALSE(history.finish(now)) << "its asker was told that it was not executed, and may have sent it anew";
    EXPECT_EQ(repliesTo(id).at(0).code, Code::notSent);
    EXPECT_TRUE(commands(2).empty());
    askFor();
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(commands(2).size(), 1U);
}

TEST_F(CommandAsksTest, WhatMayNotBeAskedForIsNotRecorded)
{
    const MessageId id = askFor("power.burn");
    EXPECT_EQ(repliesTo(id).at(0).code, Code::permissionDenied);
    EXPECT_TRUE(history.asked.empty());
    EXPECT_EQ(carried.counters().denied, 1U);
}

TEST_F(CommandAsksTest, ARedfishRequestIsRecordedWithItsResource)
{
    askFor("redfish.patch", R"({"uri":"/redfish/v1/Systems/1","body":{"AssetTag":"secret"}})");
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(history.stored[0].uri, "/mesh/v1/commands/acme/s2/redfish.patch/redfish/v1/Systems/1");
    EXPECT_EQ(take(2).command.name, "redfish.patch");
    const MessageId wrong = askFor("redfish.patch", R"({"uri":"/elsewhere"})");
    EXPECT_EQ(repliesTo(wrong).at(0).code, Code::invalidArgument);
    const MessageId session = askFor("redfish.post", R"({"uri":"/redfish/v1/SessionService/Sessions","body":{}})");
    EXPECT_EQ(repliesTo(session).at(0).code, Code::permissionDenied) << "sessions are the facade's, whoever asks";
}

TEST_F(CommandAsksTest, WhatAnotherProcessOfThisNodeWasAskedForIsNotBegun)
{
    const MessageId fresh = askFor("power.cycle", "{}", mesh.incarnation());
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(commands(2).size(), 1U);
    succeed();
    const MessageId old = askFor("power.cycle", "{}", mesh.incarnation() + 1);
    EXPECT_EQ(repliesTo(old).at(0).code, Code::outcomeUnknown);
    EXPECT_TRUE(commands(2).empty());
    askFor("power.cycle", "{}", mesh.incarnation(), fresh);
    EXPECT_EQ(repliesTo(fresh).back().state, ReplyState::success) << "asked again, it is told how it ended";
}

TEST_F(CommandAsksTest, WhatWasForgottenBeforeItsDeadlineIsNotBegunAnew)
{
    const MessageId first = askFor();
    for (std::size_t others = 0; others <= limits::maxCommands; ++others) {
        while (history.finish(now)) {
        }
        succeed();
        askFor();
    }
    while (history.finish(now)) {
    }
    succeed();
    ASSERT_GT(carried.counters().forgotten, 0U);
    repliesTo(first);
    askFor("power.cycle", "{}", 0, first);
    const auto replies = repliesTo(first);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].code, Code::outcomeUnknown);
    pass(30s);
    EXPECT_TRUE(commands(2).empty());
}

}  // namespace
}  // namespace mesh::aggregator
