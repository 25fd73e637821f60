#include "cluster/core/tests/fixture.hpp"

#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class DocumentBudget : public Machine {
protected:
    void begin(FeatureLevel level, int tenants)
    {
        ASSERT_TRUE(apply(RaiseFeatureLevel{level}).ok());
        for (int i = 0; i < tenants; ++i) {
            ASSERT_TRUE(apply(PutTenant{"t" + std::to_string(i)}).ok());
        }
    }
    Applied put(const std::string& tenant, const std::string& name, std::size_t bytes = 8000)
    {
        return apply(PutVersion{{DocumentKind::component, tenant, name}, version(tenant, name), std::string(bytes, fill++), "boss"}, ++seconds);
    }
    std::uint64_t version(const std::string& tenant, const std::string& name) const
    {
        const Document* document = findDocument(state(), {DocumentKind::component, tenant, name});
        return document == nullptr ? 0 : document->version;
    }
    std::size_t fillUp(const std::string& tenant, std::size_t bytes = 8000)
    {
        std::size_t stored = 0;
        while (stored < 50 && put(tenant, "d" + std::to_string(stored), bytes).ok()) {
            ++stored;
        }
        return stored;
    }

    char fill = 'a';
    std::int64_t seconds = 0;
};

TEST_F(DocumentBudget, TenantsThatTakeAllTheyCanLeaveEveryOtherAndTheNextOneTheirShare)
{
    begin(newestFeatureLevel, 4);
    EXPECT_GE(fillUp("t0"), 13U);
    fillUp("t1");
    EXPECT_GE(fillUp("t2"), 2U) << "of 192 KiB, half in five parts";
    EXPECT_GE(fillUp("t3"), 2U);
    ASSERT_TRUE(apply(PutTenant{"late"}).ok());
    EXPECT_GE(fillUp("late"), 1U);
}

TEST_F(DocumentBudget, ATenantAloneHasWhatATenantMayHave)
{
    begin(newestFeatureLevel, 1);
    EXPECT_EQ(fillUp("t0"), limits::maxTenantDocumentBytes / 8040);
}

TEST_F(DocumentBudget, ARefusalTellsTheSizesAndChangesNothing)
{
    begin(newestFeatureLevel, 2);
    const std::size_t stored = fillUp("t0");
    const std::string before = machine.hash();
    const Applied refused = put("t0", "one-more");
    EXPECT_EQ(refused.error.code, Code::full);
    for (const char* part : {"bytes of one-more", "tenant t0 take 128", "196608", "131072"}) {
        EXPECT_NE(refused.error.message.find(part), std::string::npos) << part << " in " << refused.error.message;
    }
    EXPECT_EQ(state().documents.size(), stored);
    EXPECT_LE(refused.error.message.size(), 512U);
    EXPECT_NE(before, machine.hash()) << "what is remembered of it";
}

TEST_F(DocumentBudget, FormerVersionsMakeRoomForWhatIsWantedNow)
{
    begin(newestFeatureLevel, 1);
    for (int i = 0; i < 8; ++i) {
        ASSERT_TRUE(put("t0", "d" + std::to_string(i), 4000).ok());
        ASSERT_TRUE(put("t0", "d" + std::to_string(i), 4000).ok());
        ASSERT_TRUE(put("t0", "d" + std::to_string(i), 4000).ok());
    }
    std::size_t more = 0;
    while (more < 50 && put("t0", "more" + std::to_string(more), 8000).ok()) {
        ++more;
    }
    EXPECT_EQ(more, (limits::maxTenantDocumentBytes - 8 * 4040) / 8040) << "until only what is in force is left";
    const Document& first = *findDocument(state(), {DocumentKind::component, "t0", "d0"});
    EXPECT_EQ(first.version, 3U);
    EXPECT_TRUE(first.former.empty());
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.hash(), machine.hash());
    const Command last = command(PutVersion{{DocumentKind::component, "t0", "d0"}, 3, std::string(4200, 'x'), "boss"});
    EXPECT_EQ(apply(last).ok(), copy.apply(*encodeCommand(last), changes)->ok()) << "what is used is counted right";
    EXPECT_EQ(copy.hash(), machine.hash());
}

TEST_F(DocumentBudget, TheOldestGoFirstAndOnlyAsManyAsItTakes)
{
    begin(newestFeatureLevel, 1);
    ASSERT_TRUE(put("t0", "old", 4000).ok());
    ASSERT_TRUE(put("t0", "old", 4000).ok());
    ASSERT_TRUE(put("t0", "new", 4000).ok());
    ASSERT_TRUE(put("t0", "new", 4000).ok());
    std::size_t others = 0;
    while (findDocument(state(), {DocumentKind::component, "t0", "old"})->former.size() == 1) {
        ASSERT_TRUE(put("t0", "other" + std::to_string(others++), 3000).ok());
    }
    EXPECT_EQ(findDocument(state(), {DocumentKind::component, "t0", "new"})->former.size(), 1U);
    EXPECT_EQ(changes.size(), 2U) << "both are told";
}

TEST_F(DocumentBudget, WhereEvenThatWouldNotDoTheyStay)
{
    begin(newestFeatureLevel, 1);
    ASSERT_TRUE(put("t0", "kept", 1000).ok());
    ASSERT_TRUE(put("t0", "kept", 1000).ok());
    fillUp("t0", 16000);
    ASSERT_EQ(put("t0", "big", 16000).error.code, Code::full);
    EXPECT_EQ(findDocument(state(), {DocumentKind::component, "t0", "kept"})->former.size(), 1U);
}

TEST_F(DocumentBudget, OlderProgramsRuleStandsUntilTheLevelIsRaised)
{
    begin(configurationFeatureLevel, 4);
    EXPECT_EQ(fillUp("t0"), limits::maxTenantDocumentBytes / 8040);
    EXPECT_EQ(fillUp("t1"), 8U);
    EXPECT_EQ(fillUp("t2"), 0U) << "two have taken it all";
    raise();
    EXPECT_EQ(fillUp("t2"), 0U) << "what is there stays";
    EXPECT_TRUE(put("t0", "d0", 100).ok());
}

}  // namespace
}  // namespace mesh::cluster
