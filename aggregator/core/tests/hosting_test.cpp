#include "aggregator/core/hosting.hpp"

#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace mesh::aggregator {
namespace {

std::string paddedKey(const std::string& end)
{
    return std::string(40 - end.size(), '0') + end;
}

// A shell that answers when it is told to. What is asked of it is written down; a key is made of the assignment.
class FakePrograms final : public HostPort {
public:
    std::string sealingKey() const override { return {}; }
    Result<cluster::SealedPassword> seal(std::string_view password, const cluster::Source&, const cluster::Node& node) override
    {
        const std::string& key = node.sealingKey.empty() ? node.key : node.sealingKey;
        return cluster::SealedPassword{node.id, key + ":" + std::string(password), cluster::sealingKeyId(node)};
    }
    Result<cluster::SealedPassword> reseal(const cluster::SealedPassword& known, const cluster::Source& source,
                                           const cluster::Node& node) override
    {
        return seal(known.box.substr(known.box.find(':') + 1), source, node);
    }
    void prepare(const HostedConnector& connector, Prepared done) override
    {
        asked.push_back("prepare " + name({connector.source, connector.assignment}));
        prepared = connector;
        waiting.push_back([this, connector, done] {
            done(fails ? Result<std::string>(Error{Code::ioError, "disk full"})
                       : Result<std::string>(paddedKey(keyPrefix + std::to_string(connector.assignment))));
        });
    }
    void run(const Hosted& hosted) override { asked.push_back("run " + name(hosted)); }
    void end(const Hosted& hosted) override { asked.push_back("end " + name(hosted)); }
    void keepOnly(const std::set<Hosted>& inForce, cluster::Revision upTo) override
    {
        kept = inForce;
        keptUpTo = upTo;
    }

    static std::string name(const Hosted& hosted) { return hosted.first + "." + std::to_string(hosted.second); }
    bool answer()
    {
        if (waiting.empty()) {
            return false;
        }
        const auto next = std::move(waiting.front());
        waiting.pop_front();
        next();
        return true;
    }

    std::vector<std::string> asked;
    HostedConnector prepared;
    std::set<Hosted> kept;
    cluster::Revision keptUpTo = 0;
    std::string keyPrefix = "a";
    bool fails = false;

private:
    std::deque<std::function<void()>> waiting;
};

class HostingTest : public testing::Test {
protected:
    HostingTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        change(cluster::SetServiceUuid{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"});
        change(cluster::PutTenant{"acme"});
        for (const std::string name : {"a", "b", "c"}) {
            addNode(name);
        }
    }
    void addNode(const std::string& name)
    {
        cluster::Node node;
        node.name = name;
        node.key = paddedKey(name);
        node.peerEndpoint = "tcp://" + name + ":5671";
        node.meshEndpoint = "tcp://" + name + ":5670";
        node.featureLevel = cluster::clusterFeatureLevel;
        ASSERT_TRUE(change(cluster::PutNode{node}).ok());
        linked.insert(name);
    }
    cluster::Applied change(cluster::Operation operation)
    {
        cluster::Applied out;
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [&out](const Result<cluster::Applied>& applied) { out = *applied; });
        engine.pump(now.mono);
        return out;
    }
    void addSource(const std::string& id)
    {
        ASSERT_TRUE(change(cluster::PutSource{{id, "https://10.0.0.5", "acme", "bmc-" + id, "root", "", true,
                                               {{1, "a:pw"}, {2, "b:pw"}, {3, "c:pw"}}}})
                        .ok());
        wake();
    }
    std::unique_ptr<Hosting> hostingOf(std::uint64_t self)
    {
        return std::make_unique<Hosting>(Hosting::Environment{self, [this](const std::string& node) { return linked.contains(node); },
                                                              [this](Now) { return mayOrder; },
                                                              [this](const std::string& node) { return left.contains(node); }},
                                         engine, port, rng);
    }
    void wake()
    {
        if (hosting) {
            hosting->wake();
        }
    }
    // Until nothing happens any more at this moment.
    void settle()
    {
        for (int turn = 0; turn < 100; ++turn) {
            hosting->onTimer(now);
            const bool pumped = engine.pump(now.mono) > 0;
            if (pumped) {
                hosting->wake();
            }
            if (!port.answer() && !pumped && hosting->nextDeadline() > now.mono) {
                return;
            }
        }
        FAIL() << "it never comes to rest";
    }
    void pass(Duration time)
    {
        for (const Instant end = now.mono + time; now.mono < end;) {
            now.mono += limits::hostTick;
            settle();
        }
    }
    void asStandby()
    {
        cluster::EngineStatus status = engine.status();
        status.role = cluster::NodeRole::follower;
        status.leader = 2;
        engine.setStatus(status);
    }
    const tenants::Connector& connector(const std::string& id) { return *engine.state().registry.find("acme", "bmc-" + id); }
    std::uint64_t hostOf(const std::string& id) { return connector(id).host; }
    cluster::Applied assignByHand(const std::string& id, std::uint64_t node)
    {
        return change(cluster::AssignHost{"acme", "bmc-" + id, node, 1, 1});
    }

    Now now{Instant{} + 100s, WallTime{} + 24h * 20000};
    SeededRng rng{3};
    cluster::MemoryEngine engine;
    FakePrograms port;
    std::set<std::string> linked;
    std::set<std::string> left;
    bool mayOrder = true;
    std::unique_ptr<Hosting> hosting = hostingOf(1);
};

TEST_F(HostingTest, ThePrimarySpreadsSourcesOverLiveNodesAndRunsItsOwn)
{
    for (const char* id : {"S1", "S2", "S3", "S4"}) {
        addSource(id);
    }
    settle();
    EXPECT_EQ(hostOf("S1"), 1U);
    EXPECT_EQ(hostOf("S2"), 2U);
    EXPECT_EQ(hostOf("S3"), 3U);
    EXPECT_EQ(hostOf("S4"), 1U);
    EXPECT_EQ(hosting->assigned(), 4U);
    const std::string assignment = std::to_string(connector("S1").assignment);
    EXPECT_EQ(connector("S1").key, paddedKey("a" + assignment));
    EXPECT_EQ(hosting->running(), 2U);
    EXPECT_EQ(cluster::findSource(engine.state(), "S1")->term, engine.status().term);
    pass(60s);
    EXPECT_EQ(hosting->assigned(), 4U) << "what serves is left as it is";
}

TEST_F(HostingTest, WhatIsRunIsWhatTheClusterSays)
{
    addSource("S1");
    settle();
    const HostedConnector& ran = port.prepared;
    EXPECT_EQ(ran.source, "S1");
    EXPECT_EQ(ran.name, "bmc-S1");
    EXPECT_EQ(ran.assignment, connector("S1").assignment);
    EXPECT_EQ(ran.fence, (shoset::Fence{engine.state().generation, engine.status().term}));
    EXPECT_EQ(ran.url, "https://10.0.0.5");
    EXPECT_EQ(ran.userName, "root");
    EXPECT_TRUE(ran.insecure);
    EXPECT_EQ(ran.sealedPassword, "a:pw");
    ASSERT_EQ(ran.aggregators.size(), 3U);
    EXPECT_EQ(ran.aggregators[1], (shoset::AggregatorAddress{"b", "tcp://b:5670", paddedKey("b")}));
}

TEST_F(HostingTest, AHostThatIsGoneIsReplacedAfterAWhileAndNotBefore)
{
    addSource("S1");
    addSource("S2");
    settle();
    ASSERT_EQ(hostOf("S2"), 2U);
    const std::uint64_t before = connector("S2").assignment;
    linked.erase("b");
    pass(limits::hostPatience - 2 * limits::hostTick);
    EXPECT_EQ(hostOf("S2"), 2U);
    linked.insert("b");
    pass(limits::hostPatience);
    EXPECT_EQ(hostOf("S2"), 2U) << "it came back in time";
    linked.erase("b");
    pass(limits::hostPatience + 2 * limits::hostTick);
    EXPECT_EQ(hostOf("S2"), 3U);
    EXPECT_GT(connector("S2").assignment, before);
    EXPECT_EQ(hostOf("S1"), 1U);
    linked.insert("b");
    pass(10s);
    EXPECT_EQ(hostOf("S2"), 3U) << "it does not go back";
}

TEST_F(HostingTest, AHostThatTookItsLeaveIsReplacedAtOnce)
{
    addSource("S1");
    addSource("S2");
    settle();
    ASSERT_EQ(hostOf("S2"), 2U);
    left.insert("b");
    wake();
    settle();
    EXPECT_EQ(hostOf("S2"), 2U) << "its link is still up";
    linked.erase("b");
    wake();
    settle();
    EXPECT_EQ(hostOf("S2"), 3U);
    left.erase("b");
    linked.insert("b");
    wake();
    settle();
    EXPECT_EQ(hostOf("S2"), 3U) << "it does not go back";
}

TEST_F(HostingTest, WhereNobodyElseIsLeftTheHostStays)
{
    addSource("S1");
    addSource("S2");
    settle();
    change(cluster::RemoveNode{3, cluster::anyRevision});
    change(cluster::PutSource{{"S2", "https://10.0.0.5", "acme", "bmc-S2", "root", "", true, {{2, "b:pw"}}}});
    linked.erase("b");
    pass(30s);
    EXPECT_EQ(hostOf("S2"), 2U) << "the others cannot read its password";
    EXPECT_EQ(hosting->assigned(), 2U);
}

TEST_F(HostingTest, ARemovedNodesSourcesGoToOthersAtOnce)
{
    addSource("S1");
    addSource("S2");
    settle();
    change(cluster::RemoveNode{2, cluster::anyRevision});
    wake();
    settle();
    EXPECT_EQ(hostOf("S2"), 3U);
}

TEST_F(HostingTest, AStandbyAssignsNothingAndRunsWhatIsItsOwn)
{
    hosting = hostingOf(2);
    addSource("S1");
    assignByHand("S1", 2);
    const std::uint64_t assignment = connector("S1").assignment;
    change(cluster::RegisterHostKey{"acme", "bmc-S1", 2, assignment, paddedKey("a" + std::to_string(assignment))});
    addSource("S2");
    asStandby();
    settle();
    EXPECT_EQ(hostOf("S2"), 0U);
    EXPECT_EQ(port.asked, (std::vector<std::string>{"prepare " + FakePrograms::name({"S1", assignment}),
                                                    "run " + FakePrograms::name({"S1", assignment})}));
    EXPECT_EQ(port.kept, (std::set<Hosted>{{"S1", assignment}}));
}

TEST_F(HostingTest, WhatEndedBeforeItsStartMayGoAsSoonAsTheStateTells)
{
    addSource("S1");
    assignByHand("S1", 2);
    hosting = hostingOf(3);
    settle();
    const cluster::Revision atTheStart = port.keptUpTo;
    ASSERT_EQ(atTheStart, engine.state().revision);
    addNode("later");
    pass(limits::hostRefusalPause);
    EXPECT_GT(port.keptUpTo, atTheStart);
    EXPECT_EQ(port.keptUpTo, engine.state().revision);
}

TEST_F(HostingTest, AConnectorEndsWithItsAssignmentWithItsSourceAndWithAuthority)
{
    addSource("S1");
    settle();
    const Hosted first{"S1", connector("S1").assignment};
    mayOrder = false;
    pass(limits::hostTick);
    EXPECT_EQ(port.asked.back(), "end " + FakePrograms::name(first));
    EXPECT_EQ(port.kept, std::set<Hosted>{first}) << "it may go on later";
    mayOrder = true;
    pass(limits::hostTick);
    EXPECT_EQ(port.asked.back(), "run " + FakePrograms::name(first));
    assignByHand("S1", 2);
    wake();
    settle();
    EXPECT_EQ(port.asked.back(), "end " + FakePrograms::name(first));
    EXPECT_TRUE(port.kept.empty());
    EXPECT_EQ(hosting->running(), 0U);
    assignByHand("S1", 1);
    wake();
    settle();
    EXPECT_EQ(hosting->running(), 1U);
    change(cluster::RevokeConnector{"acme", "bmc-S1"});
    wake();
    settle();
    EXPECT_EQ(hosting->running(), 0U);
    change(cluster::RemoveSource{"S1", cluster::anyRevision});
    wake();
    settle();
    pass(limits::hostRefusalPause);  // until files are looked for once more
    EXPECT_EQ(hosting->nextDeadline(), never) << "nothing is left to watch";
}

TEST_F(HostingTest, AChangeOfTheSourceRestartsItUnderTheSameAssignment)
{
    addSource("S1");
    settle();
    const std::string name = FakePrograms::name({"S1", connector("S1").assignment});
    port.asked.clear();
    cluster::Source source = *cluster::findSource(engine.state(), "S1");
    source.hostName = "https://10.0.0.6";
    change(cluster::PutSource{source});
    wake();
    settle();
    EXPECT_EQ(port.asked, (std::vector<std::string>{"end " + name, "prepare " + name, "run " + name}));
    EXPECT_EQ(port.prepared.url, "https://10.0.0.6");
    addNode("d");
    wake();
    settle();
    EXPECT_EQ(port.asked.size(), 3U) << "it hears of new aggregators by itself";
}

TEST_F(HostingTest, FilesThatGotLostMeanANewAssignment)
{
    addSource("S1");
    settle();
    const std::uint64_t before = connector("S1").assignment;
    hosting = hostingOf(1);
    port.keyPrefix = "z";  // it was made anew
    settle();
    EXPECT_GT(connector("S1").assignment, before);
    EXPECT_EQ(hosting->running(), 1U);
}

TEST_F(HostingTest, WhatCouldNotBePreparedIsTriedAgain)
{
    port.fails = true;
    addSource("S1");
    settle();
    EXPECT_EQ(port.asked.size(), 1U);
    pass(limits::keeperRetry / 2);
    EXPECT_EQ(port.asked.size(), 1U);
    port.fails = false;
    pass(limits::keeperRetry);
    EXPECT_EQ(hosting->running(), 1U);
}

TEST_F(HostingTest, ANodeThatCameLaterGetsACopyOfThePasswordFromTheHost)
{
    addSource("S1");
    settle();
    addNode("d");
    wake();
    settle();
    EXPECT_EQ(cluster::findSource(engine.state(), "S1")->passwords.back(), (cluster::SealedPassword{4, paddedKey("d") + ":pw"}));
}

TEST_F(HostingTest, WhatIsSealedAsOlderProgramsDidIsSealedAnewOnceTheNodesHaveToldTheirKeys)
{
    addSource("S1");
    settle();
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        cluster::Node known = *cluster::findNode(engine.state(), id);
        known.featureLevel = cluster::newestFeatureLevel;
        ASSERT_TRUE(change(cluster::PutNode{known}).ok());
    }
    ASSERT_TRUE(change(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel}).ok());
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        cluster::Node known = *cluster::findNode(engine.state(), id);
        known.sealingKey = std::string(32, static_cast<char>('p' + id));
        ASSERT_TRUE(change(cluster::PutNode{known}).ok());
    }
    wake();
    settle();
    const auto sealedTo = [this](std::uint64_t id) {
        return cluster::passwordFor(*cluster::findSource(engine.state(), "S1"), *cluster::findNode(engine.state(), id));
    };
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        ASSERT_NE(sealedTo(id), nullptr);
        EXPECT_EQ(*sealedTo(id), (cluster::SealedPassword{id, std::string(32, static_cast<char>('p' + id)) + ":pw",
                                                          std::string(4, static_cast<char>('p' + id))}));
    }
    EXPECT_EQ(port.prepared.sealedTo, "qqqq") << "its connector goes on with that one";
    EXPECT_EQ(port.prepared.tenant, "acme");

    cluster::Node fresh = *cluster::findNode(engine.state(), 3);
    fresh.sealingKey = std::string(32, 'z');
    ASSERT_TRUE(change(cluster::PutNode{fresh}).ok());
    EXPECT_EQ(sealedTo(3), nullptr);
    wake();
    settle();
    ASSERT_NE(sealedTo(3), nullptr) << "a node that has lost its keys gets a copy";
    EXPECT_EQ(cluster::findSource(engine.state(), "S1")->passwords.size(), 3U);
    EXPECT_EQ(hosting->passwordsNeeded(), 0U);
}

TEST_F(HostingTest, WhereNobodyCanReadThePasswordNobodyIsTheHostAndItIsNeeded)
{
    ASSERT_TRUE(change(cluster::PutSource{{"S1", "https://10.0.0.5", "acme", "bmc-S1", "root", "", true, {}}}).ok());
    wake();
    settle();
    EXPECT_EQ(hostOf("S1"), 0U);
    EXPECT_EQ(hosting->passwordsNeeded(), 1U);
}

TEST_F(HostingTest, NothingStartsWhileNoPrimaryIsKnownNorAfterTheEnd)
{
    addSource("S1");
    assignByHand("S1", 1);
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    status.leader = 0;
    engine.setStatus(status);
    settle();
    EXPECT_TRUE(port.asked.empty());
    status.role = cluster::NodeRole::primary;
    status.leader = 1;
    engine.setStatus(status);
    wake();
    settle();
    EXPECT_EQ(hosting->running(), 1U);
    hosting->stop();
    EXPECT_EQ(port.asked.back().substr(0, 4), "end ");
    const std::size_t asked = port.asked.size();
    hosting->wake();
    hosting->onTimer(now);
    EXPECT_EQ(port.asked.size(), asked);
}

}  // namespace
}  // namespace mesh::aggregator
