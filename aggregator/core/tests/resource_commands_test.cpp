#include "aggregator/core/commands.hpp"
#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

// acme/sled1 is linked and offers power.cycle; beta/sled2 does, too, and is not linked.
struct CommandResourcesTest : Resources, shoset::FramePort, MeshEvents, BrokerEvents {
    CommandResourcesTest()
    {
        resources.setCommands(commands, book);
        links.addAccepted(1, "acme/sled1");
        shoset::Hello hello;
        hello.name = "acme/sled1";
        say({{}, "acme/sled1", "", hello}, {});
        for (const char* address : {"acme/sled1", "beta/sled2"}) {
            book.onOffers(address, {5, 1, {{"power-controller", 1, 2, {{"power.cycle", std::string(32, '\x01')}}}}});
        }
    }
    void say(const shoset::Message& message, const std::string& body)
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 3, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), body);
        links.onFrame(1, frame, now);
    }
    // The connector's SUCCESS to the command that was sent last.
    void succeed(const std::string& payload)
    {
        links.flush();
        shoset::Message last;
        for (const std::string& frame : std::exchange(frames, {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                if ((*record)->prelude.kind == shoset::Kind::command) {
                    last = *shoset::decodeHeader(shoset::Kind::command, (*record)->header);
                    sentBody = (*record)->body;
                }
            }
        }
        sent = std::get<shoset::Command>(last.content);
        say({last.id, "acme/sled1", "agg", shoset::Reply{ReplyState::success, Code::ok, {}, {200, {}}}}, payload);
    }
    Asked post(const std::string& user, const nlohmann::json& json) { return ask(user, "POST", "/mesh/v1/commands", json.dump()); }

    void sendFrame(shoset::LinkId, std::string frame) override { frames.push_back(std::move(frame)); }
    void resetLink(shoset::LinkId) override {}
    void onReply(const shoset::Address& from, const MessageId& id, shoset::Reply said, std::string_view text, bool last, Instant at, Now when) override
    {
        broker.onReply(from, id, std::move(said), text, last, at, when);
    }
    void onChunk(const shoset::Address&, const MessageId&, const shoset::Chunk&, std::string_view, bool, Now) override {}
    void onCredit(const shoset::Address&, const MessageId&, std::uint64_t, Now) override {}
    void onAnnounce(const shoset::Address&, shoset::Announce, Now) override {}
    void onConnectorUp(const shoset::Address&, const std::string&, Now) override {}
    void onKeyOffer(const shoset::Address&, const std::string&, const shoset::KeyOffer&, Now) override {}
    void onOffers(const shoset::Address&, shoset::Offers) override {}
    void onCommandAsked(const shoset::Address&, const MessageId&, shoset::Command, std::string_view, std::optional<Instant>, Now) override {}
    void onLinkLost(shoset::LinkId, Now) override {}
    void onRoutesChanged(const std::vector<shoset::Address>&, Now) override {}
    void onAnswer(Ticket, ResponseHead, std::string, bool, Instant, Now) override {}
    void onAnswerBody(Ticket, std::string, bool, Now) override {}
    void onAnswerFailed(Ticket, Error, bool, Now) override {}
    void onBodyWanted(Ticket, std::size_t, Now) override {}

    using ReplyState = shoset::ReplyState;
    std::vector<std::string> frames;
    std::string sentBody;
    shoset::Command sent;
    Mesh links{{"agg", 1, 0, "test"}, *this, *this};
    Broker broker{links, *this, satellites, rng};
    OfferBook book;
    tenants::Policy grants;
    Commands commands{links, broker, satellites, book, grants, [](Now) { return Result<void>{}; }, rng};
};

TEST_F(CommandResourcesTest, ACommandIsAcceptedAndCanBeFollowed)
{
    const Asked accepted = post("op", {{"target", "sled1"}, {"command", "power.cycle"}, {"version", "1.1"}, {"payload", {{"delay", 3}}}});
    ASSERT_EQ(accepted.status, 202);
    EXPECT_EQ(accepted.body["state"], "ON_GOING");
    EXPECT_EQ(accepted.body["tenant"], "acme");
    const std::string location = accepted.header("Location");
    EXPECT_EQ(location, "/mesh/v1/commands/" + accepted.body["id"].get<std::string>());
    EXPECT_EQ(get("op", location).body["state"], "ON_GOING");
    succeed(R"({"took":2})");
    EXPECT_EQ(sentBody, R"({"delay":3})");
    EXPECT_EQ(std::tie(sent.user, sent.major, sent.minor), std::make_tuple("op", 1U, 1U));
    const Asked ended = get("boss", location + "?seen=1&wait=5");
    EXPECT_EQ(ended.status, 200);
    EXPECT_EQ(ended.body["state"], "SUCCESS");
    EXPECT_EQ(ended.body["replies"][0]["payload"]["took"], 2);
}

TEST_F(CommandResourcesTest, WhoIsOfAnotherTenantIsToldThatThereIsNothing)
{
    const Asked own = post("op", {{"target", "sled9"}, {"command", "power.cycle"}});
    const Asked foreign = post("op", {{"target", "sled2"}, {"tenant", "beta"}, {"command", "power.cycle"}});
    const Asked nowhere = post("op", {{"target", "sled2"}, {"tenant", "nowhere"}, {"command", "power.cycle"}});
    EXPECT_EQ(own.status, 404);
    EXPECT_EQ(foreign.status, 404);
    EXPECT_EQ(nowhere.status, 404);
    std::string expected = nowhere.text;
    for (std::size_t at = expected.find("nowhere"); at != std::string::npos; at = expected.find("nowhere")) {
        expected.replace(at, 7, "beta");
    }
    EXPECT_EQ(foreign.text, expected);
    const Asked type = post("op", {{"type", "power-controller"}, {"tenant", "beta"}, {"command", "power.cycle"}});
    EXPECT_EQ(type.status, 404);
    EXPECT_EQ(post("op", {{"target", "beta/sled2"}, {"command", "power.cycle"}}).text, foreign.text);
    const Asked accepted = post("root", {{"target", "acme/sled1"}, {"command", "power.cycle"}});
    ASSERT_EQ(accepted.status, 202);
    make("zed", "Administrator", "beta");
    EXPECT_EQ(get("zed", accepted.header("Location")).status, 404);
    EXPECT_EQ(get("op", accepted.header("Location")).status, 200);
}

TEST_F(CommandResourcesTest, WhoMayConfigureNoComponentsMaySendNone)
{
    EXPECT_EQ(post("reader", {{"target", "sled1"}, {"command", "power.cycle"}}).status, 403);
    EXPECT_EQ(post("", {{"target", "sled1"}, {"command", "power.cycle"}}).status, 401);
    const Asked accepted = post("op", {{"target", "sled1"}, {"command", "power.cycle"}});
    EXPECT_EQ(get("reader", accepted.header("Location")).status, 403);
    EXPECT_EQ(get("op", "/mesh/v1/commands/" + std::string(32, 'f')).status, 404);
    EXPECT_EQ(get("op", "/mesh/v1/commands/nonsense").status, 404);
}

TEST_F(CommandResourcesTest, WhatIsNotMeantClearlyIsRefused)
{
    const nlohmann::json wrong[] = {
        {{"command", "power.cycle"}},
        {{"target", "sled1"}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"all", true}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"version", "one"}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"version", "0.1"}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"timeout", 0}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"timeout", 601}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"wait", -1}},
        {{"target", "sled1"}, {"command", "power.cycle"}, {"dry_run", true}},
        {{"target", "sled1"}, {"command", "power cycle"}},
        {{"target", "acme/sled1"}, {"tenant", "beta"}, {"command", "power.cycle"}},
        {{"target", "sled1"}, {"command", "redfish.request"}},
    };
    for (const nlohmann::json& body : wrong) {
        EXPECT_EQ(post("op", body).status, 400) << body;
    }
    EXPECT_EQ(post("root", {{"target", "sled1"}, {"command", "power.cycle"}}).status, 400) << "of which tenant?";
    EXPECT_EQ(post("op", {{"target", "sled1"}, {"command", "power.cycle"}, {"version", "2"}}).status, 409);
    const Asked away = post("root", {{"target", "beta/sled2"}, {"command", "power.cycle"}});
    EXPECT_EQ(away.status, 503);
    EXPECT_EQ(away.header("Retry-After"), "1");
    EXPECT_EQ(commands.counters().started, 0U);
}

TEST_F(CommandResourcesTest, ABodyOfAnyDepthIsRefusedBeforeItIsParsed)
{
    for (const std::size_t depth : {limits::maxOwnBodyDepth + 1, limits::maxOwnBodyBytes / 2}) {
        const std::string deep = std::string(depth, '[') + std::string(depth, ']');
        EXPECT_EQ(ask("op", "POST", "/mesh/v1/commands", deep).status, 400);
        EXPECT_EQ(ask("root", "POST", "/mesh/v1/tenants", R"({"name":)" + deep + "}").status, 400);
    }
    const auto nested = [](std::size_t depth) {
        return R"({"target":"sled1","command":"power.cycle","payload":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_EQ(ask("op", "POST", "/mesh/v1/commands", nested(limits::maxPayloadDepth)).status, 202);
    EXPECT_EQ(ask("op", "POST", "/mesh/v1/commands", nested(limits::maxPayloadDepth + 1)).status, 400);
    const std::string brackets = R"({"target":"sled1","command":"power.cycle","payload":"\")" + std::string(500, '[') + "\"}";
    EXPECT_EQ(ask("op", "POST", "/mesh/v1/commands", brackets).status, 202) << "a text is no depth";
}

TEST_F(CommandResourcesTest, WhatWorkersOfferIsShownWithinTheTenant)
{
    const nlohmann::json own = get("reader", "/mesh/v1/workers").body["workers"];
    ASSERT_EQ(own.size(), 1U);
    EXPECT_EQ(own[0]["connector"], "sled1");
    EXPECT_EQ(own[0]["version"], "1.2");
    EXPECT_EQ(own[0]["commands"][0]["name"], "power.cycle");
    EXPECT_EQ(get("root", "/mesh/v1/workers").body["workers"].size(), 2U);
}

}  // namespace
}  // namespace mesh::aggregator
