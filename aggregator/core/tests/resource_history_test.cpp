#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "aggregator/core/tests/fake_history.hpp"
#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {

class ResourceHistory : public Resources {
protected:
    void SetUp() override { resources.setAudit(trail); }
    // As ask(), with a database that answers whenever something waits for it.
    Asked record(const std::string& user, const std::string& method, const std::string& target, const std::string& body = {})
    {
        Asked out;
        int answers = 0;
        OwnRequest request;
        const std::size_t question = target.find('?');
        request.head = {method, target, {}};
        request.path = target.substr(0, question);
        request.query = question == std::string::npos ? std::string() : target.substr(question + 1);
        request.body = body;
        request.remote = "192.0.2.7:4711";
        request.who = as(user);
        resources.handle(std::move(request), now, [&](Answer answer, Now) {
            ++answers;
            out = {answer.head.status, answer.head.headers, nlohmann::json::parse(answer.body, nullptr, false), answer.body};
        });
        while ((broken ? history.fail(now) : history.finish(now)) || passwords.run(now) || engine.pump(now.mono) > 0 || read()) {
        }
        EXPECT_EQ(answers, 1) << method << " " << target;
        return out;
    }
    bool read()
    {
        if (history.reads.empty()) {
            return false;
        }
        const HistoryPort::Read done = std::move(history.reads.back());
        history.reads.pop_back();
        done(page, now);
        return true;
    }

    FakeHistory history;
    AuditTrail trail{AuditMode::required, "agg-a", history, rng};
    Result<history::AuditPage> page = history::AuditPage{};
    bool broken = false;
    const std::string uri = "/mesh/v1/history/audit";
};

TEST_F(ResourceHistory, AChangeIsRecordedBeforeAndAfter)
{
    EXPECT_EQ(record("root", "POST", "/mesh/v1/tenants", R"({"name":"gamma"})").status, 201);
    ASSERT_EQ(history.stored.size(), 2U);
    EXPECT_EQ(history.stored[0].account, "root");
    EXPECT_EQ(history.stored[0].tenant, "");
    EXPECT_EQ(history.stored[0].uri, "/mesh/v1/tenants");
    EXPECT_EQ(history.stored[0].client, "192.0.2.7:4711");
    EXPECT_EQ(history.stored[1].phase, history::Phase::result);
    EXPECT_EQ(history.stored[1].status, 201);
}

TEST_F(ResourceHistory, AChangeThatCannotBeRecordedIsNotMade)
{
    broken = true;
    const Asked refused = record("root", "POST", "/mesh/v1/tenants", R"({"name":"gamma"})");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "1");
    EXPECT_FALSE(engine.state().registry.hasTenant("gamma"));
}

TEST_F(ResourceHistory, NeitherReadsNorWhatIsRefusedAreRecorded)
{
    EXPECT_EQ(record("root", "GET", "/mesh/v1/tenants").status, 200);
    EXPECT_EQ(record("op", "POST", "/mesh/v1/tenants", R"({"name":"gamma"})").status, 403);
    EXPECT_EQ(record("root", "POST", "/redfish/v1/AccountService/Roles/Administrator").status, 405);
    EXPECT_TRUE(history.stored.empty());
}

TEST_F(ResourceHistory, ABackupIsRecordedAsItHasTheHashesOfPasswords)
{
    change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
    change(cluster::SetServiceUuid{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"});
    EXPECT_EQ(record("root", "GET", "/mesh/v1/cluster/backup").status, 200);
    ASSERT_EQ(history.stored.size(), 2U);
    EXPECT_EQ(history.stored[0].account, "root");
    EXPECT_EQ(history.stored[0].method, "GET");
    EXPECT_EQ(history.stored[0].uri, "/mesh/v1/cluster/backup");
    EXPECT_EQ(history.stored[1].status, 200);
    broken = true;
    const Asked refused = record("root", "GET", "/mesh/v1/cluster/backup");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.text.find("argon2id"), std::string::npos);
}

TEST_F(ResourceHistory, ALoginIsRecordedWithWhoItWas)
{
    EXPECT_EQ(record("", "POST", sessionsUri, R"({"UserName":"boss","Password":"secret-of-boss"})").status, 201);
    ASSERT_EQ(history.stored.size(), 1U);
    EXPECT_EQ(history.stored[0].account, "boss");
    EXPECT_EQ(history.stored[0].tenant, "acme");
    EXPECT_EQ(history.stored[0].status, 201);
}

TEST_F(ResourceHistory, StrangersCannotFillIt)
{
    EXPECT_EQ(record("", "POST", sessionsUri, R"({"UserName":"boss","Password":"wrong"})").status, 401);
    EXPECT_TRUE(history.stored.empty());
}

TEST_F(ResourceHistory, PagesAreShownWithTheirChains)
{
    history::AuditRecord one{now.wall, "acme", "admin", "10.0.0.9:1", "agg-a", "POST", "/redfish/v1/Systems/A_1", std::string(32, 'a'),
                             history::Phase::result, 204};
    const history::ChainLink link = history::linkAfter({}, one);
    page = history::AuditPage{{{7, one, link}}, true, {{"agg-a", "acme", {}, link, 300}}};
    const Asked shown = record("root", "GET", uri + "?since=1714564700&resource=%2Fredfish%2Fv1%2FSystems&limit=1&tenant=acme");
    ASSERT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body["records"][0]["time"], "2024-05-01T12:00:00.000000Z");
    EXPECT_EQ(shown.body["records"][0]["status"], 204);
    EXPECT_EQ(shown.body["records"][0]["link"]["hash"], link.hash);
    EXPECT_EQ(shown.body["next"], 7);
    EXPECT_EQ(shown.body["chains"][0]["head"]["position"], 1);
    const history::AuditQuery& query = history.queries.at(0);
    EXPECT_EQ(query.resource, "/redfish/v1/Systems");
    EXPECT_EQ(query.tenant, "acme");
    EXPECT_EQ(query.limit, 1U);
    EXPECT_EQ(query.since, WallTime(std::chrono::seconds(1714564700)));
}

TEST_F(ResourceHistory, ATenantsManagerSeesHisOwn)
{
    EXPECT_EQ(record("boss", "GET", uri).status, 200);
    EXPECT_EQ(history.queries.at(0).tenant, "acme");
    EXPECT_EQ(record("boss", "GET", uri + "?tenant=beta").status, 403);
    EXPECT_EQ(record("op", "GET", uri).status, 403);
    EXPECT_EQ(record("", "GET", uri).status, 401);
    EXPECT_EQ(history.queries.size(), 1U);
}

TEST_F(ResourceHistory, ATenantsManagerGoesOnWithoutSeeingHowMuchOthersDo)
{
    history::AuditRecord one{now.wall, "acme", "boss", "10.0.0.9:1", "agg-a", "POST", "/redfish/v1/Systems/A_1", std::string(32, 'a'),
                             history::Phase::result, 204};
    page = history::AuditPage{{{70000, one, history::linkAfter({}, one)}}, true, {}};
    const Asked shown = record("boss", "GET", uri + "?limit=1");
    EXPECT_EQ(shown.text.find("70000"), std::string::npos) << shown.text;
    EXPECT_FALSE(shown.body["records"][0].contains("id"));
    EXPECT_EQ(record("boss", "GET", uri + "?after=" + shown.body["next"].get<std::string>()).status, 200);
    EXPECT_EQ(history.queries.back().after, 70000U);
    EXPECT_EQ(record("boss", "GET", uri + "?after=70000").status, 400) << "he was given no such place";
}

TEST_F(ResourceHistory, WhatIsNoQueryIsRefused)
{
    for (const char* wrong : {"?since=yesterday", "?limit=0", "?limit=100000", "?after=-1", "?whatever=1", "?until=99999999999999999999", "?resource=%FF",
                              "?resource=/a%00b", "?tenant=ac%80me", "?since=%FF"}) {
        EXPECT_EQ(record("root", "GET", uri + wrong).status, 400) << wrong;
    }
    EXPECT_TRUE(history.queries.empty());
}

TEST_F(ResourceHistory, ADatabaseThatIsAwayIs503)
{
    page = Error{Code::ioError, "postgresql://db/history: connection refused"};
    const Asked refused = record("root", "GET", uri);
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.text.find("refused"), std::string::npos);
}

TEST_F(ResourceHistory, TooManyReadersAreToldToAskAgain)
{
    page = Error{Code::full, "too many read the history at once; ask again"};
    const Asked refused = record("root", "GET", uri);
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.header("Retry-After"), "1");
    EXPECT_NE(refused.text.find("ask again"), std::string::npos) << refused.text;
}

}  // namespace mesh::aggregator
