#include "aggregator/core/tests/facade_resources_fixture.hpp"

namespace mesh::aggregator {

namespace {

using Strings = std::vector<std::string>;

// An account that must change its password first (DSP0266, "Password management").
class PasswordChange : public Resources {
protected:
    PasswordChange() : id(make("novice", "Administrator", "", true)), uri(accountsUri + "/" + id) {}

    const std::string id;
    const std::string uri;
};

TEST_F(PasswordChange, SessionIsMadeAndSaysWhatIsRequired)
{
    const Asked session = ask("", "POST", sessionsUri, R"({"UserName":"novice","Password":"secret-of-novice"})");
    EXPECT_EQ(session.status, 201);
    EXPECT_NE(session.header("X-Auth-Token"), "");
    EXPECT_EQ(session.messages(), Strings{"PasswordChangeRequired"});
    EXPECT_NE(session.text.find(uri), std::string::npos);
}

TEST_F(PasswordChange, OwnAccountCanBeReadAndNothingElse)
{
    EXPECT_EQ(get("novice", uri).status, 200);
    for (const std::string& path : {sessionsUri, accountsUri, accountsUri + "/1", std::string("/redfish/v1/AccountService"),
                                    std::string("/redfish/v1/Nothing"), std::string("/metrics")}) {
        const Asked answer = get("novice", path);
        EXPECT_EQ(answer.status, 403) << path;
        EXPECT_EQ(answer.messages(), Strings{"PasswordChangeRequired"}) << path;
    }
    EXPECT_EQ(ask("novice", "DELETE", uri).messages(), Strings{"PasswordChangeRequired"});
    EXPECT_EQ(ask("novice", "PATCH", accountsUri + "/1", R"({"Password":"another-one"})").status, 403);
    EXPECT_EQ(ask("novice", "POST", accountsUri, "{}").status, 403);
    EXPECT_EQ(get("novice", "/redfish/v1").status, 200) << "the root is open to everybody";
}

TEST_F(PasswordChange, NewPasswordEndsTheRequirementAndTheOldOneIsNoNewOne)
{
    const std::string etag = get("novice", uri).header("ETag");
    EXPECT_EQ(ask("novice", "PATCH", uri, R"({"Password":"secret-of-novice"})").messages(), Strings{"PropertyValueError"});
    EXPECT_EQ(ask("novice", "PATCH", uri, R"({"RoleId":"ReadOnly"})").messages(), Strings{"PasswordChangeRequired"});
    EXPECT_EQ(ask("novice", "PATCH", uri, R"({"Password":"another-one","PasswordChangeRequired":false})").status, 403);
    const Asked changed = ask("novice", "PATCH", uri, R"({"Password":"another-one"})", {{"If-Match", etag}});
    EXPECT_EQ(changed.status, 200);
    EXPECT_FALSE(changed.body["PasswordChangeRequired"]);
    EXPECT_EQ(get("novice", sessionsUri).status, 200);
}

TEST_F(PasswordChange, AManagerCanRequireIt)
{
    EXPECT_TRUE(ask("root", "PATCH", accountsUri + "/4", R"({"PasswordChangeRequired":true})").body["PasswordChangeRequired"]);
    EXPECT_EQ(get("reader", sessionsUri).messages(), Strings{"PasswordChangeRequired"});
    EXPECT_EQ(ask("reader", "PATCH", accountsUri + "/4", R"({"Password":"another-one"})").status, 200) << "by ConfigureSelf";
}

}  // namespace

}  // namespace mesh::aggregator
