#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Nodes : public Machine {
protected:
    Nodes() { raise(); }

    Applied put(const Node& what, Revision ifRevision = anyRevision) { return apply(PutNode{what, ifRevision}); }
};

TEST_F(Nodes, AreFoundByIdNameAndKey)
{
    EXPECT_EQ(put(node("A", 1)).value, "1");
    EXPECT_EQ(changes, (std::vector<Change>{{2, ChangeKind::node, "1"}}));
    EXPECT_EQ(put(node("b", 2)).value, "2");
    EXPECT_EQ(findNode(state(), 2)->name, "b");
    EXPECT_EQ(findNode(state(), 3), nullptr);
    EXPECT_EQ(findNode(state(), 0), nullptr);
    EXPECT_EQ(findNodeByName(state(), "a")->id, 1U);
    EXPECT_EQ(findNodeByKey(state(), keyNumber(2))->id, 2U);
    EXPECT_EQ(findNodeByKey(state(), keyNumber(3)), nullptr);
    EXPECT_EQ(findNode(state(), 1)->facadeUrl, "https://A.example.org");
}

TEST_F(Nodes, FirstMembersHaveFixedIdsInAnyOrder)
{
    EXPECT_EQ(put(node("c", 3, 3)).value, "3");
    EXPECT_EQ(put(node("a", 1, 1)).value, "1");
    EXPECT_EQ(put(node("d", 4)).value, "4");
    EXPECT_EQ(put(node("b", 2, 2)).value, "2");
    EXPECT_TRUE(state().unusedNodeIds.empty());
    EXPECT_EQ(put(node("far", 9, 5 + limits::maxUnusedNodeIds + 1)).error.code, Code::refused);
    EXPECT_EQ(put(node("far", 9, UINT64_MAX)).error.code, Code::refused);
    EXPECT_TRUE(put(node("far", 9, 5 + limits::maxUnusedNodeIds)).ok());
    EXPECT_EQ(state().unusedNodeIds.size(), limits::maxUnusedNodeIds);
    EXPECT_EQ(put(node("farther", 10, UINT64_MAX)).error.code, Code::refused);
}

TEST_F(Nodes, IdsAreNeverUsedAgain)
{
    put(node("a", 1, 2));
    put(node("b", 2));
    EXPECT_TRUE(apply(RemoveNode{2, anyRevision}).ok());
    EXPECT_EQ(put(node("a", 1, 2)).error.code, Code::refused);
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    for (const std::uint64_t id : {1, 2, 0}) {
        const Command again = command(PutNode{node("n" + std::to_string(id), 10 + id, id), anyRevision});
        EXPECT_EQ(apply(again).ok(), id != 2);
        (void)copy.apply(*encodeCommand(again), changes);
    }
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_EQ(findNodeByName(state(), "n0")->id, 4U);
}

TEST_F(Nodes, ChangeUnderTheRevisionSeen)
{
    put(node("a", 1));
    const Revision seen = findNode(state(), 1)->revision;
    put(node("a", 1, 1));
    EXPECT_TRUE(changes.empty());
    Node moved = node("a", 5, 1);
    moved.peerEndpoint = "tcp://[2001:db8::1]:7411";
    EXPECT_TRUE(put(moved, seen).ok());
    EXPECT_EQ(findNodeByKey(state(), keyNumber(1)), nullptr);
    EXPECT_EQ(findNodeByKey(state(), keyNumber(5))->peerEndpoint, moved.peerEndpoint);
    EXPECT_EQ(put(node("a", 1, 1), seen).error.code, Code::preconditionFailed);
    EXPECT_EQ(apply(RemoveNode{1, seen}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RemoveNode{1, anyRevision}).ok());
    EXPECT_EQ(apply(RemoveNode{1, anyRevision}).error.code, Code::notFound);
}

TEST_F(Nodes, NamesAndKeysBelongToOne)
{
    put(node("a", 1));
    EXPECT_EQ(put(node("A", 2)).error.code, Code::alreadyExists);
    EXPECT_EQ(put(node("b", 1)).error.code, Code::alreadyExists);
    apply(PutTenant{"acme"});
    EXPECT_EQ(apply(PutConnector{{"acme", "sled07", keyNumber(1), "", "", ""}}).error.code, Code::alreadyExists);
    apply(PutConnector{{"acme", "sled07", keyNumber(7), "", "", ""}});
    EXPECT_EQ(put(node("b", 7)).error.code, Code::alreadyExists);
    EXPECT_EQ(state().nodes.size(), 1U);
}

TEST_F(Nodes, OneThatLostItsDataIsAnother)
{
    Node first = node("a", 1);
    first.storage = "";
    put(first);
    EXPECT_TRUE(put(node("a", 1, 1)).ok());
    Node lost = node("a", 1, 1);
    lost.storage = "other";
    EXPECT_EQ(put(lost).error.code, Code::refused);
    lost.storage = "";
    EXPECT_EQ(put(lost).error.code, Code::refused);
    apply(RemoveNode{1, anyRevision});
    lost.id = 0;
    lost.storage = "other";
    EXPECT_EQ(put(lost).value, "2");
}

TEST_F(Nodes, MalformedOnesAreRefused)
{
    Node bad = node("a", 1);
    bad.key = "short";
    EXPECT_EQ(put(bad).error.code, Code::invalidArgument);
    EXPECT_EQ(put(node("a b", 1)).error.code, Code::invalidArgument);
    bad = node("a", 1);
    bad.peerEndpoint = "tcp://a b";
    EXPECT_EQ(put(bad).error.code, Code::invalidArgument);
    bad.peerEndpoint = std::string(limits::maxEndpointBytes + 1, 'x');
    EXPECT_EQ(encodeCommand(command(PutNode{bad, anyRevision})).error().code, Code::tooLarge);
    EXPECT_TRUE(state().nodes.empty());
}

TEST_F(Nodes, AreBoundedByNumberHoweverLongTheirTexts)
{
    for (std::size_t i = 0; i < limits::maxAggregators; ++i) {
        Node large = node(std::string(60, 'n') + std::to_string(i), i);
        large.peerEndpoint = large.meshEndpoint = std::string(limits::maxEndpointBytes, 'x');
        large.facadeUrl = std::string(limits::maxFacadeUrlBytes, 'x');
        large.storage = large.software = std::string(64, 'x');
        ASSERT_TRUE(put(large).ok());
    }
    EXPECT_EQ(put(node("more", 99)).error.code, Code::full);
}

}  // namespace
}  // namespace mesh::cluster
