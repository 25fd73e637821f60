#include "aggregator/core/audit_trail.hpp"

#include "aggregator/core/tests/fake_history.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace mesh::aggregator {

namespace {

class Trail : public testing::Test {
protected:
    void use(AuditMode mode) { trail = std::make_unique<AuditTrail>(mode, "agg-a", port, rng); }
    // What became of it: nothing yet, go (its token in `tokens`), or refused.
    std::size_t begin(const std::string& uri = "/redfish/v1/Systems/A_1", const std::string& tenant = "acme")
    {
        const std::size_t index = outcomes.size();
        outcomes.push_back("");
        tokens.push_back(0);
        trail->begin({tenant, "admin", "10.0.0.9:4711", "POST", uri}, now, [this, index](const Result<AuditToken>& stored, Now) {
            EXPECT_EQ(outcomes[index], "");
            outcomes[index] = stored ? "go" : stored.error().message;
            tokens[index] = stored ? *stored : 0;
        });
        return index;
    }

    Now now{Instant(100s), WallTime(std::chrono::seconds(1'714'564'800))};
    SeededRng rng{7};
    FakeHistory port;
    std::unique_ptr<AuditTrail> trail = std::make_unique<AuditTrail>(AuditMode::required, "agg-a", port, rng);
    std::vector<std::string> outcomes;
    std::vector<AuditToken> tokens;
};

}  // namespace

TEST_F(Trail, NothingIsDoneBeforeItsIntentIsStored)
{
    begin();
    EXPECT_EQ(outcomes[0], "");
    ASSERT_TRUE(port.finish(now));
    EXPECT_EQ(outcomes[0], "go");
    ASSERT_EQ(port.stored.size(), 1U);
    const history::AuditRecord& intent = port.stored[0];
    EXPECT_EQ(intent.tenant, "acme");
    EXPECT_EQ(intent.account, "admin");
    EXPECT_EQ(intent.client, "10.0.0.9:4711");
    EXPECT_EQ(intent.node, "agg-a");
    EXPECT_EQ(intent.method, "POST");
    EXPECT_EQ(intent.uri, "/redfish/v1/Systems/A_1");
    EXPECT_EQ(intent.request.size(), 32U);
    EXPECT_EQ(intent.phase, history::Phase::intent);
}

TEST_F(Trail, AResultRepeatsItsIntent)
{
    begin();
    port.finish(now);
    now.wall += 5s;
    trail->end(tokens[0], 204, now);
    EXPECT_TRUE(trail->isBusy());
    port.finish(now);
    EXPECT_FALSE(trail->isBusy());
    ASSERT_EQ(port.stored.size(), 2U);
    EXPECT_EQ(port.stored[1].phase, history::Phase::result);
    EXPECT_EQ(port.stored[1].status, 204);
    EXPECT_EQ(port.stored[1].request, port.stored[0].request);
    EXPECT_EQ(port.stored[1].time, port.stored[0].time + 5s);
    EXPECT_EQ(trail->counters().stored, 2U);
    trail->end(tokens[0], 500, now);
    EXPECT_TRUE(port.asked.empty());
}

TEST_F(Trail, AllThatWaitsSharesOneTransaction)
{
    begin();
    begin();
    begin();
    EXPECT_EQ(port.asked.size(), 1U);
    port.finish(now);
    ASSERT_EQ(port.asked.size(), 1U);
    EXPECT_EQ(port.asked[0].first.size(), 2U);
    port.finish(now);
    EXPECT_EQ(outcomes, (std::vector<std::string>{"go", "go", "go"}));
    EXPECT_TRUE(port.asked.empty());
}

TEST_F(Trail, OfManyThatAreStoredTogetherSomeOfEachTenantGoOnInATurn)
{
    begin();
    for (std::size_t i = 0; i < 2 * limits::auditsPerTurn + 1; ++i) {
        begin();
    }
    begin("/redfish/v1/Systems/B_1", "other");
    const auto gone = [this] { return std::count(outcomes.begin(), outcomes.end(), "go"); };
    port.finish(now);
    EXPECT_EQ(gone(), 1);
    port.finish(now);
    EXPECT_EQ(gone(), 2 + static_cast<std::ptrdiff_t>(limits::auditsPerTurn));
    EXPECT_EQ(outcomes.back(), "go") << "the other tenant's";
    EXPECT_EQ(trail->nextDeadline(), Instant{});
    EXPECT_TRUE(trail->isBusy());
    trail->onTimer(now);
    trail->onTimer(now);
    EXPECT_EQ(gone(), static_cast<std::ptrdiff_t>(outcomes.size()));
    EXPECT_EQ(trail->nextDeadline(), never);
    EXPECT_FALSE(trail->isBusy());
}

TEST_F(Trail, WhatCannotBeRecordedIsNotDone)
{
    begin();
    begin();
    port.fail(now);
    EXPECT_EQ(outcomes[0], "the disk is full");
    EXPECT_EQ(outcomes[1], "");
    port.finish(now);
    EXPECT_EQ(outcomes[1], "go");
    EXPECT_EQ(trail->counters().refused, 1U);
    EXPECT_EQ(trail->nextDeadline(), never);
}

TEST_F(Trail, WithBestEffortItIsDoneAndCounted)
{
    use(AuditMode::bestEffort);
    begin();
    port.fail(now);
    EXPECT_EQ(outcomes[0], "go");
    EXPECT_EQ(trail->counters().unrecorded, 1U);
    EXPECT_EQ(trail->counters().refused, 0U);
}

TEST_F(Trail, WhereNothingIsRecordedNothingWaits)
{
    use(AuditMode::off);
    begin();
    EXPECT_EQ(outcomes[0], "go");
    EXPECT_EQ(tokens[0], 0U);
    trail->end(tokens[0], 204, now);
    trail->note({"acme", "admin", "", "POST", "/"}, 201, now);
    EXPECT_TRUE(port.asked.empty());
}

TEST_F(Trail, ResultsOutliveADatabaseThatIsAway)
{
    begin();
    port.finish(now);
    trail->end(tokens[0], 204, now);
    port.fail(now);
    EXPECT_TRUE(port.asked.empty());
    EXPECT_EQ(trail->nextDeadline(), now.mono + limits::auditRetry);
    trail->onTimer(now);
    EXPECT_TRUE(port.asked.empty());
    now.mono += limits::auditRetry;
    trail->onTimer(now);
    port.finish(now);
    ASSERT_EQ(port.stored.size(), 2U);
    EXPECT_EQ(port.stored[1].status, 204);
    EXPECT_EQ(trail->nextDeadline(), never);
}

TEST_F(Trail, ResultsThatWaitGoWithTheNextIntentAndBeforeIt)
{
    begin();
    port.finish(now);
    trail->end(tokens[0], 204, now);
    port.fail(now);
    begin("/redfish/v1/Systems/A_2");
    port.finish(now);
    ASSERT_EQ(port.stored.size(), 3U);
    EXPECT_EQ(port.stored[1].status, 204);
    EXPECT_EQ(port.stored[2].uri, "/redfish/v1/Systems/A_2");
    EXPECT_FALSE(trail->isBusy());
}

TEST_F(Trail, ResultsThatNobodyTakesAreBoundedAndCounted)
{
    for (std::size_t i = 0; i < limits::maxUnstoredResults + 10; ++i) {
        trail->note({"acme", "admin", "", "POST", "/"}, 201, now);
        while (port.fail(now)) {
        }
    }
    EXPECT_EQ(trail->counters().lostResults, 10U);
}

TEST_F(Trail, ResultsThatWaitKeepNobodyWaiting)
{
    for (std::size_t i = 0; i < 3 * limits::maxAuditBatch; ++i) {
        trail->note({"acme", "admin", "", "POST", "/"}, 201, now);
        while (port.fail(now)) {
        }
    }
    begin();
    ASSERT_TRUE(port.fail(now));
    EXPECT_EQ(outcomes[0], "the disk is full");
    EXPECT_TRUE(port.asked.empty());
    begin();
    ASSERT_TRUE(port.finish(now));
    EXPECT_EQ(outcomes[1], "go");
    while (port.finish(now)) {
    }
    EXPECT_EQ(port.stored.size(), 3 * limits::maxAuditBatch + 1);
}

TEST_F(Trail, RequestsThatWaitAreBounded)
{
    for (std::size_t i = 0; i < limits::maxWaitingAudits + 2; ++i) {
        begin();
    }
    EXPECT_NE(outcomes.back(), "");
    EXPECT_NE(outcomes.back(), "go");
    EXPECT_EQ(outcomes[outcomes.size() - 2], "");
    EXPECT_EQ(trail->counters().refused, 1U);
    while (port.finish(now)) {
    }
    EXPECT_EQ(port.stored.size(), limits::maxWaitingAudits + 1);
}

TEST_F(Trail, RequestsThatAreRecordedAndNotCarriedOutYetAreBoundedAsWell)
{
    std::size_t refused = 0;
    for (std::size_t i = 0; i < 2 * limits::maxWaitingAudits && refused == 0; ++i) {
        const std::size_t index = begin();
        while (i % limits::maxAuditBatch == limits::maxAuditBatch - 1 && port.finish(now)) {
        }
        refused += outcomes[index] == "too many requests wait to be recorded" ? 1 : 0;
    }
    EXPECT_EQ(refused, 1U);
    EXPECT_EQ(outcomes[begin("/redfish/v1/Systems/B_1", "other")], "") << "another tenant's";
}

TEST_F(Trail, ADatabaseThatHangsKeepsNobodyWaitingForLong)
{
    begin("/first");
    begin("/second");
    EXPECT_EQ(trail->nextDeadline(), now.mono + limits::auditPatience);
    now.mono += limits::auditPatience - 1ns;
    trail->onTimer(now);
    EXPECT_EQ(outcomes, (std::vector<std::string>{"", ""}));
    now.mono += 1ns;
    trail->onTimer(now);
    EXPECT_EQ(outcomes[0], "the history's database does not answer");
    EXPECT_EQ(outcomes[1], outcomes[0]);
    EXPECT_EQ(trail->nextDeadline(), never);
    begin("/third");
    EXPECT_EQ(outcomes[2], outcomes[0]) << "at once";
    EXPECT_EQ(trail->counters().refused, 3U);
    ASSERT_EQ(port.asked.size(), 1U);
    EXPECT_EQ(port.asked[0].first.size(), 1U);
}

TEST_F(Trail, WhatWasRefusedAndIsStoredAfterAllIsRecordedAsRefused)
{
    begin("/first");
    begin("/second");
    now.mono += limits::auditPatience;
    trail->onTimer(now);
    ASSERT_TRUE(port.finish(now));
    ASSERT_TRUE(port.finish(now));
    EXPECT_TRUE(port.asked.empty());
    ASSERT_EQ(port.stored.size(), 2U) << "who was only queued is nowhere";
    EXPECT_EQ(port.stored[1].uri, "/first");
    EXPECT_EQ(port.stored[1].phase, history::Phase::result);
    EXPECT_EQ(port.stored[1].status, 503);
    EXPECT_EQ(trail->counters().stored, 2U);
    EXPECT_FALSE(trail->isBusy());
    begin("/third");
    port.finish(now);
    EXPECT_EQ(outcomes[2], "go");
}

TEST_F(Trail, WhatWasRefusedAndIsNotStoredLeavesNothing)
{
    begin();
    now.mono += limits::auditPatience;
    trail->onTimer(now);
    ASSERT_TRUE(port.fail(now));
    EXPECT_FALSE(trail->isBusy());
    EXPECT_EQ(trail->counters().refused, 1U);
    EXPECT_EQ(trail->nextDeadline(), never);
}

TEST_F(Trail, WithBestEffortItIsDoneAlsoWhereTheDatabaseHangs)
{
    use(AuditMode::bestEffort);
    begin();
    now.mono += limits::auditPatience;
    trail->onTimer(now);
    begin();
    EXPECT_EQ(outcomes, (std::vector<std::string>{"go", "go"}));
    EXPECT_EQ(trail->counters().unrecorded, 2U);
    trail->end(tokens[0], 204, now);
    while (port.finish(now)) {
    }
    ASSERT_EQ(port.stored.size(), 2U);
    EXPECT_EQ(port.stored[1].status, 204);
    EXPECT_EQ(outcomes, (std::vector<std::string>{"go", "go"}));
}

TEST_F(Trail, WhatClientsWriteCannotBreakARecord)
{
    trail->begin({"acme", "J\xc3\xb6rg\n", "10.0.0.9:4711", "POST", std::string(5000, 'u')}, now, [](const Result<AuditToken>&, Now) {});
    port.finish(now);
    EXPECT_EQ(port.stored[0].account, "J%C3%B6rg%0A");
    EXPECT_EQ(port.stored[0].uri.size(), limits::maxAuditUriBytes);
}

}  // namespace mesh::aggregator
