#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "cluster/core/sessions.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

using Strings = std::vector<std::string>;

class SessionsTest : public Resources {
protected:
    Asked open(const std::string& user) { return ask("", "POST", sessionsUri, credentialsOf(user)); }
    static std::string credentialsOf(const std::string& user)
    {
        return R"({"UserName":")" + user + R"(","Password":"secret-of-)" + user + "\"}";
    }
};

TEST_F(SessionsTest, LoginWithoutAuthenticationGivesAWholeSession)
{
    for (const std::string& uri : {sessionsUri, sessionsUri + "/Members"}) {
        const Asked session = ask("", "POST", uri, credentialsOf("reader"));
        EXPECT_EQ(session.status, 201);
        const std::string token = session.header("X-Auth-Token");
        EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), 48U);
        EXPECT_EQ(cluster::revisionOfToken(token), engine.state().revision);
        EXPECT_EQ(session.header("Cache-Control"), "no-store");
        EXPECT_EQ(session.header("Set-Cookie"), "");
        EXPECT_EQ(session.body["@odata.id"], session.header("Location"));
        EXPECT_EQ(session.body["@odata.id"], sessionsUri + "/" + std::string(session.body["Id"]));
        EXPECT_EQ(session.body["@odata.type"], "#Session.v1_8_0.Session");
        EXPECT_EQ(session.body["Name"], "User Session");
        EXPECT_EQ(session.body["UserName"], "reader");
        EXPECT_EQ(session.body["ClientOriginIPAddress"], "192.0.2.7");
        EXPECT_EQ(session.body["CreatedTime"], "2024-05-01T12:00:00Z");
        EXPECT_EQ(session.text.find(token), std::string::npos);
        EXPECT_EQ(std::get<Principal>(byToken(token)).user, "reader");
    }
    EXPECT_EQ(engine.state().sessions.size(), 2U) << "not idempotent";
}

TEST_F(SessionsTest, WrongCredentialsAre401AndAreNotRepeated)
{
    const Asked wrong = ask("", "POST", sessionsUri, R"({"UserName":"reader","Password":"not-the-one"})");
    EXPECT_EQ(wrong.status, 401);
    EXPECT_NE(wrong.header("WWW-Authenticate"), "");
    EXPECT_EQ(wrong.text.find("not-the-one"), std::string::npos);
    EXPECT_EQ(ask("", "POST", sessionsUri, R"({"UserName":"nobody","Password":"not-the-one"})").status, 401);
    EXPECT_EQ(ask("", "POST", sessionsUri, R"({"UserName":"reader"})").messages(), Strings{"PropertyMissing"});
    EXPECT_EQ(ask("", "POST", sessionsUri, "").messages(), Strings{"MalformedJSON"});
    EXPECT_EQ(ask("", "POST", sessionsUri, credentialsOf("reader"), {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_TRUE(engine.state().sessions.empty());
}

TEST_F(SessionsTest, EverybodySeesItsOwnSessionsAndManagersThoseOfTheirTenant)
{
    const std::string mine = open("reader").header("Location");
    const std::string boss = open("boss").header("Location");
    const std::string root = open("root").header("Location");
    EXPECT_EQ(get("reader", sessionsUri).members(), Strings{mine});
    Strings acme = get("boss", sessionsUri).members();
    Strings expected{mine, boss};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(acme, expected);
    EXPECT_EQ(get("root", sessionsUri).members().size(), 3U);
    EXPECT_EQ(get("reader", mine).status, 200);
    EXPECT_EQ(get("reader", boss).status, 403);
    EXPECT_EQ(get("boss", mine).status, 200);
    EXPECT_EQ(get("boss", root).status, 404);
    EXPECT_EQ(get("root", root).body["UserName"], "root");
}

TEST_F(SessionsTest, SessionsEndByTheirOwnerOrAManager)
{
    const Asked mine = open("reader");
    const std::string uri = mine.header("Location");
    EXPECT_EQ(ask("op", "DELETE", uri).status, 403);
    EXPECT_EQ(ask("reader", "DELETE", uri).status, 204);
    EXPECT_TRUE(std::holds_alternative<Answer>(byToken(mine.header("X-Auth-Token"))));
    EXPECT_EQ(ask("boss", "DELETE", uri).status, 404);
    EXPECT_EQ(ask("boss", "DELETE", open("reader").header("Location")).status, 204);
    const std::string root = open("root").header("Location");
    EXPECT_EQ(ask("boss", "DELETE", root).status, 404);
    EXPECT_EQ(get("root", root).status, 200);
}

TEST_F(SessionsTest, ExpiredSessionsDoNotShow)
{
    const std::string uri = open("reader").header("Location");
    credentials.sessions().onTimer(now);
    now.mono += 1801s;
    EXPECT_TRUE(get("root", sessionsUri).members().empty());
    EXPECT_EQ(get("root", uri).status, 404);
}

TEST_F(SessionsTest, TooManySessionsAre503)
{
    for (std::size_t i = 0; i < limits::maxSessionsPerAccount; ++i) {
        ASSERT_EQ(open("reader").status, 201);
    }
    const Asked full = open("reader");
    EXPECT_EQ(full.status, 503);
    EXPECT_EQ(full.messages(), Strings{"SessionLimitExceeded"});
    EXPECT_EQ(full.header("X-Auth-Token"), "");
    EXPECT_EQ(open("op").status, 201);
}

TEST_F(SessionsTest, TimeoutIsKeptAndHoldsForNewSessions)
{
    const std::string uri = "/redfish/v1/SessionService";
    const Asked before = get("reader", uri);
    EXPECT_EQ(before.body["SessionTimeout"], 1800);
    EXPECT_EQ(before.body["ServiceEnabled"], true);
    EXPECT_EQ(before.body["Sessions"]["@odata.id"], sessionsUri);
    EXPECT_EQ(before.header("Allow"), "GET, HEAD, PATCH");
    const std::string etag = before.header("ETag");
    const Asked changed = ask("root", "PATCH", uri, R"({"SessionTimeout":60,"Bogus":1})", {{"If-Match", etag}});
    EXPECT_EQ(changed.status, 200);
    EXPECT_EQ(changed.body["SessionTimeout"], 60);
    EXPECT_EQ(changed.messages(), Strings{"PropertyUnknown"});
    EXPECT_EQ(changed.header("ETag"), get("reader", uri).header("ETag"));
    EXPECT_EQ(get("reader", uri).body["SessionTimeout"], 60);
    EXPECT_EQ(ask("root", "PATCH", uri, R"({"SessionTimeout":90})", {{"If-Match", etag}}).status, 412);
    const Asked session = open("reader");
    credentials.sessions().onTimer(now);
    now.mono += 61s;
    EXPECT_TRUE(std::holds_alternative<Answer>(byToken(session.header("X-Auth-Token"))));
}

TEST_F(SessionsTest, TimeoutIsChangedBySystemManagersWithinItsBounds)
{
    const std::string uri = "/redfish/v1/SessionService";
    for (const char* body : {R"({"SessionTimeout":29})", R"({"SessionTimeout":86401})", R"({"SessionTimeout":-1})",
                             R"({"SessionTimeout":"60"})", R"({"SessionTimeout":60.5})", R"({"ServiceEnabled":false})"}) {
        EXPECT_EQ(ask("root", "PATCH", uri, body).status, 400) << body;
    }
    EXPECT_EQ(ask("reader", "PATCH", uri, R"({"SessionTimeout":60})").status, 403);
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"SessionTimeout":60})").status, 403);
    EXPECT_EQ(get("root", uri).body["SessionTimeout"], 1800);
}

}  // namespace

}  // namespace mesh::aggregator
