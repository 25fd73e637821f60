#include "connector/redfish/tests/harness.hpp"

namespace mesh::connector::testing {
namespace {

// A BMC with one account and sessions.
class Login : public ClientTest {
protected:
    void SetUp() override
    {
        bmc.script = [this](FakePeer& peer, const FakeRequest& r) { serve(peer, r); };
    }
    void serve(FakePeer& peer, const FakeRequest& r)
    {
        if (r.line == "POST /redfish/v1/SessionService/Sessions") {
            if (r.body != R"({"UserName":"root","Password":")" + password + "\"}") {
                return peer.reply(401, "{}");
            }
            token = "token" + std::to_string(++sessions);
            return peer.reply(201, R"({"Id":"1"})",
                              "X-Auth-Token: " + token + "\r\nLocation: /redfish/v1/SessionService/Sessions/" +
                                  std::to_string(sessions) + "\r\n");
        }
        const std::string* sent = findHeader(r.headers, "X-Auth-Token");
        const std::string* basic = findHeader(r.headers, "Authorization");
        const bool allowed = (sent != nullptr && *sent == token && !token.empty()) ||
                             (basic != nullptr && *basic == "Basic cm9vdDowcGVuQm1j" && password == "0penBmc");
        if (!allowed || r.line.ends_with("/forbidden")) {
            return peer.reply(401, "{}");
        }
        ++executed[r.line];
        peer.reply(r.line.starts_with("DELETE") ? 204 : 200, "");
    }
    std::string password = "0penBmc", token;
    int sessions = 0;
    std::map<std::string, int> executed;
    const std::string sessionsLine = "POST /redfish/v1/SessionService/Sessions";
};

TEST_F(Login, ASessionIsCreatedOnceForManyRequestsAndEndedAtTheStop)
{
    makeClient(BmcTarget::Auth::session);
    for (int i = 0; i < 30; ++i) {
        request("GET", "/x");
    }
    runUntilOver(30);
    runUntil([&] { return executed["GET /x"] == 30; });
    EXPECT_EQ(bmc.count(sessionsLine), 1);
    EXPECT_EQ(client->counters().logins, 1u);
    EXPECT_EQ(client->counters().requests, 30u);
    settle();
    bool done = false;
    client->stop([&] { done = true; });
    runUntil([&] { return done; });
    EXPECT_EQ(executed["DELETE /redfish/v1/SessionService/Sessions/1"], 1);
}

TEST_F(Login, StoppingDoesNotHangOnABmcThatDoes)
{
    makeClient(BmcTarget::Auth::session);
    ask("GET", "/x");
    bmc.script = [](FakePeer&, const FakeRequest&) {};
    bool done = false;
    const auto begin = std::chrono::steady_clock::now();
    client->stop([&] { done = true; });
    runUntil([&] { return done; });
    EXPECT_LT(std::chrono::steady_clock::now() - begin, limits::bmcLogoutDeadline + 500ms);
}

TEST_F(Login, ClientsCannotAuthenticateThemselves)
{
    makeClient(BmcTarget::Auth::session);
    client->start(++lastExchange, {"GET", "/x", {{"X-Auth-Token", "mine"}, {"authorization", "Basic bWluZQ=="}}}, "",
                  false, 0, true, host::systemNow().mono + 10s);
    runUntilOver(lastExchange);
    EXPECT_EQ(executed["GET /x"], 1);
    int credentials = 0;
    for (const Header& header : bmc.requests.back().headers) {
        credentials += equalsIgnoreCase(header.name, "X-Auth-Token") || equalsIgnoreCase(header.name, "Authorization");
    }
    EXPECT_EQ(credentials, 1);
}

TEST_F(Login, AnExpiredSessionIsRenewedAndEveryMethodRepeatedWithItsBody)
{
    makeClient(BmcTarget::Auth::session);
    for (const char* method : {"GET", "POST", "PATCH", "DELETE"}) {
        token.clear();
        const Outcome& outcome = ask(method, "/x", std::string(method) == "GET" ? "" : "{\"a\":1}");
        ASSERT_FALSE(outcome.error) << method << outcome.error->message;
        EXPECT_EQ(executed[std::string(method) + " /x"], 1);
        EXPECT_LE(outcome.bodySent, 7u) << "reported once";
        if (std::string(method) != "GET") {
            EXPECT_EQ(bmc.requests.back().body, "{\"a\":1}");
        }
    }
    EXPECT_EQ(client->counters().relogins, 3u);
    EXPECT_EQ(client->counters().failures, 0u);
}

TEST_F(Login, ManyRequestsOnAnExpiredSessionCostOneNewLogin)
{
    makeClient(BmcTarget::Auth::session);
    ask("GET", "/x");
    token.clear();
    for (int i = 0; i < 20; ++i) {
        request("POST", "/y", "body");
    }
    runUntil([&] { return executed["POST /y"] == 20; });
    EXPECT_EQ(bmc.count(sessionsLine), 2);
    EXPECT_EQ(client->counters().relogins, 1u);
}

TEST_F(Login, AStreamedBodyThatIsGoneIsSaidToBeNotExecuted)
{
    makeClient(BmcTarget::Auth::session);
    ask("GET", "/x");
    token.clear();
    const std::size_t size = limits::inlineBodyBytes * 3;
    const BmcExchange id = ++lastExchange;
    client->start(id, {"POST", "/y", {}}, std::string(size / 3, 'a'), true, static_cast<std::int64_t>(size), false,
                  host::systemNow().mono + 10s);
    client->sendBody(id, std::string(size / 3, 'b'), false);
    client->sendBody(id, std::string(size / 3, 'c'), true);
    runUntilOver(id);
    EXPECT_EQ(codeOf(id), Code::notSent);
    EXPECT_EQ(executed["POST /y"], 0);
    EXPECT_EQ(ask("POST", "/y", "a").head.status, 200) << "the session is new already";
}

TEST_F(Login, ASecond401IsRefusedAndNamesTheBmc)
{
    for (const auto auth : {BmcTarget::Auth::session, BmcTarget::Auth::basic, BmcTarget::Auth::none}) {
        makeClient(auth);
        const int before = bmc.count("GET /forbidden");
        const Outcome& outcome = ask("GET", "/forbidden");
        ASSERT_TRUE(outcome.error);
        EXPECT_EQ(outcome.error->code, Code::refused);
        EXPECT_EQ(outcome.heads, 0);
        EXPECT_NE(outcome.error->message.find("127.0.0.1:"), std::string::npos) << outcome.error->message;
        EXPECT_EQ(bmc.count("GET /forbidden") - before, auth == BmcTarget::Auth::none ? 1 : 2);
    }
}

TEST_F(Login, AWrongPasswordIsTriedOnceForManyRequests)
{
    for (const auto auth : {BmcTarget::Auth::session, BmcTarget::Auth::basic}) {
        password = "changed";
        makeClient(auth);
        bmc.requests.clear();
        const BmcExchange first = lastExchange + 1;
        for (int i = 0; i < 20; ++i) {
            request("GET", "/x");
        }
        runUntilOver(lastExchange);
        EXPECT_EQ(bmc.requests.size(), 1u);
        for (BmcExchange id = first; id <= lastExchange; ++id) {
            EXPECT_EQ(codeOf(id), Code::refused);
        }
        EXPECT_EQ(ask("GET", "/x").error->code, Code::refused);
        EXPECT_EQ(bmc.requests.size(), 1u) << "not again so soon";
        skew += limits::bmcLoginBackoff;
        password = "0penBmc";
        EXPECT_EQ(ask("GET", "/x").head.status, 200);
    }
}

TEST_F(Login, BasicAuthenticationIsCheckedOnceAndThenSentAlong)
{
    makeClient(BmcTarget::Auth::basic);
    for (int i = 0; i < 5; ++i) {
        request("GET", "/x");
    }
    runUntil([&] { return executed["GET /x"] == 5; });
    EXPECT_EQ(bmc.requests.size(), 6u);
    EXPECT_EQ(executed["GET /redfish/v1/SessionService"], 1);
}

TEST_F(Login, ALongRefusalIsNotReadToItsEnd)
{
    makeClient(BmcTarget::Auth::none);
    bmc.script = [](FakePeer& peer, const FakeRequest&) { peer.reply(401, std::string(10 << 20, 'x')); };
    EXPECT_EQ(ask("GET", "/x").error->code, Code::refused);
    runUntil([&] { return bmc.peers[0]->closed; });
}

}  // namespace
}  // namespace mesh::connector::testing
