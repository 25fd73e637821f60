#include "aggregator/core/tests/facade_resources_fixture.hpp"

namespace mesh::aggregator {

namespace {

using Strings = std::vector<std::string>;
using AccountsTest = Resources;

std::string newAccount(const std::string& user, const std::string& more = {})
{
    return R"({"UserName":")" + user + R"(","Password":"a-new-password","RoleId":"ReadOnly")" + more + "}";
}

TEST_F(AccountsTest, AccountHasItsPropertiesAndNeverItsPassword)
{
    const Asked account = get("root", accountsUri + "/4");
    EXPECT_EQ(account.status, 200);
    EXPECT_EQ(account.body["@odata.type"], "#ManagerAccount.v1_13_0.ManagerAccount");
    EXPECT_EQ(account.body["Id"], "4");
    EXPECT_EQ(account.body["UserName"], "reader");
    EXPECT_TRUE(account.body["Password"].is_null());
    EXPECT_EQ(account.body["RoleId"], "ReadOnly");
    EXPECT_EQ(account.body["Links"]["Role"]["@odata.id"], rolesUri + "/ReadOnly");
    EXPECT_EQ(account.body["AccountTypes"], nlohmann::json::array({"Redfish"}));
    EXPECT_EQ(account.body["Oem"]["Bmcmesh"]["Tenant"], "acme");
    EXPECT_FALSE(get("root", accountsUri + "/1").body.contains("Oem"));
    EXPECT_EQ(account.text.find("argon2id"), std::string::npos);
}

TEST_F(AccountsTest, CreatedAccountIsWholeAndCanLogInAtOnce)
{
    const Asked made = ask("root", "POST", accountsUri, newAccount("eva"), {{"Content-Type", "application/json; charset=utf-8"}});
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.header("Location"), accountsUri + "/5");
    EXPECT_NE(made.header("ETag"), "");
    EXPECT_EQ(made.body["UserName"], "eva");
    EXPECT_TRUE(made.body["Enabled"]);
    EXPECT_EQ(made.text.find("a-new-password"), std::string::npos);
    EXPECT_TRUE(std::holds_alternative<Principal>(login("eva", "a-new-password")));
    EXPECT_EQ(ask("root", "POST", accountsUri + "/Members", newAccount("max")).status, 201);
    EXPECT_EQ(get("root", accountsUri).members().size(), 6U);
}

TEST_F(AccountsTest, MembersAreInOrderOfTheirNumbers)
{
    for (int i = 5; i <= 11; ++i) {
        make("user" + std::to_string(i), "ReadOnly", "");
    }
    const Strings members = get("root", accountsUri).members();
    EXPECT_EQ(members[8], accountsUri + "/9");
    EXPECT_EQ(members[9], accountsUri + "/10");
}

TEST_F(AccountsTest, AFailedCreationNamesWhatIsWrongAndCreatesNothing)
{
    struct Case {
        std::string body;
        Strings messages;
    };
    for (const Case& one :
         {Case{"{", {"MalformedJSON"}}, Case{"[]", {"UnrecognizedRequestBody"}},
          Case{"{}", {"PropertyMissing", "PropertyMissing", "PropertyMissing"}},
          Case{R"({"UserName":"x","Password":"a-new-password"})", {"PropertyMissing"}},
          Case{R"({"UserName":5,"Password":true,"RoleId":"ReadOnly"})", {"PropertyValueTypeError", "PropertyValueTypeError"}},
          Case{R"({"UserName":"a b","Password":"short","RoleId":"King"})",
               {"PropertyValueFormatError", "PropertyValueError", "PropertyValueNotInList"}},
          Case{newAccount("root"), {"ResourceAlreadyExists"}}, Case{newAccount("ROOT"), {"ResourceAlreadyExists"}}}) {
        const Asked answer = ask("root", "POST", accountsUri, one.body);
        EXPECT_EQ(answer.status, 400) << one.body;
        EXPECT_EQ(answer.messages(), one.messages) << one.body;
        EXPECT_EQ(answer.text.find("short"), std::string::npos);
    }
    EXPECT_EQ(engine.state().accounts.size(), 4U);
}

TEST_F(AccountsTest, UnknownPropertiesOfANewAccountAreReported)
{
    const Asked made = ask("root", "POST", accountsUri, newAccount("eva", R"(,"BogusProp":1,"Id":"9")"));
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.messages(), (Strings{"PropertyUnknown", "PropertyNotWritable"}));
}

TEST_F(AccountsTest, ABodyOfAnotherMediaTypeIsRefused)
{
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("eva"), {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("eva"), {{"Origin", "https://elsewhere.example"}}).status, 415);
    EXPECT_EQ(engine.state().accounts.size(), 4U);
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("eva")).status, 201);
}

TEST_F(AccountsTest, ATenantsAdministratorManagesItsTenantsAccountsAlone)
{
    EXPECT_EQ(get("boss", accountsUri).members(), (Strings{accountsUri + "/2", accountsUri + "/3", accountsUri + "/4"}));
    EXPECT_EQ(get("boss", accountsUri + "/1").status, 404);
    EXPECT_EQ(ask("boss", "PATCH", accountsUri + "/1", R"({"Password":"taken-over"})").status, 404);
    EXPECT_EQ(ask("boss", "DELETE", accountsUri + "/1").status, 404);
    EXPECT_EQ(ask("boss", "POST", accountsUri, newAccount("eva")).body["Oem"]["Bmcmesh"]["Tenant"], "acme");
    EXPECT_EQ(ask("boss", "POST", accountsUri, newAccount("max", R"(,"Oem":{"Bmcmesh":{"Tenant":"beta"}})")).status, 403);
    EXPECT_EQ(ask("boss", "POST", accountsUri, newAccount("max", R"(,"Oem":{"Bmcmesh":{"Tenant":""}})")).status, 403);
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("max", R"(,"Oem":{"Bmcmesh":{"Tenant":"beta"}})"))
                  .body["Oem"]["Bmcmesh"]["Tenant"],
              "beta");
    EXPECT_EQ(ask("root", "PATCH", accountsUri + "/4", R"({"Oem":{"Bmcmesh":{"Tenant":"beta"}}})").messages(),
              Strings{"PropertyNotWritable"});
}

TEST_F(AccountsTest, WhoManagesNothingSeesItsOwnAccountAlone)
{
    for (const char* user : {"reader", "op"}) {
        const std::string own = std::get<Principal>(as(user)).accountId;
        EXPECT_EQ(get(user, accountsUri).members(), Strings{accountsUri + "/" + own});
        EXPECT_EQ(get(user, accountsUri + "/" + own).status, 200);
        EXPECT_EQ(get(user, accountsUri + "/1").status, 403);
        EXPECT_EQ(get(user, accountsUri + "/99").status, 403);
        EXPECT_EQ(ask(user, "POST", accountsUri, newAccount("eva")).status, 403);
        EXPECT_EQ(ask(user, "PATCH", accountsUri + "/2", R"({"Password":"taken-over"})").status, 403);
        EXPECT_EQ(ask(user, "PATCH", accountsUri + "/" + own, R"({"RoleId":"Administrator"})").status, 403);
        EXPECT_EQ(ask(user, "PATCH", accountsUri + "/" + own, R"({"Password":"another-one","RoleId":"Administrator"})").status, 403);
        EXPECT_EQ(ask(user, "DELETE", accountsUri + "/" + own).status, 403);
        EXPECT_EQ(ask(user, "PATCH", accountsUri + "/" + own, R"({"Password":"another-one"})").status, 200);
        EXPECT_TRUE(std::holds_alternative<Principal>(login(user, "another-one")));
    }
}

TEST_F(AccountsTest, PropertiesCanBeChanged)
{
    const std::string uri = accountsUri + "/4";
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"RoleId":"Operator"})").body["RoleId"], "Operator");
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"UserName":"watcher"})").body["UserName"], "watcher");
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"Enabled":false})").body["Enabled"], false);
    EXPECT_TRUE(std::holds_alternative<Answer>(login("watcher", "secret-of-reader")));
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"Enabled":true})").body["Enabled"], true);
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"Locked":true})").messages(), Strings{"PropertyValueNotInList"});
    change(cluster::UpdateAccount{"4", cluster::anyRevision, {}, {}, {}, {}, true, {}, {}});
    EXPECT_EQ(get("boss", uri).body["Locked"], true);
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"Locked":false})").body["Locked"], false);
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"RoleId":"King"})").messages(), Strings{"PropertyValueNotInList"});
    EXPECT_EQ(ask("boss", "PATCH", uri, R"({"UserName":"root"})").messages(), Strings{"ResourceAlreadyExists"});
}

TEST_F(AccountsTest, ChangesTakeEffectAtOnce)
{
    ASSERT_TRUE(std::holds_alternative<Principal>(login("reader", "secret-of-reader")));
    ASSERT_TRUE(std::holds_alternative<Principal>(login("reader", "secret-of-reader"))) << "remembered";
    const std::string token =
        ask("", "POST", sessionsUri, R"({"UserName":"reader","Password":"secret-of-reader"})").header("X-Auth-Token");
    ASSERT_TRUE(std::holds_alternative<Principal>(byToken(token)));
    ask("boss", "PATCH", accountsUri + "/4", R"({"RoleId":"Operator"})");
    EXPECT_EQ(std::get<Principal>(byToken(token)).role, "Operator");
    EXPECT_EQ(std::get<Principal>(login("reader", "secret-of-reader")).role, "Operator");
    ask("boss", "PATCH", accountsUri + "/4", R"({"Password":"another-one"})");
    EXPECT_TRUE(std::holds_alternative<Answer>(login("reader", "secret-of-reader")));
    EXPECT_TRUE(std::holds_alternative<Answer>(byToken(token)));
    ASSERT_TRUE(std::holds_alternative<Principal>(login("reader", "another-one")));
    EXPECT_EQ(ask("boss", "DELETE", accountsUri + "/4").status, 204);
    EXPECT_TRUE(std::holds_alternative<Answer>(login("reader", "another-one")));
}

TEST_F(AccountsTest, ANewPasswordKeepsTheSessionThatSetIt)
{
    const auto open = [this] {
        return ask("", "POST", sessionsUri, R"({"UserName":"reader","Password":"secret-of-reader"})");
    };
    const Asked mine = open();
    const Asked other = open();
    ask("reader", "PATCH", accountsUri + "/4", R"({"Password":"another-one"})", {}, mine.body["Id"]);
    EXPECT_TRUE(std::holds_alternative<Principal>(byToken(mine.header("X-Auth-Token"))));
    EXPECT_TRUE(std::holds_alternative<Answer>(byToken(other.header("X-Auth-Token"))));
}

TEST_F(AccountsTest, MixedPatchIsDoneAndNamesWhatWasNot)
{
    const Asked mixed = ask("root", "PATCH", accountsUri + "/4", R"({"Password":"another-one","BogusProp":"foo"})");
    EXPECT_EQ(mixed.status, 200);
    EXPECT_EQ(mixed.body["@odata.id"], accountsUri + "/4");
    EXPECT_EQ(mixed.messages(), Strings{"PropertyUnknown"});
    EXPECT_EQ(mixed.body["@Message.ExtendedInfo"][0]["MessageArgs"], nlohmann::json::array({"BogusProp"}));
    EXPECT_EQ(mixed.body["@Message.ExtendedInfo"][0]["RelatedProperties"], nlohmann::json::array({"#/BogusProp"}));
    EXPECT_TRUE(std::holds_alternative<Principal>(login("reader", "another-one")));
}

TEST_F(AccountsTest, PatchThatChangesNothingIs400AndSaysWhy)
{
    struct Case {
        const char* body;
        const char* message;
    };
    for (const Case& one : {Case{R"({"BogusProp":"foo"})", "PropertyUnknown"}, Case{R"({"@odata.id":"/x"})", "NoOperation"},
                            Case{R"({"Password@odata.type":"x","@odata.etag":"y"})", "NoOperation"}, Case{"{}", "EmptyJSON"},
                            Case{R"({"Id":"7"})", "PropertyNotWritable"}, Case{"", "MalformedJSON"},
                            Case{R"({"Password":null})", "NoOperation"}, Case{R"({"Enabled":"yes"})", "PropertyValueTypeError"},
                            Case{R"({"Enabled":null})", "PropertyValueTypeError"}}) {
        const Asked answer = ask("root", "PATCH", accountsUri + "/4", one.body);
        EXPECT_EQ(answer.status, 400) << one.body;
        EXPECT_EQ(answer.messages(), Strings{one.message}) << one.body;
        EXPECT_TRUE(answer.body["error"].contains("code"));
    }
    EXPECT_NE(ask("root", "PATCH", accountsUri + "/4", R"({"BogusProp":"foo"})").text.find("BogusProp"), std::string::npos);
}

TEST_F(AccountsTest, AnswersAreBoundedAndDeepBodiesHarmless)
{
    std::string many = R"({"Enabled":true)";
    for (int i = 0; i < 1000; ++i) {
        many += ",\"x" + std::to_string(i) + "\":1";
    }
    EXPECT_EQ(ask("root", "PATCH", accountsUri + "/4", many + "}").messages().size(), 32U);
    std::string names = R"({"Enabled":true)";
    while (names.size() < 250000) {
        names += ",\"" + std::to_string(names.size()) + "\":1";  // seconds, if the time grew with the square of their number
    }
    EXPECT_EQ(ask("root", "PATCH", accountsUri + "/4", names + "}").messages().size(), 32U);
    const std::string deep = R"({"Enabled":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
    EXPECT_EQ(ask("root", "PATCH", accountsUri + "/4", deep).messages(), Strings{"UnrecognizedRequestBody"});
}

TEST_F(AccountsTest, IfMatchDecidesWhetherAnythingHappens)
{
    const std::string uri = accountsUri + "/4";
    const std::string etag = get("root", uri).header("ETag");
    EXPECT_EQ(ask("root", "PATCH", uri, R"({"Enabled":false})", {{"If-Match", etag + "foobar"}}).status, 412);
    EXPECT_EQ(ask("root", "DELETE", uri, "", {{"If-Match", "\"0\""}}).status, 412);
    EXPECT_TRUE(get("root", uri).body["Enabled"]);
    const Asked changed = ask("root", "PATCH", uri, R"({"Enabled":false})", {{"If-Match", etag}});
    EXPECT_EQ(changed.status, 200);
    EXPECT_NE(changed.header("ETag"), etag);
    EXPECT_EQ(ask("root", "PATCH", uri, R"({"Enabled":true})", {{"If-Match", etag}}).status, 412);
    EXPECT_EQ(ask("root", "PATCH", uri, R"({"Enabled":true})", {{"If-Match", "*"}}).status, 200);
    EXPECT_EQ(ask("root", "GET", uri, "", {{"If-None-Match", get("root", uri).header("ETag")}}).status, 304);
}

TEST_F(AccountsTest, ChangeThatOvertakesAConditionalOneMakesItFail)
{
    OwnRequest request;
    request.head = {"PATCH", accountsUri + "/4", {{"If-Match", get("root", accountsUri + "/4").header("ETag")}}};
    request.path = accountsUri + "/4";
    request.body = R"({"Password":"another-one"})";
    request.who = as("root");
    int status = 0;
    resources.handle(std::move(request), now, [&status](Answer answer, Now) { status = answer.head.status; });
    change(cluster::UpdateAccount{"4", cluster::anyRevision, {}, {}, "Operator", {}, {}, {}, {}});
    while (passwords.run(now) || engine.pump(now.mono) > 0) {
    }
    EXPECT_EQ(status, 412);
    EXPECT_TRUE(std::holds_alternative<Principal>(login("reader", "secret-of-reader")));
}

TEST_F(AccountsTest, TheLastAdministratorOfTheSystemStays)
{
    EXPECT_EQ(ask("root", "DELETE", accountsUri + "/1").status, 409);
    EXPECT_EQ(ask("root", "PATCH", accountsUri + "/1", R"({"Enabled":false})").status, 409);
    EXPECT_EQ(get("root", accountsUri + "/1").status, 200);
}

TEST_F(AccountsTest, AnUnknownOutcomeIsAskedAgainUnderTheSameIdBeforeItIsTold)
{
    engine.loseAnswers(2);
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("eva")).status, 201);
    EXPECT_EQ(engine.state().accounts.size(), 5U);
    engine.loseAnswers(3);
    const Asked unknown = ask("root", "POST", accountsUri, newAccount("max"));
    EXPECT_EQ(unknown.status, 504);
    EXPECT_EQ(unknown.header("Retry-After"), "");
}

TEST_F(AccountsTest, AnUnknownOutcomeStaysUnknownWhenItCannotBeAskedAgain)
{
    engine.loseAnswers(1);
    OwnRequest request{{"POST", accountsUri, {}}, accountsUri, {}, newAccount("eva"), "192.0.2.7:4711", as("root")};
    Answer told;
    resources.handle(std::move(request), now, [&told](Answer answer, Now) { told = std::move(answer); });
    while (passwords.run(now)) {
    }
    engine.pump(now.mono);  // made, and nobody knows
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    engine.setStatus(status);
    engine.pump(now.mono);
    EXPECT_EQ(told.head.status, 504) << told.body;
    EXPECT_EQ(engine.state().accounts.size(), 5U);
}

TEST_F(AccountsTest, WithoutAPrimaryNothingHappensAndTheRequestMayBeRepeated)
{
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    engine.setStatus(status);
    const Asked refused = ask("root", "POST", accountsUri, newAccount("eva"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "1");
    status.role = cluster::NodeRole::primary;
    engine.setStatus(status);
    passwords.fails = true;
    EXPECT_EQ(ask("root", "POST", accountsUri, newAccount("eva")).status, 503);
    EXPECT_EQ(engine.state().accounts.size(), 4U);
}

TEST_F(AccountsTest, PredefinedRolesAreThereAndStayAsTheyAre)
{
    EXPECT_EQ(get("reader", rolesUri).members(),
              (Strings{rolesUri + "/Administrator", rolesUri + "/Operator", rolesUri + "/ReadOnly"}));
    const Asked role = get("reader", rolesUri + "/ReadOnly");
    EXPECT_EQ(role.body["@odata.type"], "#Role.v1_3_3.Role");
    EXPECT_EQ(role.body["RoleId"], "ReadOnly");
    EXPECT_EQ(role.body["IsPredefined"], true);
    EXPECT_EQ(role.body["AssignedPrivileges"], nlohmann::json::array({"Login", "ConfigureSelf"}));
    EXPECT_EQ(role.header("Allow"), "GET, HEAD");
    for (const char* method : {"PATCH", "DELETE", "POST", "PUT"}) {
        const Asked answer = ask("root", method, rolesUri + "/ReadOnly", R"({"AssignedPrivileges":["Login","ConfigureUsers"]})");
        EXPECT_EQ(answer.status, 405);
        EXPECT_EQ(answer.header("Allow"), "GET, HEAD");
    }
}

TEST_F(AccountsTest, CustomRolesBelongToTheSystem)
{
    const std::string body = R"({"RoleId":"Power","AssignedPrivileges":["Login","ConfigureComponents"]})";
    EXPECT_EQ(ask("boss", "POST", rolesUri, body).status, 403);
    const Asked made = ask("root", "POST", rolesUri, body);
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.header("Location"), rolesUri + "/Power");
    EXPECT_EQ(ask("root", "POST", rolesUri, body).messages(), Strings{"ResourceAlreadyExists"});
    EXPECT_EQ(ask("root", "POST", rolesUri, R"({"RoleId":"X","AssignedPrivileges":["Fly"]})").messages(),
              Strings{"PropertyValueNotInList"});
    const Asked same = ask("root", "POST", rolesUri, R"({"RoleId":"power","AssignedPrivileges":["Login"]})");
    EXPECT_EQ(same.messages(), Strings{"ResourceAlreadyExists"}) << "in any case";
    EXPECT_EQ(same.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"], (Strings{"Role", "RoleId", "power"}));
    EXPECT_EQ(ask("root", "POST", rolesUri, R"({"RoleId":"a b","AssignedPrivileges":["Login"]})").messages(),
              Strings{"PropertyValueFormatError"});
    EXPECT_EQ(ask("boss", "PATCH", rolesUri + "/Power", R"({"AssignedPrivileges":["Login"]})").status, 403);
    EXPECT_EQ(ask("boss", "PATCH", accountsUri + "/4", R"({"RoleId":"Power"})").status, 200);
    EXPECT_EQ(ask("root", "DELETE", rolesUri + "/Power").status, 409) << "somebody has it";
    const std::string etag = get("root", rolesUri + "/Power").header("ETag");
    const Asked changed = ask("root", "PATCH", rolesUri + "/Power", R"({"AssignedPrivileges":["Login"]})", {{"If-Match", etag}});
    EXPECT_EQ(changed.body["AssignedPrivileges"], nlohmann::json::array({"Login"}));
    EXPECT_EQ(ask("root", "PATCH", rolesUri + "/Power", R"({"AssignedPrivileges":[]})", {{"If-Match", etag}}).status, 412);
    ask("boss", "PATCH", accountsUri + "/4", R"({"RoleId":"ReadOnly"})");
    EXPECT_EQ(ask("root", "DELETE", rolesUri + "/Power").status, 204);
    EXPECT_EQ(get("root", rolesUri + "/Power").status, 404);
}

}  // namespace

}  // namespace mesh::aggregator
