// Which aggregators are asked, and what is taken of what they answer.
#include "connector/core/secret_versions.hpp"
#include "connector/core/tests/secrets_fixture.hpp"

namespace mesh::connector {
namespace {

using nlohmann::json;

struct SecretAnswersTest : SecretsTest {
    void SetUp() override
    {
        linked = {"agg-a", "agg-b"};
        begin();
    }
    Asked toldToAsk(const std::string& name = "db")
    {
        secrets.get(1, {"q1", name}, now);
        return take();
    }
    json onlyWord()
    {
        saved();
        EXPECT_EQ(told.size(), 1U);
        return told.empty() ? json() : told.front();
    }
};

TEST_F(SecretAnswersTest, WhereOneAggregatorRefusesOrAnswersWhatIsNotTakenAnotherIsAsked)
{
    Asked question = toldToAsk();
    EXPECT_EQ(question.at, "agg-a");
    refuse(question, Code::notFound, "no secret db is granted to this connector");
    question = take();
    EXPECT_EQ(question.at, "agg-b");
    EXPECT_EQ(question.command, shoset::secretGet);
    answer(question, sealing::envelopeText(sealed()));
    EXPECT_TRUE(onlyWord().contains("value"));
    EXPECT_EQ(secrets.counters().askedAnother, 1U);

    told.clear();
    answer(toldToAsk(), "no envelope");
    answer(take(), sealing::envelopeText(sealed(6)));
    EXPECT_EQ(onlyWord()["version"], 6);

    told.clear();
    answer(toldToAsk(), sealing::envelopeText(sealed(5)));
    EXPECT_EQ(secrets.counters().older, 1U);
    answer(take(), sealing::envelopeText(sealed(7)));
    EXPECT_EQ(onlyWord()["version"], 7) << "who is behind does not keep it from the worker";
}

TEST_F(SecretAnswersTest, WhereAllRefuseTheWorkerIsToldWhatTheFirstSaid)
{
    refuse(toldToAsk(), Code::notFound, "no secret db is granted to this connector");
    refuse(take(), Code::unavailable, "it has no majority");
    EXPECT_EQ(onlyWord()["failure"], "not_found");
    EXPECT_EQ(secrets.counters().failed, 1U);
}

TEST_F(SecretAnswersTest, WhereTheLinkIsCutAnotherIsAskedAtOnceAndOneThatComesBackAgain)
{
    const Asked first = toldToAsk();
    linked = {"agg-b"};
    secrets.onLinkDown("agg-a", now);
    const Asked second = take();
    EXPECT_EQ(second.at, "agg-b");
    EXPECT_EQ(second.payload, first.payload);
    answer(first, sealing::envelopeText(sealed()));
    EXPECT_TRUE(told.empty()) << "whoever is not asked any more has nothing to say";
    linked.clear();
    secrets.onLinkDown("agg-b", now);
    EXPECT_TRUE(asked.empty());
    linked = {"agg-a"};
    secrets.onLinkUp(now);
    const Asked third = take();
    EXPECT_EQ(third.at, "agg-a");
    answer(third, sealing::envelopeText(sealed()));
    EXPECT_TRUE(onlyWord().contains("value"));
}

TEST_F(SecretAnswersTest, WhereOneIsSilentAnotherIsAskedTooAndEitherMayAnswer)
{
    const Asked first = toldToAsk();
    now.mono += limits::secretAttempt;
    secrets.onTimer(now);
    const Asked second = take();
    EXPECT_EQ(second.at, "agg-b");
    refuse(second, Code::notFound, "no secret db is granted to this connector");
    EXPECT_TRUE(told.empty()) << "the first one may still know";
    answer(first, sealing::envelopeText(sealed()));
    EXPECT_TRUE(onlyWord().contains("value"));
    EXPECT_EQ(secrets.nextDeadline(), never);
}

TEST_F(SecretAnswersTest, ASecretOfAnotherTenantOrNameIsNotTakenWhateverTheAggregatorCallsTheConnector)
{
    linked = {"agg-a"};
    EXPECT_TRUE(ask(sealing::envelopeText(sealed(5))).contains("value"));
    const json foreign = ask(sealing::envelopeText(sealed(6, "db", "s1", "umbra")), "db", "umbra/s1");
    EXPECT_EQ(foreign["failure"], "permission_denied") << "it is acme/s1, and knows that since it took its first secret";
    const json other = ask(sealing::envelopeText(sealed(6, "db", "s2")), "db", "acme/s2");
    EXPECT_EQ(other["failure"], "permission_denied") << "its name is in its configuration";
    EXPECT_TRUE(ask(sealing::envelopeText(sealed(6)), "db", "umbra/s7").contains("value")) << "what it is called counts for nothing";

    Secrets later(settings, state, *this, rng);
    ASSERT_TRUE(later.load(state.files[StateFile::secrets]).ok());
    later.start("curve-1", now);
    later.get(1, {"q1", "db"}, now);
    later.onReply(take().id, "agg-a", {}, sealing::envelopeText(sealed(7, "db", "s1", "umbra")), "umbra/s1", now);
    EXPECT_EQ(told.at(0)["failure"], "permission_denied") << "after a restart, too";
}

TEST_F(SecretAnswersTest, TheTenantInTheConfigurationIsBelievedFromTheFirstSecretOn)
{
    Secrets configured({settings.operators, "s1", "acme"}, state, *this, rng);
    ASSERT_TRUE(configured.load(state.files[StateFile::secrets]).ok());
    configured.start("curve-1", now);
    linked = {"agg-a"};
    configured.get(1, {"q1", "db"}, now);
    configured.onReply(take().id, "agg-a", {}, sealing::envelopeText(sealed(7, "db", "s1", "umbra")), "umbra/s1", now);
    EXPECT_EQ(told.at(0)["failure"], "permission_denied");
}

TEST_F(SecretAnswersTest, AVersionThatCannotBeSavedIsNotGiven)
{
    linked = {"agg-a"};
    answer(toldToAsk(), sealing::envelopeText(sealed()));
    state.waiting.clear();
    secrets.onSaved(Error{Code::ioError, "no space"}, now);
    EXPECT_EQ(told.at(0)["failure"], "unavailable") << "after a crash an older one would be taken";
    told.clear();
    answer(toldToAsk(), sealing::envelopeText(sealed()));
    EXPECT_TRUE(told.empty());
    EXPECT_TRUE(onlyWord().contains("value")) << "the disk is back";
    told.clear();
    answer(toldToAsk(), sealing::envelopeText(sealed()));
    EXPECT_EQ(told.size(), 1U) << "what is on disk is waited for no more";
}

TEST_F(SecretAnswersTest, AnEmptyListTakesNoKeyAwayAndWhatComesBackIsSealedAnewLater)
{
    linked = {"agg-a"};
    const sealing::Envelope stored = sealed();
    secrets.onKey("curve-2", now);
    saved();
    secrets.onTimer(now);
    answer(take(), R"({"secrets":[]})");
    EXPECT_EQ(secrets.keys(), 2U);
    saved();
    EXPECT_TRUE(ask(sealing::envelopeText(stored)).contains("value"));
    secrets.onLinkUp(now);
    EXPECT_GE(secrets.nextDeadline(), now.mono + limits::resealLook) << "it has just looked";
    EXPECT_LE(secrets.nextDeadline(), now.mono + limits::resealLook + limits::resealSpread);
    now.mono = secrets.nextDeadline();
    secrets.onTimer(now);
    answer(take(), listOf(stored).dump());
    EXPECT_EQ(take().command, shoset::secretGet);
}

TEST_F(SecretAnswersTest, FormerKeysGoWhenLaterOnesTakeTheirPlaceAndNotBeforeNothingNeedsThem)
{
    linked = {"agg-a"};
    for (std::size_t i = 0; i + 1 < limits::maxSealingKeys; ++i) {
        secrets.onKey("curve-" + std::to_string(i + 2), now);
        saved();
    }
    EXPECT_EQ(secrets.keys(), limits::maxSealingKeys);
    const std::string key = secrets.announcedKey();
    secrets.onKey("curve-9", now);
    saved();
    EXPECT_EQ(secrets.announcedKey(), key) << "what is sealed to the first one was not looked for";
    secrets.onTimer(now);
    answer(take(), R"({"secrets":[]})");
    saved();
    EXPECT_EQ(secrets.keys(), limits::maxSealingKeys);
    EXPECT_NE(secrets.announcedKey(), key);
}

TEST(SecretVersionsTest, WhatIsForgottenForWantOfRoomComesBackInNoLowerVersion)
{
    SecretVersions versions;
    for (std::size_t i = 0; i < limits::maxSecretsSeen; ++i) {
        EXPECT_TRUE(versions.take("acme", "n" + std::to_string(i), 100 + i));
    }
    EXPECT_EQ(versions.least("acme", "fresh"), 0U);
    EXPECT_TRUE(versions.take("acme", "one-more", 1000));
    EXPECT_EQ(versions.forgotten(), 1U);
    EXPECT_EQ(versions.least("acme", "n0"), 100U) << "the lowest one went";
    EXPECT_EQ(versions.least("acme", "n1"), 101U);
    std::string text;
    versions.appendTo(text);
    SecretVersions later;
    std::string_view rest = text;
    ASSERT_TRUE(later.load(rest).ok());
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(later.least("acme", "n0"), 100U);
    EXPECT_EQ(later.least("acme", "one-more"), 1000U);
    EXPECT_EQ(later.tenant(), "acme");
}

TEST(SecretVersionsTest, WhatAnOlderProgramHasRememberedCountsForEveryTenant)
{
    SecretVersions versions;
    std::string_view text = "seen 7 db\nseen 3 web\n";
    ASSERT_TRUE(versions.load(text).ok());
    EXPECT_EQ(versions.least("acme", "db"), 7U);
    EXPECT_TRUE(versions.take("acme", "db", 7)) << "whose it is, is new";
    EXPECT_EQ(versions.least("acme", "db"), 7U);
    EXPECT_EQ(versions.least("acme", "web"), 3U);
    for (std::string_view bad : {"seen x db\n", "seen 5 a/b/c\n", "floor \n", "tenant a/b\n"}) {
        EXPECT_FALSE(SecretVersions().load(bad).ok() && bad.empty());
    }
}

}  // namespace
}  // namespace mesh::connector
