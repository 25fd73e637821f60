#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

class CredentialsTest : public Resources {
protected:
    // Who it is, once that is known; nothing was said yet: Anonymous.
    std::shared_ptr<Identified> begin(const std::string& user, const std::string& password)
    {
        auto who = std::make_shared<Identified>(Anonymous{});
        credentials.identify(user, password, now, [who](Identified found, Now) { *who = std::move(found); });
        return who;
    }
    static int status(const Identified& who)
    {
        const Answer* refused = std::get_if<Answer>(&who);
        return refused != nullptr ? refused->head.status : std::holds_alternative<Principal>(who) ? 200 : 0;
    }
    bool enters() { return status(login("reader", "secret-of-reader")) == 200; }
};

TEST_F(CredentialsTest, ARightPasswordIsRememberedForAMinuteHoweverOftenItIsUsed)
{
    for (int minute = 1; minute <= 2; ++minute) {
        EXPECT_TRUE(enters());
        now.mono += limits::credentialMemory / 2;
        EXPECT_TRUE(enters());
        now.mono += limits::credentialMemory / 2 - 1ns;
        EXPECT_TRUE(enters());
        EXPECT_EQ(credentials.counters().checked, static_cast<unsigned>(minute));
        EXPECT_EQ(credentials.counters().remembered, static_cast<unsigned>(2 * minute));
        now.mono += 1ns;
    }
}

TEST_F(CredentialsTest, WhoIsDisabledDemotedOrGoneIsNotCurrent)
{
    const auto who = std::get<Principal>(login("op", "secret-of-op"));
    EXPECT_TRUE(credentials.isCurrent(who));
    const std::string uri = accountsUri + "/" + who.accountId;
    ASSERT_EQ(ask("root", "PATCH", uri, R"({"PasswordChangeRequired":true})").status, 200);
    EXPECT_TRUE(credentials.isCurrent(who));
    ASSERT_EQ(ask("root", "PATCH", uri, R"({"RoleId":"ReadOnly"})").status, 200);
    EXPECT_FALSE(credentials.isCurrent(who));
    ASSERT_EQ(ask("root", "PATCH", uri, R"({"RoleId":"Administrator"})").status, 200);
    EXPECT_TRUE(credentials.isCurrent(who));
    ASSERT_EQ(ask("root", "PATCH", uri, R"({"Enabled":false})").status, 200);
    EXPECT_FALSE(credentials.isCurrent(who));
    ASSERT_EQ(ask("root", "PATCH", uri, R"({"Enabled":true})").status, 200);
    EXPECT_TRUE(credentials.isCurrent(who));
    ASSERT_EQ(ask("root", "DELETE", uri).status, 204);
    EXPECT_FALSE(credentials.isCurrent(who));
}

TEST_F(CredentialsTest, AWrongPasswordIsNotRemembered)
{
    EXPECT_EQ(status(login("reader", "wrong")), 401);
    EXPECT_EQ(status(login("reader", "wrong")), 401);
    EXPECT_EQ(credentials.counters().checked, 2U);
}

TEST_F(CredentialsTest, WhenTooManyPasswordsWaitTheNextIsRefusedButNobodyWhoIsKnown)
{
    ASSERT_TRUE(enters());
    const std::string token =
        ask("", "POST", sessionsUri, R"({"UserName":"op","Password":"secret-of-op"})").header("X-Auth-Token");
    std::vector<std::shared_ptr<Identified>> waiting;
    for (std::size_t i = 0; i < limits::maxWaitingPasswordChecks; ++i) {
        waiting.push_back(begin("nobody" + std::to_string(i), "x"));
    }
    const auto same = begin("nobody1", "x");
    const auto refused = begin("reader", "other");
    ASSERT_EQ(status(*refused), 503);
    EXPECT_EQ(*findHeader(std::get<Answer>(*refused).head.headers, "Retry-After"), "1");
    EXPECT_EQ(credentials.counters().flooded, 1U);
    EXPECT_EQ(status(*begin("reader", "secret-of-reader")), 200);
    EXPECT_EQ(status(byToken(token)), 200);
    for (const auto& who : waiting) {
        EXPECT_EQ(status(*who), 0);
    }
    ASSERT_TRUE(passwords.run(now));
    EXPECT_EQ(status(*waiting.front()), 401);
    const auto next = begin("op", "secret-of-op");
    while (passwords.run(now)) {
    }
    EXPECT_EQ(status(*waiting.back()), 401);
    EXPECT_EQ(status(*same), 401);
    EXPECT_EQ(status(*next), 200);
    EXPECT_EQ(credentials.counters().flooded, 1U);
}

}  // namespace
}  // namespace mesh::aggregator
