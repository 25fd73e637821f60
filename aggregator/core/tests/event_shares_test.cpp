// What one subscriber, or one tenant, may have of a node.
#include "aggregator/core/tests/event_fixture.hpp"

namespace mesh::aggregator {
namespace {

const std::string hearer = "acme/sled08";

struct EventSharesTest : EventsTest {
    EventSharesTest()
    {
        for (const shoset::Address& connector : members) {
            link(connector);
        }
        links.newer = {hearer};
    }
    void subscribe(const shoset::Address& who, shoset::Subscribe wish = {1, {"*"}, {}, false, 1000})
    {
        say(who, who, std::move(wish));
        run();
    }
    void emitNow(std::uint64_t from, std::uint64_t to, std::uint64_t epoch = 1)
    {
        emit(sled, from, to, epoch);
        run();
    }
    void lose(std::uint64_t from, std::uint64_t to)
    {
        for (std::uint64_t sequence = from; sequence <= to; ++sequence) {
            shoset::Event loss;
            loss.epoch = 1;
            loss.sequence = loss.lostTo = sequence;
            say(sled, sled, loss);
        }
        run();
    }
    void taken(std::uint64_t total)
    {
        say(hearer, hearer, shoset::EventsTaken{1, total});
        run();
    }
    // As many connectors of the tenant as that takes, each with as many as one may have.
    void subscribeOften(const std::string& tenant, std::size_t count)
    {
        for (std::size_t made = 0; made < count; ++made) {
            const shoset::Address who = tenant + "/s" + std::to_string(made / limits::maxSubscriptionsPerConnector);
            members.insert(who);
            links.up.insert(who);
            links.newer.insert(who);
            say(who, who, shoset::Subscribe{made, {"*"}, {}, false, 10});
        }
        run();
    }
    // Why, for each that was refused since the last time.
    std::map<shoset::Address, std::string> refusals()
    {
        std::map<shoset::Address, std::string> out;
        for (const Told& each : std::exchange(links.told, {})) {
            if (const auto* word = std::get_if<shoset::Subscribe>(&each.content); word != nullptr && !word->refused.empty()) {
                EXPECT_TRUE(word->topics.empty());
                out[each.to] = word->refused;
            }
        }
        return out;
    }
    // So that nothing of the sled is remembered.
    void forgetAll()
    {
        members.insert("gamma/sled01");
        link("gamma/sled01");
        for (std::uint64_t from = 1; from <= limits::maxRecentEvents; from += 1024) {
            emit("gamma/sled01", from, from + 1023);
            run();
        }
    }
};

}  // namespace

TEST_F(EventSharesTest, ALossCostsCreditWhereItsSubscriberKnowsThat)
{
    emitNow(1, 1);
    lose(2, 6);
    subscribe(hearer, {1, {"*"}, {{sled, 1, 1}}, false, 2});
    EXPECT_EQ(delivered(hearer), (Texts{"acme/sled07 1:2-2", "acme/sled07 1:3-3"}));
    taken(3);
    EXPECT_EQ(delivered(hearer), Texts{"acme/sled07 1:4-4"});
    taken(10);
    EXPECT_EQ(delivered(hearer).size(), 2U);
    EXPECT_EQ(metric("events_delivered_losses_total"), 5U);
}

TEST_F(EventSharesTest, ManyLossesAreSpreadAlsoWhereTheyCostNothing)
{
    links.newer.clear();
    emitNow(1, 1);
    lose(2, 3 * limits::subscriptionLosses + 1);
    subscribe(hearer, {1, {"*"}, {{sled, 1, 1}}, false, 1});
    EXPECT_EQ(delivered(hearer).size(), limits::subscriptionLosses);
    EXPECT_EQ(flow.nextDeadline(), now.mono + limits::subscriptionPause);
    after(limits::subscriptionPause);
    EXPECT_EQ(delivered(hearer).size(), limits::subscriptionLosses);
    after(limits::subscriptionPause);
    EXPECT_EQ(delivered(hearer).size(), limits::subscriptionLosses);
    after(limits::subscriptionPause);
    EXPECT_EQ(delivered(hearer), Texts{});
}

TEST_F(EventSharesTest, WhatDidNotLeaveIsTriedAgain)
{
    emitNow(1, 3);
    links.up.erase(hearer);  // its queue is full
    subscribe(hearer);
    EXPECT_EQ(delivered(hearer), Texts{});
    links.up.insert(hearer);
    after(limits::subscriptionPause);
    EXPECT_EQ(delivered(hearer).size(), 3U);
}

TEST_F(EventSharesTest, ATenantHasItsShareOfTheSubscriptionsAndWhoGetsNoneIsTold)
{
    subscribeOften("delta", limits::maxTenantSubscriptions + 1);
    EXPECT_EQ(metric("subscriptions"), limits::maxTenantSubscriptions);
    EXPECT_EQ(metric("subscriptions_refused_tenant_total"), 1U);
    const auto refused = refusals();
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_NE(refused.begin()->second.find("of one tenant"), std::string::npos);
    subscribe(hearer);
    EXPECT_EQ(metric("subscriptions"), limits::maxTenantSubscriptions + 1);
    unlink(refused.begin()->first);
    unlink("delta/s0");
    EXPECT_EQ(metric("subscriptions"), limits::maxTenantSubscriptions + 1 - limits::maxSubscriptionsPerConnector);
    subscribeOften("delta", limits::maxSubscriptionsPerConnector);
    EXPECT_TRUE(refusals().empty()) << "there is room again";
}

TEST_F(EventSharesTest, OneThatIsOldIsNotToldOfARefusal)
{
    links.newer.clear();
    for (std::uint64_t number = 0; number <= limits::maxSubscriptionsPerConnector; ++number) {
        subscribe(hearer, {number, {"*"}, {}, false, 10});
    }
    EXPECT_EQ(metric("subscriptions_refused_total"), 1U);
    EXPECT_TRUE(refusals().empty()) << "it would take that for its beginning";
}

TEST_F(EventSharesTest, WhereAllAreTakenEachTenantStillHasAFew)
{
    for (int tenant = 0; static_cast<std::size_t>(tenant) < limits::maxSubscriptions / limits::maxTenantSubscriptions; ++tenant) {
        subscribeOften("t" + std::to_string(tenant), limits::maxTenantSubscriptions);
    }
    EXPECT_EQ(metric("subscriptions"), limits::maxSubscriptions);
    EXPECT_TRUE(refusals().empty());
    subscribeOften("late", limits::leastTenantSubscriptions + 1);
    EXPECT_EQ(metric("subscriptions"), limits::maxSubscriptions + limits::leastTenantSubscriptions);
    EXPECT_EQ(refusals().size(), 1U);
    EXPECT_EQ(metric("subscriptions_refused_total"), 1U);
}

TEST_F(EventSharesTest, WhoWaitsForCreditHoldsNothingThatWasStoredLast)
{
    subscribe(hearer, {1, {"*"}, {}, false, 1});
    flow.onTimer(now);
    emit(sled, 1, 20);
    flow.onTimer(now);
    std::weak_ptr<const std::vector<history::EventRecord>> batch = store.lastBatch;
    run();
    EXPECT_EQ(delivered(hearer).size(), 1U);
    EXPECT_FALSE(batch.expired()) << "it is remembered";
    store.lastBatch.reset();
    forgetAll();
    EXPECT_TRUE(batch.expired());
    taken(100);
    EXPECT_EQ(delivered(hearer).size(), 19U) << "it is read";
    EXPECT_GE(store.sourceReads, 1);
}

TEST_F(EventSharesTest, WhatWasReadAndWaitsIsBoundedForATenant)
{
    const std::string large(limits::maxEventBytes, 'x');
    for (std::uint64_t sequence = 1; sequence <= 8; ++sequence) {
        store.put({{}, "acme", "sled07", 1, sequence, "power", "off", large});
    }
    FakeEventLinks otherLinks;
    EventFlow other({"agg-b", [](const shoset::Address&) { return true; }, [] { return std::vector<shoset::Address>{}; }}, &store, otherLinks);
    const auto finish = [&] {
        while (other.nextDeadline() <= now.mono || !store.jobs.empty()) {
            other.onTimer(now);
            store.finish(now);
        }
    };
    finish();
    const std::size_t fit = limits::maxHeldTenantPageBytes / limits::eventPageBytes;
    for (std::size_t made = 0; made < 2 * fit; ++made) {
        const shoset::Address who = "acme/s" + std::to_string(made);
        otherLinks.up.insert(who);
        other.onRecord(who, {{}, who, "agg-b", shoset::Subscribe{1, {"*"}, {}, false, 1}}, {}, now);
        finish();
    }
    const auto value = [&](const std::string& name) {
        std::vector<Counter> all;
        other.addMetrics(all);
        return std::find_if(all.begin(), all.end(), [&](const Counter& each) { return each.name == "bmcmesh_" + name; })->value;
    };
    EXPECT_LE(value("events_held_bytes"), limits::maxHeldTenantPageBytes);
    EXPECT_GT(value("events_held_bytes"), limits::maxHeldTenantPageBytes / 2);
    EXPECT_GT(value("events_pages_dropped_total"), 0U);
    const shoset::Address last = "acme/s" + std::to_string(2 * fit - 1);
    otherLinks.told.clear();
    now.mono += limits::subscriptionPause;
    other.onRecord(last, {{}, last, "agg-b", shoset::EventsTaken{1, 100}}, {}, now);
    finish();
    EXPECT_EQ(otherLinks.told.size(), 7U) << "it is read again";
    for (std::size_t made = 0; made < 2 * fit; ++made) {
        other.onConnectorDown("acme/s" + std::to_string(made));
    }
    EXPECT_EQ(value("events_held_bytes"), 0U);
}

TEST_F(EventSharesTest, TheRestOfAnEpochThatRetentionRemovedIsALoss)
{
    emitNow(1, 10);
    emitNow(1, 2, 8);
    forgetAll();
    auto& rows = store.rows[sled];
    rows.erase(rows.begin(), rows.lower_bound({8, 0}));
    subscribe(hearer, {1, {"*"}, {{sled, 1, 3}}, false, 1000});
    EXPECT_EQ(delivered(hearer), (Texts{"acme/sled07 1:4-4", "acme/sled07 8:1", "acme/sled07 8:2"}));
    EXPECT_EQ(metric("events_delivered_losses_total"), 1U);
}

TEST_F(EventSharesTest, WhereTheLastOneThatWasHadIsThereNothingBehindItIsLost)
{
    emitNow(1, 10);
    emitNow(1, 2, 8);
    subscribe(hearer, {1, {"*"}, {{sled, 1, 10}}, false, 1000});
    EXPECT_EQ(delivered(hearer), (Texts{"acme/sled07 8:1", "acme/sled07 8:2"}));
    forgetAll();
    subscribe(hearer, {1, {"*"}, {{sled, 1, 10}}, false, 1000});
    EXPECT_EQ(delivered(hearer), (Texts{"acme/sled07 8:1", "acme/sled07 8:2"}));
    EXPECT_EQ(metric("events_delivered_losses_total"), 0U);
}

TEST_F(EventSharesTest, AnEpochThatThisNodeNeverHadIsNotPassedOverInSilence)
{
    emitNow(1, 10);
    emitNow(1, 2, 8);
    subscribe(hearer, {1, {"*"}, {{sled, 5, 3}}, false, 1000});
    EXPECT_EQ(delivered(hearer), (Texts{"acme/sled07 5:4-4", "acme/sled07 8:1", "acme/sled07 8:2"})) << "whether 5 went on nobody knows here";
}

}  // namespace mesh::aggregator
