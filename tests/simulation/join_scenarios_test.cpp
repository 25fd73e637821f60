// Who belongs to the mesh: joining, being refused, leaving.
#include "connector/core/enroller.hpp"
#include "cluster/core/enrolments.hpp"
#include "shoset/base/limits.hpp"
#include "tests/simulation/stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace mesh::simulation {
namespace {

const std::vector<std::string> threeNodes{"agg-a", "agg-b", "agg-c"};

// They start in this order, half a second apart.
void expectToConverge(const std::vector<std::string>& names, const Stage::Ways& ways, const std::vector<std::string>& order)
{
    Stage stage(names, {{"acme", "s1", "A1"}});
    stage.leaveOnly(ways);
    for (const std::string& each : order) {
        each == "acme/s1" ? stage.satellite(each).start() : stage.startNode(each);
        stage.pass(500ms);
    }
    std::string text;
    for (const std::string& each : order) {
        text += each + " ";
    }
    EXPECT_TRUE(stage.until([&stage] { return stage.isWhole(); }, 20s)) << text;
    EXPECT_TRUE(stage.until([&] { return stage.serves(names.front(), "A1"); })) << text;
    EXPECT_EQ(stage.world.failure(), "") << text;
}

TEST(MessageScenarios, AChainOfJoinsConvergesInAnyStartOrder)
{
    const std::vector<std::string> names{"agg-a", "agg-b", "agg-c", "agg-d"};
    const Stage::Ways chain{{"agg-a", "agg-b"}, {"agg-b", "agg-c"}, {"agg-c", "agg-d"}, {"agg-d", "acme/s1"}};
    std::vector<std::string> order{"acme/s1", "agg-a", "agg-b", "agg-c", "agg-d"};
    do {
        expectToConverge(names, chain, order);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MessageScenarios, ATreeOfJoinsConvergesInAnyStartOrder)
{
    const std::vector<std::string> names{"agg-a", "agg-b", "agg-c", "agg-d", "agg-e", "agg-f", "agg-g"};
    const Stage::Ways tree{{"agg-a", "agg-b"}, {"agg-a", "agg-c"}, {"agg-b", "agg-d"},  {"agg-b", "agg-e"},
                           {"agg-c", "agg-f"}, {"agg-c", "agg-g"}, {"agg-b", "acme/s1"}};
    SeededRng rng(7);
    std::vector<std::string> order = names;
    order.push_back("acme/s1");
    for (int i = 0; i < 40; ++i) {
        for (std::size_t left = order.size(); left > 1; --left) {
            std::swap(order[left - 1], order[rng.below(left)]);
        }
        expectToConverge(names, tree, order);
    }
}

TEST(MessageScenarios, AWrongLogicalNameIsRefusedAndTheListenerLivesOn)
{
    Stage stage(threeNodes, {{"acme", "s1", "A1"}, {"acme", "s2", "A2"}});
    stage.satellite("acme/s1").claimName("s2");
    for (const std::string& name : threeNodes) {
        stage.startNode(name);
    }
    stage.satellite("acme/s1").start();
    const auto refused = [&stage](const std::string& name) { return stage.node(name).running().mesh().linkCounters().refusals; };
    ASSERT_TRUE(stage.until([&] { return std::all_of(threeNodes.begin(), threeNodes.end(), [&](const auto& name) { return refused(name) > 1; }); }))
        << "it goes on trying, and is refused each time";
    EXPECT_FALSE(stage.satellite("acme/s1").connector().isLinked());
    stage.satellite("acme/s2").start();
    EXPECT_TRUE(stage.until([&] { return stage.satellite("acme/s2").connector().linksUp() == threeNodes.size(); }));
    for (const std::string& name : threeNodes) {
        EXPECT_FALSE(stage.node(name).running().mesh().isReachable("acme/s1")) << name;
        EXPECT_TRUE(stage.until([&] { return stage.serves(name, "A2"); })) << name;
    }
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, EveryConnectorReachesEveryAggregatorAndLearnsItsPeers)
{
    const std::vector<StagePlace> places{{"acme", "s1", "A1"}, {"acme", "s2", "A2"}, {"zeta", "s1", "Z1"}};
    Stage stage(threeNodes, places, {"agg-b"});
    stage.startAll();
    EXPECT_TRUE(stage.until([&] { return stage.isWhole(); }));
    for (const StagePlace& place : places) {
        const SimSatellite& satellite = stage.satellite(shoset::connectorAddress(place.tenant, place.name));
        EXPECT_TRUE(stage.until([&] { return satellite.connector().linksUp() == threeNodes.size(); })) << place.tenant << place.name;
        EXPECT_TRUE(satellite.connector().knowsList());
        for (const std::string& name : threeNodes) {
            EXPECT_TRUE(stage.node(name).running().mesh().hasDirectLink(satellite.processName())) << name;
        }
    }
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, ByeRemovesAMemberFromEveryTableAndARestartDoesNotRedialIt)
{
    Stage stage(threeNodes, {{"acme", "s1", "A1"}, {"acme", "s2", "A2"}}, {"agg-a"});
    SimSatellite& s1 = stage.satellite("acme/s1");
    stage.startAll();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && s1.connector().linksUp() == threeNodes.size(); }));

    stage.satellite("acme/s2").stop();
    stage.node("agg-c").stop();
    stage.pass(200ms);  // sooner than it would be missed
    for (const std::string name : {"agg-a", "agg-b"}) {
        const aggregator::Mesh& mesh = stage.node(name).running().mesh();
        EXPECT_TRUE(mesh.hasLeft("agg-c")) << name;
        EXPECT_FALSE(mesh.isReachable("agg-c")) << name;
        EXPECT_FALSE(mesh.isReachable("acme/s2")) << name;
        EXPECT_TRUE(mesh.isReachable("acme/s1")) << name;
    }
    EXPECT_EQ(s1.connector().linksUp(), 2U);

    stage.pass(5s);  // there is a primary again, if that was the one
    const Result<cluster::Applied> removed = stage.propose(cluster::RemoveNode{3});
    ASSERT_TRUE(removed && removed->ok());
    ASSERT_TRUE(stage.until([&] { return s1.connector().linksDialled() == 2; })) << "what it is told is who belongs to the mesh";
    stage.pass(2s);  // its list is on disk, and the one that has left has ended
    s1.crash();
    stage.startNode("agg-c");  // so that it could be dialled
    s1.start();
    ASSERT_TRUE(stage.until([&] { return s1.connector().linksUp() == 2; }));
    stage.pass(limits::contactPatience + 5s);
    EXPECT_EQ(s1.connector().linksDialled(), 2U);
    EXPECT_FALSE(stage.node("agg-c").running().mesh().hasDirectLink("acme/s1"));
    EXPECT_EQ(stage.world.failure(), "");
}

// A BMC that asks to be taken in, over wires of its own.
class Stranger final : public connector::EnrolPort {
public:
    Stranger(Stage& on, std::string publicKey, const std::string& secret)
        : stage(on), key(std::move(publicKey)), enroller(SimAggregator::addressesOf(threeNodes), secret, *this)
    {
        enroller.start(stage.world.now());
    }
    void dial(const shoset::AggregatorAddress& address) override
    {
        asked = address.name;
        stage.world.after(1ms, [this] { enroller.onConnected(stage.world.now()); });
    }
    void send(std::string frame) override
    {
        stage.world.after(1ms, [this, frame] {
            stage.node(asked).enrol(key, frame, [this](const std::string& answer) {
                stage.world.after(1ms, [this, answer] { enroller.onFrame(answer, stage.world.now()); });
            });
        });
    }
    const Result<shoset::Enrolled>& outcome()
    {
        stage.until([this] {
            enroller.onTimer(stage.world.now());
            return enroller.outcome().has_value();
        });
        return *enroller.outcome();
    }
    // Who was asked last.
    const std::string& last() const { return asked; }

private:
    Stage& stage;
    const std::string key;
    std::string asked;
    connector::Enroller enroller;
};

TEST(MessageScenarios, AWrongOrUsedEnrolmentSecretIsRefusedAndTheListenerLivesOn)
{
    Stage stage(threeNodes, {});
    stage.startAll();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole(); }));
    SeededRng rng(3);
    const std::string secret = cluster::makeSecret(rng);
    cluster::AddEnrolment made;
    made.id = "id-1";
    made.secretHash = cluster::hashSecret(secret);
    made.tenant = "acme";
    made.name = "s9";
    made.expiresAt = stage.world.now().wall + 1h;
    ASSERT_TRUE(stage.until([&] {  // first the cluster has to be founded
        const Result<cluster::Applied> added = stage.propose(made);
        return added && added->ok();
    }));

    Stranger guesser(stage, std::string(40, 'G'), cluster::makeSecret(rng));
    EXPECT_EQ(guesser.outcome().error().code, Code::permissionDenied);
    EXPECT_EQ(guesser.last(), "agg-c") << "each of them was asked";

    Stranger rightful(stage, std::string(40, 'R'), secret);
    ASSERT_TRUE(rightful.outcome()) << rightful.outcome().error().message;
    EXPECT_EQ(rightful.outcome()->tenant + "/" + rightful.outcome()->name, "acme/s9");
    EXPECT_EQ(rightful.outcome()->aggregators.list, SimAggregator::addressesOf(threeNodes));

    Stranger thief(stage, std::string(40, 'T'), secret);
    EXPECT_FALSE(thief.outcome());
    EXPECT_EQ(thief.last(), "agg-c");
    Stranger again(stage, std::string(40, 'R'), secret);
    EXPECT_TRUE(again.outcome()) << "it is the answer that was lost, not the secret";
    EXPECT_EQ(stage.world.failure(), "");
}

}  // namespace
}  // namespace mesh::simulation
