#include "aggregator/core/tests/facade_fixture.hpp"
#include "aggregator/core/tests/fake_history.hpp"

namespace mesh::aggregator {

// What is ordered of satellites, and its record.
class FacadeAudit : public FacadeRig {
protected:
    void SetUp() override
    {
        FacadeRig::SetUp();
        announce(1, {{"Systems", {"one"}}});
        facade.setAudit(trail);
    }
    ExchangeId reset(const std::string& tenant = "acme") { return ask("POST", target, tenant); }

    void grant(ExchangeId, std::size_t bytes) override { granted += bytes; }

    std::size_t granted = 0;
    void limit(std::uint64_t messagesPerSecond)
    {
        ASSERT_TRUE(tenantsOf.addTenant("acme").ok());
        ASSERT_TRUE(tenantsOf.setQuota("acme", {messagesPerSecond, 0, 0, 0}).ok());
        quotas.setRegistry(tenantsOf);
        facade.setQuotas(quotas);
    }

    tenants::Registry tenantsOf;
    TenantQuotas quotas;
    const std::string target = "/redfish/v1/Systems/A1_one/Actions/ComputerSystem.Reset";
    FakeHistory history;
    AuditTrail trail{AuditMode::required, "agg", history, rng};
};

TEST_F(FacadeAudit, AWriteReachesTheSatelliteWhenItsIntentIsStored)
{
    const ExchangeId id = reset("root");
    EXPECT_TRUE(commands(1).empty());
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(history.stored.at(0).tenant, "acme");
    EXPECT_EQ(history.stored.at(0).account, "root");
    EXPECT_EQ(history.stored.at(0).client, "client");
    EXPECT_EQ(history.stored.at(0).uri, target);
    const Sent sent = take(1);
    EXPECT_EQ(sent.command.http.method, "POST");
    EXPECT_EQ(given.count(id), 0U);
    reply(1, sent, 204, "");
    EXPECT_EQ(given.at(id).status, 204);
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(history.stored.at(1).phase, history::Phase::result);
    EXPECT_EQ(history.stored.at(1).status, 204);
    EXPECT_EQ(history.stored.at(1).request, history.stored.at(0).request);
}

TEST_F(FacadeAudit, ReadsAreNotRecorded)
{
    get("/redfish/v1/Systems/A1_one");
    EXPECT_EQ(commands(1).size(), 1U);
    EXPECT_TRUE(history.asked.empty());
}

TEST_F(FacadeAudit, WhatCannotBeRecordedIsRefusedAndNotSent)
{
    const ExchangeId id = reset();
    history.fail(now);
    EXPECT_EQ(given.at(id).status, 503);
    EXPECT_NE(given.at(id).body.find("Nothing was done"), std::string::npos) << given.at(id).body;
    EXPECT_EQ(given.at(id).body.find("disk"), std::string::npos);
    EXPECT_TRUE(commands(1).empty());
    EXPECT_TRUE(history.asked.empty());
    EXPECT_EQ(facade.open(), 0U);
}

TEST_F(FacadeAudit, WhoMayNotIsNotRecorded)
{
    EXPECT_EQ(given.at(reset("nobody")).status, 403);
    EXPECT_EQ(given.at(reset("zeta")).status, 404);
    EXPECT_TRUE(history.asked.empty());
}

TEST_F(FacadeAudit, AClientThatLeavesBeforeItsOrderHasOrderedNothing)
{
    facade.onAborted(reset());
    history.finish(now);
    EXPECT_TRUE(commands(1).empty());
    history.finish(now);
    EXPECT_EQ(history.stored.at(1).status, 499);
}

TEST_F(FacadeAudit, AClientThatLeavesAfterItsOrderHasNoAnswer)
{
    const ExchangeId id = reset();
    history.finish(now);
    ASSERT_EQ(commands(1).size(), 1U);
    facade.onAborted(id);
    history.finish(now);
    EXPECT_EQ(history.stored.at(1).phase, history::Phase::result);
    EXPECT_EQ(history.stored.at(1).status, 0);
}

TEST_F(FacadeAudit, AnOrderWhoseAuthorityEndsWhileItIsRecordedIsNotSent)
{
    facade.orders().setPrimaryKnown(false, now.mono);
    const ExchangeId id = reset();
    ASSERT_EQ(history.asked.size(), 1U);
    now.mono += limits::authorityLease;
    history.finish(now);
    EXPECT_EQ(given.at(id).status, 503);
    EXPECT_TRUE(commands(1).empty());
    history.finish(now);
    EXPECT_EQ(history.stored.at(1).status, 503);
}

TEST_F(FacadeAudit, AFailureIsRecordedAsItWasAnswered)
{
    const ExchangeId id = reset();
    history.finish(now);
    fail(1, take(1), Code::outcomeUnknown, "it went away");
    EXPECT_EQ(given.at(id).status, 504);
    history.finish(now);
    EXPECT_EQ(history.stored.at(1).status, 504);
}

TEST_F(FacadeAudit, ABodyThatComesWhileItsIntentIsStoredIsSentWhole)
{
    const ExchangeId id = 1000;
    facade.setNow(now);
    facade.onRequest(id, {{"POST", target, {{"Authorization", "acme"}}}, "client", true, "{", 2});
    facade.onRequestBody(id, "}", true);
    history.finish(now);
    EXPECT_EQ(take(1).command.bodyLength, 2);
    EXPECT_EQ(granted, 0U);
}

TEST_F(FacadeAudit, WhatIsBeyondAQuotaIsNoIntentAndOnlySomeOfItIsRecorded)
{
    limit(1);
    reset();
    ASSERT_TRUE(history.finish(now));
    ASSERT_EQ(history.stored.size(), 1U);
    EXPECT_EQ(given.at(reset()).status, 503);
    for (std::size_t i = 1; i < 3 * limits::auditRefusalsPerMinute; ++i) {
        reset();  // many refusals may come a little later
        while (history.finish(now)) {
        }
    }
    ASSERT_EQ(history.stored.size(), 1 + limits::auditRefusalsPerMinute);
    for (std::size_t i = 1; i < history.stored.size(); ++i) {
        EXPECT_EQ(history.stored[i].phase, history::Phase::result);
        EXPECT_EQ(history.stored[i].status, 503);
        EXPECT_EQ(history.stored[i].uri, target);
    }
    EXPECT_EQ(trail.counters().unnoted, 2 * limits::auditRefusalsPerMinute);
    EXPECT_EQ(commands(1).size(), 1U);
    now.mono += 1min;
    facade.setNow(now);
    reset();
    ASSERT_TRUE(history.finish(now));
    EXPECT_EQ(history.stored.back().phase, history::Phase::intent);
}

TEST_F(FacadeAudit, WhatIsRecordedWasLetInOnce)
{
    limit(2);
    reset();
    reset();
    while (history.finish(now)) {
    }
    EXPECT_EQ(commands(1).size(), 2U);
    EXPECT_EQ(quotas.find("acme")->refusedMessages, 0U);
}

TEST_F(FacadeAudit, WhatWasLetInIsGivenBackWhereItCouldNotBeRecorded)
{
    limit(100);
    facade.setNow(now);
    facade.onRequest(1000, {{"POST", target, {{"Authorization", "acme"}}}, "client", false, "{}", 2});
    EXPECT_EQ(quotas.find("acme")->inFlight, 2U);
    history.fail(now);
    EXPECT_EQ(given.at(1000).status, 503);
    EXPECT_EQ(quotas.find("acme")->inFlight, 0U);
}

}  // namespace mesh::aggregator
