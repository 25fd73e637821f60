#include "aggregator/core/tests/event_fixture.hpp"

namespace mesh::aggregator {
namespace {

struct EventIntakeTest : EventsTest {};

}  // namespace

TEST_F(EventIntakeTest, AConnectorIsToldWhatIsStoredWhenItLinks)
{
    store.put({{}, "acme", "sled07", 3, 7, "power", "off", "{}"});
    link(sled);
    link("acme/sled08");
    EXPECT_EQ(stored(sled), Texts{"3:7"});
    EXPECT_EQ(stored("acme/sled08"), Texts{"0:0"});
}

TEST_F(EventIntakeTest, NothingIsTakenBeforeTheStoreHasToldWhatItHas)
{
    links.up.insert(sled);
    flow.onConnectorUp(sled, now);
    emit(sled, 1, 3);
    EXPECT_EQ(stored(sled), Texts{});
    run();
    EXPECT_EQ(stored(sled), Texts{"0:0"});
    EXPECT_EQ(metric("events_refused_early_total"), 3U);
    EXPECT_TRUE(store.batches.empty());
}

TEST_F(EventIntakeTest, WhatCameTogetherIsOneTransactionAndIsAcknowledgedWhenItIsOnDisk)
{
    link(sled);
    stored(sled);
    emit(sled, 1, 5);
    flow.onTimer(now);
    EXPECT_EQ(stored(sled), Texts{});
    run();
    EXPECT_EQ(store.batches, std::vector<std::size_t>{5});
    EXPECT_EQ(stored(sled), Texts{"1:5"});
    const history::EventRecord& first = store.rows[sled].begin()->second;
    EXPECT_EQ(first.tenant + "/" + first.connector + " " + first.topic + " " + first.name + " " + first.payload, "acme/sled07 power off {}");
    EXPECT_EQ(metric("events_stored_total"), 5U);
}

TEST_F(EventIntakeTest, OneTransactionIsUnderWayAtATime)
{
    link(sled);
    emit(sled, 1, 1);
    flow.onTimer(now);
    emit(sled, 2, 2);
    flow.onTimer(now);
    emit(sled, 3, 3);
    flow.onTimer(now);
    run();
    EXPECT_EQ(store.batches, (std::vector<std::size_t>{1, 2}));
    EXPECT_EQ(stored(sled), (Texts{"0:0", "1:1", "1:3"}));
}

TEST_F(EventIntakeTest, WhatIsThereIsNotTakenAgain)
{
    link(sled);
    emit(sled, 1, 3);
    run();
    emit(sled, 2, 4);
    run();
    EXPECT_EQ(store.batches, (std::vector<std::size_t>{3, 1}));
    EXPECT_EQ(metric("events_duplicate_total"), 2U);
}

TEST_F(EventIntakeTest, AfterAHoleNothingIsTakenAndItIsSaidOnceMore)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    stored(sled);
    emit(sled, 4, 9);
    run();
    EXPECT_EQ(stored(sled), Texts{"1:2"}) << "once for all of them";
    EXPECT_EQ(metric("events_holes_total"), 6U);
    emit(sled, 3, 9);
    run();
    EXPECT_EQ(stored(sled), Texts{"1:9"});
}

TEST_F(EventIntakeTest, ALossIsStoredInItsPlace)
{
    link(sled);
    emit(sled, 1, 4);
    shoset::Event loss;
    loss.epoch = 1;
    loss.sequence = 3;
    loss.lostTo = 10;
    say(sled, sled, loss);
    emit(sled, 11, 11);
    run();
    EXPECT_EQ(stored(sled).back(), "1:11");
    const history::EventRecord& record = store.rows[sled].at({1, 5});
    EXPECT_EQ(record.lostTo, 10U);
    EXPECT_EQ(record.time, now.wall);
    EXPECT_EQ(metric("events_losses_total"), 1U);
}

TEST_F(EventIntakeTest, ANewEpochBeginsAtOneWhereNobodyElseStores)
{
    link(sled);
    emit(sled, 1, 4);
    emit(sled, 1, 2, 5);
    emit(sled, 5, 5, 1);
    run();
    EXPECT_EQ(stored(sled).back(), "5:2");
    EXPECT_EQ(metric("events_duplicate_total"), 1U) << "of the epoch before";
}

TEST_F(EventIntakeTest, AStoreThatFailsGetsTheSameAgainAndNothingIsAcknowledged)
{
    link(sled);
    stored(sled);
    store.failing = true;
    emit(sled, 1, 2);
    run();
    emit(sled, 3, 3);
    run();
    EXPECT_EQ(flow.condition(), "the history's database failed: the disk is full");
    EXPECT_EQ(metric("events_recording"), 0U);
    after(limits::eventRetryInitial);
    EXPECT_EQ(store.batches, (std::vector<std::size_t>{2, 2}));
    EXPECT_EQ(metric("events_write_failures_total"), 2U);
    EXPECT_EQ(stored(sled), Texts{});
    store.failing = false;
    after(limits::eventRetryInitial);
    EXPECT_EQ(store.batches.size(), 2U) << "it is waited longer and longer";
    after(limits::eventRetryInitial);
    EXPECT_EQ(stored(sled), (Texts{"1:2", "1:3"}));
    EXPECT_EQ(flow.condition(), "recording");
}

TEST_F(EventIntakeTest, WhatTheStoreHasIsAskedForUntilItTells)
{
    store.failing = true;
    link(sled);
    EXPECT_EQ(stored(sled), Texts{});
    store.failing = false;
    after(limits::eventRetryInitial);
    EXPECT_EQ(stored(sled), Texts{"0:0"});
}

TEST_F(EventIntakeTest, WhatDoesNotFitIsSentAgainWhenThereIsRoom)
{
    link(sled);
    stored(sled);
    flow.onTimer(now);
    emit(sled, 1, limits::maxWaitingSourceEvents + 100);
    EXPECT_EQ(metric("events_refused_full_total"), 100U);
    EXPECT_EQ(metric("events_waiting"), limits::maxWaitingSourceEvents);
    run();
    const std::string all = "1:" + std::to_string(limits::maxWaitingSourceEvents);
    const Texts told = stored(sled);
    ASSERT_GE(told.size(), 2U);
    EXPECT_EQ(told.back(), all);
    EXPECT_EQ(told[told.size() - 2], all) << "twice without progress: it goes on from there";
    EXPECT_EQ(metric("events_holes_total"), 0U);
    emit(sled, limits::maxWaitingSourceEvents + 1, limits::maxWaitingSourceEvents + 100);
    run();
    EXPECT_EQ(store.rows[sled].size(), limits::maxWaitingSourceEvents + 100);
}

TEST_F(EventIntakeTest, BytesThatWaitAreBoundedToo)
{
    link(sled);
    const std::string large(limits::maxEventBytes, 'x');
    for (std::uint64_t i = 1; i <= 2 * limits::maxWaitingSourceBytes / large.size(); ++i) {
        say(sled, sled, eventAt(i), large);
    }
    EXPECT_EQ(metric("events_waiting"), limits::maxWaitingSourceBytes / large.size());
}

TEST_F(EventIntakeTest, ABusyTenantLeavesRoomAndATurnToAQuietOne)
{
    for (int i = 0; i < 4; ++i) {
        members.insert("acme/busy" + std::to_string(i));
        link("acme/busy" + std::to_string(i));
    }
    link("beta/sled07");
    for (int i = 0; i < 4; ++i) {
        emit("acme/busy" + std::to_string(i), 1, limits::maxWaitingSourceEvents);
    }
    EXPECT_EQ(metric("events_waiting"), limits::maxWaitingTenantEvents);
    emit("beta/sled07", 1, 1);
    flow.onTimer(now);
    store.finish(now);
    EXPECT_EQ(stored("beta/sled07"), (Texts{"0:0", "1:1"})) << "in the first transaction";
}

TEST_F(EventIntakeTest, WhatAQuotaRefusesIsSentAgainAWhileLater)
{
    link(sled);
    quota = 3;
    emit(sled, 1, 5);
    run();
    emit("acme/sled08", 1, 1);
    run();
    EXPECT_EQ(stored(sled), (Texts{"0:0", "1:3"}));
    EXPECT_EQ(metric("events_refused_quota_total"), 2U);
    quota = 100;
    after(limits::eventHolePause);
    EXPECT_EQ(stored(sled), Texts{"1:3"});
    emit(sled, 4, 5);
    run();
    EXPECT_EQ(stored(sled), Texts{"1:5"});
}

TEST_F(EventIntakeTest, TopicsOfTheMeshAreNotAConnectors)
{
    link(sled);
    emit(sled, 1, 1, 1, "mesh.error");
    emit(sled, 2, 2, 1, "mesh.bmc");
    emit(sled, 3, 3, 1, "mesh.bmc.power");
    emit(sled, 4, 4, 1, "mesh.bmcx");
    emit(sled, 5, 5, 1, "meshes");
    run();
    EXPECT_EQ(metric("events_refused_topic_total"), 2U);
    EXPECT_EQ(stored(sled).back(), "1:5") << "what comes behind them is not kept up";
    EXPECT_EQ(store.rows[sled].at({1, 1}).lostTo, 1U);
    EXPECT_EQ(store.rows[sled].at({1, 2}).topic, "mesh.bmc");
    EXPECT_EQ(store.rows[sled].at({1, 4}).lostTo, 4U);
}

TEST_F(EventIntakeTest, NumbersThatNoDatabaseCountsAreNotTaken)
{
    link(sled);
    say(sled, sled, eventAt(1, limits::maxEventNumber + 1));
    shoset::Event loss;
    loss.epoch = 1;
    loss.sequence = 1;
    loss.lostTo = ~0ULL;
    say(sled, sled, loss);
    run();
    EXPECT_EQ(metric("events_refused_malformed_total"), 2U);
    EXPECT_TRUE(store.batches.empty());
}

TEST_F(EventIntakeTest, AnEpochThatNoClockCanHaveComeToEndsNoConnectorsEvents)
{
    store.put({{}, "acme", "sled07", limits::maxEventNumber - 1, 7, "power", "off", "{}"});
    link(sled);
    EXPECT_EQ(stored(sled), Texts{"0:0"}) << "somebody has spoiled the database";
    say(sled, sled, eventAt(1, limits::maxEventNumber), "{}");
    run();
    EXPECT_EQ(metric("events_refused_epoch_total"), 2U);
    const auto wall = static_cast<std::uint64_t>(toMillis(now.wall));
    emit(sled, 1, 2, wall);
    emit(sled, 1, 1, wall + limits::maxEpochAhead + 1);
    run();
    EXPECT_EQ(stored(sled).back(), std::to_string(wall + limits::maxEpochAhead + 1) + ":1") << "what a connector may have been told";
}

TEST_F(EventIntakeTest, NobodyTellsAnotherOnesEvents)
{
    link(sled);
    link("beta/sled07");
    say(sled, "beta/sled07", eventAt(1), "{}");
    say("acme/stranger", "acme/stranger", eventAt(1), "{}");
    say(sled, sled, shoset::EventsWanted{"beta/sled07", 1, 1, 10, false});
    say("agg-b", "beta/sled07", eventAt(1), "{}");
    say("agg-b", "agg-b", shoset::Subscribe{1, {"*"}, {}, false, 10});
    run();
    EXPECT_TRUE(store.batches.empty());
    EXPECT_EQ(metric("events_refused_kind_total"), 4U);
    EXPECT_EQ(metric("events_unasked_total"), 1U);
    EXPECT_EQ(wanted(sled), Texts{});
}

TEST_F(EventIntakeTest, WhereNothingIsRecordedNothingIsTold)
{
    EventFlow off({"agg-a", [](const shoset::Address&) { return true; }, [] { return std::nullopt; }}, nullptr, links);
    links.up.insert(sled);
    off.onConnectorUp(sled, now);
    off.onRecord(sled, {{}, sled, "agg-a", eventAt(1)}, "{}", now);
    off.note("acme", "mesh.error", "x", "{}", now);
    off.onTimer(now);
    EXPECT_EQ(off.nextDeadline(), never);
    EXPECT_TRUE(links.told.empty());
    std::vector<Counter> metrics;
    off.addMetrics(metrics);
    EXPECT_EQ(metrics[1].name, "bmcmesh_events_refused_off_total");
    EXPECT_EQ(metrics[1].value, 1U);
}

TEST_F(EventIntakeTest, TheMeshsOwnAreStoredForTheTenantAndBounded)
{
    run();
    for (std::size_t i = 0; i < limits::eventNotesPerSecond + 3; ++i) {
        flow.note("acme", "mesh.error", "wrong_source", "{}", now);
    }
    flow.note("beta", "mesh.error", "wrong_source", "{}", now);
    run();
    EXPECT_EQ(store.rows["acme/@agg-a"].size(), limits::eventNotesPerSecond);
    EXPECT_EQ(store.rows["beta/@agg-a"].size(), 1U);
    EXPECT_EQ(metric("events_notes_dropped_total"), 3U);
    after(1s);
    flow.note("acme", "mesh.error", "wrong_source", "{}", now);
    run();
    EXPECT_EQ(store.rows["acme/@agg-a"].size(), limits::eventNotesPerSecond + 1);
    EXPECT_EQ(store.rows["acme/@agg-a"].rbegin()->second.topic, "mesh.error");
}

TEST_F(EventIntakeTest, TheMeshsOwnTakeNothingOfAQuota)
{
    run();
    quota = 0;
    flow.note("acme", "mesh.error", "over_quota", "{}", now);
    run();
    EXPECT_EQ(store.rows["acme/@agg-a"].size(), 1U) << "it may tell that the quota is used up";
    EXPECT_EQ(quota, 0);
}

TEST_F(EventIntakeTest, TheMeshsOwnGoOnAfterARestart)
{
    store.put({{}, "acme", "@agg-a", limits::maxEventNumber - 5, 7, "mesh.error", "x", "{}"});
    run();
    flow.note("acme", "mesh.error", "wrong_source", "{}", now);
    run();
    EXPECT_EQ(store.rows["acme/@agg-a"].size(), 2U) << "also where the clock was set back";
}

}  // namespace mesh::aggregator
