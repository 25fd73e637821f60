#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "aggregator/core/tests/fake_history.hpp"
#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

class TenantResources : public Resources {
protected:
    TenantResources()
    {
        change(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel});
        cluster::Node self;
        self.name = "agg-a";
        self.key = keyOf('a');
        self.peerEndpoint = "tcp://agg-a:5671";
        self.meshEndpoint = "tcp://agg-a:5670";
        self.enrolEndpoint = "tcp://agg-a:5672";
        self.featureLevel = cluster::newestFeatureLevel;
        change(cluster::PutNode{self});
        resources.setQuotas(quotas);
    }
    Asked add(const std::string& body) { return ask("root", "POST", uri, body); }
    nlohmann::json entry(const std::string& name)
    {
        quotas.setRegistry(registry());
        const Asked list = get("root", uri);
        for (const auto& tenant : list.body["tenants"]) {
            if (tenant["name"] == name) {
                return tenant;
            }
        }
        return {};
    }
    const tenants::Registry& registry() const { return engine.state().registry; }
    std::uint64_t refusedConnectors() const
    {
        std::vector<Counter> all;
        quotas.addMetrics(all);
        return all.back().value;
    }

    const std::string uri = "/mesh/v1/tenants";
    TenantQuotas quotas;
};

TEST_F(TenantResources, ATenantIsAddedWithItsQuotaOnce)
{
    EXPECT_EQ(add(R"({"name":"lab","quota":{"messages_per_second":5,"connectors":2}})").status, 201);
    EXPECT_EQ(registry().quotaOf("lab"), (tenants::Quota{5, 0, 0, 2}));
    const Asked again = add(R"({"name":"lab","quota":{"messages_per_second":7}})");
    EXPECT_EQ(again.status, 409);
    EXPECT_NE(again.text.find("There is a tenant lab already."), std::string::npos) << again.text;
    EXPECT_EQ(add(R"({"name":"lab"})").status, 201) << "without a quota it is nothing";
    EXPECT_EQ(registry().quotaOf("lab"), (tenants::Quota{5, 0, 0, 2}));
    const nlohmann::json shown = entry("lab");
    EXPECT_EQ(shown["quota"],
              (nlohmann::json{{"messages_per_second", 5}, {"bytes_in_flight", 0}, {"stored_events", 0}, {"connectors", 2}}));
    EXPECT_EQ(shown["connectors"], 0);
    EXPECT_EQ(shown["bytes_in_flight"], 0);
    EXPECT_EQ(shown["refused"], (nlohmann::json{{"messages", 0}, {"bytes", 0}}));
}

TEST_F(TenantResources, WhatIsGivenOfAQuotaChangesAndTheRestStays)
{
    add(R"({"name":"lab","quota":{"messages_per_second":5,"connectors":2}})");
    EXPECT_EQ(ask("root", "PATCH", uri + "/lab", R"({"quota":{"messages_per_second":0,"stored_events":9}})").status, 204);
    EXPECT_EQ(registry().quotaOf("lab"), (tenants::Quota{0, 0, 9, 2}));
    EXPECT_EQ(ask("root", "PATCH", uri + "/nobody", R"({"quota":{"connectors":1}})").status, 404);
    for (const char* body : {R"({"quota":{"connectors":-1}})", R"({"quota":{"connectors":8193}})", R"({"quota":{"connectors":"2"}})",
                             R"({"quota":{"connectors":2,"conectors":3}})", R"({"quota":{}})", R"({"name":"x"})", "{}", ""}) {
        EXPECT_EQ(ask("root", "PATCH", uri + "/lab", body).status, 400) << body;
    }
    EXPECT_EQ(add(R"({"name":"other","quota":{"conectors":3}})").status, 400) << "a quota that would not hold";
    EXPECT_EQ(registry().quotaOf("lab"), (tenants::Quota{0, 0, 9, 2}));
    EXPECT_FALSE(registry().hasTenant("other"));
}

TEST_F(TenantResources, OnlyTheSystemsManagersMayAndItIsRecorded)
{
    FakeHistory history;
    AuditTrail trail{AuditMode::required, "agg-a", history, rng};
    const std::string body = R"({"quota":{"connectors":1}})";
    add(R"({"name":"lab"})");
    for (const char* user : {"boss", "op", "reader"}) {
        EXPECT_EQ(ask(user, "PATCH", uri + "/acme", body).status, 403) << user;
        EXPECT_EQ(ask(user, "DELETE", uri + "/acme?force=true").status, 403) << user;
    }
    EXPECT_EQ(ask("", "PATCH", uri + "/acme", body).status, 401);
    resources.setAudit(trail);
    int answered = 0;
    OwnRequest request;
    request.head = {"DELETE", uri + "/lab?force=true", {}};
    request.path = uri + "/lab";
    request.query = "force=true";
    request.who = as("root");
    resources.handle(std::move(request), now, [&](const Answer& answer, Now) { answered = answer.head.status; });
    EXPECT_TRUE(registry().hasTenant("lab")) << "not before it is recorded";
    ASSERT_TRUE(history.finish(now));
    engine.pump(now.mono);
    EXPECT_EQ(answered, 204);
    EXPECT_EQ(history.stored.at(0).uri, uri + "/lab");
    EXPECT_EQ(history.stored.at(0).method, "DELETE");
}

TEST_F(TenantResources, WithConnectorsItIsRemovedByForceOnly)
{
    add(R"({"name":"lab"})");
    change(cluster::PutConnector{{"lab", "one", keyOf('1'), "", "", ""}});
    EXPECT_EQ(ask("root", "DELETE", uri + "/lab").status, 409);
    EXPECT_EQ(ask("root", "DELETE", uri + "/lab?force").status, 400) << "what is not understood is not left out";
    EXPECT_EQ(ask("root", "DELETE", uri + "/lab?force=false").status, 400);
    EXPECT_NE(registry().find("lab", "one"), nullptr);
    EXPECT_EQ(ask("root", "DELETE", uri + "/lab?force=true").status, 204);
    EXPECT_FALSE(registry().hasTenant("lab"));
    EXPECT_TRUE(registry().connectors().empty());
    EXPECT_EQ(ask("root", "DELETE", uri + "/lab?force=true").status, 404);
    change(cluster::PutTenant{"acme"});
    const Asked people = ask("root", "DELETE", uri + "/acme?force=true");
    EXPECT_EQ(people.status, 409);
    EXPECT_NE(people.text.find("accounts"), std::string::npos) << people.text;
}

TEST_F(TenantResources, ConnectorsBeyondTheQuotaAreRefusedAndCounted)
{
    add(R"({"name":"lab","quota":{"connectors":1}})");
    const auto connector = [](char digit) { return std::string(R"({"tenant":"lab","name":"c)") + digit + R"(","key":")" + keyOf(digit) + "\"}"; };
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/connectors", connector('1')).status, 201);
    const Asked refused = ask("root", "POST", "/mesh/v1/connectors", connector('2'));
    EXPECT_EQ(refused.status, 409);
    EXPECT_NE(refused.text.find("Tenant lab has reached its quota of connectors: it has 1, and 1 are allowed."), std::string::npos) << refused.text;
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/enrolments", R"({"tenant":"lab","name":"c3"})").status, 409);
    EXPECT_EQ(ask("root", "POST", "/redfish/v1/AggregationService/AggregationSources",
                  R"({"HostName":"10.0.0.5","Oem":{"Bmcmesh":{"Tenant":"lab"}}})")
                  .status,
              400);
    EXPECT_EQ(refusedConnectors(), 3U);
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/enrolments", R"({"tenant":"lab","name":"c1"})").status, 201) << "it is there already";
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/connectors", R"({"tenant":"nobody","name":"x","key":")" + keyOf('3') + "\"}").status, 404);
    EXPECT_EQ(refusedConnectors(), 3U);
    EXPECT_EQ(entry("lab")["connectors"], 1);
}

TEST_F(TenantResources, WhatStandsInAFileIsChangedThere)
{
    node.inCluster = false;
    EXPECT_EQ(ask("root", "PATCH", uri + "/acme", R"({"quota":{"connectors":1}})").status, 409);
    EXPECT_EQ(ask("root", "DELETE", uri + "/acme?force=true").status, 409);
    EXPECT_EQ(add(R"({"name":"lab","quota":{"connectors":1}})").status, 409);
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/connectors", R"({"tenant":"acme","name":"x","key":")" + keyOf('3') + "\"}").status, 409);
}

}  // namespace
}  // namespace mesh::aggregator
