#include "aggregator/core/history_places.hpp"

#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/sealing/sealing.hpp"

namespace mesh::aggregator {
namespace {

const std::string dbServer = "postgresql://mesh@db/history";

struct FakePlaces final : HistoryPlacesPort {
    void start(Secrets given, News listener) override
    {
        secrets = std::move(given);
        news = std::move(listener);
    }
    void setPlaces(std::map<std::string, WantedPlace> given) override
    {
        places = std::move(given);
        ++told;
    }
    std::vector<PlaceStatus> statuses() const override { return {{"acme", dbServer, "sqlite", "failed", "no", 0, 3, 1}}; }

    Secrets secrets;
    News news;
    std::map<std::string, WantedPlace> places;
    int told = 0;
};

struct HistoryPlacesTest : Resources {
    HistoryPlacesTest()
    {
        change(cluster::PutTenant{"acme"});
        change(cluster::PutTenant{"umbra"});
    }
    void raise()
    {
        change(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel});
        cluster::Node self;
        self.name = "agg-a";
        self.key = std::string(39, '0') + "9";
        self.featureLevel = cluster::newestFeatureLevel;
        change(cluster::PutNode{self});
        tick();
    }
    void tick()
    {
        for (int i = 0; i < 10; ++i) {
            places.wake();
            places.onTimer(now);
            engine.pump(now.mono);
        }
    }
    void setRole(cluster::NodeRole role)
    {
        cluster::EngineStatus status = engine.status();
        status.role = role;
        engine.setStatus(status);
    }
    void putSecret(const std::map<std::string, std::string>& recipients, const std::string& value = "open sesame")
    {
        sealing::SecretToSeal secret{"acme", "pg", 7, value, recipients};
        change(cluster::PutDocument{{cluster::DocumentKind::secret, "acme", "pg"}, cluster::anyRevision,
                                    sealing::envelopeText(*sealing::seal(secret, operatorSeed, rng))});
    }
    Asked put(const std::string& database, const std::string& secret = {}, const std::string& user = "root", const std::string& tenant = "acme")
    {
        nlohmann::json body{{"database", database}};
        if (!secret.empty()) {
            body["password_secret"] = secret;
        }
        return ask(user, "POST", "/mesh/v1/tenants/" + tenant + "/database", body.dump());
    }

    const sealing::Seed operatorSeed = sealing::Seed::make(rng);
    const sealing::Seed seed = sealing::Seed::make(rng);
    const std::string key = sealing::sealingKeyOf(seed);
    FakePlaces port;
    int lanes = 0;
    std::vector<std::string> noted;
    HistoryPlaces places{{"agg-a", seed, [this](Now) { ++lanes; },
                          [this](const std::string& tenant, std::string_view name, const std::string& payload, Now) {
                              noted.push_back(tenant + " " + std::string(name) + " " + payload);
                          }},
                         engine, &port, rng};
};

TEST_F(HistoryPlacesTest, EachTenantsPlaceIsToldAndThatItsLaneMayBeAnother)
{
    raise();
    EXPECT_EQ(put(dbServer).status, 204);
    EXPECT_EQ(put("sqlite:h.db", {}, "root", "umbra").status, 204);
    tick();
    EXPECT_EQ(port.places.at("acme"), (WantedPlace{dbServer, ""}));
    EXPECT_EQ(port.places.at("umbra"), (WantedPlace{"sqlite:h.db", ""}));
    EXPECT_GT(lanes, 0);
    EXPECT_EQ(put("sqlite").status, 204);
    tick();
    EXPECT_EQ(port.places.at("acme"), WantedPlace{});
    EXPECT_EQ(put("sqlite").status, 204) << "again is nothing";
}

TEST_F(HistoryPlacesTest, NothingIsToldBeforeThisNodeHasOnceCaughtUpWithTheCluster)
{
    setRole(cluster::NodeRole::follower);
    tick();
    EXPECT_EQ(port.told, 0) << "what is known here may be old, and no tenant have a place in it yet";
    setRole(cluster::NodeRole::primary);
    ASSERT_GT(places.nextDeadline(), now.mono) << "not as fast as it can";
    now.mono = places.nextDeadline();
    places.onTimer(now);
    EXPECT_EQ(port.told, 0);
    EXPECT_EQ(places.nextDeadline(), never) << "the cluster has been asked";
    engine.pump(now.mono);
    EXPECT_EQ(places.nextDeadline(), Instant{});
    places.onTimer(now);
    EXPECT_EQ(port.told, 1);
    EXPECT_EQ(port.places.size(), 2U);
    setRole(cluster::NodeRole::follower);
    places.wake();
    places.onTimer(now);
    EXPECT_EQ(port.told, 2) << "once is enough";
}

TEST_F(HistoryPlacesTest, APlaceThatIsNotUnderstoodMovesNothingAndIsToldOnce)
{
    raise();
    change(cluster::PutDocument{placeDocument("acme"), cluster::anyRevision, R"({"database":"tape:9"})"});
    tick();
    EXPECT_FALSE(port.places.contains("acme"));
    EXPECT_TRUE(port.places.contains("umbra"));
    ASSERT_EQ(noted.size(), 2U) << "of the tenant and of the system";
    EXPECT_TRUE(noted[0].starts_with("acme history_not_moved ")) << noted[0];
    EXPECT_NE(noted[0].find("stays where it is"), std::string::npos) << noted[0];
    nlohmann::json read = get("root", "/mesh/v1/tenants/acme/database").body;
    EXPECT_EQ(read["database"], "?") << "and not that of each node";
    EXPECT_EQ(read["reason"], "this node does not understand where it is to be (this is no place for history: expected sqlite, sqlite:NAME or "
                              "postgresql://USER@HOST/DATABASE): it stays where it is");
    EXPECT_EQ(put(dbServer).status, 204);
    tick();
    EXPECT_EQ(port.places.at("acme"), (WantedPlace{dbServer, ""}));
    EXPECT_EQ(noted.size(), 2U);
    read = get("root", "/mesh/v1/tenants/acme/database").body;
    EXPECT_EQ(read["database"], dbServer);
    EXPECT_FALSE(read.contains("reason"));
}

TEST_F(HistoryPlacesTest, TheKeyThatPasswordsAreSealedToIsToldToTheClusterOnce)
{
    EXPECT_TRUE(nodeKeys(engine.state()).empty());
    tick();
    EXPECT_TRUE(nodeKeys(engine.state()).empty()) << "older nodes do not know it";
    raise();
    EXPECT_EQ(nodeKeys(engine.state()), (std::map<std::string, std::string>{{"agg-a", key}}));
    const auto revision = engine.state().revision;
    tick();
    EXPECT_EQ(engine.state().revision, revision);
    const nlohmann::json listed = get("root", "/mesh/v1/secrets").body["nodes"];
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]["name"], "node:agg-a");
    EXPECT_EQ(listed[0]["key"], sealing::toBase64(key));
}

TEST_F(HistoryPlacesTest, APasswordIsReadFromASecretThatIsSealedToThisNode)
{
    raise();
    EXPECT_EQ(port.secrets("acme", "pg").error().message, "the secret acme/pg is not there");
    putSecret({{"sled1", key}});
    EXPECT_EQ(port.secrets("acme", "pg").error().message,
              "the secret acme/pg is not granted to node:agg-a: meshctl secret grant acme/pg --to node:agg-a");
    putSecret({{"node:agg-a", key}});
    EXPECT_EQ(*port.secrets("acme", "pg"), "open sesame");
    EXPECT_FALSE(port.secrets("umbra", "pg").ok()) << "another tenant's is another one";
    putSecret({{"node:agg-a", sealing::sealingKeyOf(operatorSeed)}});
    const Result<std::string> other = port.secrets("acme", "pg");
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().message.find("sesame"), std::string::npos);
}

TEST_F(HistoryPlacesTest, WhereHistoryLivesIsSaidByTheSystemsAdministratorsAlone)
{
    raise();
    for (const char* user : {"boss", "op", "reader"}) {
        EXPECT_EQ(put(dbServer, {}, user).status, 403) << user;
        EXPECT_EQ(get(user, "/mesh/v1/tenants/acme/database").status, 403) << user;
    }
    EXPECT_EQ(put(dbServer, {}, "root", "nobody").status, 404);
    EXPECT_EQ(put("sqlite:/etc/passwd").status, 400);
    EXPECT_EQ(put(dbServer + " ").status, 400);
    const Asked password = put("postgresql://mesh:word@db/history");
    EXPECT_EQ(password.status, 400);
    EXPECT_NE(password.text.find("--password-secret"), std::string::npos) << password.text;
    EXPECT_EQ(password.text.find("word@"), std::string::npos) << password.text;
    EXPECT_EQ(get("root", "/mesh/v1/tenants/acme/database").body["database"], "sqlite");
}

TEST_F(HistoryPlacesTest, ASecretIsNamedThatEveryNodeCanRead)
{
    raise();
    EXPECT_EQ(put(dbServer, "pg").status, 400);
    putSecret({{"sled1", key}});
    const Asked refused = put(dbServer, "pg");
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.text.find("not granted to node:agg-a"), std::string::npos) << refused.text;
    putSecret({{"node:agg-a", key}});
    EXPECT_EQ(put(dbServer, "pg").status, 204);
    const nlohmann::json read = get("root", "/mesh/v1/tenants/acme/database").body;
    EXPECT_EQ(read["database"], dbServer);
    EXPECT_EQ(read["password_secret"], "pg");
    EXPECT_EQ(put("sqlite", "pg").status, 400) << "a file has none";
}

TEST_F(HistoryPlacesTest, AFileCountsAmongTheDatabasesThatANodeHasOpenToo)
{
    raise();
    for (std::size_t i = 1; i < limits::maxHistoryDatabases; ++i) {
        const std::string tenant = "t" + std::to_string(i);
        change(cluster::PutTenant{tenant});
        change(cluster::PutDocument{placeDocument(tenant), cluster::anyRevision, placeText({"sqlite:h.db", ""})});
    }
    for (const std::string& place : {dbServer, std::string("sqlite:h.db")}) {
        const Asked refused = put(place);
        EXPECT_EQ(refused.status, 409) << place;
        EXPECT_NE(refused.text.find("At most 63 tenants"), std::string::npos) << refused.text;
    }
    EXPECT_EQ(put("sqlite").status, 204);
    EXPECT_EQ(put(dbServer, {}, "root", "t1").status, 204) << "one of those that have one";
}

TEST_F(HistoryPlacesTest, OlderNodesWouldNotHeedIt)
{
    EXPECT_EQ(put(dbServer).status, 409);
    node.inCluster = false;
    EXPECT_EQ(put(dbServer).status, 409);
}

TEST_F(HistoryPlacesTest, WhatFailsIsAnEventOfTheTenantAndOfTheSystem)
{
    port.news("acme", dbServer, "wrong password", now);
    port.news("acme", dbServer, "", now);
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[0], R"(acme history_not_moved {"tenant":"acme","database":"postgresql://mesh@db/history","reason":"wrong password"})");
    EXPECT_TRUE(noted[1].starts_with(" history_not_moved "));
    std::vector<Counter> counters;
    places.addMetrics(counters);
    EXPECT_EQ(counters.at(1).value, 3U);
    EXPECT_EQ(counters.at(2).value, 1U);
}

TEST_F(HistoryPlacesTest, HowFarItIsStandsInTheStatusForWhoMaySeeTheTenant)
{
    node.histories = {{"acme", dbServer, "sqlite", "copying", "", 12, 0, 0}, {"umbra", dbServer, dbServer, "settled", "", 0, 0, 1}};
    const nlohmann::json all = get("root", "/mesh/v1/status").body["history"];
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]["in_use"], "sqlite");
    EXPECT_EQ(all[0]["phase"], "copying");
    EXPECT_EQ(all[0]["copied"], 12);
    EXPECT_EQ(get("boss", "/mesh/v1/status").body["history"].size(), 1U);
}

}  // namespace
}  // namespace mesh::aggregator
