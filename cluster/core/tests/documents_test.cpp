#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Documents : public Machine {
protected:
    Documents()
    {
        raise();
        apply(PutTenant{"acme"});
        apply(PutTenant{"globex"});
    }
    static DocumentName subscription(const std::string& name) { return {DocumentKind::subscription, "acme", name}; }
    Applied put(const DocumentName& name, const std::string& content, Revision ifRevision = anyRevision)
    {
        return apply(PutDocument{name, ifRevision, content});
    }
};

TEST_F(Documents, AreVersionedAndApartByKindAndTenant)
{
    const DocumentName name{DocumentKind::component, "acme", "sled07"};
    EXPECT_TRUE(put(name, "one").ok());
    EXPECT_EQ(changes, (std::vector<Change>{{4, ChangeKind::document, "2/acme/sled07"}}));
    const Revision seen = findDocument(state(), name)->revision;
    EXPECT_EQ(seen, 4U);
    put(name, "one");
    EXPECT_TRUE(changes.empty());
    EXPECT_TRUE(put(name, "two", seen).ok());
    EXPECT_EQ(put(name, "three", seen).error.code, Code::preconditionFailed);
    EXPECT_TRUE(put({DocumentKind::secret, "acme", "sled07"}, std::string("\0sealed", 7)).ok());
    EXPECT_TRUE(put({DocumentKind::component, "", "sled07"}, "system's").ok());
    EXPECT_EQ(findDocument(state(), name)->content, "two");
    EXPECT_EQ(state().documents.size(), 3U);
    EXPECT_EQ(apply(RemoveDocument{name, seen}).error.code, Code::preconditionFailed);
    EXPECT_TRUE(apply(RemoveDocument{name, anyRevision}).ok());
    EXPECT_EQ(apply(RemoveDocument{name, anyRevision}).error.code, Code::notFound);
    EXPECT_EQ(put({DocumentKind::pivot, "none", "x"}, "").error.code, Code::notFound);
    EXPECT_EQ(put({DocumentKind::pivot, "acme", "no name"}, "").error.code, Code::invalidArgument);
}

TEST_F(Documents, ASubscriptionHasACursorThatGoesWithIt)
{
    EXPECT_EQ(apply(SetCursor{"acme", "s1", "a:1"}).error.code, Code::notFound);
    put(subscription("s1"), "{}");
    EXPECT_EQ(findCursor(state(), "acme", "s1"), "");
    EXPECT_TRUE(apply(SetCursor{"acme", "s1", "a:1"}).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{6, ChangeKind::cursor, "acme/s1"}}));
    apply(SetCursor{"acme", "s1", "a:1"});
    EXPECT_TRUE(changes.empty());
    apply(SetCursor{"acme", "s1", "a:2"});
    put(subscription("s1"), "{changed}");
    EXPECT_EQ(findCursor(state(), "acme", "s1"), "a:2");
    apply(RemoveDocument{subscription("s1"), anyRevision});
    EXPECT_EQ(changes.size(), 2U);
    put(subscription("s1"), "{}");
    EXPECT_EQ(findCursor(state(), "acme", "s1"), "");
}

TEST_F(Documents, GoWithTheirTenant)
{
    put(subscription("s1"), "{}");
    apply(SetCursor{"acme", "s1", "a:1"});
    put({DocumentKind::secret, "globex", "s"}, "x");
    apply(RemoveTenant{"acme"});
    EXPECT_EQ(state().documents.size(), 1U);
    EXPECT_TRUE(state().cursors.empty());
}

TEST_F(Documents, AreBoundedEachByTenantAndInAll)
{
    const std::string big(limits::maxDocumentBytes, 'x');
    EXPECT_EQ(encodeCommand(command(PutDocument{subscription("s"), anyRevision, big + "x"})).error().code,
              Code::tooLarge);
    std::size_t stored = 0;
    while (put(subscription("s" + std::to_string(stored)), big).ok()) {
        ++stored;
        ASSERT_LT(stored, 20U);
    }
    EXPECT_EQ(stored, limits::maxTenantDocumentBytes / (limits::maxDocumentBytes + 1));
    EXPECT_TRUE(put({DocumentKind::pivot, "globex", "d"}, big).ok());
    std::size_t others = 0;
    while (put({DocumentKind::pivot, "", "d" + std::to_string(others)}, big).ok()) {
        ++others;
        ASSERT_LT(others, 20U);
    }
    EXPECT_TRUE(put(subscription("s0"), "small").ok());
    EXPECT_TRUE(put({DocumentKind::pivot, "", "more"}, big).ok());
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    const Command oneMore = command(PutDocument{{DocumentKind::pivot, "", "evenmore"}, anyRevision, big});
    EXPECT_EQ(apply(oneMore).error.code, Code::full);
    EXPECT_EQ(copy.apply(*encodeCommand(oneMore), changes)->error.code, Code::full);
    EXPECT_EQ(copy.hash(), machine.hash());
}

}  // namespace
}  // namespace mesh::cluster
