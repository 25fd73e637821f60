#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/enrolments.hpp"
#include "cluster/core/feature_level.hpp"
#include "tenants/join_string.hpp"

namespace mesh::aggregator {
namespace {

class RegistryTest : public Resources {
protected:
    RegistryTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        change(cluster::PutTenant{"acme"});
        change(cluster::PutConnector{{"acme", "sled1", keyOf('1'), "AAA", "", ""}});
        cluster::Node self;
        self.name = "agg-a";
        self.key = keyOf('a');
        self.peerEndpoint = "tcp://agg-a:5671";
        self.meshEndpoint = "tcp://agg-a:5670";
        self.enrolEndpoint = "tcp://agg-a:5672";
        self.featureLevel = cluster::clusterFeatureLevel;
        change(cluster::PutNode{self});
    }

    const tenants::Registry& registry() const { return engine.state().registry; }

    const std::string tenantsUri = "/mesh/v1/tenants";
    const std::string connectorsUri = "/mesh/v1/connectors";
    const std::string enrolmentsUri = "/mesh/v1/enrolments";
    const std::string forSled7 = R"({"tenant":"acme","name":"sled7"})";
};

TEST_F(RegistryTest, OnlyTheSystemsManagersMaySeeOrChangeWhoBelongs)
{
    const std::pair<const char*, std::string> requests[] = {
        {"GET", tenantsUri}, {"POST", tenantsUri}, {"DELETE", tenantsUri + "/acme"}, {"GET", connectorsUri},
        {"POST", connectorsUri}, {"DELETE", connectorsUri + "/acme:sled1"}, {"POST", connectorsUri + "/acme:sled1/revoke"},
        {"POST", connectorsUri + "/acme:sled1/rotation"}, {"DELETE", connectorsUri + "/acme:sled1/rotation"},
        {"POST", enrolmentsUri}, {"DELETE", enrolmentsUri + "/x"}};
    for (const auto& [method, uri] : requests) {
        EXPECT_EQ(ask("", method, uri).status, 401) << method << " " << uri;
        for (const char* user : {"boss", "op", "reader"}) {
            EXPECT_EQ(ask(user, method, uri).status, 403) << user << " " << method << " " << uri;
        }
    }
    EXPECT_NE(registry().find("acme", "sled1"), nullptr);
}

TEST_F(RegistryTest, TenantsAreAddedListedAndRemoved)
{
    EXPECT_EQ(ask("root", "POST", tenantsUri, R"({"name":"beta"})").status, 201);
    EXPECT_EQ(ask("root", "POST", tenantsUri, R"({"name":"beta"})").status, 201);
    EXPECT_EQ(get("root", tenantsUri).text, R"({"tenants":[{"name":"acme","connectors":1,"quota":{"messages_per_second":0,"bytes_in_flight":0,)"
                                            R"("stored_events":0,"connectors":0}},{"name":"beta","connectors":0,"quota":)"
                                            R"({"messages_per_second":0,"bytes_in_flight":0,"stored_events":0,"connectors":0}}]})");
    EXPECT_EQ(ask("root", "POST", tenantsUri, R"({"name":"no name"})").status, 400);
    EXPECT_EQ(ask("root", "DELETE", tenantsUri + "/beta").status, 204);
    EXPECT_EQ(ask("root", "DELETE", tenantsUri + "/beta").status, 404);
    EXPECT_EQ(ask("root", "DELETE", tenantsUri + "/acme").status, 409) << "it has connectors and accounts";
}

TEST_F(RegistryTest, AConnectorWhoseKeyIsKnownIsTakenOver)
{
    const std::string body =
        R"({"tenant":"acme","name":"sled2","key":")" + keyOf('2') + R"(","prefix":"BBB","product":"R750"})";
    EXPECT_EQ(ask("root", "POST", connectorsUri, body).status, 201);
    EXPECT_EQ(ask("root", "POST", connectorsUri, body).status, 201);
    ASSERT_NE(registry().find("acme", "sled2"), nullptr);
    EXPECT_EQ(registry().find("acme", "sled2")->prefix, "BBB");
    const std::string clash = R"({"tenant":"acme","name":"sled3","key":")" + keyOf('2') + "\"}";
    EXPECT_EQ(ask("root", "POST", connectorsUri, clash).status, 409);
    EXPECT_EQ(ask("root", "POST", connectorsUri, R"({"tenant":"acme","name":"sled3"})").status, 400);
}

TEST_F(RegistryTest, TheListTellsWhoIsLinkedAndWhoMayStillCome)
{
    announce("acme", "sled1", {});
    ask("root", "POST", enrolmentsUri, forSled7);
    const Asked list = get("root", connectorsUri);
    ASSERT_EQ(list.status, 200);
    ASSERT_EQ(list.body["connectors"].size(), 1u);
    const auto& connector = list.body["connectors"][0];
    EXPECT_EQ(connector["name"], "sled1");
    EXPECT_EQ(connector["prefix"], "AAA");
    EXPECT_EQ(connector["linked"], true);
    EXPECT_EQ(connector["revoked"], false);
    ASSERT_EQ(list.body["enrolments"].size(), 1u);
    EXPECT_EQ(list.body["enrolments"][0]["name"], "sled7");
    EXPECT_EQ(list.body["enrolments"][0]["expires"], "2024-05-01T13:00:00Z");
    now.wall += 1h;
    EXPECT_EQ(get("root", connectorsUri).body["enrolments"].size(), 0u) << "it has expired";
}

TEST_F(RegistryTest, ARevokedConnectorIsListedAsThatAndARemovedOneIsGone)
{
    EXPECT_EQ(ask("root", "POST", connectorsUri + "/acme:sled1/revoke").status, 204);
    EXPECT_EQ(registry().findByKey(keyOf('1')), nullptr);
    EXPECT_EQ(get("root", connectorsUri).body["connectors"][0]["revoked"], true);
    EXPECT_EQ(ask("root", "DELETE", connectorsUri + "/acme:sled1").status, 204);
    EXPECT_EQ(get("root", connectorsUri).body["connectors"].size(), 0u);
    for (const char* unknown : {"acme:sled1", "acme", ":", "acme:"}) {
        EXPECT_EQ(ask("root", "DELETE", connectorsUri + "/" + unknown).status, 404) << unknown;
        EXPECT_EQ(ask("root", "POST", connectorsUri + "/" + unknown + "/revoke").status, 404) << unknown;
    }
}

TEST_F(RegistryTest, AnEnrolmentsJoinStringNamesTheNodesAndHoldsTheSecretThatTheStateKnowsByItsHash)
{
    const Asked made = ask("root", "POST", enrolmentsUri, forSled7);
    ASSERT_EQ(made.status, 201);
    const Result<tenants::JoinString> join = tenants::decodeJoinString(std::string(made.body["join"]));
    ASSERT_TRUE(join.ok());
    ASSERT_EQ(join->aggregators.size(), 1u);
    EXPECT_EQ(join->aggregators.front(), (tenants::JoinString::Aggregator{"agg-a", "tcp://agg-a:5672", keyOf('a')}));
    const std::string id = made.body["id"];
    EXPECT_EQ(engine.state().enrolments.at(id).secretHash, cluster::hashSecret(join->secret));
    EXPECT_EQ(ask("root", "DELETE", enrolmentsUri + "/" + id).status, 204);
    EXPECT_EQ(ask("root", "DELETE", enrolmentsUri + "/" + id).status, 404);
}

TEST_F(RegistryTest, AnEnrolmentThatCannotSucceedIsRefused)
{
    for (const char* body : {R"({"tenant":"acme","name":"x","minutes":0})",
                             R"({"tenant":"acme","name":"x","minutes":10081})",
                             R"({"tenant":"acme","name":"no name"})", R"({"tenant":"acme","name":"x","prefix":"no_good"})",
                             R"({"tenant":"acme"})", R"({"tenant":"acme","name":"x","minutes":"1"})", "{}", ""}) {
        EXPECT_EQ(ask("root", "POST", enrolmentsUri, body).status, 400) << body;
    }
    EXPECT_EQ(ask("root", "POST", enrolmentsUri, R"({"tenant":"nobody","name":"x"})").status, 404);
    EXPECT_TRUE(engine.state().enrolments.empty());
}

TEST_F(RegistryTest, NobodyCanEnrolWhereNoNodeSaysWhere)
{
    const cluster::Node told = engine.state().nodes.begin()->second;
    cluster::Node silent = told;
    silent.enrolEndpoint.clear();
    change(cluster::PutNode{silent});
    Asked refused = ask("root", "POST", enrolmentsUri, forSled7);
    EXPECT_EQ(refused.status, 409);
    EXPECT_NE(refused.text.find("enrolment.advertise"), std::string::npos);
    silent = told;
    silent.meshEndpoint.clear();
    change(cluster::PutNode{silent});
    refused = ask("root", "POST", enrolmentsUri, forSled7);
    EXPECT_EQ(refused.status, 409);
    EXPECT_NE(refused.text.find("mesh.advertise"), std::string::npos);
}

TEST_F(RegistryTest, WhatStandsInAFileIsNotChangedHere)
{
    node.inCluster = false;
    const cluster::Revision before = engine.state().revision;
    const std::string body = R"({"tenant":"acme","name":"sled2","key":")" + keyOf('2') + "\"}";
    const std::tuple<const char*, std::string, std::string> requests[] = {
        {"GET", tenantsUri, ""}, {"GET", connectorsUri, ""},
        {"POST", tenantsUri, R"({"name":"x"})"}, {"DELETE", tenantsUri + "/acme", ""},
        {"POST", connectorsUri, body}, {"DELETE", connectorsUri + "/acme:sled1", ""},
        {"POST", connectorsUri + "/acme:sled1/revoke", ""}, {"POST", connectorsUri + "/acme:sled1/rotation", ""},
        {"DELETE", connectorsUri + "/acme:sled1/rotation", ""}, {"POST", enrolmentsUri, forSled7}};
    for (const auto& [method, uri, sent] : requests) {
        const Asked refused = ask("root", method, uri, sent);
        EXPECT_EQ(refused.status, 409) << method << " " << uri;
        EXPECT_NE(refused.text.find("file"), std::string::npos) << refused.text;
    }
    EXPECT_EQ(engine.state().revision, before);
}

TEST_F(RegistryTest, ARotationIsBegunCancelledAndShown)
{
    const std::string rotationUri = connectorsUri + "/acme:sled1/rotation";
    const auto shown = [this] { return std::string(get("root", connectorsUri).body["connectors"][0]["rotation"]); };
    EXPECT_EQ(shown(), "");
    EXPECT_EQ(ask("root", "POST", rotationUri).status, 204);
    EXPECT_EQ(shown(), "wanted");
    change(cluster::OfferKey{"acme", "sled1", keyOf('2')});
    EXPECT_EQ(shown(), "offered");
    EXPECT_EQ(ask("root", "DELETE", rotationUri).status, 204);
    EXPECT_EQ(ask("root", "DELETE", rotationUri).status, 204) << "again is nothing";
    EXPECT_EQ(shown(), "");
    EXPECT_EQ(registry().findByKey(keyOf('2')), nullptr);
    for (const char* method : {"POST", "DELETE"}) {
        EXPECT_EQ(ask("root", method, connectorsUri + "/acme:unknown/rotation").status, 404) << method;
    }
    EXPECT_EQ(ask("root", "PATCH", rotationUri).status, 405);
    ask("root", "POST", connectorsUri + "/acme:sled1/revoke");
    EXPECT_EQ(ask("root", "POST", rotationUri).status, 409) << "it has to be enrolled again";
}

}  // namespace
}  // namespace mesh::aggregator
