#include "aggregator/core/tests/facade_resources_fixture.hpp"

#include "cluster/core/feature_level.hpp"

namespace mesh::aggregator {
namespace {

// Asked on agg-a, which is the primary of agg-a, agg-b and agg-c.
class ManagersTest : public Resources {
protected:
    ManagersTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        cluster::EngineStatus status{cluster::NodeRole::primary, 4, 1, 1, {}, {}};
        for (const std::string name : {"agg-a", "agg-b", "agg-c"}) {
            cluster::Node one;
            one.name = name;
            one.key = std::string(39, '0') + name.back();
            one.featureLevel = cluster::clusterFeatureLevel;
            const std::uint64_t id = std::stoull(change(cluster::PutNode{one}).value);
            status.members.push_back({id, name, "", true});
        }
        engine.setStatus(status);
        node.others = {{"agg-b", true, {}, NodeReport{"standby", 1, 4, 119, "", {"agg-a"}}}, {"agg-c", false, now.wall}};
    }
    Asked manager(const std::string& name) { return get("root", "/redfish/v1/Managers/" + name); }
};

TEST_F(ManagersTest, EachShowsWhatTheNodeSaysOfItself)
{
    const nlohmann::json self = manager("agg-a").body;
    EXPECT_EQ(self["Status"], (nlohmann::json{{"State", "Enabled"}, {"Health", "OK"}}));
    EXPECT_EQ(self["Oem"]["Bmcmesh"]["Role"], "primary");
    EXPECT_EQ(self["Oem"]["Bmcmesh"]["Applied"], 120);
    const nlohmann::json other = manager("agg-b").body;
    EXPECT_EQ(other["Status"], (nlohmann::json{{"State", "StandbySpare"}, {"Health", "OK"}}));
    EXPECT_EQ(other["Oem"]["Bmcmesh"], (nlohmann::json{{"@odata.type", "#BmcmeshManager.v1_0_0.Manager"},
                                                       {"Role", "standby"},
                                                       {"Generation", 1},
                                                       {"Term", 4},
                                                       {"Applied", 119},
                                                       {"NotReady", ""},
                                                       {"Peers", {{{"@odata.id", "/redfish/v1/Managers/agg-a"}}}}}));
    const nlohmann::json file = get("root", "/redfish/v1/JsonSchemas/BmcmeshManager.v1_0_0").body;
    const nlohmann::json schema = get("root", file["Location"][0]["Uri"]).body["definitions"]["Manager"]["properties"];
    for (const auto& [property, value] : other["Oem"]["Bmcmesh"].items()) {
        EXPECT_TRUE(schema.contains(property)) << property;
    }
    EXPECT_EQ(schema["Applied"]["type"], "integer");
}

TEST_F(ManagersTest, OneThatCannotBeReachedIsOfflineSinceThen)
{
    const nlohmann::json lost = manager("agg-c").body;
    EXPECT_EQ(lost["Status"]["State"], "UnavailableOffline");
    EXPECT_EQ(lost["Status"]["Health"], "Critical");
    ASSERT_EQ(lost["Status"]["Conditions"].size(), 1U);
    EXPECT_EQ(lost["Status"]["Conditions"][0], (nlohmann::json{{"MessageId", "Base.1.18.GeneralError"},
                                                               {"Message", "agg-a cannot reach it."},
                                                               {"Severity", "Critical"},
                                                               {"Timestamp", "2024-05-01T12:00:00Z"}}));
    EXPECT_FALSE(lost.contains("Oem"));
    const Asked forced = ask("root", "POST", "/redfish/v1/Managers/agg-a/Actions/Manager.ForceFailover",
                             R"({"NewManager":{"@odata.id":"/redfish/v1/Managers/agg-c"}})");
    EXPECT_EQ(forced.status, 400) << forced.text;
}

TEST_F(ManagersTest, OneThatIsNotReadySaysWhy)
{
    node.others[0].report->notReady = "the disk is full";
    const nlohmann::json other = manager("agg-b").body;
    EXPECT_EQ(other["Status"]["State"], "StandbySpare");
    EXPECT_EQ(other["Status"]["Health"], "Critical");
    EXPECT_EQ(other["Status"]["Conditions"][0]["Message"], "It is not ready: the disk is full");
    EXPECT_EQ(other["Oem"]["Bmcmesh"]["NotReady"], "the disk is full");
}

TEST_F(ManagersTest, TheStatusOfTheMeshHasTheSameOfAllMembers)
{
    const nlohmann::json members = get("root", "/mesh/v1/status").body["cluster"]["members"];
    ASSERT_EQ(members.size(), 3U);
    EXPECT_EQ(members[0]["role"], "primary");
    EXPECT_TRUE(members[0]["reachable"]);
    EXPECT_EQ(members[1]["applied"], 119);
    EXPECT_EQ(members[1]["peers"], nlohmann::json{"agg-a"});
    EXPECT_FALSE(members[2]["reachable"]);
    EXPECT_EQ(members[2]["unreachable_since"], "2024-05-01T12:00:00Z");
    EXPECT_FALSE(members[2].contains("role"));
}

}  // namespace
}  // namespace mesh::aggregator
