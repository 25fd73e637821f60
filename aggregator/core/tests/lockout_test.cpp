#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "cluster/core/accounts.hpp"

namespace mesh::aggregator {
namespace {

class Lockout : public Resources {
protected:
    void pass(Duration time)
    {
        now.mono += time;
        now.wall += time;
    }
    void settle()
    {
        while (engine.pump(now.mono) > 0) {
        }
    }
    void fail(unsigned times)
    {
        for (unsigned i = 0; i < times; ++i) {
            EXPECT_FALSE(enters("reader", "wrong-" + std::to_string(i)));
        }
        settle();
    }
    bool enters(const std::string& user, const std::string& password)
    {
        return std::holds_alternative<Principal>(login(user, password));
    }

    const std::string reader = accountsUri + "/4";
};

TEST_F(Lockout, TooManyWrongPasswordsLockAnAccountForAWhile)
{
    fail(cluster::lockoutThreshold - 1);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    fail(cluster::lockoutThreshold);
    EXPECT_FALSE(enters("reader", "secret-of-reader"));
    EXPECT_TRUE(enters("op", "secret-of-op"));
    pass(cluster::lockoutDuration - 1s);
    EXPECT_FALSE(enters("reader", "secret-of-reader"));
    pass(1s);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    EXPECT_EQ(credentials.counters().lockouts, 1U);
}

TEST_F(Lockout, ARightPasswordThatCouldNotBeCheckedIsNotAWrongOne)
{
    passwords.fails = true;
    for (unsigned i = 0; i < cluster::lockoutThreshold; ++i) {
        const Identified result = login("reader", "secret-of-reader");
        ASSERT_TRUE(std::holds_alternative<Answer>(result));
        EXPECT_EQ(std::get<Answer>(result).head.status, 503);
    }
    settle();
    passwords.fails = false;
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    EXPECT_EQ(credentials.counters().wrong, 0U);
    EXPECT_EQ(credentials.counters().flooded, cluster::lockoutThreshold);
}

TEST_F(Lockout, ASuccessOrTheResetTimeForgetsWrongPasswords)
{
    fail(cluster::lockoutThreshold - 1);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    fail(cluster::lockoutThreshold - 1);
    pass(cluster::lockoutCounterReset);
    fail(cluster::lockoutThreshold - 1);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    EXPECT_EQ(credentials.counters().lockouts, 0U);
}

TEST_F(Lockout, WrongPasswordsDoNotProlongItAndLockAnewAfterIt)
{
    fail(cluster::lockoutThreshold);
    pass(cluster::lockoutDuration - 1s);
    fail(cluster::lockoutThreshold);
    pass(1s);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
    fail(cluster::lockoutThreshold);
    pass(cluster::lockoutDuration - 1s);
    EXPECT_FALSE(enters("reader", "secret-of-reader"));
    EXPECT_EQ(credentials.counters().lockouts, 2U);
}

TEST_F(Lockout, HoldsBeforeTheStateKnowsAndOnEveryNode)
{
    EXPECT_TRUE(enters("reader", "secret-of-reader"));  // and is remembered
    for (unsigned i = 0; i < cluster::lockoutThreshold; ++i) {
        login("reader", "wrong");
    }
    EXPECT_FALSE(engine.state().accounts.at("4").locked);
    EXPECT_FALSE(enters("reader", "secret-of-reader"));
    settle();
    FakePasswords others;
    Credentials elsewhere(engine, catchUp, others, rng);
    Identified who = Anonymous{};
    elsewhere.identify("reader", "secret-of-reader", now, [&who](Identified found, Now) { who = std::move(found); });
    others.run(now);
    EXPECT_TRUE(std::holds_alternative<Answer>(who));
}

TEST_F(Lockout, AStrangerLearnsNothing)
{
    const auto answer = [this](const std::string& user, const std::string& password) {
        const std::uint64_t before = credentials.counters().checked;
        const Identified who = login(user, password);
        const Answer* refused = std::get_if<Answer>(&who);
        EXPECT_EQ(credentials.counters().checked, before + 1) << "the same work";
        return refused == nullptr ? std::string() : std::to_string(refused->head.status) + refused->body;
    };
    const std::string wrong = answer("reader", "wrong");
    EXPECT_EQ(wrong.substr(0, 3), "401");
    EXPECT_EQ(answer("nobody", "wrong"), wrong);
    fail(cluster::lockoutThreshold);
    EXPECT_EQ(answer("reader", "wrong"), wrong);
    EXPECT_EQ(answer("reader", "secret-of-reader"), wrong);
}

TEST_F(Lockout, UnknownNamesDoNotPushOutWhatIsCounted)
{
    fail(cluster::lockoutThreshold - 1);
    for (int i = 0; i < 1000; ++i) {
        login("nobody" + std::to_string(i), "wrong");
    }
    fail(1);
    EXPECT_FALSE(enters("reader", "secret-of-reader"));
    EXPECT_EQ(credentials.counters().lockouts, 1U);
}

TEST_F(Lockout, TheAdministratorSeesItAndEndsIt)
{
    fail(cluster::lockoutThreshold);
    const Asked locked = get("boss", reader);
    EXPECT_EQ(locked.body["Locked"], true);
    pass(cluster::lockoutDuration);
    EXPECT_EQ(get("boss", reader).body["Locked"], false);
    EXPECT_NE(get("boss", reader).header("ETag"), locked.header("ETag"));
    fail(cluster::lockoutThreshold);
    EXPECT_EQ(ask("reader", "PATCH", reader, R"({"Locked":false})").status, 403);
    EXPECT_EQ(ask("boss", "PATCH", reader, R"({"Locked":false})").body["Locked"], false);
    EXPECT_TRUE(enters("reader", "secret-of-reader"));
}

TEST_F(Lockout, SessionsOfALockedAccountGoOn)
{
    const std::string token =
        ask("", "POST", sessionsUri, R"({"UserName":"reader","Password":"secret-of-reader"})").header("X-Auth-Token");
    fail(cluster::lockoutThreshold);
    EXPECT_TRUE(std::holds_alternative<Principal>(byToken(token)));
    EXPECT_EQ(ask("", "POST", sessionsUri, R"({"UserName":"reader","Password":"secret-of-reader"})").status, 401);
}

TEST_F(Lockout, TheServiceSaysItsRules)
{
    const nlohmann::json service = get("reader", "/redfish/v1/AccountService").body;
    EXPECT_EQ(service["AccountLockoutThreshold"], 5);
    EXPECT_EQ(service["AccountLockoutCounterResetAfter"], 60);
    EXPECT_EQ(service["AccountLockoutDuration"], 60);
}

}  // namespace
}  // namespace mesh::aggregator
