#include "cluster/core/enrolments.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Enrolments : public Machine {
protected:
    Enrolments()
    {
        raise();
        apply(PutTenant{"acme"});
    }
    // Expires 100 seconds later. The secret is "secret of ID".
    AddEnrolment secretFor(const std::string& id, const std::string& name, std::int64_t expires = 100)
    {
        return {id, hashOf(id), EnrolmentRole::connector, "acme", name, "", "", "", at(expires)};
    }
    static std::string hashOf(const std::string& id) { return hashSecret("secret of " + id); }
    Applied consume(const std::string& id, std::size_t key, std::int64_t seconds = 0)
    {
        return apply(ConsumeEnrolment{hashOf(id), keyNumber(key)}, seconds);
    }
};

TEST_F(Enrolments, MakeAKeyThatOfTheConnectorTheSecretIsFor)
{
    AddEnrolment add = secretFor("e1", "sled07");
    add.prefix = "Rack1";
    add.product = "R750";
    EXPECT_TRUE(apply(add).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{3, ChangeKind::enrolment, "e1"}}));
    EXPECT_TRUE(hasOutstandingEnrolments(state(), at(99)));
    EXPECT_FALSE(hasOutstandingEnrolments(state(), at(100)));
    EXPECT_EQ(consume("e1", 7, 99).value, "acme/sled07");
    const tenants::Connector* connector = state().registry.findByKey(keyNumber(7));
    ASSERT_NE(connector, nullptr);
    EXPECT_EQ(connector->product, "R750");
    EXPECT_EQ(findPrefix(state(), "acme", "sled07")->prefix, "Rack1");
    EXPECT_FALSE(hasOutstandingEnrolments(state(), at(0)));
    EXPECT_TRUE(isAnswered(state().enrolments.at("e1"), at(99))) << "the answer may have been lost";
    EXPECT_FALSE(isAnswered(state().enrolments.at("e1"), at(100)));
}

TEST_F(Enrolments, ALostAnswerBurnsNothingAndAUsedSecretIsOfNoUseToOthers)
{
    apply(secretFor("e1", "sled07"));
    consume("e1", 7);
    EXPECT_EQ(consume("e1", 7, 50).value, "acme/sled07");
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(consume("e1", 7, 200).value, "acme/sled07");
    EXPECT_EQ(consume("e1", 8).error.code, Code::refused);
    EXPECT_EQ(state().registry.findByKey(keyNumber(8)), nullptr);
    EXPECT_EQ(apply(ConsumeEnrolment{hashOf("e1"), ""}).error.code, Code::refused);
}

TEST_F(Enrolments, UnknownAndExpiredSecretsAreRefusedWithTheSameWords)
{
    apply(secretFor("e1", "sled07"));
    const Applied expired = consume("e1", 7, 100);
    const Applied unknown = consume("e2", 7);
    const Applied malformed = apply(ConsumeEnrolment{"short", keyNumber(7)});
    EXPECT_EQ(expired.error.code, Code::refused);
    EXPECT_EQ(unknown.error.code, Code::refused);
    EXPECT_EQ(expired.error.message, unknown.error.message);
    EXPECT_EQ(malformed.error.message, unknown.error.message);
    EXPECT_TRUE(state().registry.connectors().empty());
    EXPECT_TRUE(consume("e1", 7, 99).ok());  // a refusal has not used it up
}

TEST_F(Enrolments, AClockThatWasNeverSetFailsClosed)
{
    const std::int64_t unset = -1'700'000'000;
    EXPECT_EQ(apply(secretFor("e0", "sled07"), unset).error.code, Code::preconditionFailed);
    apply(secretFor("e1", "sled07", 9000), 1000);
    EXPECT_EQ(consume("e1", 7, unset).error.code, Code::preconditionFailed);
    EXPECT_EQ(consume("e9", 7, unset).error.message, consume("e1", 7, unset).error.message);
    EXPECT_EQ(consume("e1", 7, 1000 - 301).error.code, Code::preconditionFailed);
    EXPECT_TRUE(consume("e1", 7, 1000 - 299).ok());
}

TEST_F(Enrolments, AConnectorThatIsThereGetsTheNewKeyAndKeepsTheRest)
{
    apply(PutConnector{{"acme", "sled07", keyNumber(1), "Rack1", "R750", "server"}});
    AddEnrolment add = secretFor("e1", "sled07");
    add.type = "blade";
    apply(add);
    EXPECT_TRUE(consume("e1", 7).ok());
    const tenants::Connector expected{"acme", "sled07", keyNumber(7), "Rack1", "R750", "blade"};
    EXPECT_EQ(*state().registry.find("acme", "sled07"), expected);
    EXPECT_EQ(state().registry.findByKey(keyNumber(1)), nullptr);
}

TEST_F(Enrolments, AKeyOfSomebodyElseIsRefusedAndTheSecretStaysGood)
{
    apply(PutConnector{{"acme", "sled07", keyNumber(7), "", "", ""}});
    apply(secretFor("e1", "sled08"));
    EXPECT_EQ(consume("e1", 7).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(ConsumeEnrolment{hashOf("e1"), "short"}).error.code, Code::invalidArgument);
    EXPECT_TRUE(consume("e1", 8).ok());
}

TEST_F(Enrolments, ANodeEnrolsWithItsKeyAndTellsTheRestLater)
{
    AddEnrolment add{"e1", hashOf("e1"), EnrolmentRole::node, "", "d", "", "", "", at(100)};
    EXPECT_TRUE(apply(add).ok());
    EXPECT_EQ(consume("e1", 4).value, "/d");
    EXPECT_EQ(findNodeByKey(state(), keyNumber(4))->id, 1U);
    Node told = node("d", 4, 1);
    EXPECT_TRUE(apply(PutNode{told, anyRevision}).ok());
    add.id = "e2";
    add.tenant = "acme";
    add.secretHash = hashOf("e2");
    EXPECT_EQ(apply(add).error.code, Code::invalidArgument);
}

TEST_F(Enrolments, AreVoidOnceTheyAreCancelledOrWhatTheyAreForIsGone)
{
    apply(secretFor("e1", "sled01"));
    EXPECT_TRUE(apply(CancelEnrolment{"e1"}).ok());
    EXPECT_EQ(apply(CancelEnrolment{"e1"}).error.code, Code::notFound);
    EXPECT_FALSE(consume("e1", 1).ok());
    for (const char* name : {"sled02", "sled03"}) {
        apply(secretFor(name, name));
    }
    apply(PutConnector{{"acme", "sled02", keyNumber(2), "", "", ""}});
    apply(RemoveConnector{"acme", "sled02"});
    EXPECT_FALSE(consume("sled02", 2).ok());
    EXPECT_TRUE(state().enrolments.contains("sled03"));
    apply(RemoveTenant{"acme"});
    EXPECT_TRUE(state().enrolments.empty());
}

TEST_F(Enrolments, AllAreVoidInANewGenerationAndSessionsEnd)
{
    apply(account("alice"));
    const std::string token = login("1");
    apply(secretFor("e1", "sled07"));
    apply(secretFor("e2", "sled08"));
    consume("e2", 8);
    EXPECT_EQ(apply(RaiseGeneration{}).value, "1700000000000");
    EXPECT_EQ(changes.size(), 4U);
    EXPECT_TRUE(state().enrolments.empty());
    EXPECT_EQ(findSessionByToken(state(), token), nullptr);
    EXPECT_FALSE(consume("e1", 7).ok());
    EXPECT_NE(state().registry.findByKey(keyNumber(8)), nullptr);
}

TEST_F(Enrolments, MalformedOnesAreRefused)
{
    AddEnrolment bad = secretFor("e1", "sled07");
    bad.secretHash = "short";
    EXPECT_EQ(apply(bad).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(secretFor("", "sled07")).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(secretFor("e1", "no name")).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(secretFor("e1", "sled07", 0)).error.code, Code::invalidArgument);
    bad = secretFor("e1", "sled07");
    bad.tenant = "globex";
    EXPECT_EQ(apply(bad).error.code, Code::notFound);
    apply(secretFor("e1", "sled07"));
    EXPECT_EQ(apply(secretFor("e1", "sled08")).error.code, Code::alreadyExists);
    bad = secretFor("e2", "sled08");
    bad.secretHash = hashOf("e1");
    EXPECT_EQ(apply(bad).error.code, Code::alreadyExists);
}

TEST_F(Enrolments, AreBoundedAndExpiredOnesThenUsedOnesMakeRoom)
{
    std::size_t made = 0;
    const auto next = [&](std::int64_t expires) { return secretFor("e" + std::to_string(made++), "sled", expires); };
    while (apply(next(100)).ok()) {
        ASSERT_LE(made, limits::maxEnrolments);
    }
    EXPECT_EQ(made, limits::maxEnrolments + 1);
    EXPECT_EQ(apply(next(100)).error.code, Code::full);
    consume("e5", 5, 1);
    EXPECT_TRUE(apply(next(200), 1).ok());
    EXPECT_FALSE(state().enrolments.contains("e5"));
    EXPECT_EQ(apply(next(200), 99).error.code, Code::full);
    EXPECT_TRUE(apply(next(300), 100).ok());
    EXPECT_EQ(state().enrolments.size(), 2U);
}

TEST_F(Enrolments, TheLongestAnswerIsRememberedAcrossASnapshot)
{
    const std::string longest(63, 'n');
    apply(PutTenant{longest});
    AddEnrolment add = secretFor("e1", longest);
    add.tenant = longest;
    apply(add);
    EXPECT_EQ(consume("e1", 7).value, longest + "/" + longest);
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
}

TEST_F(Enrolments, AreThereAfterASnapshot)
{
    apply(secretFor("e1", "sled07"));
    apply(secretFor("e2", "sled08"));
    consume("e2", 8);
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    for (const std::string id : {"e1", "e2"}) {
        const Command again = command(ConsumeEnrolment{hashOf(id), keyNumber(id == "e1" ? 7 : 8)});
        EXPECT_TRUE(apply(again).ok());
        EXPECT_TRUE(copy.apply(*encodeCommand(again), changes)->ok());
    }
    EXPECT_EQ(copy.hash(), machine.hash());
}

TEST(EnrolmentRules, SecretsAreLongAndDiffer)
{
    SeededRng rng{1};
    const std::string secret = makeSecret(rng);
    EXPECT_EQ(secret.size(), 24U);
    EXPECT_NE(makeSecret(rng), secret);
    EXPECT_EQ(hashSecret(secret).size(), 32U);
}

}  // namespace
}  // namespace mesh::cluster
