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
        apply(PutConnector{{"acme", "sled07", keyNumber(7), "", "", ""}});
        apply(PutNode{node("a", 1), anyRevision});
    }
    std::uint64_t host() const { return state().registry.find("acme", "sled07")->host; }
    Applied put(const std::string& id, const std::string& hostName = "https://10.0.0.5",
                Revision ifRevision = anyRevision)
    {
        return apply(PutSource{{id, hostName, "acme", "sled07", 0}, ifRevision});
    }
};

TEST_F(Sources, ABmcWithoutAnAgentIsHostedByANodeWhileItIsThere)
{
    EXPECT_TRUE(apply(AssignHost{"acme", "sled07", 1}).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{5, ChangeKind::connector, "acme/sled07"}}));
    EXPECT_EQ(host(), 1U);
    apply(AssignHost{"acme", "sled07", 1});
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(apply(AssignHost{"acme", "sled07", 2}).error.code, Code::notFound);
    EXPECT_EQ(apply(AssignHost{"acme", "none", 1}).error.code, Code::notFound);
    apply(PutConnector{{"acme", "sled07", keyNumber(8), "", "R750", ""}});
    EXPECT_EQ(host(), 1U);
    apply(RemoveNode{1, anyRevision});
    EXPECT_EQ(changes.size(), 2U);
    EXPECT_EQ(host(), 0U);
}

TEST_F(Sources, BelongToAConnectorAndGoWithIt)
{
    EXPECT_TRUE(put("s1").ok());
    EXPECT_EQ(changes, (std::vector<Change>{{5, ChangeKind::source, "s1"}}));
    const Revision seen = findSource(state(), "s1")->revision;
    put("s1");
    EXPECT_TRUE(changes.empty());
    EXPECT_TRUE(put("s1", "https://10.0.0.6", seen).ok());
    EXPECT_EQ(put("s1", "https://10.0.0.7", seen).error.code, Code::preconditionFailed);
    EXPECT_EQ(apply(RemoveSource{"s1", seen}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RemoveSource{"s1", anyRevision}).ok());
    EXPECT_EQ(apply(RemoveSource{"s1", anyRevision}).error.code, Code::notFound);
    EXPECT_EQ(put("").error.code, Code::invalidArgument);
    EXPECT_EQ(put("s1", "").error.code, Code::invalidArgument);
    EXPECT_EQ(apply(PutSource{{"s1", "x", "acme", "none", 0}, anyRevision}).error.code, Code::notFound);
    put("s1");
    put("s2");
    apply(RemoveConnector{"acme", "sled07"});
    EXPECT_TRUE(state().sources.empty());
}

TEST_F(Sources, AreBounded)
{
    std::size_t made = 0;
    while (put("s" + std::to_string(made)).ok()) {
        ++made;
        ASSERT_LE(made, limits::maxSources);
    }
    EXPECT_EQ(apply(PutSource{{"more", "x", "acme", "sled07", 0}, anyRevision}).error.code, Code::full);
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
}

}  // namespace
}  // namespace mesh::cluster
