#include "connector/core/tests/fixture.hpp"

namespace mesh::connector {
namespace {

using shoset::ReplyState;

struct WorkersTest : testing::Test, WorkerEvents {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    FakeWorkers socket;
    Workers workers{WorkerRules({{{1000}, {}, {"power.*", "redfish.*"}, {"db.*"}}}), socket, *this};
    const LocalPeer peer{1000, 1000, 7};

    void onWorkerReply(WorkerReply reply, Now) override { replies.push_back(std::move(reply)); }
    void onWorkerLost(const MessageId& id, const Error& why, Now) override { lost.emplace_back(id, why); }
    void onOffersChanged(Now) override { ++changes; }
    void onSecretAsked(WorkerId, WorkerSecretAsk ask, Now) override { secrets.push_back(std::move(ask)); }

    void says(WorkerId id, const std::string& frame) { workers.onMessage(id, peer, frame, now); }
    void attach(WorkerId id, const std::string& version, const std::string& commands = R"([{"name":"power.cycle"}])",
                const std::string& name = "power")
    {
        says(id, R"({"message":"register","protocol":1,"worker":")" + name + R"(","type":"chassis","version":")" + version +
                     R"(","commands":)" + commands + "}");
    }
    std::string answerTo(const std::string& frame)
    {
        says(99, frame);
        const std::vector<std::string> told = socket.told(99);
        return told.size() == 1 ? told[0] : std::to_string(told.size()) + " words";
    }
    static shoset::Command command(std::uint32_t major = 0, std::uint32_t minor = 0, const std::string& type = {})
    {
        shoset::Command out;
        out.name = "power.cycle";
        out.major = major;
        out.minor = minor;
        out.type = type;
        return out;
    }
    // The id of the command that was given, or nil: `error` says why not.
    MessageId give(const shoset::Command& what = command(), const std::string& checkedAgainst = {})
    {
        const MessageId id = MessageId::make(now.wall, rng);
        const Result<void> given = workers.give(what, {id, what.name, "{}", "admin", now.mono + 30s}, checkedAgainst, now);
        error = given ? Error{} : given.error();
        return given ? id : MessageId{};
    }
    void ends(WorkerId worker, const MessageId& id, const std::string& state = "SUCCESS")
    {
        says(worker, R"({"message":"reply","id":")" + id.hex() + R"(","state":")" + state + "\"}");
    }
    // Which worker was given a command since the last call.
    std::vector<WorkerId> given()
    {
        std::vector<WorkerId> out;
        for (const auto& [id, word] : std::exchange(socket.words, {})) {
            if (word.find("\"command\"") != std::string::npos) {
                out.push_back(id);
            }
        }
        return out;
    }

    std::vector<WorkerSecretAsk> secrets;
    std::vector<WorkerReply> replies;
    std::vector<std::pair<MessageId, Error>> lost;
    int changes = 0;
    Error error;
};

TEST_F(WorkersTest, OneThatRegistersIsOfferedAndGetsCommands)
{
    attach(1, "1.2", R"([{"name":"power.cycle","schema":{"type":"object"}},{"name":"power.state"}])");
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"heartbeat_ms":2000,"message":"registered","protocol":1,"secrets":true})"});
    ASSERT_EQ(workers.offers().size(), 1U);
    const shoset::Offer offer = workers.offers()[0];
    EXPECT_EQ(std::tie(offer.type, offer.major, offer.minor), std::make_tuple("chassis", 1U, 2U));
    ASSERT_EQ(offer.commands.size(), 2U);
    EXPECT_EQ(offer.commands[0].schema.size(), 32U);
    EXPECT_EQ(offer.commands[1], (shoset::OfferedCommand{"power.state", ""}));
    EXPECT_TRUE(shoset::checkOffers(workers.offers()).ok());
    EXPECT_EQ(changes, 1);

    const MessageId id = give();
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"deadline_ms":30000,"id":")" + id.hex() +
                              R"(","message":"command","name":"power.cycle","user":"admin","payload":{}})"});
    says(1, R"({"message":"reply","id":")" + id.hex() + R"(","state":"ON_GOING","progress":40.7,"text":"off"})");
    says(1, R"({"message":"reply","id":")" + id.hex() + R"(","state":"SUCCESS","payload":{"b":1, "a":[2]}})");
    ASSERT_EQ(replies.size(), 2U);
    EXPECT_EQ(replies[0].progress, 40U);
    EXPECT_EQ(replies[0].text, "off");
    EXPECT_EQ(replies[1].state, ReplyState::success);
    EXPECT_EQ(replies[1].payload, R"({"a":[2],"b":1})");
    EXPECT_EQ(workers.busy(), 0U);
    ends(1, id);
    EXPECT_EQ(replies.size(), 2U) << "it has ended once";
    EXPECT_EQ(workers.counters().lateReplies, 1U);
}

TEST_F(WorkersTest, WhoMayNotServeACommandIsToldSo)
{
    const auto refusal = [this](const std::string& commands) {
        attach(1, "1.0", commands);
        const std::vector<std::string> told = socket.told(1);
        return told.size() == 1 && told[0].find("refused") != std::string::npos ? told[0] : "taken";
    };
    EXPECT_NE(refusal(R"([{"name":"fan.speed"}])").find("user id 1000 serve fan.speed"), std::string::npos);
    EXPECT_NE(refusal(R"([{"name":"redfish.get"}])").find("reserved"), std::string::npos) << "whatever the configuration says";
    EXPECT_NE(refusal(R"([{"name":"power.a"},{"name":"power.a"}])").find("twice"), std::string::npos);
    EXPECT_NE(refusal(R"([{"name":"power.a","schema":{"pattern":"x"}}])").find("power.a: the schema, at root: the keyword 'pattern'"),
              std::string::npos);
    EXPECT_EQ(workers.attached(), 0U);
    EXPECT_EQ(changes, 0);
    workers.onMessage(2, {1001, 1, 8}, R"({"message":"register","protocol":1,"worker":"power","type":"chassis","version":"1.0",
                                           "commands":[{"name":"power.cycle"}]})", now);
    EXPECT_NE(socket.told(2).at(0).find("user id 1001"), std::string::npos);
}

TEST_F(WorkersTest, OneThatServesNothingAttachesIfItMayDoSomethingElse)
{
    const auto answer = [this](WorkerRules::Grant grant, const std::string& more = {}) {
        Workers others{WorkerRules({std::move(grant)}), socket, *this};
        others.onMessage(50, peer, R"({"message":"register","protocol":1,"worker":"w","type":"t","version":"1.0","commands":[])" + more + "}", now);
        return socket.told(50).back();
    };
    EXPECT_NE(answer({{1000}, {}, {"power.*"}}).find("serves nothing"), std::string::npos);
    EXPECT_NE(answer({{1000}, {}, {"power.*"}}, R"(,"configuration":true)").find("\"registered\""), std::string::npos);
    EXPECT_NE(answer({{1000}, {}, {}, {"db"}}).find("\"registered\""), std::string::npos);
    EXPECT_NE(answer({{1000}, {}, {}, {}, {"sensor.*"}}).find("\"registered\""), std::string::npos);
    EXPECT_NE(answer({{1000}, {}, {}, {}, {}, {"sensor.*"}}).find("\"registered\""), std::string::npos);
    EXPECT_NE(answer({{1000}, {}, {}, {}, {}, {}, {"fan.*"}}).find("\"registered\""), std::string::npos);
}

TEST_F(WorkersTest, WhatIsNoMessageIsRefusedWithASentence)
{
    EXPECT_NE(answerTo("[]").find("one JSON object"), std::string::npos);
    EXPECT_NE(answerTo("{").find("one JSON object"), std::string::npos);
    EXPECT_NE(answerTo(std::string(100, '[')).find("depth"), std::string::npos);
    EXPECT_NE(answerTo(R"({"message":"dance"})").find("expected a 'message'"), std::string::npos);
    EXPECT_NE(answerTo(R"({"message":"register"})").find("'protocol' 1"), std::string::npos);
    const std::string start = R"({"message":"register","protocol":1,"worker":"w","type":"t","version":)";
    EXPECT_NE(answerTo(start + R"("1","commands":[]})").find("MAJOR.MINOR"), std::string::npos);
    EXPECT_NE(answerTo(start + R"("0.1","commands":[]})").find("MAJOR.MINOR"), std::string::npos);
    EXPECT_NE(answerTo(start + R"("1.0","commands":{}})").find("'commands'"), std::string::npos);
    EXPECT_NE(answerTo(start + R"("1.0"})").find("'commands'"), std::string::npos);
    EXPECT_NE(answerTo(start + R"("1.0","commands":[7]})").find("'name'"), std::string::npos);
    EXPECT_NE(answerTo(R"({"message":"register","protocol":1,"worker":"a b","type":"t"})").find("'worker' and 'type'"),
              std::string::npos);
    EXPECT_NE(answerTo(R"({"message":"reply","id":"7"})").find("'id'"), std::string::npos);
    const std::string id = MessageId::make(now.wall, rng).hex();
    EXPECT_NE(answerTo(R"({"message":"reply","id":")" + id + R"(","state":"DONE"})").find("'state'"), std::string::npos);
    EXPECT_NE(answerTo(R"({"message":"reply","id":")" + id + R"(","state":"ON_GOING","progress":101})").find("0 to 100"),
              std::string::npos);
    EXPECT_EQ(workers.counters().malformed, 14U);
}

TEST_F(WorkersTest, AStrangerIsAskedToRegister)
{
    EXPECT_EQ(answerTo(R"({"message":"ping"})"), R"({"message":"stranger"})");
    attach(1, "1.0");
    socket.words.clear();
    says(1, R"({"message":"ping"})");
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"message":"pong"})"});
}

TEST_F(WorkersTest, AQuestionForASecretIsPassedOnForWhoMayHaveItAndRefusedForOthers)
{
    const std::string ask = R"({"message":"secret","id":"q1","name":"NAME"})";
    const auto asks = [&](const std::string& name) { says(1, std::string(ask).replace(ask.find("NAME"), 4, name)); };
    asks("db.main");
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"message":"stranger"})"});
    attach(1, "1.0");
    socket.words.clear();
    asks("db.main");
    ASSERT_EQ(secrets.size(), 1U);
    EXPECT_EQ(secrets[0].id, "q1");
    EXPECT_EQ(secrets[0].name, "db.main");
    EXPECT_TRUE(socket.words.empty());
    asks("web");
    EXPECT_EQ(secrets.size(), 1U);
    const std::vector<std::string> told = socket.told(1);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].find(R"("failure":"permission_denied")"), std::string::npos) << told[0];
    EXPECT_EQ(workers.counters().secretsDenied, 1U);
    EXPECT_EQ(workers.attached(), 1U);
    for (const char* bad : {"../db", ""}) {
        asks(bad);
        EXPECT_NE(socket.told(1).at(0).find("refused"), std::string::npos);
        attach(1, "1.0");
        socket.words.clear();
    }
}

TEST_F(WorkersTest, OneThatRegistersTwiceOnOneConnectionIsToldAgainAndKeepsWhatItHas)
{
    attach(1, "1.0");
    const MessageId id = give();
    socket.words.clear();
    attach(1, "1.0");
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"heartbeat_ms":2000,"message":"registered","protocol":1,"secrets":true})"});
    EXPECT_EQ(changes, 1);
    EXPECT_EQ(workers.counters().registered, 1U);
    EXPECT_EQ(workers.counters().refused, 0U);
    EXPECT_EQ(workers.busy(), 1U);
    socket.words.clear();
    attach(1, "1.1");
    EXPECT_NE(socket.told(1).at(0).find("registered already"), std::string::npos) << "another version is another worker";
    ends(1, id);
    EXPECT_EQ(replies.size(), 1U);
    EXPECT_TRUE(lost.empty());
}

TEST_F(WorkersTest, VersionsStandSideBySideAndTheHighestThatFitsIsAsked)
{
    attach(1, "1.4");
    attach(2, "2.0");
    EXPECT_EQ(workers.attached(), 2U) << "another major version takes nobody's place";
    socket.words.clear();
    give();
    give(command(1));
    give(command(1, 4, "chassis"));
    give(command(2));
    EXPECT_EQ(given(), (std::vector<WorkerId>{2, 1, 1, 2}));
    EXPECT_TRUE(give(command(1, 5)).isNil());
    EXPECT_EQ(error.code, Code::notSent);
    EXPECT_EQ(workers.check(command(1, 5), "").error().code, Code::unsupported);
    EXPECT_EQ(workers.check(command(3), "").error().code, Code::unsupported);
    EXPECT_EQ(workers.check(command(1, 0, "other"), "").error().code, Code::notFound);
}

TEST_F(WorkersTest, AnUpgradeDrainsTheOldOneWithoutLosingItsCommands)
{
    attach(1, "1.0");
    const MessageId old = give();
    attach(2, "1.1", R"([{"name":"power.cycle"},{"name":"power.state"}])");
    socket.told(2);
    EXPECT_EQ(socket.told(1).back(), R"({"message":"drain"})");
    EXPECT_EQ(workers.attached(), 2U);
    EXPECT_EQ(workers.offers().size(), 1U);
    give();
    EXPECT_EQ(given(), std::vector<WorkerId>{2});
    ends(1, old);
    EXPECT_EQ(replies.back().id, old);
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"message":"drained"})"});
    EXPECT_EQ(workers.attached(), 1U);
    EXPECT_TRUE(lost.empty());
}

TEST_F(WorkersTest, AnOldOneThatServesMoreThanItsSuccessorStays)
{
    attach(1, "1.0", R"([{"name":"power.cycle"},{"name":"power.state"}])");
    attach(2, "1.1");
    EXPECT_EQ(workers.offers().size(), 2U);
    attach(3, "1.2", R"([{"name":"power.cycle"},{"name":"power.state"}])", "other");
    EXPECT_EQ(workers.offers().size(), 3U) << "another name takes nobody's place";
}

TEST_F(WorkersTest, OneThatWantsToEndGetsNothingNewAndIsToldWhenItMay)
{
    attach(1, "1.0");
    const MessageId id = give();
    socket.words.clear();
    says(1, R"({"message":"drain"})");
    EXPECT_TRUE(socket.words.empty());
    EXPECT_TRUE(workers.offers().empty());
    EXPECT_EQ(workers.check(command(), "").error().code, Code::notFound);
    ends(1, id);
    EXPECT_EQ(socket.told(1), std::vector<std::string>{R"({"message":"drained"})"});
}

TEST_F(WorkersTest, EqualVersionsShareTheWork)
{
    attach(1, "1.0");
    attach(2, "1.0");
    socket.words.clear();
    const MessageId first = give();
    give();
    give();
    EXPECT_EQ(given(), (std::vector<WorkerId>{2, 1, 2}));
    ends(2, first);
    give();
    EXPECT_EQ(given(), std::vector<WorkerId>{2});
    EXPECT_EQ(workers.offers().size(), 1U);
    attach(3, "1.0", R"([{"name":"power.cycle","schema":{"type":"object"}}])");
    EXPECT_NE(socket.told(3).at(0).find("another schema"), std::string::npos);
}

TEST_F(WorkersTest, TheOutcomeOfWhatADeadWorkerHadIsUnknown)
{
    attach(1, "1.0");
    const MessageId a = give();
    const MessageId b = give();
    workers.onGone(1, now);
    ASSERT_EQ(lost.size(), 2U);
    EXPECT_EQ(lost[0].first, a);
    EXPECT_EQ(lost[1].first, b);
    EXPECT_EQ(lost[0].second.code, Code::outcomeUnknown);
    EXPECT_TRUE(workers.offers().empty());
    EXPECT_EQ(changes, 2);
    workers.onGone(1, now);
    EXPECT_EQ(lost.size(), 2U);
}

TEST_F(WorkersTest, WhatDoesNotLeaveForADeadOneGoesToTheNext)
{
    attach(1, "1.0");
    attach(2, "2.0");
    socket.gone.insert(2);
    socket.words.clear();
    EXPECT_FALSE(give().isNil());
    EXPECT_EQ(given().back(), 1U);
    EXPECT_EQ(workers.attached(), 1U);
    socket.gone.insert(1);
    EXPECT_TRUE(give().isNil());
    EXPECT_EQ(error.code, Code::notSent);
    EXPECT_EQ(lost.size(), 1U) << "the one that had left before";
}

TEST_F(WorkersTest, OneThatFallsSilentIsGivenUpAndOthersAreNot)
{
    attach(1, "1.0");
    attach(2, "2.0");
    const MessageId id = give();
    EXPECT_EQ(workers.nextDeadline(), now.mono + limits::workerPatience);
    now.mono += limits::workerPatience - 1ms;
    workers.onTimer(now);
    says(1, R"({"message":"ping"})");
    now.mono += 1ms;
    workers.onTimer(now);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].first, id);
    EXPECT_EQ(workers.attached(), 1U);
    EXPECT_NE(socket.told(2).back().find("bye"), std::string::npos);
}

TEST_F(WorkersTest, OneThatLeavesOrSaysNonsenseIsGone)
{
    attach(1, "1.0");
    give();
    says(1, R"({"message":"bye","reason":"bored"})");
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_NE(lost[0].second.message.find("it left: bored"), std::string::npos) << lost[0].second.message;
    attach(2, "1.0");
    give();
    says(2, "nonsense");
    EXPECT_EQ(lost.size(), 2U);
    EXPECT_EQ(workers.attached(), 0U);
    EXPECT_EQ(workers.nextDeadline(), never) << "no wake-ups without workers";
}

TEST_F(WorkersTest, NobodyAnswersForAnother)
{
    attach(1, "1.0");
    attach(2, "2.0");
    const MessageId id = give();
    ends(1, id);
    EXPECT_TRUE(replies.empty());
    EXPECT_EQ(workers.busy(), 1U);
}

TEST_F(WorkersTest, APayloadIsCheckedBeforeAWorkerSeesIt)
{
    attach(1, "1.0", R"([{"name":"power.cycle","schema":{"required":["system"]}}])");
    const Result<Workers::Checked> fine = workers.check(command(), R"({ "system": 1 })");
    ASSERT_TRUE(fine.ok());
    EXPECT_EQ(fine->payload, R"({"system":1})");
    const Result<Workers::Checked> bad = workers.check(command(), "");
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, Code::invalidArgument);
    EXPECT_EQ(bad.error().message, "power.cycle: the payload, at root: expected the property 'system'");
    EXPECT_TRUE(give(command(), "another schema's").isNil()) << "checked anew for the worker that gets it";
    EXPECT_EQ(error.code, Code::invalidArgument);
    EXPECT_FALSE(give(command(), fine->schema).isNil());
}

TEST_F(WorkersTest, EveryTableHasItsBound)
{
    attach(1, "1.0");
    for (std::size_t i = 0; i < limits::maxCommandsAtWorker; ++i) {
        EXPECT_FALSE(give().isNil());
    }
    EXPECT_TRUE(give().isNil());
    EXPECT_EQ(error.code, Code::full);
    for (WorkerId id = 2; id <= limits::maxWorkers; ++id) {
        attach(id, "1.0");
    }
    EXPECT_EQ(workers.attached(), limits::maxWorkers);
    attach(100, "1.0");
    EXPECT_NE(socket.told(100).at(0).find("workers at one connector"), std::string::npos);
}

TEST_F(WorkersTest, AnAnswerThatIsTooLongIsAFailureThatWasExecuted)
{
    attach(1, "1.0");
    const MessageId id = give();
    says(1, R"({"message":"reply","id":")" + id.hex() + R"(","state":"SUCCESS","payload":")" +
                std::string(limits::maxPayloadBytes, 'x') + "\"}");
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies[0].state, ReplyState::fail);
    EXPECT_EQ(replies[0].failure, "reply_too_large");
    EXPECT_TRUE(replies[0].payload.empty());
}

}  // namespace
}  // namespace mesh::connector
