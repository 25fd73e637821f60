#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

class SourcesTest : public Resources {
protected:
    SourcesTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        change(cluster::PutTenant{"acme"});
        addNode("agg-a");
        addNode("agg-b");
        follow();
    }
    void addNode(const std::string& name, bool witness = false)
    {
        cluster::Node one;
        one.name = name;
        one.key = std::string(39, '0') + name.back();
        one.peerEndpoint = "tcp://" + name + ":5671";
        one.meshEndpoint = "tcp://" + name + ":5670";
        one.witness = witness;
        one.featureLevel = cluster::clusterFeatureLevel;
        EXPECT_TRUE(change(cluster::PutNode{one}).ok());
    }
    // As a node does when its state changes.
    void follow()
    {
        watching = engine.watch(engine.state().revision,
                                [this](const cluster::Change&) { satellites.setRegistry(engine.state().registry); });
    }
    Asked post(const std::string& body, const std::string& user = "root") { return ask(user, "POST", uri, body); }
    const cluster::Source& only() const { return engine.state().sources.begin()->second; }

    cluster::WatchId watching = 0;
    const std::string uri = "/redfish/v1/AggregationService/AggregationSources";
    const std::string whole = R"({"HostName":"https://10.0.0.5","UserName":"root","Password":"calvin","Name":"sled05",)"
                              R"("Id":"S5","Oem":{"Bmcmesh":{"Certificate":"Unchecked"}}})";
};

TEST_F(SourcesTest, ABmcWithoutAnAgentIsAddedAndNoAnswerHasItsPassword)
{
    const Asked made = post(whole);
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(made.header("Location"), uri + "/S5");
    EXPECT_EQ(made.body["Id"], "S5");
    EXPECT_EQ(made.body["Name"], "sled05");
    EXPECT_EQ(made.body["HostName"], "https://10.0.0.5");
    EXPECT_EQ(made.body["UserName"], "root");
    EXPECT_TRUE(made.body["Password"].is_null());
    EXPECT_EQ(made.body["Oem"]["Bmcmesh"]["Tenant"], "acme");
    EXPECT_EQ(made.body["Oem"]["Bmcmesh"]["Certificate"], "Unchecked");
    EXPECT_EQ(made.header("Allow"), "GET, HEAD, PATCH, DELETE");
    EXPECT_EQ(made.text.find("calvin"), std::string::npos);
    EXPECT_EQ(get("root", uri + "/s5").body["@odata.id"], uri + "/S5");
    EXPECT_EQ(get("boss", uri + "/S5").status, 200) << "the tenant's own";
    const tenants::Connector* connector = engine.state().registry.find("acme", "sled05");
    ASSERT_NE(connector, nullptr);
    EXPECT_TRUE(connector->agentless);
    change(cluster::AssignHost{"acme", "sled05", 2, 1, 1});
    EXPECT_EQ(get("root", uri + "/S5").body["Oem"]["Bmcmesh"]["Host"], "agg-b");
}

TEST_F(SourcesTest, ThePasswordIsSealedToEveryNodeThatMayFrontIt)
{
    addNode("agg-w", true);
    post(whole);
    EXPECT_EQ(only().passwords, (std::vector<cluster::SealedPassword>{{1, std::string(39, '0') + "a:calvin"},
                                                                      {2, std::string(39, '0') + "b:calvin"}}));
}

TEST_F(SourcesTest, ThePasswordIsSealedForThisBmcAndUserAlone)
{
    post(whole);
    EXPECT_EQ(hosts.sealedFor, (std::vector<std::string>{"acme/S5 root@https://10.0.0.5", "acme/S5 root@https://10.0.0.5"}));
    for (const char* elsewhere : {R"({"HostName":"10.0.0.66"})", R"({"UserName":"admin"})"}) {
        const Asked refused = ask("root", "PATCH", uri + "/S5", elsewhere);
        EXPECT_EQ(refused.status, 400) << elsewhere;
        EXPECT_EQ(refused.messages(), std::vector<std::string>{"PropertyMissing"}) << "who does not know it sends it nowhere";
    }
    EXPECT_EQ(only().hostName, "https://10.0.0.5");
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"HostName":"https://10.0.0.5/"})").status, 200) << "that is where it is";
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"Oem":{"Bmcmesh":{"Certificate":"Authority"}}})").status, 200);
    hosts.sealedFor.clear();
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"UserName":"admin","Password":"hobbes"})").status, 200);
    EXPECT_EQ(hosts.sealedFor.front(), "acme/S5 admin@https://10.0.0.5");
}

TEST_F(SourcesTest, WhereNoNodeCanReadThePasswordItIsSaidAndTheNextOneHelps)
{
    post(whole);
    for (const std::uint64_t id : {1U, 2U}) {
        cluster::Node known = *cluster::findNode(engine.state(), id);
        known.featureLevel = cluster::newestFeatureLevel;
        change(cluster::PutNode{known});
    }
    change(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel});
    cluster::Source lost = only();
    for (cluster::SealedPassword& password : lost.passwords) {
        password.key = "lost";
    }
    EXPECT_TRUE(change(cluster::PutSource{lost}).ok());
    const Asked shown = get("root", uri + "/S5");
    EXPECT_TRUE(shown.body["Oem"]["Bmcmesh"]["Trouble"].get<std::string>().starts_with("password needed")) << shown.text;
    EXPECT_EQ(shown.body["Status"]["State"], "UnavailableOffline");
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"Password":"hobbes"})").status, 200);
    const Asked later = get("root", uri + "/S5");
    EXPECT_FALSE(later.body["Oem"]["Bmcmesh"]["Trouble"].get<std::string>().starts_with("password needed")) << later.text;
}

TEST_F(SourcesTest, WhatIsNotSaidIsMadeOfTheHostName)
{
    ASSERT_EQ(post(R"({"HostName":"HTTPS://Bmc5.Example:443/"})").status, 201);
    EXPECT_EQ(only().hostName, "https://bmc5.example");
    EXPECT_EQ(only().connector, "bmc5.example");
    EXPECT_EQ(only().tenant, "acme");
    EXPECT_EQ(only().userName, "");
    const std::string id = only().id;
    EXPECT_EQ(id.size(), 6U);
    EXPECT_EQ(ask("root", "DELETE", uri + "/" + id).status, 204);
    const Asked again = post(R"({"HostName":"bmc5.example"})");
    EXPECT_EQ(again.body["Id"], id) << "it has the URIs that it had";
    ASSERT_EQ(post(R"({"HostName":"[fd00::5]:8443"})").status, 201);
    EXPECT_NE(engine.state().registry.find("acme", "fd00--5-8443"), nullptr);
}

TEST_F(SourcesTest, WhatCannotBeIsRefusedAndNothingIsMade)
{
    for (const char* body :
         {R"({"UserName":"root"})", R"({"HostName":""})", R"({"HostName":"ftp://x"})", R"({"HostName":"https://x/redfish"})",
          R"({"HostName":"https://root:calvin@x"})", R"({"HostName":"https://x y"})", R"({"HostName":"x","UserName":"root"})",
          R"({"HostName":"x","Password":"calvin"})", R"({"HostName":"x","UserName":"a b","Password":"c"})",
          R"({"HostName":"x","UserName":"root","Password":"two\nlines"})", R"({"HostName":"x","UserName":"root","Password":""})",
          R"({"HostName":"x","Name":"no name"})", R"({"HostName":"x","Id":"no_prefix"})",
          R"({"HostName":"x","Oem":{"Bmcmesh":{"Tenant":"nobody"}}})",
          R"({"HostName":"x","Oem":{"Bmcmesh":{"Certificate":"abcd"}}})"}) {
        EXPECT_EQ(post(body).status, 400) << body;
    }
    EXPECT_TRUE(engine.state().sources.empty());
    change(cluster::PutTenant{"beta"});
    EXPECT_EQ(post(R"({"HostName":"x"})").messages(), std::vector<std::string>{"PropertyMissing"}) << "of two tenants one has to be named";
    EXPECT_EQ(post(R"({"HostName":"x","Oem":{"Bmcmesh":{"Tenant":"beta"}}})").status, 201);
}

TEST_F(SourcesTest, TheSameOneIsNotAddedTwice)
{
    ASSERT_EQ(post(whole).status, 201);
    for (const char* body : {R"({"HostName":"10.0.0.5","Name":"other"})", R"({"HostName":"10.0.0.6","Name":"Sled05"})",
                             R"({"HostName":"10.0.0.6","Name":"other","Id":"s5"})"}) {
        const Asked refused = post(body);
        EXPECT_EQ(refused.status, 400) << body;
        EXPECT_EQ(refused.messages(), std::vector<std::string>{"ResourceAlreadyExists"}) << body;
    }
    EXPECT_EQ(engine.state().sources.size(), 1U);
}

TEST_F(SourcesTest, OnlyTheSystemsManagersAddChangeAndRemove)
{
    ASSERT_EQ(post(whole).status, 201);
    for (const char* user : {"boss", "op", "reader"}) {
        EXPECT_EQ(post(R"({"HostName":"x"})", user).status, 403) << user;
        EXPECT_EQ(ask(user, "PATCH", uri + "/S5", R"({"HostName":"x"})").status, 403) << user;
        EXPECT_EQ(ask(user, "DELETE", uri + "/S5").status, 403) << user;
    }
    EXPECT_EQ(post(whole, "").status, 401);
    EXPECT_EQ(only().hostName, "https://10.0.0.5");
}

TEST_F(SourcesTest, AddressAndLoginAreChanged)
{
    ASSERT_EQ(post(whole).status, 201);
    const std::string before = get("root", uri + "/S5").header("ETag");
    const Asked patched = ask("root", "PATCH", uri + "/S5", R"({"HostName":"10.0.0.9","Password":"hobbes","Name":"x"})");
    EXPECT_EQ(patched.status, 200) << patched.text;
    EXPECT_EQ(patched.body["HostName"], "https://10.0.0.9");
    EXPECT_EQ(patched.messages(), std::vector<std::string>{"PropertyNotWritable"});
    EXPECT_EQ(only().userName, "root");
    EXPECT_EQ(only().passwords.front().box, std::string(39, '0') + "a:hobbes");
    EXPECT_NE(patched.header("ETag"), before);
    EXPECT_EQ(get("root", uri + "/S5").header("ETag"), patched.header("ETag"));
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"HostName":"x"})", {{"If-Match", before}}).status, 412);
    EXPECT_EQ(ask("root", "DELETE", uri + "/S5", {}, {{"If-Match", before}}).status, 412);
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", R"({"HostName":"ftp://x"})").status, 400);
    EXPECT_EQ(ask("root", "DELETE", uri + "/S5", {}, {{"If-Match", patched.header("ETag")}}).status, 204);
    EXPECT_EQ(ask("root", "DELETE", uri + "/S5").status, 404);
    EXPECT_EQ(engine.state().registry.find("acme", "sled05"), nullptr);
}

TEST_F(SourcesTest, WhatHasChangedMeanwhileIsLeftToWhoeverChangedIt)
{
    ASSERT_EQ(post(whole).status, 201);
    const auto meanwhile = [this](bool insecure) {
        cluster::Source other = only();
        other.insecure = insecure;
        engine.propose({MessageId::make(now.wall, rng), now.wall, cluster::PutSource{other, cluster::anyRevision}}, now.mono + 1s,
                       [](const Result<cluster::Applied>& applied) { EXPECT_TRUE(applied && applied->ok()); });
    };
    const std::string wish = R"({"Oem":{"Bmcmesh":{"Certificate":"Unchecked"}}})";
    std::string seen = get("root", uri + "/S5").header("ETag");
    meanwhile(false);
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", wish, {{"If-Match", seen}}).status, 412);
    EXPECT_FALSE(only().insecure);
    seen = get("root", uri + "/S5").header("ETag");
    meanwhile(true);
    EXPECT_EQ(ask("root", "DELETE", uri + "/S5", {}, {{"If-Match", seen}}).status, 412);
    ASSERT_EQ(engine.state().sources.size(), 1u);
    meanwhile(false);
    EXPECT_EQ(ask("root", "PATCH", uri + "/S5", wish).status, 200) << "without a condition it comes after the other";
    EXPECT_TRUE(only().insecure);
}

TEST_F(SourcesTest, OneWithAnAgentIsReadOnlyAndSoAreAllWhereAFileIsTheRegistry)
{
    change(cluster::PutConnector{{"acme", "agent", std::string(39, '0') + "7", "AAA", "", ""}});
    ASSERT_EQ(get("root", uri + "/AAA").status, 200);
    EXPECT_EQ(get("root", uri + "/AAA").header("Allow"), "GET, HEAD");
    for (const char* method : {"PATCH", "DELETE"}) {
        const Asked refused = ask("root", method, uri + "/AAA", R"({"HostName":"x"})");
        EXPECT_EQ(refused.status, 405);
        EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
    }
    node.inCluster = false;
    for (const char* user : {"root", "reader"}) {
        EXPECT_EQ(post(whole, user).status, 405) << user;
        EXPECT_EQ(get(user, uri).header("Allow"), "GET, HEAD") << user;
    }
    EXPECT_TRUE(engine.state().sources.empty());
}

}  // namespace
}  // namespace mesh::aggregator
