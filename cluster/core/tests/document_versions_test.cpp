#include "cluster/core/tests/fixture.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class DocumentVersions : public Machine {
protected:
    DocumentVersions()
    {
        raise();
        apply(PutTenant{"acme"});
    }
    Applied put(const std::string& content, std::uint64_t follows, const std::string& tenant = "acme")
    {
        return apply(PutVersion{{DocumentKind::component, tenant, "sled07"}, follows, content, "boss"}, 7);
    }
    const Document* found() const { return findDocument(state(), {DocumentKind::component, "acme", "sled07"}); }
};

TEST_F(DocumentVersions, GoUpByOneAndKeepThoseBefore)
{
    EXPECT_EQ(put("one", 0).value, "1");
    EXPECT_EQ(changes, (std::vector<Change>{{3, ChangeKind::document, "2/acme/sled07"}}));
    EXPECT_EQ(put("two", 1).value, "2");
    ASSERT_NE(found(), nullptr);
    EXPECT_EQ(*found(), (Document{"two", 4, 2, "boss", at(7), {{1, "one", "boss", at(7)}}}));
    EXPECT_EQ(put("two", 2).value, "2") << "no new version of what it says already";
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(put("one", 2).value, "3");
}

TEST_F(DocumentVersions, OfTwoWhoSawTheSameTheSecondIsRefused)
{
    EXPECT_EQ(put("early", 1).error.code, Code::preconditionFailed);
    EXPECT_TRUE(put("one", 0).ok());
    EXPECT_EQ(put("other", 0).error.code, Code::preconditionFailed);
    EXPECT_TRUE(put("two", 1).ok());
    EXPECT_EQ(put("other", 1).error.code, Code::preconditionFailed);
    EXPECT_EQ(found()->content, "two");
    EXPECT_EQ(apply(PutDocument{{DocumentKind::component, "acme", "sled07"}, anyRevision, "x"}).error.code, Code::refused);
}

TEST_F(DocumentVersions, TheOldestGoByNumberAndByBytes)
{
    for (std::uint64_t version = 0; version < limits::maxFormerVersions + 3; ++version) {
        ASSERT_TRUE(put(std::to_string(version), version).ok());
    }
    EXPECT_EQ(found()->former.size(), limits::maxFormerVersions);
    EXPECT_EQ(found()->former.front().number, 3U);
    const std::uint64_t now = found()->version;
    const std::string half(limits::maxDocumentBytes / 2, 'x');
    ASSERT_TRUE(put(half, now).ok());
    ASSERT_TRUE(put(half + "y", now + 1).ok());
    EXPECT_TRUE(found()->former.empty());
    ASSERT_TRUE(put("small", now + 2).ok());
    EXPECT_EQ(found()->former.size(), 1U);
    EXPECT_TRUE(put(std::string(limits::maxDocumentBytes, 'x'), now + 3).ok()) << "as large as a document can be";
}

TEST_F(DocumentVersions, GoWithTheirConnectorAndTheirTenant)
{
    ASSERT_TRUE(apply(PutConnector{{"acme", "sled07", keyNumber(1), "", "", ""}}).ok());
    put("one", 0);
    ASSERT_TRUE(apply(RemoveConnector{"acme", "sled07"}).ok());
    EXPECT_EQ(found(), nullptr);
    EXPECT_EQ(put("again", 0).value, "1");
    ASSERT_TRUE(apply(RemoveTenant{"acme"}).ok());
    EXPECT_EQ(found(), nullptr);
    EXPECT_TRUE(put("file", 0).ok()) << "where the state has no tenants they stand in a file";
}

TEST_F(DocumentVersions, AreOfATenantThatIsThere)
{
    EXPECT_EQ(put("one", 0, "none").error.code, Code::notFound);
    EXPECT_EQ(put("one", 0, "").error.code, Code::invalidArgument);
    EXPECT_EQ(put("one", 0, "a b").error.code, Code::invalidArgument);
}

TEST_F(DocumentVersions, ComeBackFromASnapshot)
{
    put("one", 0);
    put("two", 1);
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_EQ(*findDocument(copy.state(), {DocumentKind::component, "acme", "sled07"}), *found());
}

TEST(DocumentVersionLevel, IsTheFifthAndOlderFormatsStayAsTheyWere)
{
    const PutVersion op{{DocumentKind::pivot, "acme", "p"}, 0, "x", "boss"};
    EXPECT_EQ(featureLevelOf(op), configurationFeatureLevel);
    State state;
    state.featureLevel = tenantQuotaFeatureLevel;
    EXPECT_EQ(mayPropose(state, op).error().code, Code::unsupported);
    EXPECT_TRUE(mayPropose(state, DropTenant{"acme"}).ok());
}

}  // namespace
}  // namespace mesh::cluster
