#include "aggregator/core/trace_lookup.hpp"

#include "aggregator/core/commands.hpp"
#include "aggregator/core/tests/facade_fixture.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

using shoset::Reply;
using shoset::ReplyState;

// The node "agg" with "agg-b" linked at 8; the test plays it. The mesh, the broker and commands take notes.
struct TraceLookupTest : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        for (const char* node : {"agg", "agg-b"}) {
            cluster::Node record;
            record.name = node;
            record.key = std::string(39, '0') + node[std::string(node).size() - 1];
            record.featureLevel = cluster::clusterFeatureLevel;
            change(cluster::PutNode{record});
        }
        linkNode();
        for (shoset::LinkId link = 1; link <= 3; ++link) {
            book.onOffers(name(link), {5, 1, {{"power-controller", 1, 3, {{"power.cycle", ""}}}}});
        }
        mesh.setNotes(notes);
        broker.setNotes(notes);
        carried.setNotes(notes);
    }
    void change(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + 10s, [](const Result<cluster::Applied>& applied) {
            ASSERT_TRUE(applied.ok() && applied->ok()) << (applied ? applied->error.message : applied.error().message);
        });
        engine.pump(now.mono);
    }
    void linkNode()
    {
        mesh.addAccepted(peer, "agg-b");
        shoset::Hello hello;
        hello.name = "agg-b";
        hello.incarnation = 6;
        hello.clock = toMicros(now.mono);
        say(peer, {{}, "agg-b", "", hello}, {}, true);
        const std::int64_t clock = toMicros(now.mono);
        say(peer, {{}, "agg-b", "", shoset::Heartbeat{clock, clock, clock}}, {}, true);
        said();
    }
    struct Said {
        shoset::Message message;
        nlohmann::json body;
    };
    // Questions and answers to agg-b.
    std::vector<Said> said()
    {
        mesh.flush();
        std::vector<Said> out;
        for (const std::string& frame : std::exchange(sentTo(peer), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && (std::holds_alternative<shoset::Command>(message->content) || std::holds_alternative<Reply>(message->content))) {
                    out.push_back({std::move(*message), nlohmann::json::parse((*record)->body, nullptr, false)});
                }
            }
        }
        return out;
    }
    void pass(Duration time)
    {
        now.mono += time;
        now.wall += time;
    }
    void ask(const MessageId& id, const std::string& tenant = {}) { askText(id.hex(), tenant); }
    void askText(const std::string& id, const std::string& tenant = {})
    {
        traces.ask(id, *readTraceKey(id), tenant, [this](Result<std::string> answer, Now) { told.push_back(std::move(answer)); }, now);
    }
    void answer(const MessageId& question, const nlohmann::json& body)
    {
        const bool found = !body.is_null();
        say(peer, {question, "agg-b", "agg", Reply{found ? ReplyState::success : ReplyState::fail, found ? Code::ok : Code::notFound, {}, {found ? 200 : 0, {}}}},
            found ? body.dump() : std::string(), true);
    }
    // agg-b asks.
    Said askedBy(const std::string& body)
    {
        shoset::Command asking;
        asking.name = "mesh.trace";
        say(peer, {MessageId::make(now.wall, rng), "agg-b", "agg", asking}, body, true);
        std::vector<Said> answers = said();
        EXPECT_EQ(answers.size(), 1U);
        return answers.empty() ? Said{} : answers.back();
    }
    void onReply(const shoset::Address& from, const MessageId& id, Reply reply, std::string_view body, bool last, Instant sent, Now when) override
    {
        if (!questions.onReply(from, id, reply, body, when)) {
            broker.onReply(from, id, std::move(reply), body, last, sent, when);
        }
    }
    bool onPeerAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view body, Now when) override
    {
        return questions.onAsked(from, id, command, body, when);
    }
    void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                        std::optional<Instant>, Now when) override
    {
        carried.onAsked(from, id, std::move(command), payload, when.mono + 30s, when);
    }
    MessageId begun(const std::string& connector = "s2", const std::string& tenant = "acme", const MessageId& about = {})
    {
        CommandAsk wanted;
        wanted.tenant = tenant;
        wanted.to.name = connector;
        wanted.wanted.command = "power.cycle";
        wanted.deadline = now.mono + 30s;
        wanted.about = about;
        return *carried.start(std::move(wanted), now);
    }
    void succeed(shoset::LinkId link, const Sent& to)
    {
        say(link, {to.id, name(link), "agg", Reply{ReplyState::success, Code::ok, {}, {200, {}}}}, "{}", true);
    }
    std::int64_t micros() const { return std::chrono::duration_cast<std::chrono::microseconds>(now.wall.time_since_epoch()).count(); }
    nlohmann::json hopOfPeer(const MessageId& id, const std::string& what, std::int64_t at, const std::string& tenant = "acme") const
    {
        return {{"at_us", at},         {"tenant", tenant}, {"kind", "command"}, {"what", what},
                {"from", "agg"}, {"to", "acme/s2"}, {"message", id.hex()}, {"over", "acme/s2"}};
    }
    static nlohmann::json answerWith(std::int64_t clock, nlohmann::json hops, nlohmann::json others = nlohmann::json::array())
    {
        return {{"now_us", clock}, {"hops", std::move(hops)}, {"others", std::move(others)}, {"more", false}};
    }
    // "NODE KIND WHAT" of the last answer's hops.
    std::vector<std::string> shown() const
    {
        std::vector<std::string> out;
        if (told.empty() || !told.back()) {
            ADD_FAILURE() << "there is none";
            return out;
        }
        const auto document = nlohmann::json::parse(*told.back());
        for (const auto& hop : document["hops"]) {
            out.push_back(hop["node"].get<std::string>() + " " + hop["kind"].get<std::string>() + " " + hop["what"].get<std::string>());
        }
        return out;
    }

    static constexpr shoset::LinkId peer = 8;
    cluster::MemoryEngine engine;
    HopNotes notes;
    OfferBook book;
    tenants::Policy grants;
    Commands carried{mesh, broker, satellites, book, grants, [](Now) { return Result<void>(); }, rng};
    PeerQuestions questions{mesh, engine, rng};
    TraceLookup traces{"agg", notes, questions};
    std::vector<Result<std::string>> told;
};

using Lines = std::vector<std::string>;

TEST_F(TraceLookupTest, WhatThisNodeAndTheOthersHaveNotedIsOneTrace)
{
    const MessageId id = begun();
    pass(2ms);
    const std::int64_t between = micros();
    pass(5ms);
    underWay = 1ms;
    succeed(2, take(2));
    ask(id);
    ASSERT_TRUE(told.empty());
    const std::vector<Said> asked = said();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].body["ids"], nlohmann::json::array({id.hex()}));
    EXPECT_EQ(asked[0].body["tenant"], "");
    answer(asked[0].message.id, answerWith(micros(), nlohmann::json::array({hopOfPeer(id, "forwarded", between)})));
    EXPECT_EQ(shown(), (Lines{"agg command taken", "agg command sent", "agg-b command forwarded", "agg reply SUCCESS"}));
    const auto document = nlohmann::json::parse(*told[0]);
    EXPECT_EQ(document["id"], id.hex());
    EXPECT_EQ(document["node"], "agg");
    EXPECT_EQ(document["hops"][1]["over"], "acme/s2");
    const auto way = document["hops"][3]["at_us"].get<std::int64_t>() - document["hops"][3]["left_us"].get<std::int64_t>();
    EXPECT_NEAR(static_cast<double>(way), 1000, 10) << "since the connector has sent it";
    EXPECT_EQ(document["clocks"][0]["node"], "agg-b");
    EXPECT_EQ(document["clocks"][0]["corrected"], false);
    EXPECT_TRUE(document["silent"].empty());
}

TEST_F(TraceLookupTest, AnotherTenantsIsAnsweredAsIfThereWereNone)
{
    const MessageId id = begun("s3", "zeta");
    ask(id, "acme");
    std::vector<Said> asked = said();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].body["tenant"], "acme") << "the others look in its own only";
    answer(asked[0].message.id, answerWith(micros(), nlohmann::json::array({hopOfPeer(id, "forwarded", micros(), "zeta")})));
    ask(MessageId::make(now.wall, rng), "acme");
    asked = said();
    answer(asked.at(0).message.id, nullptr);
    ASSERT_EQ(told.size(), 2U);
    ASSERT_FALSE(told[0].ok());
    EXPECT_EQ(told[0].error().code, Code::notFound);
    EXPECT_EQ(told[0].error().message, told[1].error().message);
    ask(id, "zeta");
    answer(said().at(0).message.id, nullptr);
    EXPECT_TRUE(told[2].ok());
}

TEST_F(TraceLookupTest, WhatAnotherNodeKnowsToBelongToItIsAskedForOnceMore)
{
    const MessageId id = MessageId::make(now.wall, rng);
    const MessageId part = begun();  // of a command that agg-b has taken
    ask(id);
    std::vector<Said> asked = said();
    answer(asked.at(0).message.id, answerWith(micros(), nlohmann::json::array({hopOfPeer(id, "taken", micros())}), nlohmann::json::array({part.hex()})));
    ASSERT_TRUE(told.empty());
    asked = said();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].body["ids"], nlohmann::json::array({part.hex()}));
    answer(asked[0].message.id, answerWith(micros(), nlohmann::json::array({hopOfPeer(id, "taken", micros())}), nlohmann::json::array({MessageId::make(now.wall, rng).hex()})));
    ASSERT_EQ(told.size(), 1U) << "and not for ever";
    EXPECT_EQ(shown(), (Lines{"agg-b command taken", "agg command taken", "agg command sent"})) << "nothing twice";
}

TEST_F(TraceLookupTest, TheSecondRoundHasThePlaceOfTheFirstHoweverManyQuestionsAreOpen)
{
    const MessageId id = MessageId::make(now.wall, rng);
    ask(id);
    const std::vector<Said> asked = said();
    for (std::size_t i = 1; i < limits::maxPeerQuestions; ++i) {
        ask(MessageId::make(now.wall, rng));
    }
    said();
    ASSERT_TRUE(told.empty());
    ask(MessageId::make(now.wall, rng));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].error().code, Code::full);
    answer(asked.at(0).message.id,
           answerWith(micros(), nlohmann::json::array({hopOfPeer(id, "taken", micros())}), nlohmann::json::array({MessageId::make(now.wall, rng).hex()})));
    const std::vector<Said> more = said();
    ASSERT_EQ(more.size(), 1U);
    EXPECT_EQ(told.size(), 1U);
    answer(more[0].message.id, nullptr);
    EXPECT_EQ(shown(), Lines{"agg-b command taken"});
}

TEST_F(TraceLookupTest, ANodeThatIsSilentIsNamed)
{
    const MessageId id = begun();
    ask(id);
    now.mono = questions.nextDeadline();
    questions.onTimer(now);
    EXPECT_EQ(nlohmann::json::parse(*told.at(0))["silent"], nlohmann::json::array({"agg-b"}));
    ask(MessageId::make(now.wall, rng));
    now.mono = questions.nextDeadline();
    questions.onTimer(now);
    ASSERT_FALSE(told.at(1).ok());
    EXPECT_NE(told[1].error().message.find("agg-b"), std::string::npos);
}

TEST_F(TraceLookupTest, AnotherNodeIsToldWhatWasNotedHere)
{
    const MessageId id = begun();
    const Said answered = askedBy(nlohmann::json{{"ids", {id.hex()}}, {"tenant", "acme"}}.dump());
    ASSERT_EQ(answered.body["hops"].size(), 2U);
    EXPECT_EQ(answered.body["hops"][0]["what"], "taken");
    EXPECT_EQ(answered.body["now_us"], micros());
    EXPECT_EQ(std::get<Reply>(askedBy(nlohmann::json{{"ids", {id.hex()}}, {"tenant", "zeta"}}.dump()).message.content).code, Code::notFound);
    for (const std::string& body : {std::string("{"), std::string("[]"), std::string("{}"), std::string(R"({"ids":[7,"x"],"version":-1})"), std::string(9000, ' ')}) {
        EXPECT_EQ(std::get<Reply>(askedBy(body).message.content).code, Code::notFound) << body.substr(0, 40);
    }
}

TEST_F(TraceLookupTest, AnAnswerFitsARecordHoweverManyHopsThereAre)
{
    const MessageId id = MessageId::make(now.wall, rng);
    const std::string longName = "acme/" + std::string(63, 'x');
    for (std::size_t i = 0; i < limits::maxTracedHops + 10; ++i) {
        notes.add(HopRing::messages, "acme", {.id = id, .from = longName, .to = longName, .over = longName}, now);
    }
    const Said answered = askedBy(nlohmann::json{{"ids", {id.hex()}}, {"tenant", ""}}.dump());
    EXPECT_EQ(answered.body["more"], true);
    EXPECT_GT(answered.body["hops"].size(), limits::maxTracedHops / 4);
}

TEST_F(TraceLookupTest, WhatAConnectorAsksForIsTracedFromItsQuestionToItsAnswer)
{
    ASSERT_TRUE(grants.grant({"acme", "s1", "power.cycle", "s2"}));
    shoset::Command wanted;
    wanted.name = "power.cycle";
    wanted.to.name = "s2";
    const MessageId id = MessageId::make(now.wall, rng);
    say(1, {id, name(1), "agg", wanted}, "{}", true);
    pass(1ms);
    say(1, {id, name(1), "agg", wanted}, "{}", true);
    pass(1ms);
    succeed(2, take(2));
    ask(id);
    answer(said().at(0).message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command delivered", "agg command taken", "agg command sent", "agg command duplicate", "agg reply SUCCESS", "agg reply sent"}));
    const MessageId refused = MessageId::make(now.wall, rng);
    wanted.name = "power.burn";
    say(1, {refused, name(1), "agg", wanted}, "{}", true);
    ask(refused);
    answer(said().at(0).message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command delivered", "agg reply refused"}));
    EXPECT_EQ(nlohmann::json::parse(*told.back())["hops"][1]["code"], "permission_denied");
}

TEST_F(TraceLookupTest, WhatANodePassesOnIsNotedWithoutABodyAndSoIsWhatItCannot)
{
    const MessageId id = MessageId::make(now.wall, rng), lost = MessageId::make(now.wall, rng);
    shoset::Command passed;
    passed.name = "power.cycle";
    say(peer, {id, "agg-b", "acme/s2", passed}, "{}", true);
    pass(1ms);
    say(2, {id, "acme/s2", "agg-b", Reply{ReplyState::success, Code::ok, {}, {200, {}}}}, "{}", true);
    say(peer, {lost, "agg-b", "acme/nobody", passed}, "{}", true);
    said();
    ask(id);
    answer(said().at(0).message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command forwarded", "agg reply forwarded"}));
    ask(lost);
    answer(said().at(0).message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command refused"}));
}

TEST_F(TraceLookupTest, WhereNobodyKnowsIsNotNotedSoThatMadeUpNamesTakeNobodysNotesAway)
{
    const MessageId kept = begun();
    shoset::Command passed;
    passed.name = "power.cycle";
    MessageId lost;
    for (std::size_t i = 0; i < limits::maxHopNames + 10; ++i) {
        lost = MessageId::make(now.wall, rng);
        say(1, {lost, name(1), "agg-" + std::to_string(i), passed}, "{}", true);
        mesh.flush();
        sentTo(1).clear();
    }
    const auto hopsOf = [this](const MessageId& id) { return notes.find(TraceKey{{id}}, "acme").hops; };
    EXPECT_FALSE(hopsOf(kept).empty());
    ASSERT_EQ(hopsOf(lost).size(), 1U);
    EXPECT_EQ(hopsOf(lost)[0].fate, HopFate::refused);
    EXPECT_EQ(std::tie(hopsOf(lost)[0].from, hopsOf(lost)[0].to), std::make_tuple(name(1), ""));
    EXPECT_TRUE(notes.knows("acme/s2"));
    EXPECT_FALSE(notes.knows("agg-7"));
}

TEST_F(TraceLookupTest, ARequestOfTheAuditTrailLeadsToWhatItBegan)
{
    const MessageId recorded = MessageId::make(now.wall, rng);
    const MessageId command = begun("s2", "acme", recorded);
    ask(recorded);
    const std::vector<Said> asked = said();
    EXPECT_EQ(asked.at(0).body["ids"], nlohmann::json::array({recorded.hex(), command.hex()}));
    answer(asked[0].message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command taken", "agg command sent"}));
}

TEST_F(TraceLookupTest, ARedfishRequestIsNotedAndOneThatFailedSaysWhy)
{
    announce(2, {{"Systems", {"1"}}});
    get("/redfish/v1/Systems/B1_1");
    const Sent sent = take(2);
    fail(2, sent, Code::unavailable, "the BMC is away");
    ask(sent.id);
    answer(said().at(0).message.id, nullptr);
    EXPECT_EQ(shown(), (Lines{"agg command sent", "agg reply FAIL"}));
}

}  // namespace
}  // namespace mesh::aggregator
