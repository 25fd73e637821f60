#include "aggregator/core/tests/event_fixture.hpp"

namespace mesh::aggregator {
namespace {

struct EventFillingTest : EventsTest {
    EventFillingTest()
    {
        others = std::vector<shoset::Address>{"agg-b", "agg-c"};
        links.up = {"agg-b", "agg-c"};
    }
    // What the node has in its database.
    void answer(const shoset::Address& node, std::uint64_t from, std::uint64_t to, std::uint64_t epoch = 1)
    {
        for (std::uint64_t sequence = from; sequence <= to; ++sequence) {
            say(node, sled, eventAt(sequence, epoch), "{}");
        }
        say(node, node, shoset::EventsWanted{sled, epoch, from, to, true});
        run();
    }
    // Nor more than that another epoch follows there.
    void nothing(const shoset::Address& node, std::uint64_t epoch = 1, std::uint64_t next = 0)
    {
        say(node, node, shoset::EventsWanted{sled, epoch, 1, 1, true, next});
        run();
    }
    static shoset::Address connectorOf(const std::string& tenant, int number) { return tenant + "/s" + std::to_string(number); }
    // Linked, with an event behind some that are missing.
    void lack(const shoset::Address& connector)
    {
        members.insert(connector);
        link(connector);
        emit(connector, 6, 6);
        run();
    }
};

}  // namespace

TEST_F(EventFillingTest, WhatTheConnectorHasNoMoreComesFromAnotherNode)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 6, 8);
    run();
    EXPECT_EQ(wanted("agg-b"), Texts{}) << "the connector may still send it";
    stored(sled);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:3-5"});
    answer("agg-b", 3, 5);
    EXPECT_EQ(stored(sled).back(), "1:5");
    emit(sled, 6, 8);
    run();
    EXPECT_EQ(stored(sled).back(), "1:8");
    EXPECT_EQ(store.rows[sled].size(), 8U);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:6-261"}) << "what was offered may be trimmed by now";
    nothing("agg-b");
    nothing("agg-c");
    EXPECT_EQ(metric("events_fills"), 0U);
    EXPECT_EQ(metric("events_fills_filled_total"), 1U);
}

TEST_F(EventFillingTest, ALargeHoleIsAskedForInSlices)
{
    link(sled);
    emit(sled, 1000, 1000);
    after(limits::eventFillDelay);
    std::uint64_t from = 1;
    for (; from < 1000; from += limits::eventFillSlice) {
        const std::uint64_t to = std::min<std::uint64_t>(999, from + limits::eventFillSlice - 1);
        EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:" + std::to_string(from) + "-" + std::to_string(to)});
        answer("agg-b", from, to);
    }
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:1000-1255"});
    EXPECT_EQ(stored(sled).back(), "1:999");
}

TEST_F(EventFillingTest, TheNextOneIsAskedWhereOneHasNothingOrIsSilent)
{
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b").size(), 1U);
    after(limits::eventFillAnswer);
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:1-5"}) << "agg-b was silent";
    nothing("agg-c");
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:1-5"});
    answer("agg-b", 1, 5);
    EXPECT_EQ(stored(sled).back(), "1:5");
}

TEST_F(EventFillingTest, ANodeWhoseEventsThereWasNoRoomForIsAskedAgain)
{
    others = std::vector<shoset::Address>{"agg-b"};
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:1-5"});
    quota = 0;
    answer("agg-b", 1, 5);
    quota = 100;
    after(limits::eventHolePause);  // what a quota refused is not taken for so long
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:1-5"}) << "it has them; nothing is lost";
    answer("agg-b", 1, 5);
    const Texts told = stored(sled);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), "1:5");
}

TEST_F(EventFillingTest, WhatAnotherNodeSendsUnaskedIsNotTaken)
{
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b").size(), 1U);
    say("agg-c", sled, eventAt(1), "{}");
    say("agg-b", "acme/sled08", eventAt(1), "{}");
    say("agg-b", sled, eventAt(1, 2), "{}");
    run();
    EXPECT_EQ(metric("events_unasked_total"), 3U);
    EXPECT_TRUE(store.batches.empty());
}

TEST_F(EventFillingTest, WhatNobodyHasIsStoredAsALossAfterAWhile)
{
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    nothing("agg-b");
    nothing("agg-c");
    for (Duration waited{}; waited < limits::eventFillLeast; waited += limits::eventHolePause) {
        EXPECT_TRUE(store.batches.empty());
        after(limits::eventHolePause);
        emit(sled, 6, 6);
    }
    run();
    after(limits::eventFillPause);
    EXPECT_EQ(store.rows[sled].at({1, 1}).lostTo, 5U);
    EXPECT_EQ(stored(sled).back(), "1:6");
    EXPECT_EQ(metric("events_fills_given_up_total"), 1U);
}

TEST_F(EventFillingTest, AConnectorThatGoesOnByItselfLosesNothing)
{
    others = std::vector<shoset::Address>{};
    link(sled);
    emit(sled, 6, 6);
    run();
    after(limits::eventFillPatience);
    EXPECT_TRUE(store.batches.empty()) << "it did not offer it again";
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    emit(sled, 1, 6);
    after(limits::eventFillPatience);
    EXPECT_EQ(store.rows[sled].size(), 6U);
    EXPECT_EQ(metric("events_fills_given_up_total"), 0U);
    EXPECT_EQ(metric("events_losses_total"), 0U);
}

TEST_F(EventFillingTest, ANodeThatIsAwayIsWaitedFor)
{
    links.up.erase("agg-c");
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    nothing("agg-b");
    for (int i = 0; i < 20; ++i) {
        after(1s);
        emit(sled, 6, 6);
    }
    EXPECT_TRUE(store.batches.empty());
    EXPECT_EQ(wanted("agg-b").size(), 1U);
    links.up.insert("agg-c");
    after(limits::eventFillPause);
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:1-5"});
    answer("agg-c", 1, 5);
    EXPECT_EQ(stored(sled).back(), "1:5");
}

TEST_F(EventFillingTest, ButNotForEver)
{
    links.up.erase("agg-c");
    link(sled);
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    nothing("agg-b");
    for (Duration waited{}; waited <= limits::eventFillPatience; waited += 1s) {
        after(1s);
        emit(sled, 6, 6);
    }
    run();
    EXPECT_EQ(store.rows[sled].at({1, 1}).lostTo, 5U);
}

TEST_F(EventFillingTest, WhatAnotherNodeStoredInTheSameDatabaseIsThere)
{
    link(sled);
    emit(sled, 1, 1);
    run();
    for (std::uint64_t sequence = 2; sequence <= 5; ++sequence) {
        store.put({{}, "acme", "sled07", 1, sequence, "power", "off", "{}"});
    }
    emit(sled, 6, 6);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:6-261"}) << "no more of those";
    EXPECT_EQ(stored(sled).back(), "1:5");
}

TEST_F(EventFillingTest, WhatAnEpochEndedWithIsLookedForBeforeTheNextOne)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 2, 7);
    run();
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:3-258"});
    EXPECT_EQ(store.rows[sled].size(), 2U);
    answer("agg-b", 3, 4);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:5-260"});
    nothing("agg-b");
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:5-260"});
    nothing("agg-c");
    EXPECT_EQ(stored(sled).back(), "1:4");
    emit(sled, 1, 2, 7);
    run();
    EXPECT_EQ(stored(sled).back(), "7:2");
    EXPECT_EQ(store.rows[sled].size(), 6U);
}

TEST_F(EventFillingTest, WhatOthersHaveBeyondIsAskedForWhenAConnectorLinksAgain)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    unlink(sled);
    link(sled);
    after(limits::eventFillDelay);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:3-258"}) << "the connector may have nothing left to tell";
    answer("agg-b", 3, 4);
    EXPECT_EQ(stored(sled).back(), "1:4");
    nothing("agg-b");
    nothing("agg-c");
    EXPECT_EQ(metric("events_fills"), 0U);
    EXPECT_EQ(metric("events_fills_given_up_total"), 0U);
    EXPECT_EQ(metric("events_losses_total"), 0U);
    emit(sled, 5, 5);
    run();
    EXPECT_EQ(stored(sled).back(), "1:5");
}

TEST_F(EventFillingTest, WhoHadNothingMoreWhileAnEpochWentOnIsAskedAgainWhenItHasEnded)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    unlink(sled);
    link(sled);
    after(limits::eventFillDelay);
    nothing("agg-b");
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:3-258"});
    wanted("agg-b");
    emit(sled, 1, 1, 7);  // agg-b has got 1:3 in between
    nothing("agg-c");
    EXPECT_EQ(store.heads[sled], (EventPlace{1, 2}));
    after(limits::eventFillPause);
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:3-258"});
    answer("agg-b", 3, 3);
    nothing("agg-b");
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:4-259"}) << "and so is the one that was being asked then";
    nothing("agg-c");
    emit(sled, 1, 1, 7);
    run();
    EXPECT_EQ(store.heads[sled], (EventPlace{7, 1}));
    EXPECT_EQ(store.rows[sled].size(), 4U);
    EXPECT_EQ(metric("events_losses_total"), 0U);
}

TEST_F(EventFillingTest, AnotherNodeGetsWhatIsHere)
{
    link(sled);
    emit(sled, 1, 9);
    run();
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 1, 3, 5, false});
    run();
    EXPECT_EQ(delivered("agg-b"), (Texts{"acme/sled07 1:3", "acme/sled07 1:4", "acme/sled07 1:5"}));
    EXPECT_EQ(wanted("agg-b"), Texts{"acme/sled07 1:3-5 done"});
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 1, 8, limits::maxEventNumber, false});
    run();
    EXPECT_EQ(delivered("agg-b"), (Texts{"acme/sled07 1:8", "acme/sled07 1:9"}));
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 2, 1, 5, false});
    run();
    EXPECT_EQ(delivered("agg-b"), Texts{});
    EXPECT_EQ(wanted("agg-b").size(), 2U);
}

TEST_F(EventFillingTest, QuestionsOfOtherNodesAreBounded)
{
    run();
    for (std::size_t i = 0; i < limits::maxWantedReads + 3; ++i) {
        say("agg-b", "agg-b", shoset::EventsWanted{sled, 1, 1, 5, false});
    }
    run();
    EXPECT_EQ(wanted("agg-b").size(), limits::maxWantedReads);
    EXPECT_EQ(metric("events_not_passed_to_nodes_total"), 3U);
}

TEST_F(EventFillingTest, AnotherNodeIsToldWhichEpochFollows)
{
    others = std::vector<shoset::Address>{};
    link(sled);
    emit(sled, 1, 3);
    emit(sled, 1, 2, 5);
    run();
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 1, 1, 2, false});
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 1, 3, 9, false});
    say("agg-b", "agg-b", shoset::EventsWanted{sled, 5, 2, 9, false});
    run();
    EXPECT_EQ(wanted("agg-b"), (Texts{"acme/sled07 1:1-2 done", "acme/sled07 1:3-9 done, then 5", "acme/sled07 5:2-9 done"}));
}

TEST_F(EventFillingTest, AWholeEpochThatWasMissedIsAskedForBeforeTheConnectorsOwn)
{
    link(sled);
    link("acme/sled08");
    say("acme/sled08", "acme/sled08", shoset::Subscribe{1, {"*"}, {}, false, 100});
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 1, 7);
    run();
    nothing("agg-b", 1, 4);
    EXPECT_EQ(wanted("agg-c"), Texts{"acme/sled07 1:3-258"}) << "it may have the end of the first one";
    nothing("agg-c", 1, 7);
    wanted("agg-b");
    emit(sled, 1, 1, 7);
    run();
    EXPECT_EQ(store.heads[sled], (EventPlace{1, 2})) << "not yet";
    answer("agg-b", 1, 3, 4);
    nothing("agg-b", 4, 7);
    nothing("agg-c", 4, 7);
    emit(sled, 1, 1, 7);
    run();
    EXPECT_EQ(delivered("acme/sled08"), (Texts{"acme/sled07 1:1", "acme/sled07 1:2", "acme/sled07 4:1", "acme/sled07 4:2", "acme/sled07 4:3",
                                               "acme/sled07 7:1"}));
    EXPECT_EQ(metric("events_fills_epochs_total"), 1U);
    EXPECT_EQ(metric("events_losses_total"), 0U);
}

TEST_F(EventFillingTest, AnEpochThatSomebodyHadAndHasNoMoreIsALoss)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 1, 7);
    run();
    nothing("agg-b", 1, 4);
    nothing("agg-c");
    nothing("agg-b", 4, 7);
    nothing("agg-c", 4);
    run();
    EXPECT_EQ(store.rows[sled].at({4, 1}).lostTo, 1U);
    emit(sled, 1, 1, 7);
    run();
    EXPECT_EQ(store.heads[sled], (EventPlace{7, 1}));
}

TEST_F(EventFillingTest, WhatNobodyHasInTheMiddleOfATailIsALoss)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 1, 7);
    run();
    say("agg-b", sled, eventAt(5), "{}");
    nothing("agg-b");
    say("agg-c", sled, eventAt(6), "{}");
    nothing("agg-c");
    run();
    EXPECT_EQ(store.rows[sled].at({1, 3}).lostTo, 4U);
    answer("agg-b", 5, 6);
    EXPECT_EQ(store.heads[sled], (EventPlace{1, 6}));
}

TEST_F(EventFillingTest, AnEpochThatFollowsNowhereIsNotAskedFor)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 1, 7);
    run();
    nothing("agg-b", 1, 9);
    nothing("agg-c", 1, 1);
    emit(sled, 1, 1, 7);
    run();
    EXPECT_EQ(store.heads[sled], (EventPlace{7, 1}));
    unlink(sled);
    link(sled);
    after(limits::eventFillDelay);
    nothing("agg-b", 7, limits::maxEventNumber - 1);
    nothing("agg-c", 7);
    EXPECT_EQ(metric("events_fills"), 0U) << "no clock can have come to that";
    EXPECT_EQ(metric("events_fills_epochs_total"), 0U);
}

TEST_F(EventFillingTest, AConnectorThatHasNothingLeftOfItsNewEpochIsLookedForThere)
{
    link(sled);
    emit(sled, 1, 2);
    run();
    unlink(sled);
    link(sled);
    after(limits::eventFillDelay);
    nothing("agg-b", 1, 4);
    nothing("agg-c", 1, 4);
    answer("agg-b", 1, 3, 4);
    nothing("agg-b", 4);
    nothing("agg-c", 4);
    EXPECT_EQ(stored(sled).back(), "4:3");
    EXPECT_EQ(metric("events_fills"), 0U);
}

TEST_F(EventFillingTest, WhereANodeCouldNotBeAskedForTheEndOfAnEpochALossSaysSo)
{
    links.up.erase("agg-c");
    link(sled);
    emit(sled, 1, 2);
    run();
    emit(sled, 1, 1, 7);
    run();
    nothing("agg-b");
    for (Duration waited{}; waited <= limits::eventFillPatience; waited += 1s) {
        after(1s);
        emit(sled, 1, 1, 7);
        run();
    }
    EXPECT_EQ(store.rows[sled].at({1, 3}).lostTo, 3U);
    EXPECT_EQ(store.heads[sled], (EventPlace{7, 1}));
}

TEST_F(EventFillingTest, NoTenantWaitsForAnothersHoles)
{
    for (int number = 0; number < static_cast<int>(2 * limits::maxEventFills); ++number) {
        lack(connectorOf("acme", number));
    }
    EXPECT_EQ(metric("events_fills"), limits::maxTenantEventFills);
    for (const std::string tenant : {"beta", "gamma", "delta"}) {
        for (int number = 0; number < static_cast<int>(limits::maxEventFills); ++number) {
            lack(connectorOf(tenant, number));
        }
    }
    EXPECT_EQ(metric("events_fills"), limits::maxEventFills + 2) << "8 of two tenants, and one of each other";
    EXPECT_GT(metric("events_fills_no_slot_total"), 0U);
    after(limits::eventFillDelay);
    const Texts asked = wanted("agg-b");
    EXPECT_EQ(std::count(asked.begin(), asked.end(), "delta/s0 1:1-5"), 1);
}

TEST_F(EventFillingTest, EveryConnectorThatLinksIsLookedForInItsTurn)
{
    constexpr int count = 3 * limits::maxEventFills;
    for (const std::string tenant : {"acme", "beta"}) {
        for (int number = 0; number < count; ++number) {
            store.put({{}, tenant, "s" + std::to_string(number), 1, 2, "power", "off", "{}"});
            members.insert(connectorOf(tenant, number));
        }
    }
    for (const shoset::Address& connector : members) {  // before the store has told what it has
        links.up.insert(connector);
        flow.onConnectorUp(connector, now);
    }
    run();
    EXPECT_EQ(metric("events_fills"), limits::maxEventLooks) << "the rest is for what is missing";
    after(limits::eventFillDelay);
    std::set<std::string> asked;
    std::size_t ofBeta = 0;
    for (int round = 0; round < 4 * count; ++round) {
        for (const shoset::Address node : {"agg-b", "agg-c"}) {
            for (const std::string& text : wanted(node)) {
                const shoset::Address connector = text.substr(0, text.find(' '));
                asked.insert(connector);
                say(node, node, shoset::EventsWanted{connector, 1, 1, 1, true});
            }
        }
        run();
        ofBeta = round == 4 ? static_cast<std::size_t>(std::count_if(asked.begin(), asked.end(), [](const std::string& each) { return each.starts_with("beta"); })) : ofBeta;
    }
    EXPECT_EQ(asked.size(), static_cast<std::size_t>(2 * count));
    EXPECT_GT(ofBeta, 1U) << "the tenants take turns";
    EXPECT_EQ(metric("events_looks"), 0U);
    EXPECT_EQ(metric("events_fills"), 0U);
}

}  // namespace mesh::aggregator
