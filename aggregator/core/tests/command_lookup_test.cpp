#include "aggregator/core/command_lookup.hpp"

#include "aggregator/core/tests/facade_fixture.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

using shoset::Reply;
using shoset::ReplyState;

// The node "agg" with "agg-b" linked at 8 and "agg-c", which is not; the test plays them.
struct CommandLookupTest : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        put("agg", 'a');
        put("agg-b", 'b');
        put("agg-c", 'c');
        link("agg-b", peer);
        book.onOffers(name(2), {5, 1, {{"power-controller", 1, 3, {{"power.cycle", ""}}}}});
    }
    void put(const std::string& node, char key)
    {
        cluster::Node record;
        record.name = node;
        record.key = std::string(39, '0') + key;
        record.featureLevel = cluster::clusterFeatureLevel;
        change(cluster::PutNode{record});
    }
    void change(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + 10s, [](const Result<cluster::Applied>& applied) {
            ASSERT_TRUE(applied.ok() && applied->ok()) << (applied ? applied->error.message : applied.error().message);
        });
        engine.pump(now.mono);
    }
    void link(const shoset::Address& node, shoset::LinkId at)
    {
        mesh.addAccepted(at, node);
        shoset::Hello hello;
        hello.name = node;
        hello.incarnation = 6;
        hello.clock = toMicros(now.mono);
        say(at, {{}, node, "", hello}, {}, true);
        const std::int64_t clock = toMicros(now.mono);
        say(at, {{}, node, "", shoset::Heartbeat{clock, clock, clock}}, {}, true);
        said(at);
    }
    struct Said {
        shoset::Message message;
        std::string body;
    };
    std::vector<Said> said(shoset::LinkId at)
    {
        mesh.flush();
        std::vector<Said> out;
        for (const std::string& frame : std::exchange(sentTo(at), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && (std::holds_alternative<shoset::Command>(message->content) || std::holds_alternative<Reply>(message->content))) {
                    out.push_back({std::move(*message), std::string((*record)->body)});
                }
            }
        }
        return out;
    }
    void ask(const MessageId& command, std::optional<std::uint64_t> seen = std::nullopt, Duration wait = 0s, const std::string& tenant = {})
    {
        elsewhere.ask(command, tenant, seen, wait, [this](Result<std::string> answer, Now) { told.push_back(std::move(answer)); }, now);
    }
    void answer(const MessageId& question, ReplyState state, Code code, const std::string& body = {})
    {
        say(peer, {question, "agg-b", "agg", Reply{state, code, {}, {state == ReplyState::success ? 200 : 0, {}}}}, body, true);
    }
    void onReply(const shoset::Address& from, const MessageId& id, Reply reply, std::string_view body, bool last, Instant sent, Now when) override
    {
        if (!questions.onReply(from, id, reply, body, when)) {
            broker.onReply(from, id, std::move(reply), body, last, sent, when);
        }
    }
    bool onPeerAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload, Now when) override
    {
        return questions.onAsked(from, id, command, payload, when);
    }
    MessageId begun()
    {
        CommandAsk wanted;
        wanted.tenant = "acme";
        wanted.to.name = "s2";
        wanted.wanted.command = "power.cycle";
        wanted.deadline = now.mono + 30s;
        return *carried.start(std::move(wanted), now);
    }
    // agg-b asks for it.
    void asksFor(const std::string& body, const std::string& command = "mesh.command")
    {
        shoset::Command asking;
        asking.name = command;
        say(peer, {MessageId::make(now.wall, rng), "agg-b", "agg", asking}, body, true);
    }

    static constexpr shoset::LinkId peer = 8;
    cluster::MemoryEngine engine;
    OfferBook book;
    tenants::Policy grants;
    Commands carried{mesh, broker, satellites, book, grants, [](Now) { return Result<void>(); }, rng};
    PeerQuestions questions{mesh, engine, rng};
    CommandLookup elsewhere{questions, carried};
    std::vector<Result<std::string>> told;
};

TEST_F(CommandLookupTest, WhatAnotherNodeTookIsAskedOfIt)
{
    const MessageId command = MessageId::make(now.wall, rng);
    ask(command, 3, 10s);
    const std::vector<Said> asked = said(peer);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].message.destination, "agg-b");
    EXPECT_EQ(nlohmann::json::parse(asked[0].body), (nlohmann::json{{"id", command.hex()}, {"seen", 3}, {"wait_ms", 10000}}));
    answer(asked[0].message.id, ReplyState::success, Code::ok, R"({"state":"SUCCESS"})");
    ASSERT_EQ(told.size(), 1U);
    ASSERT_TRUE(told[0].ok());
    EXPECT_EQ(*told[0], R"({"state":"SUCCESS"})");
    EXPECT_EQ(questions.nextDeadline(), never);
}

TEST_F(CommandLookupTest, WhereNobodyHasItWhoCouldNotBeAskedIsNamed)
{
    ask(MessageId::make(now.wall, rng));
    answer(said(peer).at(0).message.id, ReplyState::fail, Code::notFound);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].error().code, Code::notFound);
    EXPECT_NE(told[0].error().message.find("agg-c"), std::string::npos);
    EXPECT_EQ(told[0].error().message.find("agg-b"), std::string::npos);
}

TEST_F(CommandLookupTest, ANodeThatStaysSilentIsWaitedForSoLong)
{
    ask(MessageId::make(now.wall, rng), 1, 5s);
    EXPECT_EQ(questions.nextDeadline(), now.mono + 5s + limits::peerQuestionPatience);
    now.mono = questions.nextDeadline();
    questions.onTimer(now);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].error().message.find("agg-b, agg-c"), std::string::npos);
    answer(said(peer).at(0).message.id, ReplyState::success, Code::ok, "{}");
    EXPECT_EQ(told.size(), 1U) << "too late";
}

TEST_F(CommandLookupTest, QuestionsAreBounded)
{
    for (std::size_t i = 0; i < limits::maxPeerQuestions; ++i) {
        ask(MessageId::make(now.wall, rng));
    }
    EXPECT_TRUE(told.empty());
    ask(MessageId::make(now.wall, rng));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].error().code, Code::full);
}

TEST_F(CommandLookupTest, AnotherNodeIsToldWhatThisOneTookAndMayWaitForIt)
{
    const MessageId command = begun();
    asksFor(R"({"id":")" + command.hex() + "\"}");
    std::vector<Said> answers = said(peer);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(nlohmann::json::parse(answers[0].body).at("state"), "ON_GOING");
    asksFor(R"({"id":")" + command.hex() + R"(","seen":)" + std::to_string(carried.record(command)->revision) + R"(,"wait_ms":9000})");
    EXPECT_TRUE(said(peer).empty());
    const Sent sent = take(2);
    say(2, {sent.id, name(2), "agg", Reply{ReplyState::success, Code::ok, {}, {200, {}}}}, R"({"on":true})", true);
    answers = said(peer);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(nlohmann::json::parse(answers[0].body).at("replies").at(0).at("payload").at("on"), true);
}

TEST_F(CommandLookupTest, WhoAsksForAnotherTenantsIsToldAtOnceThatThereIsNone)
{
    ask(MessageId::make(now.wall, rng), std::nullopt, 0s, "beta");
    EXPECT_EQ(nlohmann::json::parse(said(peer).at(0).body).at("tenant"), "beta");
    const MessageId command = begun();
    const std::string waits = R"(","seen":)" + std::to_string(carried.record(command)->revision) + R"(,"wait_ms":9000,"tenant":")";
    asksFor(R"({"id":")" + command.hex() + waits + "beta\"}");
    const std::vector<Said> answers = said(peer);
    ASSERT_EQ(answers.size(), 1U) << "one that waits is one that is there";
    EXPECT_EQ(std::get<Reply>(answers[0].message.content).code, Code::notFound);
    asksFor(R"({"id":")" + command.hex() + waits + "acme\"}");
    EXPECT_TRUE(said(peer).empty()) << "its own tenant waits for what is new";
}

TEST_F(CommandLookupTest, NonsenseOfAnotherNodeFindsNothing)
{
    for (const std::string& body : {std::string("{"), std::string("[]"), std::string(R"({"id":7})"), std::string(2000, ' '),
                                    R"({"id":")" + MessageId::make(now.wall, rng).hex() + R"(","seen":-1,"wait_ms":"x"})"}) {
        asksFor(body);
        const std::vector<Said> answers = said(peer);
        ASSERT_EQ(answers.size(), 1U) << body;
        EXPECT_EQ(std::get<Reply>(answers[0].message.content).code, Code::notFound);
    }
    const std::uint64_t before = mesh.counters().notAllowed;
    asksFor("{}", "mesh.other");
    EXPECT_TRUE(said(peer).empty());
    EXPECT_EQ(mesh.counters().notAllowed, before + 1);
}

}  // namespace
}  // namespace mesh::aggregator
