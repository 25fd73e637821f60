#include "cluster/core/codec.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Sources : public Machine {
protected:
    Sources()
    {
        raise();
        apply(PutTenant{"acme"});
        apply(PutConnector{{"acme", "agent", keyNumber(7), "", "", ""}});
        apply(PutNode{node("a", 1), anyRevision});
        apply(PutNode{node("b", 2), anyRevision});
    }
    static Source source(const std::string& id, const std::string& hostName = "https://10.0.0.5")
    {
        return {id, hostName, "acme", "bmc-" + id, "root", "", true, {{1, "for a"}, {2, "for b"}}};
    }
    Applied put(const std::string& id, const std::string& hostName = "https://10.0.0.5",
                Revision ifRevision = anyRevision)
    {
        return apply(PutSource{source(id, hostName), ifRevision});
    }
    Applied assign(std::uint64_t host, std::uint64_t term = 1, const std::string& connector = "bmc-S1")
    {
        return apply(AssignHost{"acme", connector, host, 1, term});
    }
    Applied enter(std::uint64_t host, std::uint64_t assignment, std::size_t key)
    {
        return apply(RegisterHostKey{"acme", "bmc-S1", host, assignment, keyNumber(key)});
    }
    const tenants::Connector& connector() const { return *state().registry.find("acme", "bmc-S1"); }
};

TEST_F(Sources, BringTheirConnectorWithThePrefixAndTakeItAlong)
{
    EXPECT_TRUE(put("S1").ok());
    ASSERT_NE(state().registry.findByPrefix("s1"), nullptr);
    EXPECT_TRUE(connector().agentless);
    EXPECT_EQ(connector().key, "");
    EXPECT_EQ(findPrefix(state(), "acme", "bmc-S1")->prefix, "S1");
    EXPECT_EQ(findSourceOf(state(), "acme", "bmc-S1")->id, "S1");
    const Revision seen = findSource(state(), "S1")->revision;
    put("S1");
    EXPECT_TRUE(changes.empty());
    EXPECT_TRUE(put("S1", "https://10.0.0.6", seen).ok());
    EXPECT_EQ(changes.size(), 1U);
    EXPECT_EQ(put("S1", "https://10.0.0.7", seen).error.code, Code::preconditionFailed);
    EXPECT_EQ(apply(RemoveSource{"S1", seen}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RemoveSource{"S1", anyRevision}).ok());
    EXPECT_EQ(state().registry.find("acme", "bmc-S1"), nullptr);
    EXPECT_EQ(findPrefix(state(), "acme", "bmc-S1"), nullptr);
    EXPECT_TRUE(state().sources.empty());
    EXPECT_EQ(apply(RemoveSource{"S1", anyRevision}).error.code, Code::notFound);
    put("S1");
    put("S2");
    apply(RemoveConnector{"acme", "bmc-S1"});
    EXPECT_EQ(state().sources.size(), 1U);
}

TEST_F(Sources, ThatCannotBeAreRefusedAndLeaveNothing)
{
    put("S1");
    Source other = source("S2");
    other.connector = "agent";
    EXPECT_EQ(apply(PutSource{other, anyRevision}).error.code, Code::alreadyExists);
    other.connector = "bmc-s1";
    EXPECT_EQ(apply(PutSource{other, anyRevision}).error.code, Code::alreadyExists);
    other = source("s1");
    other.connector = "new";
    EXPECT_EQ(apply(PutSource{other, anyRevision}).error.code, Code::alreadyExists) << "the prefix is taken, whatever its case";
    EXPECT_EQ(put("").error.code, Code::invalidArgument);
    EXPECT_EQ(put("no-prefix").error.code, Code::invalidArgument);
    EXPECT_EQ(put("S1", "").error.code, Code::invalidArgument);
    EXPECT_EQ(put("S1", "with space").error.code, Code::invalidArgument);
    other = source("S1");
    other.connector = "new";
    EXPECT_EQ(apply(PutSource{other, anyRevision}).error.code, Code::invalidArgument);
    other = source("S2");
    other.tenant = "none";
    EXPECT_EQ(apply(PutSource{other, anyRevision}).error.code, Code::notFound);
    EXPECT_EQ(state().sources.size(), 1U);
    EXPECT_EQ(state().registry.connectors().size(), 2U);
}

TEST_F(Sources, AreRunByOneNodeAndTheKeyOfTheOneBeforeIsDeadAtOnce)
{
    put("S1");
    EXPECT_TRUE(assign(1).ok());
    EXPECT_EQ(changes.size(), 2U);
    const std::uint64_t first = connector().assignment;
    EXPECT_TRUE(enter(1, first, 21).ok());
    EXPECT_EQ(state().registry.findByKey(keyNumber(21)), &connector());
    assign(1);
    EXPECT_TRUE(changes.empty()) << "it is the host already";
    EXPECT_TRUE(assign(2).ok());
    EXPECT_EQ(state().registry.findByKey(keyNumber(21)), nullptr);
    EXPECT_GT(connector().assignment, first);
    EXPECT_EQ(connector().host, 2U);
    EXPECT_EQ(assign(3).error.code, Code::notFound);
    EXPECT_EQ(assign(1, 1, "none").error.code, Code::notFound);
    EXPECT_EQ(assign(1, 1, "agent").error.code, Code::preconditionFailed);
}

TEST_F(Sources, TheKeyOfAnAssignmentIsEnteredOnceByItsHost)
{
    put("S1");
    EXPECT_EQ(enter(0, 0, 21).error.code, Code::preconditionFailed);
    assign(1);
    const std::uint64_t first = connector().assignment;
    EXPECT_EQ(enter(2, first, 21).error.code, Code::preconditionFailed);
    EXPECT_EQ(enter(1, first - 1, 21).error.code, Code::preconditionFailed);
    EXPECT_EQ(enter(1, first, 1).error.code, Code::alreadyExists) << "a node's";
    EXPECT_EQ(enter(1, first, 7).error.code, Code::alreadyExists) << "another connector's";
    EXPECT_TRUE(enter(1, first, 21).ok());
    EXPECT_TRUE(enter(1, first, 21).ok());
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(enter(1, first, 22).error.code, Code::alreadyExists);
    assign(0);
    assign(1);
    EXPECT_EQ(enter(1, first, 21).error.code, Code::preconditionFailed) << "it was a former assignment";
    EXPECT_TRUE(enter(1, connector().assignment, 22).ok());
}

TEST_F(Sources, APrimaryThatWasReplacedAssignsNothing)
{
    put("S1");
    EXPECT_TRUE(assign(1, 5).ok());
    EXPECT_EQ(findSource(state(), "S1")->term, 5U);
    EXPECT_EQ(findSource(state(), "S1")->generation, 1U);
    EXPECT_EQ(assign(2, 4).error.code, Code::refused);
    EXPECT_EQ(connector().host, 1U);
    EXPECT_TRUE(assign(2, 5).ok());
    put("S1", "https://10.0.0.8");
    EXPECT_EQ(findSource(state(), "S1")->term, 5U) << "a change of the source does not lower it";
    EXPECT_TRUE(apply(AssignHost{"acme", "bmc-S1", 1, 2, 1}).ok()) << "a new generation outranks every term";
}

TEST_F(Sources, ANodeThatIsRemovedRunsNothingAndCanReadNothing)
{
    put("S1");
    assign(1);
    enter(1, connector().assignment, 21);
    apply(RemoveNode{1, anyRevision});
    EXPECT_EQ(connector().host, 0U);
    EXPECT_EQ(state().registry.findByKey(keyNumber(21)), nullptr);
    EXPECT_EQ(findSource(state(), "S1")->passwords, (std::vector<SealedPassword>{{2, "for b"}}));
}

TEST_F(Sources, NobodyElseTakesTheirConnector)
{
    put("S1");
    EXPECT_EQ(apply(PutConnector{{"acme", "bmc-S1", keyNumber(30), "", "", ""}}).error.code, Code::preconditionFailed);
    EXPECT_EQ(apply(BeginRotation{"acme", "bmc-S1"}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RevokeConnector{"acme", "bmc-S1"}).ok());
    EXPECT_EQ(assign(1).error.code, Code::refused);
    EXPECT_TRUE(apply(RemoveSource{"S1", anyRevision}).ok());
}

TEST_F(Sources, APasswordIsForOneKeyOfItsNodeAndWithAnotherOneItIsNeeded)
{
    Node sealing = *findNode(state(), 1);
    sealing.sealingKey = std::string(32, 'k');
    EXPECT_TRUE(apply(PutNode{sealing, anyRevision}).ok());
    Source one = source("S1");
    one.passwords = {{1, "for a", sealingKeyId(sealing)}};
    ASSERT_TRUE(apply(PutSource{one, anyRevision}).ok());
    const Source& stored = *findSource(state(), "S1");
    EXPECT_EQ(passwordFor(stored, *findNode(state(), 1))->box, "for a");
    EXPECT_EQ(passwordFor(stored, *findNode(state(), 2)), nullptr);
    EXPECT_FALSE(needsPassword(state(), stored));
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_EQ(findSource(copy.state(), "S1")->passwords, one.passwords);
    EXPECT_EQ(findNode(copy.state(), 1)->sealingKey, sealing.sealingKey);

    sealing.sealingKey = std::string(32, 'l');
    EXPECT_TRUE(apply(PutNode{sealing, anyRevision}).ok());
    EXPECT_EQ(passwordFor(*findSource(state(), "S1"), *findNode(state(), 1)), nullptr) << "it has lost that key";
    EXPECT_TRUE(needsPassword(state(), *findSource(state(), "S1")));
    sealing.sealingKey = "short";
    EXPECT_EQ(apply(PutNode{sealing, anyRevision}).error.code, Code::invalidArgument);
    one.userName.clear();
    EXPECT_FALSE(needsPassword(state(), one)) << "its BMC wants none";
}

TEST_F(Sources, WhatAnOlderProgramWouldNotKnowWaitsForTheLevel)
{
    Node sealing = node("a", 1);
    sealing.sealingKey = std::string(32, 'k');
    Source one = source("S1");
    EXPECT_EQ(featureLevelOf(PutNode{node("a", 1), anyRevision}), clusterFeatureLevel);
    EXPECT_EQ(featureLevelOf(PutSource{one, anyRevision}), clusterFeatureLevel);
    one.passwords.back().key = "k";
    State early;
    early.featureLevel = sealedSourcesFeatureLevel - 1;
    for (const Operation& operation : {Operation(PutNode{sealing, anyRevision}), Operation(PutSource{one, anyRevision})}) {
        EXPECT_EQ(featureLevelOf(operation), sealedSourcesFeatureLevel);
        EXPECT_EQ(mayPropose(early, operation).error().code, Code::unsupported);
        const auto read = decodeCommand(*encodeCommand(command(operation)));
        ASSERT_TRUE(read.ok());
        EXPECT_EQ(*encodeCommand(*read), *encodeCommand({read->requestId, read->stamp, operation}));
        EXPECT_FALSE(decodeCommand(*encodeCommand(command(operation)), sealedSourcesFeatureLevel - 1).ok());
    }
}

TEST_F(Sources, AreBoundedAndOrdersForThoseThatAreThereFit)
{
    std::size_t made = 0;
    while (put("S" + std::to_string(made)).ok()) {
        ++made;
        ASSERT_LE(made, limits::maxSources);
    }
    EXPECT_GT(made, 200U);
    EXPECT_EQ(put("more").error.code, Code::full);
    EXPECT_EQ(state().registry.connectors().size(), made + 1);
    EXPECT_TRUE(apply(AssignHost{"acme", "bmc-S1", 1, UINT64_MAX, UINT64_MAX}).ok());
    EXPECT_TRUE(enter(1, connector().assignment, 21).ok());
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
}

}  // namespace
}  // namespace mesh::cluster
