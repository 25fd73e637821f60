#include "aggregator/core/cluster_keeper.hpp"

#include "aggregator/core/tests/fake_members.hpp"
#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

cluster::Node nodeOf(std::uint64_t id, const std::string& name)
{
    cluster::Node node;
    node.id = id;
    node.name = name;
    node.key = keyOf(static_cast<char>('0' + id));
    node.peerEndpoint = "tcp://127.0.0.1:" + std::to_string(id);
    node.featureLevel = cluster::clusterFeatureLevel;
    return node;
}

class ClusterKeeperTest : public testing::Test {
protected:
    KeeperSettings settingsOf(std::vector<cluster::Node> founders)
    {
        KeeperSettings settings;
        settings.self = founders.front();
        settings.self.storage = "0123";
        settings.self.featureLevel = cluster::newestFeatureLevel;
        settings.founders = std::move(founders);
        return settings;
    }

    // Lets the keeper and the engine act until neither has anything to do.
    void settle(ClusterKeeper& keeper)
    {
        for (int turn = 0; turn < 100; ++turn) {
            keeper.onTimer(now);
            if (engine.pump(now.mono) == 0 && keeper.nextDeadline() > now.mono) {
                return;
            }
        }
        FAIL() << "it never comes to rest: " << keeper.lastFailure();
    }

    void setMembers(std::vector<cluster::Member> all)
    {
        cluster::EngineStatus status = engine.status();
        status.members = std::move(all);
        engine.setStatus(status);
    }

    cluster::Applied propose(cluster::Operation operation)
    {
        cluster::Applied out;
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [&out](const Result<cluster::Applied>& applied) { out = *applied; });
        engine.pump(now.mono);
        return out;
    }

    Now now{Instant{} + 100s, WallTime{} + 24h * 20000};
    SeededRng rng{3};
    cluster::MemoryEngine engine;
    FakeMembers members;
};

TEST_F(ClusterKeeperTest, AWitnessFoundsNothingSinceItHasNoAccountsToTakeOver)
{
    KeeperSettings settings = settingsOf({nodeOf(1, "w"), nodeOf(2, "b")});
    settings.self.witness = true;
    ClusterKeeper keeper(settings, engine, members, rng);
    settle(keeper);
    EXPECT_FALSE(keeper.isFounded());
    EXPECT_TRUE(engine.state().nodes.empty());
}

TEST_F(ClusterKeeperTest, AWitnessRegistersAsOneAndForgetsTheEndpointsThatItHadAsAnAggregator)
{
    {
        ClusterKeeper before(settingsOf({nodeOf(1, "a"), nodeOf(2, "b")}), engine, members, rng);
        settle(before);
    }
    KeeperSettings settings = settingsOf({nodeOf(1, "a")});
    settings.self.witness = true;
    settings.self.peerEndpoint.clear();
    cluster::Node known = *cluster::findNode(engine.state(), 1);
    known.meshEndpoint = "tcp://127.0.0.1:9";
    propose(cluster::PutNode{known});
    ClusterKeeper keeper(settings, engine, members, rng);
    settle(keeper);
    const cluster::Node* told = cluster::findNode(engine.state(), 1);
    EXPECT_TRUE(told->witness);
    EXPECT_EQ(told->meshEndpoint, "");
    EXPECT_EQ(told->peerEndpoint, "tcp://127.0.0.1:1");
}

TEST_F(ClusterKeeperTest, ANodeTellsItsSealingKeyOnceAllCanKnowIt)
{
    setMembers({{1, "a", "", true}, {2, "b", "", true}});
    KeeperSettings settings = settingsOf({nodeOf(1, "a"), nodeOf(2, "b")});
    settings.self.sealingKey = std::string(32, 'k');
    ClusterKeeper keeper(settings, engine, members, rng);
    settle(keeper);
    EXPECT_LT(engine.state().featureLevel, cluster::sealedSourcesFeatureLevel) << "b is of an older program";
    EXPECT_EQ(cluster::findNode(engine.state(), 1)->sealingKey, "");
    cluster::Node other = *cluster::findNode(engine.state(), 2);
    other.featureLevel = cluster::newestFeatureLevel;
    propose(cluster::PutNode{other});
    keeper.wake();
    settle(keeper);
    EXPECT_EQ(cluster::findNode(engine.state(), 1)->sealingKey, settings.self.sealingKey);
}

TEST_F(ClusterKeeperTest, AFirstPrimaryRegistersTheFoundersAndLastGivesTheServiceItsUuid)
{
    setMembers({{1, "agg-a", "", true}, {2, "agg-b", "", true}});
    ClusterKeeper keeper(settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b")}), engine, members, rng);
    EXPECT_FALSE(keeper.isFounded());
    settle(keeper);
    EXPECT_TRUE(keeper.isFounded()) << keeper.lastFailure();
    ASSERT_EQ(engine.state().nodes.size(), 2u);
    EXPECT_EQ(cluster::findNode(engine.state(), 1)->storage, "0123");
    EXPECT_EQ(cluster::findNode(engine.state(), 2)->name, "agg-b");
    EXPECT_EQ(members.asked, std::vector<std::string>{});
}

TEST_F(ClusterKeeperTest, WhatASingleNodeHadIsTakenOverWithItsIds)
{
    cluster::MemoryEngine before;
    const auto had = [&](cluster::Operation operation) {
        before.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [](const Result<cluster::Applied>& applied) { ASSERT_TRUE(applied && applied->ok()); });
        before.pump(now.mono);
    };
    had(cluster::SetServiceUuid{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"});
    had(cluster::CreateAccount{"gone", "$argon2id$x", "ReadOnly", "", true, false});
    had(cluster::CreateAccount{"admin", "$argon2id$y", "Administrator", "", true, false});
    had(cluster::DeleteAccount{"1", cluster::anyRevision});
    had(cluster::AssignPrefix{"acme", "sled07", "5B247A", "aaaa", ""});
    had(cluster::PutProperty{"/redfish/v1/SessionService", cluster::anyRevision, "{}"});
    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a")});
    settings.inherited = before.state();

    setMembers({{1, "agg-a", "", true}});
    ClusterKeeper keeper(settings, engine, members, rng);
    settle(keeper);
    const cluster::State& state = engine.state();
    EXPECT_EQ(state.serviceUuid, "7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10");
    ASSERT_NE(cluster::findAccount(state, "2"), nullptr);
    EXPECT_EQ(cluster::findAccount(state, "2")->passwordHash, "$argon2id$y");
    ASSERT_NE(cluster::findPrefix(state, "acme", "sled07"), nullptr);
    EXPECT_EQ(cluster::findPrefix(state, "acme", "sled07")->prefix, "5B247A");
    EXPECT_NE(cluster::findProperty(state, "/redfish/v1/SessionService"), nullptr);
}

TEST_F(ClusterKeeperTest, AccountsThatComeAfterTheFoundingAreTakenWhereThereHaveNeverBeenAny)
{
    setMembers({{1, "agg-a", "", true}});
    ClusterKeeper first(settingsOf({nodeOf(1, "agg-a")}), engine, members, rng);
    settle(first);
    ASSERT_TRUE(first.isFounded());
    EXPECT_EQ(judgeAccounts(engine.state(), std::nullopt), GivenAccounts::missing);

    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a")});
    settings.inherited.emplace();
    for (const std::string id : {"1", "2"}) {
        cluster::Account account;
        account.id = id;
        account.userName = "admin" + id;
        account.passwordHash = "$argon2id$y";
        account.roleId = "Administrator";
        settings.inherited->accounts[id] = account;
    }
    cluster::EngineStatus status = engine.status();
    const cluster::EngineStatus asPrimary = status;
    status.role = cluster::NodeRole::follower;
    status.leader = 2;
    engine.setStatus(status);
    EXPECT_EQ(judgeAccounts(engine.state(), settings.inherited), GivenAccounts::pending);
    ClusterKeeper standby(settings, engine, members, rng);
    settle(standby);
    EXPECT_TRUE(engine.state().accounts.empty());

    engine.setStatus(asPrimary);
    ClusterKeeper second(settings, engine, members, rng);
    settle(second);
    ASSERT_EQ(engine.state().accounts.size(), 2u);
    EXPECT_EQ(cluster::findAccount(engine.state(), "2")->userName, "admin2");

    EXPECT_EQ(judgeAccounts(engine.state(), settings.inherited), GivenAccounts::taken);
    EXPECT_EQ(judgeAccounts(engine.state(), std::nullopt), GivenAccounts::taken);
    cluster::State others = *settings.inherited;
    for (auto& [id, account] : others.accounts) {
        account.userName += "x";
    }
    EXPECT_EQ(judgeAccounts(engine.state(), others), GivenAccounts::superseded);
    propose(cluster::DeleteAccount{"2", cluster::anyRevision});
    EXPECT_EQ(judgeAccounts(engine.state(), settings.inherited), GivenAccounts::pending);
    ClusterKeeper third(settings, engine, members, rng);
    settle(third);
    EXPECT_EQ(engine.state().accounts.size(), 1u) << "what was removed does not come back";
}

TEST_F(ClusterKeeperTest, AStandbyFoundsNothing)
{
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    status.leader = 2;
    engine.setStatus(status);
    ClusterKeeper keeper(settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b")}), engine, members, rng);
    settle(keeper);
    EXPECT_FALSE(keeper.isFounded());
    EXPECT_EQ(engine.state().revision, 0u);
}

TEST_F(ClusterKeeperTest, ARegisteredNodeBecomesASpareThenAVoterAndARemovedOneLeaves)
{
    setMembers({{1, "agg-a", "", true}});
    ClusterKeeper keeper(settingsOf({nodeOf(1, "agg-a")}), engine, members, rng);
    settle(keeper);
    cluster::Node fresh = nodeOf(0, "agg-d");
    fresh.key = keyOf('9');
    fresh.featureLevel = cluster::newestFeatureLevel;
    const std::string id = propose(cluster::PutNode{fresh}).value;
    keeper.wake();
    settle(keeper);
    ASSERT_EQ(members.asked, std::vector<std::string>{"add " + id + " agg-d"});

    setMembers({{1, "agg-a", "", true}, {std::stoull(id), "agg-d", "", false}});
    members.finish();
    settle(keeper);
    ASSERT_EQ(members.asked.back(), "voter " + id);
    members.finish(Error{Code::unavailable, "it does not answer"});
    settle(keeper);
    EXPECT_EQ(members.asked.size(), 2u) << "it is not asked again at once";
    EXPECT_NE(keeper.lastFailure().find("agg-d"), std::string::npos);
    now.mono += limits::keeperRetry;
    settle(keeper);
    EXPECT_EQ(members.asked.size(), 3u);

    setMembers({{1, "agg-a", "", true}, {std::stoull(id), "agg-d", "", true}});
    members.finish();
    propose(cluster::RemoveNode{std::stoull(id)});
    keeper.wake();
    settle(keeper);
    EXPECT_EQ(members.asked.back(), "remove " + id);
}

TEST_F(ClusterKeeperTest, APrimaryThatIsRemovedHandsOver)
{
    setMembers({{1, "agg-a", "", true}, {2, "agg-b", "", true}});
    ClusterKeeper keeper(settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b")}), engine, members, rng);
    settle(keeper);
    propose(cluster::RemoveNode{1});
    keeper.wake();
    settle(keeper);
    EXPECT_EQ(members.asked, std::vector<std::string>{"transfer 0"});
}

TEST_F(ClusterKeeperTest, ARecoveredNodeBeginsAGenerationAndForgetsTheOthers)
{
    setMembers({{1, "agg-a", "", true}, {2, "agg-b", "", true}});
    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b")});
    ClusterKeeper first(settings, engine, members, rng);
    settle(first);
    setMembers({{1, "agg-a", "", true}});
    settings.recovered = true;
    ClusterKeeper again(settings, engine, members, rng);
    settle(again);
    EXPECT_GT(engine.state().generation, 1u);
    EXPECT_EQ(engine.state().nodes.size(), 1u);
    EXPECT_TRUE(again.hasRecovered());
    EXPECT_EQ(members.asked, std::vector<std::string>{}) << "the lost node is not added again";
}

TEST_F(ClusterKeeperTest, ARecoveredNodeKeepsThoseWhoJoinItAlsoUnderTheNamesOfTheLost)
{
    setMembers({{1, "agg-a", "", true}, {2, "agg-b", "", true}, {3, "agg-c", "", true}});
    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b"), nodeOf(3, "agg-c")});
    ClusterKeeper first(settings, engine, members, rng);
    settle(first);
    setMembers({{1, "agg-a", "", true}});
    settings.recovered = true;
    ClusterKeeper again(settings, engine, members, rng);
    EXPECT_TRUE(again.isRecovering());
    settle(again);
    EXPECT_FALSE(again.isRecovering());
    const std::uint64_t generation = engine.state().generation;
    for (const auto& [name, key] : {std::pair("agg-b", keyOf('2')), std::pair("agg-d", keyOf('9'))}) {
        cluster::Node joiner = nodeOf(1, name);
        joiner.id = 0;
        joiner.key = key;
        joiner.featureLevel = cluster::newestFeatureLevel;
        const cluster::Applied taken = propose(cluster::PutNode{joiner});
        ASSERT_TRUE(taken.ok()) << taken.error.message;
        again.wake();
        settle(again);
        ASSERT_NE(cluster::findNodeByName(engine.state(), name), nullptr) << name << " was thrown out";
        EXPECT_EQ(members.asked.back(), "add " + taken.value + " " + name);
        std::vector<cluster::Member> all = engine.status().members;
        all.push_back({std::stoull(taken.value), name, "", true});
        setMembers(all);
        members.finish();
        settle(again);
    }
    EXPECT_EQ(engine.state().generation, generation);
    EXPECT_EQ(engine.state().nodes.size(), 3u);
}

TEST_F(ClusterKeeperTest, OneWhoWasAloneIsRecoveredWithTheNewGeneration)
{
    setMembers({{1, "agg-a", "", true}});
    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a")});
    ClusterKeeper first(settings, engine, members, rng);
    settle(first);
    EXPECT_FALSE(first.isRecovering());
    settings.recovered = true;
    ClusterKeeper again(settings, engine, members, rng);
    settle(again);
    EXPECT_TRUE(again.hasRecovered());
}

TEST_F(ClusterKeeperTest, ANodeSaysAnewWhatHasChangedAndDoesNotComeBackOnceRemoved)
{
    setMembers({{1, "agg-a", "", true}, {2, "agg-b", "", true}});
    KeeperSettings settings = settingsOf({nodeOf(1, "agg-a"), nodeOf(2, "agg-b")});
    ClusterKeeper first(settings, engine, members, rng);
    settle(first);
    settings.self.software = "9.0";
    settings.self.peerEndpoint.clear();
    ClusterKeeper again(settings, engine, members, rng);
    settle(again);
    ASSERT_NE(cluster::findNode(engine.state(), 1), nullptr);
    EXPECT_EQ(cluster::findNode(engine.state(), 1)->software, "9.0");
    EXPECT_EQ(cluster::findNode(engine.state(), 1)->peerEndpoint, "tcp://127.0.0.1:1");
    propose(cluster::RemoveNode{1});
    again.wake();
    settle(again);
    EXPECT_EQ(cluster::findNode(engine.state(), 1), nullptr);
}

}  // namespace
}  // namespace mesh::aggregator
