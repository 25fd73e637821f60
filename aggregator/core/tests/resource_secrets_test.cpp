#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/sealing/sealing.hpp"

namespace mesh::aggregator {
namespace {

constexpr const char* secretsUri = "/mesh/v1/secrets";

struct SecretResourcesTest : Resources {
    SecretResourcesTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        change(cluster::PutTenant{"acme"});
    }
    nlohmann::json sealed(const std::string& name, std::uint64_t version, const std::string& tenant = "acme")
    {
        sealing::SecretToSeal secret{tenant, name, version, "the value", {{"sled1", sealing::sealingKeyOf(sled1)}}};
        return nlohmann::json::parse(sealing::envelopeText(*sealing::seal(secret, operatorSeed, rng)));
    }
    Asked put(const std::string& user, const nlohmann::json& envelope, std::uint64_t revision = 0)
    {
        nlohmann::json body{{"envelope", envelope}};
        if (revision != 0) {
            body["revision"] = revision;
        }
        const std::string id = envelope.is_object() ? envelope.value("tenant", "acme") + ":" + envelope.value("name", "db") : "acme:db";
        return ask(user, "POST", std::string(secretsUri) + "/" + id, body.dump());
    }
    std::uint64_t revisionOf(const std::string& id) { return get("root", std::string(secretsUri) + "/" + id).body.value("revision", 0ULL); }

    const sealing::Seed operatorSeed = sealing::Seed::make(rng);
    const sealing::Seed sled1 = sealing::Seed::make(rng);
};

TEST_F(SecretResourcesTest, WhatIsPutIsReadAndListedAsItWasSealed)
{
    const nlohmann::json envelope = sealed("db", 7);
    EXPECT_EQ(put("root", envelope).status, 201);
    const Asked read = get("root", "/mesh/v1/secrets/acme:db");
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.body["envelope"], envelope);
    const Asked list = get("root", secretsUri);
    ASSERT_EQ(list.body["secrets"].size(), 1U);
    EXPECT_EQ(list.body["secrets"][0]["name"], "db");
    EXPECT_EQ(list.body["secrets"][0]["version"], 7);
    EXPECT_EQ(list.body["secrets"][0]["recipients"][0]["connector"], "sled1");
    EXPECT_EQ(list.text.find(envelope["box"].get<std::string>()), std::string::npos);
    EXPECT_TRUE(list.body["connectors"].empty());
}

TEST_F(SecretResourcesTest, TheKeysThatConnectorsAnnounceAreListed)
{
    shoset::Announce said;
    said.sealingKey = sealing::sealingKeyOf(sled1);
    satellites.onAnnounce("acme/sled1", said);
    const nlohmann::json connectors = get("root", secretsUri).body["connectors"];
    ASSERT_EQ(connectors.size(), 1U);
    EXPECT_EQ(connectors[0]["tenant"], "acme");
    EXPECT_EQ(connectors[0]["name"], "sled1");
    EXPECT_EQ(connectors[0]["key"], sealing::toBase64(said.sealingKey));
}

TEST_F(SecretResourcesTest, AChangeNeedsTheRevisionThatWasReadAndTheNextVersion)
{
    ASSERT_EQ(put("root", sealed("db", 7)).status, 201);
    const std::uint64_t revision = revisionOf("acme:db");
    EXPECT_EQ(put("root", sealed("db", 8)).status, 409) << "it is not new";
    EXPECT_EQ(put("root", sealed("db", 8), revision + 1).status, 409);
    EXPECT_EQ(put("root", sealed("db", 7), revision).status, 409);
    EXPECT_EQ(put("root", sealed("db", 9), revision).status, 409);
    EXPECT_EQ(put("root", sealed("db", 8), revision).status, 201);
    EXPECT_EQ(put("root", sealed("db", 8), revision).status, 409) << "somebody else was faster";
    EXPECT_EQ(put("root", sealed("web", 8), revision).status, 409) << "it is not there";
}

TEST_F(SecretResourcesTest, OnlyWhoRunsTheSystemSeesOrChangesThem)
{
    ASSERT_EQ(put("root", sealed("db", 7)).status, 201);
    for (const std::string user : {"boss", "op", "reader"}) {
        EXPECT_EQ(put(user, sealed("web", 1)).status, 403);
        EXPECT_EQ(get(user, secretsUri).status, 403);
        EXPECT_EQ(get(user, "/mesh/v1/secrets/acme:db").status, 403);
        EXPECT_EQ(ask(user, "DELETE", "/mesh/v1/secrets/acme:db").status, 403);
    }
    EXPECT_EQ(get("", secretsUri).status, 401);
    EXPECT_EQ(get("root", "/mesh/v1/secrets/acme:db").status, 200);
}

TEST_F(SecretResourcesTest, WhatIsNoSealedSecretOrBearsNoSignatureIsRefused)
{
    nlohmann::json forged = sealed("db", 7);
    forged["version"] = 8;
    EXPECT_EQ(put("root", forged).status, 400);
    EXPECT_EQ(put("root", "the value").status, 400);
    EXPECT_EQ(put("root", nlohmann::json{{"format", 1}}).status, 400);
    EXPECT_EQ(put("root", sealed("db", 7, "beta")).status, 404) << "the cluster has no such tenant";
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/secrets/acme:db", "{}").status, 400);
    const nlohmann::json body{{"envelope", sealed("db", 7)}};
    EXPECT_EQ(ask("root", "POST", "/mesh/v1/secrets/acme:web", body.dump()).status, 400) << "sealed as another one";
    EXPECT_EQ(ask("root", "POST", secretsUri, body.dump()).status, 405);
    EXPECT_TRUE(get("root", secretsUri).body["secrets"].empty());
}

TEST_F(SecretResourcesTest, OneThatIsRemovedIsGone)
{
    ASSERT_EQ(put("root", sealed("db", 7)).status, 201);
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/secrets/acme:db").status, 204);
    EXPECT_EQ(ask("root", "DELETE", "/mesh/v1/secrets/acme:db").status, 404);
    for (const std::string id : {"acme:db", "acme", ":", "acme:", "acme:db:x"}) {
        EXPECT_EQ(get("root", "/mesh/v1/secrets/" + id).status, 404) << id;
    }
    EXPECT_EQ(put("root", sealed("db", 1)).status, 201) << "and may come again";
}

TEST_F(SecretResourcesTest, ATenantHasAtMostSoMany)
{
    for (std::size_t i = 0; i < limits::maxSecretsPerTenant; ++i) {
        ASSERT_EQ(put("root", sealed("s" + std::to_string(i), 1)).status, 201) << i;
    }
    EXPECT_EQ(put("root", sealed("more", 1)).status, 409);
    EXPECT_EQ(put("root", sealed("s0", 2), revisionOf("acme:s0")).status, 201) << "those that are there can change";
}

TEST_F(SecretResourcesTest, TheStateAndItsSnapshotHaveNothingInTheClear)
{
    ASSERT_EQ(put("root", sealed("db", 7)).status, 201);
    const std::string snapshot = engine.stateMachine().snapshot();
    EXPECT_NE(snapshot.find(R"("name":"db")"), std::string::npos);
    EXPECT_EQ(snapshot.find("the value"), std::string::npos);
    EXPECT_EQ(snapshot.find(sealing::toBase64("the value")), std::string::npos);
}

}  // namespace
}  // namespace mesh::aggregator
