#include "aggregator/core/command_policies.hpp"
#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

struct PolicyResourcesTest : Resources {
    PolicyResourcesTest() { change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel}); }
    Asked grant(const std::string& user, const std::string& tenant, const std::string& target = "sled2")
    {
        const nlohmann::json body{{"tenant", tenant}, {"sender", "sled1"}, {"command", "power.cycle"}, {"target", target}};
        return ask(user, "POST", "/mesh/v1/policies", body.dump());
    }
    bool may(const std::string& tenant, const std::string& target = "sled2")
    {
        return policyOf(engine.state()).mayCommand(tenant, "sled1", "power.cycle", tenant, target);
    }
};

TEST_F(PolicyResourcesTest, AGrantIsOfOneTenantSenderCommandAndTarget)
{
    EXPECT_EQ(grant("root", "acme").status, 201);
    EXPECT_EQ(grant("root", "acme").status, 201) << "granted twice is granted once";
    EXPECT_EQ(grant("root", "acme", "sled3").status, 201);
    EXPECT_TRUE(may("acme"));
    EXPECT_TRUE(may("acme", "sled3"));
    EXPECT_FALSE(may("beta"));
    EXPECT_FALSE(policyOf(engine.state()).mayCommand("acme", "sled2", "power.cycle", "acme", "sled1"));
    EXPECT_EQ(get("root", "/mesh/v1/policies").body["policies"].size(), 2U);
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/policies/acme:sled1:power.cycle:sled2").status, 204);
    EXPECT_FALSE(may("acme"));
    EXPECT_TRUE(may("acme", "sled3"));
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/policies/acme:sled1:power.cycle:sled2").status, 404);
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/policies/acme").status, 404);
}

TEST_F(PolicyResourcesTest, WhatWasGrantedBesideTheFileEndsWhenTheClusterTakesTheTenantIn)
{
    EXPECT_EQ(grant("root", "acme").status, 201);
    EXPECT_EQ(grant("root", "beta").status, 201);
    ASSERT_TRUE(change(cluster::PutTenant{"acme"}).ok());
    EXPECT_FALSE(may("acme")) << "it is granted anew, or not";
    EXPECT_TRUE(may("beta"));
    EXPECT_EQ(grant("root", "acme").status, 201);
    EXPECT_TRUE(may("acme"));
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/policies/acme:sled1:power.cycle:sled2").status, 204);
    EXPECT_FALSE(may("acme")) << "what stood beside the file does not come back";
    EXPECT_EQ(get("root", "/mesh/v1/policies").body["policies"].size(), 1U);
}

TEST_F(PolicyResourcesTest, OnlyWhoRunsTheSystemGrantsAndOnlyWhatIsOne)
{
    EXPECT_EQ(grant("boss", "acme").status, 403);
    EXPECT_EQ(grant("root", "nowhere").status, 404);
    EXPECT_EQ(grant("root", "acme", "sled 2").status, 400);
    EXPECT_FALSE(may("acme"));
}

TEST_F(PolicyResourcesTest, WhereTheClusterKnowsTheTenantItsPolicyGoesWithIt)
{
    ASSERT_TRUE(change(cluster::PutTenant{"acme"}).ok());
    EXPECT_EQ(grant("root", "acme").status, 201);
    EXPECT_TRUE(may("acme"));
    ASSERT_TRUE(change(cluster::PutDocument{{cluster::DocumentKind::policy, "acme", "commands"}, cluster::anyRevision, "a\nx y z w\n\n b  c d"}).ok());
    EXPECT_TRUE(policyOf(engine.state()).mayCommand("acme", "x", "y", "acme", "z"));
    EXPECT_TRUE(policyOf(engine.state()).mayCommand("acme", "b", "c", "acme", "d"));
}

}  // namespace
}  // namespace mesh::aggregator
