#include "aggregator/core/tests/event_fixture.hpp"

namespace mesh::aggregator {
namespace {

const std::string listener = "acme/sled08";

struct EventSubscriptionsTest : EventsTest {
    EventSubscriptionsTest()
    {
        members.insert("acme/sled09");
        for (const shoset::Address& connector : members) {
            link(connector);
        }
    }
    void subscribe(const shoset::Address& who, shoset::Subscribe wish = {1, {"*"}, {}, false, 1000})
    {
        say(who, who, std::move(wish));
        run();
    }
    void emitNow(const shoset::Address& connector, std::uint64_t from, std::uint64_t to, const std::string& topic = "power")
    {
        emit(connector, from, to, 1, topic);
        run();
    }
    void taken(std::uint64_t total)
    {
        say(listener, listener, shoset::EventsTaken{1, total});
        run();
    }
    static Texts each(const std::string& source, std::uint64_t from, std::uint64_t to)
    {
        Texts out;
        for (std::uint64_t sequence = from; sequence <= to; ++sequence) {
            out.push_back(source + " 1:" + std::to_string(sequence));
        }
        return out;
    }
    // Retention.
    void remove(std::uint64_t upTo)
    {
        auto& rows = store.rows[sled];
        rows.erase(rows.begin(), rows.upper_bound({1, upTo}));
    }
    void fillMemory()
    {
        members.insert("gamma/sled01");
        link("gamma/sled01");
        for (std::uint64_t from = 1; from <= limits::maxRecentEvents; from += 1024) {
            emitNow("gamma/sled01", from, from + 1023);
        }
    }
};

}  // namespace

TEST_F(EventSubscriptionsTest, WhatIsStoredComesAndThenWhatIsStoredAnew)
{
    emitNow(sled, 1, 3);
    subscribe(listener);
    EXPECT_EQ(delivered(listener), each(sled, 1, 3));
    emitNow(sled, 4, 5);
    EXPECT_EQ(delivered(listener), each(sled, 4, 5));
    emitNow("acme/sled09", 1, 1);
    EXPECT_EQ(delivered(listener), each("acme/sled09", 1, 1));
    EXPECT_EQ(metric("events_delivered_total"), 6U);
}

TEST_F(EventSubscriptionsTest, NothingComesBeforeItIsOnDisk)
{
    subscribe(listener);
    emit(sled, 1, 1);
    flow.onTimer(now);
    EXPECT_EQ(delivered(listener), Texts{});
    run();
    EXPECT_EQ(delivered(listener), each(sled, 1, 1));
}

TEST_F(EventSubscriptionsTest, WhereAnEventHasBeenIsNotedByRunsOfThoseThatFollowEachOther)
{
    HopNotes notes;
    flow.setNotes(notes);
    subscribe(listener, {1, {"power"}, {}, false, 1000});
    const auto hops = [&notes](std::uint64_t sequence) {
        Texts out;
        for (const Hop& hop : notes.find({{}, sled, {1, sequence}, 0}, "acme").hops) {
            out.push_back(std::string(fateName(hop.fate)) + " " + hop.to);
        }
        return out;
    };
    emitNow(sled, 1, 3);
    EXPECT_EQ(hops(2), (Texts{"stored agg-a", "sent " + listener}));
    EXPECT_TRUE(hops(4).empty());
    emit(sled, 4, 4);
    emit(sled, 5, 5, 1, "fan");
    emit(sled, 6, 6);
    run();
    EXPECT_EQ(hops(5), Texts{"stored agg-a"}) << "nobody wants it";
    EXPECT_EQ(hops(4), (Texts{"stored agg-a", "sent " + listener}));
    EXPECT_EQ(hops(6), (Texts{"stored agg-a", "sent " + listener}));
    std::vector<Counter> metrics;
    notes.addMetrics(metrics);
    EXPECT_EQ(metrics[0].value, 5U) << "one for each that was stored at once, and for each that was sent without a gap";
}

TEST_F(EventSubscriptionsTest, NobodyGetsHisOwnNorAnotherTenants)
{
    emitNow(listener, 1, 2);
    emitNow("beta/sled07", 1, 2);
    flow.note("acme", "mesh.error", "wrong_source", "{}", now);
    subscribe(listener);
    emitNow(listener, 3, 3);
    emitNow("beta/sled07", 3, 3);
    flow.note("acme", "mesh.error", "wrong_source", "{}", now);
    run();
    EXPECT_EQ(delivered(listener), Texts{});
    EXPECT_EQ(delivered("beta/sled07"), Texts{});
}

TEST_F(EventSubscriptionsTest, APlaceInAnotherTenantsEventsOpensNothing)
{
    emitNow("beta/sled07", 1, 3);
    subscribe(listener, {1, {"*"}, {{"beta/sled07", 1, 1}, {listener, 1, 1}, {"acme/@agg-a", 1, 1}}, false, 1000});
    emitNow("beta/sled07", 4, 4);
    EXPECT_EQ(delivered(listener), Texts{});
    EXPECT_EQ(metric("subscriptions_foreign_total"), 3U);
}

TEST_F(EventSubscriptionsTest, TopicsAreChosen)
{
    subscribe(listener, {1, {"power.supply", "thermal.*"}, {}, false, 1000});
    emitNow(sled, 1, 1, "power");
    emitNow(sled, 2, 2, "power.supply");
    emitNow(sled, 3, 3, "power.supply.1");
    emitNow(sled, 4, 4, "thermal.fan");
    emitNow(sled, 5, 5, "thermal");
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:2", "acme/sled07 1:4"}));
}

TEST_F(EventSubscriptionsTest, ItGoesOnWhereItWas)
{
    emitNow(sled, 1, 5);
    emitNow("acme/sled09", 1, 3);
    subscribe(listener, {1, {"*"}, {{sled, 1, 3}, {"acme/sled09", 1, 3}}, true, 1000});
    EXPECT_EQ(delivered(listener), each(sled, 4, 5));
}

TEST_F(EventSubscriptionsTest, FromNowOnIsNothingOfBefore)
{
    emitNow(sled, 1, 3);
    subscribe(listener, {1, {"*"}, {}, true, 1000});
    emitNow(sled, 4, 4);
    emitNow("acme/sled09", 1, 1);
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:4", "acme/sled09 1:1"}));
}

TEST_F(EventSubscriptionsTest, OneFromNowOnIsToldWhereItBegins)
{
    emitNow(sled, 1, 3);
    emitNow("acme/sled09", 1, 5);
    emitNow("beta/sled07", 1, 5);
    emitNow(listener, 1, 5);
    subscribe(listener, {4, {"*"}, {{"acme/sled09", 1, 2}}, true, 1000});
    EXPECT_EQ(begins(listener), (Texts{"4 acme/sled07 1:3", "4 acme/sled09 1:2"}));
    EXPECT_EQ(delivered(listener), each("acme/sled09", 3, 5));
    subscribe(listener);
    EXPECT_EQ(begins(listener), Texts{});
    subscribe("beta/sled07", {7, {"*"}, {}, true, 1000});
    EXPECT_EQ(begins("beta/sled07"), Texts{"7"}) << "also where there is nothing yet";
}

TEST_F(EventSubscriptionsTest, NoMoreComesThanThereIsCreditFor)
{
    emitNow(sled, 1, 5);
    subscribe(listener, {1, {"*"}, {}, false, 2});
    EXPECT_EQ(delivered(listener), each(sled, 1, 2));
    emitNow(sled, 6, 6);
    EXPECT_EQ(delivered(listener), Texts{});
    taken(4);
    EXPECT_EQ(delivered(listener), each(sled, 3, 4));
    taken(3);
    EXPECT_EQ(delivered(listener), Texts{}) << "a late word";
    taken(100);
    EXPECT_EQ(delivered(listener), each(sled, 5, 6));
    EXPECT_EQ(store.sourceReads, 0) << "it is remembered";
}

TEST_F(EventSubscriptionsTest, LargeOnesAreSpread)
{
    const std::string large(limits::maxEventBytes, 'x');
    const std::size_t fit = limits::subscriptionBytes / large.size();
    subscribe(listener, {1, {"*"}, {}, false, 1000});
    for (std::uint64_t sequence = 1; sequence <= 2 * fit; ++sequence) {
        say(sled, sled, eventAt(sequence), large);
    }
    run();
    EXPECT_EQ(delivered(listener).size(), fit);
    taken(1003);
    EXPECT_EQ(delivered(listener).size(), 0U);
    after(limits::subscriptionPause);
    EXPECT_EQ(delivered(listener).size(), fit);
    after(limits::subscriptionPause);
    EXPECT_EQ(flow.nextDeadline(), never);
}

TEST_F(EventSubscriptionsTest, WhatIsRememberedIsNotReadAgain)
{
    emitNow(sled, 1, 1);
    subscribe(listener, {1, {"*"}, {{sled, 1, 1}}, false, 1});
    const int before = store.sourceReads;
    emitNow(sled, 2, 500);
    taken(1000);
    EXPECT_EQ(delivered(listener), each(sled, 2, 500));
    EXPECT_EQ(store.sourceReads, before);
}

TEST_F(EventSubscriptionsTest, WhoIsFarBehindIsReadFor)
{
    emitNow(sled, 1, 600);
    subscribe(listener, {1, {"*"}, {{sled, 1, 10}}, false, 1});
    EXPECT_EQ(delivered(listener), each(sled, 11, 11));
    fillMemory();
    taken(10000);
    EXPECT_EQ(delivered(listener), each(sled, 12, 600));
    EXPECT_GE(metric("events_pages_read_total"), 2U);
}

TEST_F(EventSubscriptionsTest, WhatRetentionRemovedIsToldAsLost)
{
    emitNow(sled, 1, 10);
    fillMemory();
    remove(6);
    subscribe(listener, {1, {"*"}, {{sled, 1, 3}}, false, 1000});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:4-6", "acme/sled07 1:7", "acme/sled07 1:8", "acme/sled07 1:9", "acme/sled07 1:10"}));
    subscribe(listener);
    EXPECT_EQ(delivered(listener), each(sled, 7, 10)) << "who had nothing misses nothing";
    remove(10);
    subscribe(listener, {1, {"*"}, {{sled, 1, 3}}, false, 1000});
    EXPECT_EQ(delivered(listener), Texts{"acme/sled07 1:4-10"});
    emitNow(sled, 11, 11);
    EXPECT_EQ(delivered(listener), each(sled, 11, 11));
}

TEST_F(EventSubscriptionsTest, ALossIsToldWhateverTheTopicsAndWithoutCredit)
{
    emitNow(sled, 1, 2);
    shoset::Event loss;
    loss.epoch = 1;
    loss.sequence = 3;
    loss.lostTo = 9;
    say(sled, sled, loss);
    emitNow(sled, 10, 11);
    subscribe(listener, {1, {"power"}, {{sled, 1, 5}}, false, 1});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:6-9", "acme/sled07 1:10"})) << "from where it was";
    subscribe(listener, {1, {"thermal"}, {{sled, 1, 2}}, false, 1});
    EXPECT_EQ(delivered(listener), Texts{"acme/sled07 1:3-9"});
}

TEST_F(EventSubscriptionsTest, ALossIsToldOnceWhileThereIsNoCredit)
{
    emitNow(sled, 1, 10);
    fillMemory();
    remove(5);
    subscribe(listener, {1, {"*"}, {{sled, 1, 3}}, false, 1});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:4-5", "acme/sled07 1:6"}));
    emitNow(sled, 11, 11);
    EXPECT_EQ(delivered(listener), Texts{});
}

TEST_F(EventSubscriptionsTest, AnotherEpochFollowsTheOneBefore)
{
    emitNow(sled, 1, 2);
    emit(sled, 1, 2, 8);
    run();
    subscribe(listener, {1, {"*"}, {{sled, 1, 1}}, false, 1000});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:2", "acme/sled07 8:1", "acme/sled07 8:2"}));
}

TEST_F(EventSubscriptionsTest, APlaceBehindTheLastThereCanBeIsTheEndOfItsEpoch)
{
    emitNow(sled, 1, 2);
    emit(sled, 1, 2, 8);
    run();
    subscribe(listener, {1, {"*"}, {{sled, 1, UINT64_MAX}}, false, 1000});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 8:1", "acme/sled07 8:2"}));
    subscribe(listener, {2, {"*"}, {{sled, UINT64_MAX, UINT64_MAX}}, false, 1000});
    EXPECT_EQ(delivered(listener), Texts{});
}

TEST_F(EventSubscriptionsTest, ManySourcesHaveTheirTurns)
{
    emitNow(sled, 1, 1000);
    emitNow("acme/sled09", 1, 3);
    fillMemory();
    subscribe(listener, {1, {"*"}, {}, false, limits::eventPage + 3});
    const Texts had = delivered(listener);
    ASSERT_EQ(had.size(), limits::eventPage + 3);
    EXPECT_EQ(std::count(had.begin(), had.end(), "acme/sled09 1:3"), 1);
}

TEST_F(EventSubscriptionsTest, ItEndsWithItsLinkAndWhenItIsToldTo)
{
    subscribe(listener);
    subscribe(listener, {2, {"power"}, {}, false, 1000});
    EXPECT_EQ(metric("subscriptions"), 2U);
    subscribe(listener, {1, {}, {}, false, 0});
    EXPECT_EQ(metric("subscriptions"), 1U);
    unlink(listener);
    EXPECT_EQ(metric("subscriptions"), 0U);
    emitNow(sled, 1, 1);
    EXPECT_EQ(delivered(listener), Texts{});
}

TEST_F(EventSubscriptionsTest, AnotherOneUnderItsNumberReplacesIt)
{
    emitNow(sled, 1, 3);
    subscribe(listener, {1, {"*"}, {}, false, 1});
    subscribe(listener, {1, {"*"}, {{sled, 1, 2}}, false, 5});
    EXPECT_EQ(delivered(listener), (Texts{"acme/sled07 1:1", "acme/sled07 1:3"}));
    EXPECT_EQ(metric("subscriptions"), 1U);
}

TEST_F(EventSubscriptionsTest, APageForOneThatWasReplacedIsNotItsSuccessors)
{
    emitNow(sled, 1, 3);
    fillMemory();
    say(listener, listener, shoset::Subscribe{1, {"*"}, {}, false, 1000});
    flow.onTimer(now);
    say(listener, listener, shoset::Subscribe{1, {"*"}, {{sled, 1, 2}}, false, 1000});
    run();
    EXPECT_EQ(delivered(listener), each(sled, 3, 3));
}

TEST_F(EventSubscriptionsTest, ThereAreOnlySoMany)
{
    for (std::uint64_t number = 1; number <= limits::maxSubscriptionsPerConnector + 2; ++number) {
        subscribe(listener, {number, {"*"}, {}, false, 1000});
    }
    EXPECT_EQ(metric("subscriptions"), limits::maxSubscriptionsPerConnector);
    EXPECT_EQ(metric("subscriptions_refused_total"), 2U);
}

TEST_F(EventSubscriptionsTest, AStoreThatFailsIsAskedAgain)
{
    emitNow(sled, 1, 3);
    fillMemory();
    store.failing = true;
    subscribe(listener);
    EXPECT_EQ(delivered(listener), Texts{});
    store.failing = false;
    after(limits::eventReadRetry);
    EXPECT_EQ(delivered(listener), each(sled, 1, 3));
    EXPECT_EQ(metric("events_page_failures_total"), 1U);
}

TEST_F(EventSubscriptionsTest, OneThatCameEarlyBeginsWhenTheStoreHasTold)
{
    emitNow(sled, 1, 3);
    FakeEventLinks otherLinks;
    otherLinks.up = {listener};
    EventFlow other({"agg-b", [](const shoset::Address&) { return true; }, [] { return std::vector<shoset::Address>{}; }}, &store, otherLinks);
    other.onConnectorUp(listener, now);
    other.onRecord(listener, {{}, listener, "agg-b", shoset::Subscribe{1, {"*"}, {}, false, 1000}}, {}, now);
    while (other.nextDeadline() <= now.mono || !store.jobs.empty()) {
        other.onTimer(now);
        store.finish(now);
    }
    std::swap(links.told, otherLinks.told);
    EXPECT_EQ(delivered(listener), each(sled, 1, 3));
}

}  // namespace mesh::aggregator
