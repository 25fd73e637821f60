#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

struct ConfigurationResourcesTest : Resources {
    ConfigurationResourcesTest() { change(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel}); }
    Asked upload(const std::string& user, const nlohmann::json& document, const std::string& tenant = {}, int follows = -1)
    {
        nlohmann::json body{{"document", document}};
        if (!tenant.empty()) {
            body["tenant"] = tenant;
        }
        if (follows >= 0) {
            body["follows"] = follows;
        }
        return ask(user, "POST", "/mesh/v1/config", body.dump());
    }
    // Somebody else's, which is in the log before what is asked for next.
    void before(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, now.mono + 1s, [](const Result<cluster::Applied>&) {});
    }
    const nlohmann::json pivot = nlohmann::json::parse(R"({"kind":"pivot","type":"chassis","keys":{"speed":{"type":"integer","maximum":9}}})");
    const nlohmann::json component = nlohmann::json::parse(R"({"kind":"component","connector":"sled1","type":"chassis","values":{"speed":3}})");
};

TEST_F(ConfigurationResourcesTest, VersionsGoUpAndThoseBeforeAreShown)
{
    Asked made = upload("boss", pivot);
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(made.body, nlohmann::json::parse(R"({"tenant":"acme","kind":"pivot","name":"1.chassis","version":1})"));
    EXPECT_EQ(upload("boss", component).status, 201);
    EXPECT_EQ(upload("boss", component).status, 200) << "it says that already";
    nlohmann::json other = component;
    other["values"]["speed"] = 4;
    EXPECT_EQ(upload("root", other, "acme").body["version"], 2);
    const Asked shown = get("boss", "/mesh/v1/config/acme:component:sled1");
    EXPECT_EQ(shown.body["document"], other);
    EXPECT_EQ(shown.body["by"], "root");
    EXPECT_EQ(shown.body["history"].size(), 1U);
    EXPECT_EQ(shown.body["history"][0]["document"], component);
    EXPECT_EQ(shown.body["acknowledged"]["state"], "unknown");
    EXPECT_EQ(get("boss", "/mesh/v1/config").body["documents"].size(), 2U);
    EXPECT_EQ(upload("boss", component, "acme", 1).status, 409) << "somebody was faster";
    EXPECT_EQ(upload("boss", component, "acme", 2).body["version"], 3);
}

TEST_F(ConfigurationResourcesTest, WhatIsAgainstThePivotIsRefusedWithItsPlace)
{
    EXPECT_EQ(upload("boss", component).status, 404) << "there is no pivot";
    upload("boss", pivot);
    nlohmann::json wrong = component;
    wrong["values"]["speed"] = 10;
    const Asked refused = upload("boss", wrong);
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.text.find("t /values/speed: expected at most 9"), std::string::npos) << refused.text;
    wrong = component;
    wrong["connector"] = "nobody";
    EXPECT_EQ(upload("boss", wrong).status, 404);
    EXPECT_EQ(upload("root", pivot).status, 400) << "of which tenant?";
    EXPECT_EQ(upload("root", pivot, "nowhere").status, 404);
    EXPECT_EQ(get("boss", "/mesh/v1/config").body["documents"].size(), 1U);
}

TEST_F(ConfigurationResourcesTest, WhereThereIsOneTenantOnlyItNeedNotBeNamed)
{
    tenants::Registry registry;
    ASSERT_TRUE(registry.addTenant("acme").ok());
    ASSERT_TRUE(registry.put({"acme", "sled1", std::string(39, '0') + "1", "AAA", "", ""}).ok());
    satellites.setRegistry(registry);
    const Asked made = upload("root", pivot);
    EXPECT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(made.body["tenant"], "acme");
}

TEST_F(ConfigurationResourcesTest, AForeignTenantSeesAndDoesNothing)
{
    upload("root", pivot, "beta");
    EXPECT_EQ(get("boss", "/mesh/v1/config").body["documents"].size(), 0U);
    EXPECT_EQ(get("boss", "/mesh/v1/config/beta:pivot:1.chassis").status, 404);
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/beta:pivot:1.chassis").status, 404);
    EXPECT_EQ(get("boss", "/mesh/v1/config/nowhere:pivot:1.chassis").status, 404);
    const auto refusal = [this](const std::string& tenant) {
        const Asked refused = upload("boss", pivot, tenant);
        return std::to_string(refused.status) + " " + refused.body["error"]["message"].get<std::string>();
    };
    EXPECT_EQ(refusal("beta"), "404 There is no tenant beta.");
    EXPECT_EQ(refusal("nowhere"), "404 There is no tenant nowhere.") << "as if it were not there";
    EXPECT_EQ(upload("op", pivot).status, 403);
    EXPECT_EQ(get("reader", "/mesh/v1/config").status, 403);
    upload("boss", pivot);
    nlohmann::json foreign = component;
    foreign["connector"] = "sled2";
    EXPECT_EQ(upload("boss", foreign).status, 404) << "beta's connector";
}

TEST_F(ConfigurationResourcesTest, WhatChangesBeforeTheUploadIsInTheLogIsCheckedAgainst)
{
    ASSERT_EQ(upload("boss", pivot).status, 201);
    const cluster::DocumentName name{cluster::DocumentKind::pivot, "acme", "1.chassis"};
    before(cluster::RemoveDocument{name, cluster::anyRevision});
    EXPECT_EQ(upload("boss", component).status, 404) << "its pivot went while the upload was under way";
    upload("boss", pivot);
    before(cluster::PutVersion{name, 1, R"({"keys":{"speed":{"maximum":2}},"kind":"pivot","type":"chassis"})", "other"});
    const Asked refused = upload("boss", component);
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.text.find("expected at most 2"), std::string::npos) << refused.text;
    EXPECT_EQ(get("boss", "/mesh/v1/config").body["documents"].size(), 1U);
}

TEST_F(ConfigurationResourcesTest, WhatDoesNotConcernItIsNoConflict)
{
    upload("boss", pivot);
    before(cluster::PutVersion{{cluster::DocumentKind::pivot, "acme", "1.fan"}, 0, R"({"kind":"pivot","type":"fan"})", "other"});
    EXPECT_EQ(upload("boss", component).status, 201);
    before(cluster::RemoveDocument{{cluster::DocumentKind::pivot, "acme", "1.fan"}, cluster::anyRevision});
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/acme:component:sled1").status, 204);
}

TEST_F(ConfigurationResourcesTest, OfTwoWhoUploadTheSameAtOnceOneIsRefused)
{
    upload("boss", pivot);
    before(cluster::PutVersion{{cluster::DocumentKind::component, "acme", "sled1"}, 0, component.dump(), "other"});
    nlohmann::json mine = component;
    mine["values"]["speed"] = 4;
    EXPECT_EQ(upload("boss", mine).status, 409);
    EXPECT_EQ(get("boss", "/mesh/v1/config/acme:component:sled1").body["document"], component);
}

TEST_F(ConfigurationResourcesTest, WhatComesToBeNeededMeanwhileIsNotRemoved)
{
    upload("boss", pivot);
    before(cluster::PutVersion{{cluster::DocumentKind::component, "acme", "sled1"}, 0, component.dump(), "other"});
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/acme:pivot:1.chassis").status, 409);
    EXPECT_EQ(get("boss", "/mesh/v1/config/acme:pivot:1.chassis").status, 200);
}

TEST_F(ConfigurationResourcesTest, ATenantWithoutRoomIsToldTheSizes)
{
    change(cluster::PutTenant{"acme"});
    for (int i = 0; i < 16; ++i) {
        change(cluster::PutDocument{{cluster::DocumentKind::secret, "acme", "s" + std::to_string(i)}, cluster::anyRevision, std::string(8175, 'x')});
    }
    const Asked refused = upload("boss", pivot);
    EXPECT_EQ(refused.status, 409) << refused.text;
    EXPECT_NE(refused.text.find("131072"), std::string::npos) << refused.text;
}

TEST_F(ConfigurationResourcesTest, WhatIsNeededStays)
{
    upload("boss", pivot);
    upload("boss", component);
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/acme:pivot:1.chassis").status, 409);
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/acme:component:sled1").status, 204);
    EXPECT_EQ(ask("boss", "DELETE", "/mesh/v1/config/acme:pivot:1.chassis").status, 204);
    EXPECT_EQ(get("boss", "/mesh/v1/config").body["documents"].size(), 0U);
    EXPECT_EQ(get("boss", "/mesh/v1/config/acme:secret:x").status, 404);
}

}  // namespace
}  // namespace mesh::aggregator
