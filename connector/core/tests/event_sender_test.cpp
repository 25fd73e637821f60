#include "connector/core/event_sender.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

namespace mesh::connector {
namespace {

using shoset::Event;
using shoset::EventsStored;
using shoset::LinkId;
using Sequences = std::vector<std::uint64_t>;

// Writes at once what is ordered; links 0, 1 and 2 lead to agg-a, agg-b and agg-c.
struct EventSenderTest : testing::Test, EventLinks, shoset::OutboxPort, shoset::OutboxEvents {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    shoset::Outbox outbox{{}, *this, *this};
    EventSender sender{outbox, *this};
    bool ordered = false;
    bool sending = true;
    std::vector<std::pair<LinkId, Event>> events;

    void SetUp() override { sender.setAggregators({"agg-a", "agg-b", "agg-c"}); }
    void writeOutbox(std::uint64_t, std::string, bool) override { ordered = true; }
    void removeOutbox(std::uint64_t) override {}
    void onAccepted(std::uint64_t, std::uint64_t, std::uint64_t, Now) override {}
    void onNotAccepted(std::uint64_t, const shoset::NotAccepted&, Now) override {}
    bool sendEvent(LinkId link, const Event& event, std::string_view, Now) override
    {
        if (sending) {
            events.emplace_back(link, event);
        }
        return sending;
    }

    void later(Duration by)
    {
        now.mono += by;
        now.wall += by;
        outbox.onTimer(now);
        settle();
    }
    void settle()
    {
        for (sender.pump(now); std::exchange(ordered, false); sender.pump(now)) {
            outbox.onWritten({}, now);
            now.mono += 20ms;
            outbox.onTimer(now);
        }
    }
    void emit(std::size_t count, std::size_t bytes = 2)
    {
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_FALSE(outbox.emit(1, "t" + std::to_string(i % 4), "n", std::string(bytes, '1'), now));
        }
        settle();
    }
    void up(LinkId link, EventsStored told = {})
    {
        sender.onLinkUp(link, std::string("agg-") + static_cast<char>('a' + link));
        stored(link, told);
    }
    void stored(LinkId link, EventsStored told)
    {
        sender.onStored(link, told, now);
        settle();
    }
    void stored(LinkId link, std::uint64_t sequence) { stored(link, {outbox.epoch(), sequence}); }
    // What was sent over this link since the last call.
    Sequences sent(LinkId link)
    {
        Sequences out;
        std::erase_if(events, [&](const auto& entry) {
            if (entry.first == link) {
                EXPECT_EQ(entry.second.epoch, outbox.epoch());
                out.push_back(entry.second.sequence);
            }
            return entry.first == link;
        });
        return out;
    }
    Sequences from(std::uint64_t first, std::uint64_t last) const
    {
        Sequences all;
        for (std::uint64_t each = first; each <= last; ++each) {
            all.push_back(each);
        }
        return all;
    }
};

TEST_F(EventSenderTest, EveryAggregatorIsSentAllInOrderFromWhatItHasOnwards)
{
    emit(3);
    EXPECT_TRUE(events.empty()) << "there is no epoch yet";
    up(0);
    EXPECT_EQ(sent(0), from(1, 3));
    up(1, {outbox.epoch(), 2});
    EXPECT_EQ(sent(1), from(3, 3));
    emit(2);
    EXPECT_EQ(sent(0), from(4, 5));
    EXPECT_EQ(sent(1), from(4, 5));
}

TEST_F(EventSenderTest, NothingIsSentBeforeTheAggregatorHasSaidWhatItHas)
{
    up(0);
    emit(1);
    sender.onLinkUp(1, "agg-b");
    settle();
    EXPECT_TRUE(sent(1).empty());
    sender.onLinkUp(0, "agg-a");
    sent(0);
    settle();
    EXPECT_TRUE(sent(0).empty()) << "what it said over another link is old";
}

TEST_F(EventSenderTest, WhatAMajorityOfAllKnownAggregatorsHasIsTrimmedAndNothingBefore)
{
    up(0);
    emit(5);
    stored(0, 5);
    EXPECT_EQ(outbox.size(), 5U) << "one of three";
    up(1);
    stored(1, 3);
    EXPECT_EQ(outbox.size(), 2U);
    sender.onLinkDown(1);
    sender.setAggregators({"agg-a", "agg-b", "agg-c", "agg-d"});
    stored(0, 5);
    up(2, {outbox.epoch(), 5});
    EXPECT_EQ(outbox.size(), 2U) << "two have 5, three of four have 3";
    sender.setAggregators({"agg-a", "agg-c"});
    settle();
    EXPECT_EQ(outbox.size(), 0U) << "one that is no member any more does not count";
}

TEST_F(EventSenderTest, OfWhatIsNotConfirmedAtMostAWindowIsUnderWay)
{
    up(0);
    emit(limits::eventWindow + 10);
    EXPECT_EQ(sent(0), from(1, limits::eventWindow));
    stored(0, 4);
    EXPECT_EQ(sent(0), from(limits::eventWindow + 1, limits::eventWindow + 4));
    up(1);
    sent(1);
    const std::uint64_t last = outbox.last();
    stored(0, last);
    emit(8, limits::eventWindowBytes / 4);
    EXPECT_EQ(sent(0), from(last + 1, last + 3));
    stored(0, last + 1);
    EXPECT_EQ(sent(0), from(last + 4, last + 4));
}

TEST_F(EventSenderTest, AnAggregatorThatSaysTheSameTwiceIsSentItAgainButNotInATightLoop)
{
    up(0);
    emit(4);
    EXPECT_EQ(sent(0), from(1, 4));
    stored(0, 1);
    stored(0, 1);
    EXPECT_EQ(sent(0), from(2, 4));
    stored(0, 1);
    stored(0, 1);
    EXPECT_TRUE(sent(0).empty());
    EXPECT_LE(sender.nextDeadline(), now.mono + limits::eventResendPause);
    later(limits::eventResendPause);
    EXPECT_EQ(sent(0), from(2, 4));
    stored(0, 4);
    stored(0, 4);
    later(limits::eventResendPause);
    EXPECT_TRUE(sent(0).empty()) << "nothing is under way";
    EXPECT_EQ(sender.counters().resent, 6U);
    EXPECT_EQ(sender.counters().sent, 4U);
}

TEST_F(EventSenderTest, OneThatSaysNothingForLongIsSentItAgain)
{
    up(0);
    emit(2);
    sent(0);
    EXPECT_LE(sender.nextDeadline(), now.mono + limits::eventPatience);
    later(limits::eventPatience);
    EXPECT_EQ(sent(0), from(1, 2));
    EXPECT_EQ(sender.counters().impatient, 1U);
    stored(0, 2);
    EXPECT_EQ(sender.nextDeadline(), never);
}

TEST_F(EventSenderTest, ANewLinkBeginsWhereTheAggregatorIs)
{
    up(0);
    emit(4);
    sent(0);
    sender.onLinkDown(0);
    emit(1);
    EXPECT_TRUE(sent(0).empty());
    up(0, {outbox.epoch(), 2});
    EXPECT_EQ(sent(0), from(3, 5));
    sender.onLinkDown(0);
    up(0, {outbox.epoch(), 1});
    EXPECT_EQ(sent(0), from(2, 5)) << "it lost something, as after a restore";
}

TEST_F(EventSenderTest, WhatDidNotLeaveIsSentLater)
{
    up(0);
    sending = false;
    emit(2);
    sending = true;
    emit(1);
    EXPECT_EQ(sent(0), from(1, 3));
}

TEST_F(EventSenderTest, OneThatIsBehindWhatWasTrimmedIsSentWhatIsThereAndSaysWhenItHasTheRest)
{
    up(0);
    up(1);
    emit(5);
    stored(0, 3);
    stored(1, 3);
    ASSERT_EQ(outbox.size(), 2U);
    up(2);
    EXPECT_EQ(sent(2), from(4, 4)) << "one is enough for it to ask the others";
    stored(2, {0, 0});
    EXPECT_EQ(sent(2), from(4, 4));
    stored(2, 2);
    EXPECT_EQ(sent(2), from(4, 4)) << "it did not take it before";
    stored(2, 3);
    EXPECT_EQ(sent(2), from(4, 5));
    stored(2, 5);
    stored(0, 5);
    stored(1, 5);
    EXPECT_EQ(outbox.size(), 0U);
}

TEST_F(EventSenderTest, TheLastOneStaysUntilAllHaveItSoThatNobodyLacksWhatNothingFollows)
{
    up(0);
    up(1);
    emit(3);
    stored(0, 3);
    stored(1, 3);
    EXPECT_EQ(outbox.size(), 1U);
    up(2, {outbox.epoch(), 1});
    EXPECT_EQ(sent(2), from(3, 3)) << "it is to ask the others for what comes before";
    stored(2, 2);
    EXPECT_EQ(sent(2), from(3, 3));
    stored(2, 3);
    EXPECT_EQ(outbox.size(), 0U);
}

TEST_F(EventSenderTest, AnAggregatorThatKnowsMoreThanStandsHereMakesANewEpochBegin)
{
    up(0);
    emit(2);
    const std::uint64_t old = outbox.epoch();
    sent(0);
    up(1, {old, 7});
    EXPECT_GT(outbox.epoch(), old);
    EXPECT_EQ(sent(0), from(1, 2));
    EXPECT_EQ(sent(1), from(1, 2));
    const std::uint64_t second = outbox.epoch();
    up(2, {second + 1000000, 1});
    EXPECT_GT(outbox.epoch(), second + 1000000);
    EXPECT_EQ(sent(2), from(1, 2));
    EXPECT_EQ(outbox.size(), 2U);
}

TEST_F(EventSenderTest, WhatWasAcceptedAfterTheDiskLostItsLastOnesIsNotTakenForThose)
{
    up(0);
    emit(2);
    EXPECT_EQ(sent(0), from(1, 2));
    sender.onLinkDown(0);
    const std::uint64_t old = outbox.epoch();
    for (LinkId link = 0; link < 3; ++link) {  // all know 100, of which this disk has 2: within one turn
        sender.onLinkUp(link, std::string("agg-") + static_cast<char>('a' + link));
        sender.onStored(link, {old, 100}, now);
    }
    settle();
    EXPECT_GT(outbox.epoch(), old);
    EXPECT_EQ(outbox.size(), 2U) << "nothing of them was trimmed";
    for (LinkId link = 0; link < 3; ++link) {
        EXPECT_EQ(sent(link), from(1, 2));
    }
}

TEST_F(EventSenderTest, WhatAMajorityHasIsNotSentAgainInANewEpoch)
{
    up(0);
    up(1);
    emit(5);
    const std::uint64_t old = outbox.epoch();
    sent(0);
    sender.onStored(0, {old, 4}, now);  // all of this within one turn
    sender.onStored(1, {old, 4}, now);
    sender.onLinkUp(2, "agg-c");
    sender.onStored(2, {old, 9}, now);
    settle();
    EXPECT_GT(outbox.epoch(), old);
    EXPECT_EQ(outbox.size(), 1U);
    EXPECT_EQ(sent(0), from(1, 1));
}

TEST_F(EventSenderTest, WhatAMajorityConfirmsBeforeTheNewEpochIsWrittenIsNotSentAgain)
{
    up(0);
    up(1);
    emit(5);
    const std::uint64_t old = outbox.epoch();
    sent(0);
    ASSERT_FALSE(outbox.emit(1, "t", "n", "1", now));  // its write is under way
    ASSERT_TRUE(ordered);
    sender.onLinkUp(2, "agg-c");
    sender.onStored(2, {old, 9}, now);
    sender.pump(now);
    ASSERT_TRUE(outbox.isRenewing());
    sender.onStored(0, {old, 5}, now);
    sender.onStored(1, {old, 5}, now);
    settle();
    EXPECT_GT(outbox.epoch(), old);
    EXPECT_EQ(outbox.size(), 1U);
    EXPECT_EQ(sent(0), from(1, 1));
}

TEST_F(EventSenderTest, AnEpochNearTheLastOneThereIsEndsNoEvents)
{
    up(0);
    emit(2);
    sent(0);
    const std::uint64_t own = outbox.epoch();
    for (const std::uint64_t lie : {limits::maxEventNumber - 1, limits::maxEventNumber, UINT64_MAX - 1, UINT64_MAX}) {
        up(1, {lie, 1});
        EXPECT_EQ(outbox.epoch(), own);
    }
    EXPECT_EQ(sender.counters().refusedEpochs, 4U);
    emit(1);
    EXPECT_EQ(sent(0), from(3, 3));
    const std::uint64_t ofAWildClock = static_cast<std::uint64_t>(toMillis(WallTime::max()));
    up(2, {ofAWildClock, 1});
    EXPECT_EQ(outbox.epoch(), ofAWildClock + 1) << "which this machine once may have had";
    up(2, {ofAWildClock + 1, 100});
    EXPECT_EQ(outbox.epoch(), ofAWildClock + 2) << "its own one counts, however high it is";
}

TEST_F(EventSenderTest, AnEpochThatIsALieIsNotWhatTheFirstOneBeginsWith)
{
    emit(1);
    up(0, {UINT64_MAX - 1, 1});
    EXPECT_EQ(outbox.epoch(), 0U) << "nobody has told anything yet";
    up(1);
    EXPECT_EQ(outbox.epoch(), static_cast<std::uint64_t>(toMillis(now.wall))) << "by the clock";
}

TEST_F(EventSenderTest, AnAggregatorThatAlwaysKnowsMoreDoesNotWearOutTheFlash)
{
    up(0);
    emit(3);
    const std::uint64_t first = outbox.counters().epochs;
    for (int i = 0; i < 20; ++i) {
        up(1, {outbox.epoch(), outbox.last() + 100});
    }
    EXPECT_EQ(outbox.counters().epochs - first, limits::epochsAtOnce);
    events.clear();
    emit(1);
    EXPECT_EQ(sent(0).back(), 4U) << "the others go on getting what there is";
    EXPECT_LE(sender.nextDeadline(), now.mono + limits::epochPause);
    later(limits::epochPause);
    EXPECT_EQ(outbox.counters().epochs - first, limits::epochsAtOnce + 1) << "it may be true";
    later(10 * limits::epochPause);
    EXPECT_EQ(outbox.counters().epochs - first, limits::epochsAtOnce + 1) << "nothing more was told";
}

TEST_F(EventSenderTest, AGapIsToldFromWhereTheAggregatorStands)
{
    shoset::Outbox aging{{.maxAge = 1h}, *this, *this};
    EventSender other{aging, *this};
    other.setAggregators({"agg-a", "agg-b", "agg-c"});
    const auto write = [&] {
        while (std::exchange(ordered, false)) {
            aging.onWritten({}, now);
            now.mono += 20ms;
            aging.onTimer(now);
        }
        other.pump(now);
    };
    other.onLinkUp(0, "agg-a");
    other.onStored(0, {}, now);
    other.pump(now);
    write();
    for (int i = 0; i < 3; ++i) {
        ASSERT_FALSE(aging.emit(1, "t", "n", "1", now));
    }
    write();
    other.onStored(0, {aging.epoch(), 1}, now);
    other.onLinkDown(0);
    now.mono += 2h;
    aging.onTimer(now);
    write();
    events.clear();
    other.onLinkUp(0, "agg-a");
    other.onStored(0, {aging.epoch(), 1}, now);
    other.onLinkUp(1, "agg-b");
    other.onStored(1, {}, now);
    other.pump(now);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(std::make_pair(events[0].second.sequence, events[0].second.lostTo), std::make_pair(std::uint64_t{2}, std::uint64_t{3}));
    EXPECT_EQ(std::make_pair(events[1].second.sequence, events[1].second.lostTo), std::make_pair(std::uint64_t{1}, std::uint64_t{3}));
    other.onStored(0, {aging.epoch(), 3}, now);
    other.onStored(1, {aging.epoch(), 3}, now);
    other.onLinkUp(2, "agg-c");
    other.onStored(2, {aging.epoch(), 3}, now);
    other.pump(now);
    EXPECT_EQ(aging.from(1), nullptr);
}

TEST_F(EventSenderTest, TheLastOneThatOnlyAMajorityHasIsNotToldAsLostWhenItIsTooOld)
{
    shoset::Outbox aging{{.maxAge = 1h}, *this, *this};
    EventSender other{aging, *this};
    other.setAggregators({"agg-a", "agg-b", "agg-c"});
    const auto write = [&] {
        for (other.pump(now); std::exchange(ordered, false); other.pump(now)) {
            aging.onWritten({}, now);
            now.mono += 20ms;
            aging.onTimer(now);
        }
    };
    for (LinkId link = 0; link < 2; ++link) {
        other.onLinkUp(link, std::string("agg-") + static_cast<char>('a' + link));
        other.onStored(link, {}, now);
    }
    write();
    for (int i = 0; i < 3; ++i) {
        ASSERT_FALSE(aging.emit(1, "t", "n", "1", now));
    }
    write();
    for (LinkId link = 0; link < 2; ++link) {
        other.onStored(link, {aging.epoch(), 3}, now);
    }
    write();
    EXPECT_EQ(aging.size(), 1U) << "agg-c was not there yet";
    now.mono += 2h;
    aging.onTimer(now);
    write();
    events.clear();
    other.onLinkUp(2, "agg-c");
    other.onStored(2, {aging.epoch(), 1}, now);
    other.pump(now);
    EXPECT_TRUE(events.empty()) << "nothing is lost";
    EXPECT_EQ(aging.counters().lostByAge, 0U);
}

}  // namespace
}  // namespace mesh::connector
