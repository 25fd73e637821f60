#include "aggregator/core/tests/event_fixture.hpp"
#include "aggregator/core/tests/fake_history.hpp"

// Tenants with a database of their own keep no other waiting, and nothing is lost when one gets it.
namespace mesh::aggregator {

class AuditLanes : public testing::Test {
protected:
    void begin(const std::string& tenant)
    {
        const std::size_t index = outcomes.size();
        outcomes.push_back("");
        trail.begin({tenant, "admin", "10.0.0.9:4711", "POST", "/x"}, now, [this, index](const Result<AuditToken>& stored, Now) {
            outcomes[index] = stored ? "go" : stored.error().message;
            tokens.push_back(stored ? *stored : 0);
        });
    }
    std::vector<std::string> tenantsOf(std::size_t job) const
    {
        std::vector<std::string> out;
        for (const history::AuditRecord& record : port.asked.at(job).first) {
            out.push_back(record.tenant);
        }
        return out;
    }

    Now now{Instant(100s), WallTime(std::chrono::seconds(1'714'564'800))};
    SeededRng rng{7};
    FakeHistory port;
    AuditTrail trail{AuditMode::required, "agg-a", port, rng};
    std::vector<std::string> outcomes;
    std::vector<AuditToken> tokens;
};

TEST_F(AuditLanes, ADatabaseThatHangsKeepsNoOtherTenantWaiting)
{
    port.own = {"acme"};
    begin("acme");
    begin("umbra");
    ASSERT_EQ(port.asked.size(), 2U) << "a transaction each";
    port.asked.push_back(std::move(port.asked.front()));
    port.asked.pop_front();
    ASSERT_TRUE(port.finish(now));
    EXPECT_EQ(outcomes[1], "go");
    EXPECT_EQ(outcomes[0], "");
    now.mono += limits::auditPatience;
    trail.onTimer(now);
    EXPECT_NE(outcomes[0].find("does not answer"), std::string::npos);
    begin("umbra");
    begin("acme");
    EXPECT_NE(outcomes[3], "") << "it hangs";
    EXPECT_EQ(outcomes[2], "");
    EXPECT_EQ(tenantsOf(1), (std::vector<std::string>{"umbra"}));
}

TEST_F(AuditLanes, OthersShareATransactionAsBefore)
{
    begin("umbra");
    begin("zeta");
    begin("");
    ASSERT_TRUE(port.finish(now));
    EXPECT_EQ(tenantsOf(0), (std::vector<std::string>{"zeta", ""}));
}

TEST_F(AuditLanes, WhatWaitsGoesWithItsTenantToAnotherLane)
{
    begin("umbra");
    begin("acme");
    begin("zeta");
    port.own = {"acme"};
    trail.onLanes(now);
    ASSERT_EQ(port.asked.size(), 2U);
    EXPECT_EQ(tenantsOf(1), (std::vector<std::string>{"acme"}));
    port.finish(now);
    port.finish(now);
    ASSERT_EQ(port.asked.size(), 1U);
    EXPECT_EQ(tenantsOf(0), (std::vector<std::string>{"zeta"}));
    port.finish(now);
    EXPECT_EQ(outcomes, (std::vector<std::string>{"go", "go", "go"}));
    EXPECT_FALSE(trail.isBusy());
}

TEST_F(AuditLanes, ResultsThatCouldNotBeStoredGoWithTheirTenantToo)
{
    begin("acme");
    begin("umbra");
    port.finish(now);
    port.finish(now);
    trail.end(tokens[0], 204, now);
    trail.end(tokens[1], 204, now);
    port.own = {"acme"};
    trail.onLanes(now);
    ASSERT_EQ(port.asked.size(), 1U) << "that of acme is under way, that of umbra waits for it";
    ASSERT_TRUE(port.fail(now));
    now.mono += limits::auditRetry;
    trail.onTimer(now);
    EXPECT_EQ(port.asked.size(), 2U) << "each in its own";
    while (port.finish(now)) {
    }
    EXPECT_EQ(port.stored.size(), 4U);
    EXPECT_FALSE(trail.isBusy());
    EXPECT_EQ(trail.counters().lostResults, 0U);
}

struct EventLanes : EventsTest {};

TEST_F(EventLanes, ADatabaseThatFailsKeepsNoOtherTenantsEvents)
{
    store.own = {"acme"};
    flow.onLanes();
    link(sled);
    link("beta/sled07");
    store.failingTenants = {"acme"};
    emit(sled, 1, 2);
    emit("beta/sled07", 1, 2);
    run();
    EXPECT_EQ(stored("beta/sled07"), (Texts{"0:0", "1:2"}));
    EXPECT_EQ(stored(sled), Texts{"0:0"});
    EXPECT_EQ(metric("events_recording"), 0U);
    EXPECT_EQ(metric("events_waiting"), 2U);
    EXPECT_NE(flow.condition().find("of tenant acme"), std::string::npos) << flow.condition();
    store.failingTenants.clear();
    after(limits::eventRetryMax);
    EXPECT_EQ(stored(sled), Texts{"1:2"});
    EXPECT_EQ(flow.condition(), "recording");
}

TEST_F(EventLanes, WhatADatabaseHasIsReadBeforeItsTenantsEventsAreTakenAndOthersDoNotWaitForThat)
{
    store.put({{}, "acme", "sled07", 3, 7, "power", "off", "{}"});
    store.own = {"acme"};
    store.failingTenants = {"acme"};
    flow.onLanes();
    link("beta/sled07");
    link(sled);
    EXPECT_EQ(stored("beta/sled07"), Texts{"0:0"});
    EXPECT_EQ(stored(sled), Texts{}) << "nobody knows yet";
    emit(sled, 1, 1);
    EXPECT_EQ(metric("events_refused_early_total"), 1U);
    store.failingTenants.clear();
    after(limits::eventRetryMax);
    EXPECT_EQ(stored(sled), Texts{"3:7"});
}

TEST_F(EventLanes, WhatWaitsGoesWithItsTenantAndIsStoredOnceInOrder)
{
    link(sled);
    link("beta/sled07");
    emit(sled, 1, 3);
    flow.onTimer(now);
    emit(sled, 4, 6);
    emit("beta/sled07", 1, 1);
    store.own = {"acme"};
    flow.onLanes();
    emit(sled, 7, 8);
    run();
    EXPECT_EQ(store.rows[sled].size(), 8U);
    EXPECT_EQ(stored(sled).back(), "1:8");
    EXPECT_EQ(stored("beta/sled07").back(), "1:1");
    EXPECT_EQ(metric("events_waiting"), 0U);
    emit(sled, 9, 9);
    run();
    EXPECT_EQ(stored(sled), Texts{"1:9"});
}

TEST_F(EventLanes, WhatIsUnderWayComesFirstAlsoWhereItHasToBeTriedAgain)
{
    link(sled);
    emit(sled, 1, 3);
    flow.onTimer(now);
    store.own = {"acme"};
    flow.onLanes();
    emit(sled, 4, 5);
    store.failing = true;
    ASSERT_TRUE(store.finish(now));
    store.failing = false;
    stored(sled);
    run();
    EXPECT_EQ(stored(sled), Texts{}) << "nothing of it may be acknowledged before what comes first is on disk";
    EXPECT_TRUE(store.rows[sled].empty());
    after(limits::eventRetryInitial);
    EXPECT_EQ(stored(sled), (Texts{"1:3", "1:5"}));
    EXPECT_EQ(store.rows[sled].size(), 5U);
}

TEST_F(EventLanes, ADatabaseThatHangsHoldsNoneOfTheOthersWhichFailedTogetherWithItsTenants)
{
    link("acme/sled08");
    link("beta/sled07");
    link(sled);
    for (const shoset::Address connector : {"acme/sled08", "beta/sled07", "acme/sled07"}) {
        emit(connector, 1, 2);
    }
    flow.onTimer(now);
    ASSERT_EQ(store.batches, (std::vector<std::size_t>{6}));
    store.own = {"acme"};
    flow.onLanes();
    store.failing = true;
    ASSERT_TRUE(store.finish(now));
    store.failing = false;
    store.hangingTenants = {"acme"};
    emit("beta/sled07", 3, 3);
    emit(sled, 3, 3);
    after(limits::eventRetryInitial);
    EXPECT_EQ(stored("beta/sled07"), (Texts{"0:0", "1:2", "1:3"}));
    EXPECT_EQ(stored(sled), Texts{"0:0"});
    store.hangingTenants.clear();
    store.jobs.swap(store.hanging);
    run();
    EXPECT_EQ(stored(sled), (Texts{"1:2", "1:3"}));
    EXPECT_EQ(stored("acme/sled08"), (Texts{"0:0", "1:2"}));
    EXPECT_EQ(store.rows[sled].at({1, 2}).sequence, 2U);
    EXPECT_EQ(flow.condition(), "recording");
    EXPECT_EQ(metric("events_waiting"), 0U);
}

TEST_F(EventLanes, WhereNothingIsLeftThatFailedTheCommonDatabaseDoesNotCountAsFailing)
{
    link(sled);
    emit(sled, 1, 2);
    flow.onTimer(now);
    store.own = {"acme"};
    flow.onLanes();
    store.failing = true;
    ASSERT_TRUE(store.finish(now));
    store.failing = false;
    after(limits::eventRetryInitial);
    EXPECT_EQ(stored(sled), (Texts{"0:0", "1:2"}));
    EXPECT_EQ(flow.condition(), "recording");
}

TEST_F(EventLanes, WhatIsUnderWayOfOthersKeepsNoNewLaneWaiting)
{
    link(sled);
    link("beta/sled07");
    store.hangingTenants = {"beta"};
    emit("beta/sled07", 1, 1);
    flow.onTimer(now);
    store.own = {"acme"};
    flow.onLanes();
    emit(sled, 1, 1);
    run();
    EXPECT_EQ(stored(sled), (Texts{"0:0", "1:1"}));
}

TEST_F(EventLanes, ATenantWhoseDatabaseIsAwayHasBoundedRoomAndTakesNoneOfTheOthers)
{
    store.own = {"acme"};
    flow.onLanes();
    link(sled);
    link("acme/sled08");
    link("beta/sled07");
    store.failingTenants = {"acme"};
    emit(sled, 1, limits::maxWaitingSourceEvents + 10);
    emit("acme/sled08", 1, limits::maxWaitingSourceEvents + 10);
    run();
    EXPECT_LE(metric("events_waiting"), limits::maxWaitingEvents / 4 + limits::maxEventBatch);
    stored("beta/sled07");
    emit("beta/sled07", 1, limits::maxWaitingSourceEvents);
    run();
    EXPECT_EQ(stored("beta/sled07").back(), "1:" + std::to_string(limits::maxWaitingSourceEvents));
}

}  // namespace mesh::aggregator
