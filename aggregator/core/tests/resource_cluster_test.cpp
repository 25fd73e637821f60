#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "cluster/core/backup.hpp"
#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

class ClusterResourcesTest : public Resources {
protected:
    ClusterResourcesTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        cluster::Node self;
        self.name = "agg-a";
        self.key = std::string(39, '0') + "a";
        self.featureLevel = cluster::clusterFeatureLevel;
        change(cluster::PutNode{self});
    }
    void begin() { change(cluster::SetServiceUuid{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"}); }

    const std::string backupUri = "/mesh/v1/cluster/backup";
    const std::string membersUri = "/mesh/v1/cluster/members";
    const std::string joiner = R"({"name":"agg-b","key":")" + std::string(39, '0') + R"(b","peer_endpoint":"tcp://agg-b:5671"})";
};

TEST_F(ClusterResourcesTest, ABackupIsForWhoMayConfigureManagersOfTheWholeSystem)
{
    begin();
    EXPECT_EQ(get("", backupUri).status, 401);
    for (const char* user : {"boss", "op", "reader"}) {
        const Asked refused = get(user, backupUri);
        EXPECT_EQ(refused.status, 403) << user;
        EXPECT_EQ(refused.text.find("argon2id"), std::string::npos);
    }
    EXPECT_EQ(ask("root", "POST", backupUri).status, 405);
    EXPECT_EQ(get("root", backupUri).status, 200);
}

TEST_F(ClusterResourcesTest, ABackupIsWhatTheNodeKnowsAfterItHasAskedThePrimary)
{
    begin();
    const Asked answer = get("root", backupUri);
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
    const Result<cluster::Backup> backup = cluster::readBackup(answer.text);
    ASSERT_TRUE(backup.ok()) << backup.error().message;
    EXPECT_EQ(backup->node, "agg-a");
    EXPECT_EQ(backup->created, "2024-05-01T12:00:00Z");
    EXPECT_EQ(backup->state.accounts, engine.state().accounts);
    cluster::EngineStatus alone = engine.status();
    alone.role = cluster::NodeRole::follower;
    alone.leader = 0;
    engine.setStatus(alone);
    EXPECT_EQ(get("root", backupUri).status, 503) << "what was acknowledged may be missing";
}

TEST_F(ClusterResourcesTest, OfAClusterThatHasNotBegunThereIsNoBackup)
{
    EXPECT_EQ(get("root", backupUri).status, 503);
}

TEST_F(ClusterResourcesTest, ANodeThatIsNotReadyTakesNobodyIn)
{
    begin();
    node.reason = "a new generation is being begun after a recovery";
    const Asked refused = ask("root", "POST", membersUri, joiner);
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.text.find("new generation"), std::string::npos) << refused.text;
    EXPECT_EQ(engine.state().nodes.size(), 1u);
    node.reason.clear();
    EXPECT_EQ(ask("root", "POST", membersUri, joiner).status, 201);
}

}  // namespace
}  // namespace mesh::aggregator
