#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class TenantOps : public Machine {
protected:
    TenantOps() { raise(); }

    SetTenantQuota quota(const std::string& name, bool add, std::optional<std::uint64_t> messages,
                         std::optional<std::uint64_t> connectors = std::nullopt)
    {
        return {name, add, messages, std::nullopt, std::nullopt, connectors};
    }
    Applied put(const std::string& name, std::size_t key) { return apply(PutConnector{{"acme", name, keyNumber(key), "", "", ""}}); }
    Applied invite(const std::string& id, const std::string& name)
    {
        return apply(AddEnrolment{id, hashToken(id), EnrolmentRole::connector, "acme", name, "", "", "", at(100)});
    }
    void expectSameAfterRestore()
    {
        StateMachine copy;
        ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
        EXPECT_EQ(copy.hash(), machine.hash());
    }
};

TEST_F(TenantOps, AreAddedWithAQuotaOnceAndChangedInPart)
{
    EXPECT_EQ(apply(quota("acme", false, 5)).error.code, Code::notFound);
    EXPECT_TRUE(apply(quota("acme", true, 5, 3)).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{state().revision, ChangeKind::tenant, "acme"}}));
    EXPECT_EQ(apply(quota("acme", true, 7)).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(quota("ACME", true, 7)).error.code, Code::alreadyExists);
    EXPECT_EQ(state().registry.quotaOf("acme"), (tenants::Quota{5, 0, 0, 3}));
    EXPECT_TRUE(apply(SetTenantQuota{"acme", false, {}, 1000, 2000, {}}).ok());
    EXPECT_EQ(state().registry.quotaOf("acme"), (tenants::Quota{5, 1000, 2000, 3}));
    apply(SetTenantQuota{"acme", false, {}, 1000, {}, {}});
    EXPECT_TRUE(changes.empty()) << "it was so before";
    expectSameAfterRestore();
    EXPECT_TRUE(apply(SetTenantQuota{"acme", false, 0, 0, 0, 0}).ok());
    EXPECT_EQ(state().registry.quotaOf("acme"), tenants::Quota{});
    expectSameAfterRestore();
}

TEST_F(TenantOps, WhatIsBeyondTheBoundsIsRefusedAndAddsNoTenant)
{
    for (const SetTenantQuota& wrong : {SetTenantQuota{"acme", true, limits::maxQuotaMessagesPerSecond + 1, {}, {}, {}},
                                        SetTenantQuota{"acme", true, {}, limits::maxQuotaBytesInFlight + 1, {}, {}},
                                        SetTenantQuota{"acme", true, {}, {}, limits::maxQuotaStoredEvents + 1, {}},
                                        SetTenantQuota{"acme", true, {}, {}, {}, limits::maxConnectors + 1},
                                        SetTenantQuota{"no name", true, 1, {}, {}, {}}}) {
        EXPECT_EQ(apply(wrong).error.code, Code::invalidArgument);
        EXPECT_TRUE(state().registry.tenants().empty());
    }
    EXPECT_TRUE(apply(SetTenantQuota{"acme", true, limits::maxQuotaMessagesPerSecond, limits::maxQuotaBytesInFlight,
                                     limits::maxQuotaStoredEvents, limits::maxConnectors})
                    .ok());
    expectSameAfterRestore();
}

TEST_F(TenantOps, ConnectorsBeyondTheQuotaAreRefusedHoweverTheyCome)
{
    apply(quota("acme", true, {}, 2));
    EXPECT_TRUE(put("a", 1).ok());
    EXPECT_TRUE(invite("e1", "b").ok());
    EXPECT_TRUE(invite("e2", "c").ok()) << "who is invited is not there yet";
    EXPECT_EQ(apply(ConsumeEnrolment{hashToken("e1"), keyNumber(2)}).value, "acme/b");
    const Applied full = apply(ConsumeEnrolment{hashToken("e2"), keyNumber(3)});
    EXPECT_EQ(full.error.code, Code::full);
    EXPECT_NE(full.error.message.find("quota of connectors"), std::string::npos) << full.error.message;
    EXPECT_EQ(invite("e3", "d").error.code, Code::full);
    EXPECT_EQ(put("d", 4).error.code, Code::full);
    EXPECT_EQ(apply(PutSource{{"5", "https://10.0.0.5", "acme", "bmc5", "", "", true}, anyRevision}).error.code, Code::full);
    EXPECT_TRUE(state().sources.empty());
    EXPECT_TRUE(put("a", 9).ok()) << "who is there may get another key";
    EXPECT_TRUE(invite("e4", "a").ok());
    apply(PutTenant{"globex"});
    EXPECT_TRUE(apply(PutConnector{{"globex", "x", keyNumber(5), "", "", ""}}).ok()) << "another tenant's quota is its own";
    apply(quota("acme", false, {}, 3));
    EXPECT_TRUE(apply(ConsumeEnrolment{hashToken("e2"), keyNumber(3)}).ok()) << "the secret was not used up";
    expectSameAfterRestore();
}

TEST_F(TenantOps, ALowerQuotaLeavesWhatIsThereAndASnapshotOfItIsGood)
{
    apply(quota("acme", true, {}, 5));
    for (std::size_t i = 1; i <= 3; ++i) {
        ASSERT_TRUE(put("c" + std::to_string(i), i).ok());
    }
    EXPECT_TRUE(apply(quota("acme", false, {}, 1)).ok());
    EXPECT_EQ(state().registry.connectorsOf("acme"), 3U);
    expectSameAfterRestore();
    EXPECT_EQ(put("c4", 4).error.code, Code::full);
    apply(RemoveConnector{"acme", "c1"});
    EXPECT_EQ(put("c4", 4).error.code, Code::full) << "it still has two";
    apply(RemoveConnector{"acme", "c2"});
    apply(RemoveConnector{"acme", "c3"});
    EXPECT_TRUE(put("c4", 4).ok());
}

TEST_F(TenantOps, ARemovedTenantLeavesNoQuotaBehind)
{
    apply(quota("acme", true, 5, 1));
    EXPECT_TRUE(apply(RemoveTenant{"acme"}).ok());
    apply(PutTenant{"acme"});
    EXPECT_EQ(state().registry.quotaOf("acme"), tenants::Quota{});
    expectSameAfterRestore();
}

TEST_F(TenantOps, ADroppedTenantTakesAllThatIsItsWithIt)
{
    apply(quota("acme", true, 5));
    apply(PutTenant{"globex"});
    put("a", 1);
    apply(AssignPrefix{"acme", "a", "AAA", "", keyNumber(1)});
    invite("e1", "b");
    apply(AddEnrolment{"e2", hashToken("e2"), EnrolmentRole::connector, "globex", "g", "", "", "", at(100)});
    apply(PutSource{{"5", "https://10.0.0.5", "acme", "bmc5", "", "", true}, anyRevision});
    apply(PutDocument{{DocumentKind::policy, "acme", "commands"}, anyRevision, "a power.cycle b\n"});
    apply(PutTask{{"t1", "1", "acme", TaskState::running, 4, {}, at(0), {}, "/x", "/y", 0, 0}});
    EXPECT_EQ(apply(RemoveTenant{"acme"}).error.code, Code::preconditionFailed);
    ASSERT_EQ(state().registry.connectorsOf("acme"), 2U);
    EXPECT_EQ(apply(DropTenant{"acme"}).value, "2");
    EXPECT_FALSE(state().registry.hasTenant("acme"));
    EXPECT_EQ(state().registry.findByKey(keyNumber(1)), nullptr);
    EXPECT_TRUE(state().registry.connectors().empty() && state().prefixes.empty() && state().sources.empty());
    EXPECT_TRUE(state().documents.empty() && state().tasks.empty());
    EXPECT_EQ(state().enrolments.size(), 1U) << "another tenant's secret stays";
    EXPECT_EQ(apply(ConsumeEnrolment{hashToken("e1"), keyNumber(2)}).error.code, Code::refused);
    EXPECT_EQ(apply(DropTenant{"acme"}).error.code, Code::notFound);
    expectSameAfterRestore();
}

TEST_F(TenantOps, ATenantWithAccountsIsNotDropped)
{
    apply(quota("acme", true, 5));
    put("a", 1);
    apply(account("bob", "Operator", "acme"));
    const Applied refused = apply(DropTenant{"acme"});
    EXPECT_EQ(refused.error.code, Code::preconditionFailed);
    EXPECT_NE(refused.error.message.find("bob"), std::string::npos);
    EXPECT_TRUE(changes.empty());
    EXPECT_NE(state().registry.find("acme", "a"), nullptr);
}

TEST_F(TenantOps, ALargeOneThatIsDroppedIsToldAsOneChange)
{
    apply(quota("acme", true, 5));
    for (std::size_t i = 1; i <= limits::maxRemovalChanges; ++i) {
        ASSERT_TRUE(put("c" + std::to_string(i), i).ok());
    }
    EXPECT_TRUE(apply(DropTenant{"acme"}).ok());
    EXPECT_EQ(changes, (std::vector<Change>{{state().revision, ChangeKind::everything, ""}}));
}

using TenantLevels = Machine;

TEST_F(TenantLevels, QuotasWaitUntilEveryNodeKnowsThem)
{
    ASSERT_TRUE(apply(RaiseFeatureLevel{elapsedTimeFeatureLevel}).ok());
    apply(PutTenant{"acme"});
    const std::string before = machine.snapshot();
    StateMachine older{elapsedTimeFeatureLevel};
    ASSERT_TRUE(older.restore(before).ok()) << "a node of the release before reads what is written meanwhile";
    for (const Operation& early : std::vector<Operation>{SetTenantQuota{"acme", false, 5, {}, {}, {}}, DropTenant{"acme"}}) {
        EXPECT_EQ(featureLevelOf(early), tenantQuotaFeatureLevel);
        EXPECT_EQ(mayPropose(state(), early).error().code, Code::unsupported);
        EXPECT_EQ(apply(early).error.code, Code::unsupported);
    }
    EXPECT_EQ(state().registry.quotaOf("acme"), tenants::Quota{});
    apply(PutNode{node("a", 1), anyRevision});
    Node late = *findNodeByName(state(), "a");
    late.name = "b";
    late.id = 0;
    late.key = keyNumber(2);
    late.featureLevel = elapsedTimeFeatureLevel;
    apply(PutNode{late, anyRevision});
    const auto refused = mayPropose(state(), SetTenantQuota{"acme", false, 5, {}, {}, {}});
    EXPECT_NE(refused.error().message.find("b (which knows 3)"), std::string::npos) << refused.error().message;
    EXPECT_EQ(apply(RaiseFeatureLevel{tenantQuotaFeatureLevel}).error.code, Code::unsupported);
}

}  // namespace
}  // namespace mesh::cluster
