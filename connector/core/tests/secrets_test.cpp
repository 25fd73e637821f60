#include "connector/core/tests/secrets_fixture.hpp"

namespace mesh::connector {
namespace {

using nlohmann::json;

TEST_F(SecretsTest, AKeyIsToldOnceItIsOnDiskAndIsTheSameAfterARestart)
{
    secrets.start("curve-1", now);
    EXPECT_EQ(secrets.announcedKey(), "") << "or what is sealed to it could be lost";
    saved();
    EXPECT_EQ(secrets.announcedKey().size(), sealing::keyBytes);
    EXPECT_EQ(keysTold, 1);
    Secrets later(settings, state, *this, rng);
    ASSERT_TRUE(later.load(state.files[StateFile::secrets]).ok());
    later.start("curve-1", now);
    EXPECT_EQ(later.announcedKey(), secrets.announcedKey());
    EXPECT_TRUE(state.waiting.empty());
}

TEST_F(SecretsTest, WithoutOperatorsThereIsNeitherKeyNorSecret)
{
    Secrets none({{}, "s1"}, state, *this, rng);
    none.start("curve-1", now);
    EXPECT_TRUE(state.waiting.empty());
    EXPECT_EQ(none.announcedKey(), "");
    none.get(1, {"q1", "db"}, now);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0]["failure"], "permission_denied");
    EXPECT_TRUE(asked.empty());
}

TEST_F(SecretsTest, AWorkerGetsTheValueAndItIsSavedNowhere)
{
    begin();
    secrets.get(1, {"q1", "db"}, now);
    const Asked question = take();
    EXPECT_EQ(question.command, shoset::secretGet);
    EXPECT_EQ(question.payload, json({{"name", "db"}}));
    answer(question, sealing::envelopeText(sealed()));
    EXPECT_TRUE(told.empty()) << "its version is not on disk";
    saved();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0], json({{"message", "secret"}, {"id", "q1"}, {"name", "db"}, {"version", 5}, {"value", sealing::toBase64("the value")}}));
    for (const auto& [file, content] : state.files) {
        EXPECT_EQ(content.find("the value"), std::string::npos);
        EXPECT_EQ(content.find(sealing::toBase64("the value")), std::string::npos);
    }
    answer(question, sealing::envelopeText(sealed()));
    EXPECT_EQ(told.size(), 1U) << "a second reply counts for nothing";
}

TEST_F(SecretsTest, WhatTheAggregatorRefusesOrDoesNotAnswerTheWorkerIsTold)
{
    begin();
    secrets.get(1, {"q1", "db"}, now);
    refuse(take(), Code::notFound, "no secret db is granted to this connector");
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0]["failure"], "not_found");
    EXPECT_EQ(told[0]["text"], "no secret db is granted to this connector");
    linked.clear();
    secrets.get(1, {"q2", "db"}, now);
    EXPECT_EQ(told.at(1)["failure"], "unavailable");
    linked = {"agg-a"};
    secrets.get(1, {"q3", "db"}, now);
    EXPECT_EQ(secrets.nextDeadline(), now.mono + limits::secretAttempt);
    const Instant end = now.mono + limits::secretPatience;
    now.mono += limits::secretAttempt;
    secrets.onTimer(now);
    EXPECT_EQ(told.size(), 2U) << "there is no other one to ask";
    EXPECT_EQ(secrets.nextDeadline(), end);
    now.mono = end;
    secrets.onTimer(now);
    EXPECT_EQ(told.at(2)["failure"], "unavailable");
    EXPECT_EQ(told.at(2)["id"], "q3");
    EXPECT_EQ(secrets.nextDeadline(), never);
}

TEST_F(SecretsTest, WhatWasTamperedWithOrIsOfAnotherIsNotOpened)
{
    begin();
    EXPECT_EQ(ask("no envelope")["failure"], "corrupt");
    EXPECT_EQ(ask(sealing::envelopeText(sealed(5, "web")))["failure"], "corrupt") << "another one in its place";
    EXPECT_EQ(ask(sealing::envelopeText(sealed(5, "db", "s2")))["failure"], "permission_denied");
    sealing::Envelope changed = sealed();
    changed.box[0] ^= 1;
    EXPECT_EQ(ask(sealing::envelopeText(changed))["failure"], "corrupt");
    const sealing::SecretToSeal foreign{"acme", "db", 6, "x", {{"s1", secrets.announcedKey()}}};
    EXPECT_EQ(ask(sealing::envelopeText(*sealing::seal(foreign, sealing::Seed::make(rng), rng)))["failure"], "permission_denied");
    EXPECT_EQ(secrets.counters().given, 0U);
    EXPECT_EQ(secrets.counters().failed, 5U);
    EXPECT_TRUE(ask(sealing::envelopeText(sealed())).contains("value"));
}

TEST_F(SecretsTest, AnOlderVersionIsRefusedAlsoAfterARestart)
{
    begin();
    const std::string old = sealing::envelopeText(sealed(5));
    EXPECT_TRUE(ask(sealing::envelopeText(sealed(6))).contains("value"));
    EXPECT_TRUE(ask(sealing::envelopeText(sealed(6))).contains("value")) << "the same again";
    const json refused = ask(old);
    EXPECT_EQ(refused["failure"], "refused");
    EXPECT_FALSE(refused.contains("value"));
    EXPECT_EQ(secrets.counters().older, 1U);
    saved();
    Secrets later(settings, state, *this, rng);
    ASSERT_TRUE(later.load(state.files[StateFile::secrets]).ok());
    later.start("curve-1", now);
    later.get(1, {"q9", "db"}, now);
    later.onReply(take().id, "agg-a", {}, old, "acme/s1", now);
    EXPECT_EQ(told.at(0)["failure"], "refused");
}

TEST_F(SecretsTest, TooManyQuestionsAreRefused)
{
    begin();
    for (std::size_t i = 0; i < limits::maxSecretAsks; ++i) {
        secrets.get(1, {"q" + std::to_string(i), "db"}, now);
    }
    EXPECT_TRUE(told.empty());
    secrets.get(1, {"one more", "db"}, now);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0]["failure"], "full");
}

TEST_F(SecretsTest, WithAnotherConnectorKeyItSealsItsOwnAnewAndKeepsTheOldOne)
{
    begin();
    sealing::Envelope stored = sealed();
    const std::string oldKey = secrets.announcedKey();
    secrets.onKey("curve-2", now);
    EXPECT_EQ(secrets.announcedKey(), oldKey) << "until the new one is on disk";
    saved();
    EXPECT_NE(secrets.announcedKey(), oldKey);
    EXPECT_EQ(secrets.keys(), 2U);
    EXPECT_TRUE(ask(sealing::envelopeText(stored)).contains("value")) << "the old key still opens";
    saved();

    secrets.onTimer(now);
    Asked question = take();
    EXPECT_EQ(question.command, shoset::secretList);
    answer(question, listOf(stored).dump());
    question = take();
    EXPECT_EQ(question.command, shoset::secretGet);
    answer(question, sealing::envelopeText(stored));
    question = take();
    EXPECT_EQ(question.command, shoset::secretSeal);
    EXPECT_EQ(question.payload["version"], 5);
    EXPECT_EQ(question.payload["key"], sealing::toBase64(secrets.announcedKey()));
    stored.recipients[0].seal = {*sealing::fromBase64(question.payload["key"].get<std::string>()),
                                 *sealing::fromBase64(question.payload["seal"].get<std::string>())};
    answer(question, "{}");
    question = take();
    EXPECT_EQ(question.command, shoset::secretList) << "until none is left";
    answer(question, listOf(stored).dump());
    EXPECT_EQ(secrets.keys(), 2U) << "an aggregator's word does not take it away";
    EXPECT_TRUE(ask(sealing::envelopeText(stored)).contains("value"));
    EXPECT_EQ(secrets.counters().resealed, 1U);
    secrets.onTimer(now);
    EXPECT_TRUE(asked.empty());
}

TEST_F(SecretsTest, ResealingGoesOnAfterWhateverComesBetween)
{
    begin();
    const sealing::Envelope stored = sealed();
    secrets.onKey("curve-2", now);
    linked.clear();
    saved();
    secrets.onTimer(now);
    EXPECT_TRUE(asked.empty());
    EXPECT_EQ(secrets.nextDeadline(), never);
    linked = {"agg-a"};
    secrets.onLinkUp(now);
    secrets.onTimer(now);
    answer(take(), listOf(stored).dump());
    answer(take(), sealing::envelopeText(stored));
    refuse(take(), Code::preconditionFailed, "the secret db has another version now");
    EXPECT_EQ(secrets.keys(), 2U);
    EXPECT_EQ(secrets.nextDeadline(), now.mono + limits::resealRetry);

    Secrets later(settings, state, *this, rng);
    ASSERT_TRUE(later.load(state.files[StateFile::secrets]).ok());
    later.start("curve-2", now);
    EXPECT_EQ(later.keys(), 2U);
    later.onTimer(now);
    EXPECT_EQ(take().command, shoset::secretList);

    now.mono += limits::resealRetry;
    secrets.onTimer(now);
    const Asked question = take();
    EXPECT_EQ(question.command, shoset::secretList);
    answer(question, "[]");
    EXPECT_EQ(secrets.keys(), 2U) << "what is no list ends nothing";
}

TEST_F(SecretsTest, ARestartFindsOutThatTheConnectorKeyHasChanged)
{
    begin("curve-1");
    const std::string key = secrets.announcedKey();
    Secrets later(settings, state, *this, rng);
    ASSERT_TRUE(later.load(state.files[StateFile::secrets]).ok());
    later.start("curve-2", now);
    EXPECT_EQ(later.announcedKey(), key);
    EXPECT_EQ(later.keys(), 2U);
}

TEST_F(SecretsTest, ADamagedFileIsNoticed)
{
    begin();
    ask(sealing::envelopeText(sealed()));
    saved();
    const std::string good = state.files[StateFile::secrets];
    EXPECT_TRUE(Secrets(settings, state, *this, rng).load(good).ok());
    EXPECT_TRUE(Secrets(settings, state, *this, rng).load("").ok());
    for (const std::string& bad : {good + "x", good.substr(0, good.size() - 1), good.substr(4), "key x\n" + good, std::string("beside \n")}) {
        EXPECT_FALSE(Secrets(settings, state, *this, rng).load(bad).ok()) << "damaged";
    }
}

TEST_F(SecretsTest, AKeyThatCannotBeSavedIsTriedAgain)
{
    secrets.start("curve-1", now);
    state.waiting.clear();
    secrets.onSaved(Error{Code::ioError, "no space"}, now);
    EXPECT_EQ(secrets.announcedKey(), "");
    EXPECT_EQ(secrets.nextDeadline(), now.mono + limits::resealRetry);
    now.mono += limits::resealRetry;
    secrets.onTimer(now);
    saved();
    EXPECT_NE(secrets.announcedKey(), "");
}

// The same inside a connector, with the aggregators agg-a at link 0, which knows secrets, and agg-b at link 1, which does not.
struct SecretsInConnectorTest : ConnectorTest {
    Wire port;
    const sealing::Seed operatorSeed = sealing::Seed::make(rng);
    Connector sealed{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}, 0,
                      WorkerRules({{{1000}, {}, {"*"}, {"*"}}}), {sealing::keysOf(operatorSeed).signing}},
                     port, bmc, journal, state, rng};

    void SetUp() override { sealed.start(now); }
    void hear(LinkId link, const shoset::Message& message, const std::string& body = {})
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), body);
        sealed.onFrame(link, frame, now);
    }
    void up(LinkId link, std::uint64_t capabilities)
    {
        sealed.onConnected(link, now);
        shoset::HelloAck ack;
        ack.name = port.dialled.at(link).name;
        ack.capabilities = capabilities;
        ack.echoedClock = ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hear(link, {{}, ack.name, "", ack});
    }
    // What was sent over the link, of one kind.
    template <class Kind>
    std::vector<shoset::Message> sent(LinkId link)
    {
        sealed.flush();
        std::vector<shoset::Message> out;
        for (const auto& [way, frame] : port.frames) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                shoset::Message message = *shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (way == link && std::holds_alternative<Kind>(message.content)) {
                    out.push_back(std::move(message));
                }
            }
        }
        port.frames.clear();
        return out;
    }
    std::string keyTold(LinkId link)
    {
        const std::vector<shoset::Message> all = sent<shoset::Announce>(link);
        return all.empty() ? "nothing told" : std::get<shoset::Announce>(all.back().content).sealingKey;
    }
};

TEST_F(SecretsInConnectorTest, ItTellsItsKeyAsksWhoKnowsSecretsAndAnswersItsWorker)
{
    up(0, shoset::capabilitySecrets);
    EXPECT_EQ(keyTold(0), "");
    ASSERT_EQ(state.waiting.at(0).first, StateFile::secrets);
    state.written();
    sealed.onSaved(StateFile::secrets, {}, now);
    const std::string key = keyTold(0);
    EXPECT_EQ(key, sealed.namedSecrets().announcedKey());
    EXPECT_EQ(key.size(), sealing::keyBytes);
    up(1, 0);
    sent<shoset::Announce>(1);

    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"register","protocol":1,"worker":"w","type":"t","version":"1.0","commands":[{"name":"a"}]})",
                           now);
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"secret","id":"q1","name":"db"})", now);
    EXPECT_TRUE(sent<shoset::Command>(1).empty());
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"secret","id":"q2","name":"db"})", now);
    const std::vector<shoset::Message> asked = sent<shoset::Command>(0);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].destination, "agg-a");
    EXPECT_EQ(std::get<shoset::Command>(asked[0].content).name, shoset::secretGet);
    const sealing::SecretToSeal secret{"acme", "db", 5, "the value", {{"s1", key}}};
    shoset::Reply reply;
    reply.http.status = 200;
    port.words.clear();
    hear(0, {asked[0].id, "agg-a", "acme/s1", reply}, sealing::envelopeText(*sealing::seal(secret, operatorSeed, rng)));
    state.written();
    sealed.onSaved(StateFile::secrets, {}, now);
    ASSERT_EQ(port.words.size(), 1U);
    EXPECT_NE(port.words[0].find(R"("id":"q2")"), std::string::npos);
    EXPECT_NE(port.words[0].find(sealing::toBase64("the value")), std::string::npos);
    EXPECT_EQ(sealed.workersAsks().counters().unknownReply, 0U) << "it is an answer to the secrets, and to no command of a worker";
    hear(0, {asked[0].id, "agg-a", "acme/s1", reply}, "{}");
    EXPECT_EQ(sealed.workersAsks().counters().unknownReply, 1U) << "twice is nobody's";
    EXPECT_EQ(port.words.size(), 1U);
}

TEST_F(SecretsInConnectorTest, WhatWasAskedOverALinkThatIsCutIsAskedOverAnotherOne)
{
    up(0, shoset::capabilitySecrets);
    up(1, shoset::capabilitySecrets);
    state.written();
    sealed.onSaved(StateFile::secrets, {}, now);
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"register","protocol":1,"worker":"w","type":"t","version":"1.0","commands":[{"name":"a"}]})",
                           now);
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"secret","id":"q1","name":"db"})", now);
    EXPECT_EQ(sent<shoset::Command>(0).size(), 1U);
    sealed.onDisconnected(0, now);
    const std::vector<shoset::Message> asked = sent<shoset::Command>(1);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].destination, "agg-b");
    EXPECT_EQ(std::get<shoset::Command>(asked[0].content).name, shoset::secretGet);
}

TEST_F(SecretsInConnectorTest, WithoutAnAggregatorThatKnowsSecretsTheWorkerIsToldAtOnce)
{
    up(1, 0);
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"register","protocol":1,"worker":"w","type":"t","version":"1.0","commands":[{"name":"a"}]})",
                           now);
    port.words.clear();
    sealed.onWorkerMessage(1, {1000, 1000, 7}, R"({"message":"secret","id":"q1","name":"db"})", now);
    ASSERT_EQ(port.words.size(), 1U);
    EXPECT_NE(port.words[0].find(R"("failure":"unavailable")"), std::string::npos);
}

}  // namespace
}  // namespace mesh::connector
