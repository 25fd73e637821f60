#include "connector/core/subscriptions.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mesh::connector {
namespace {

using shoset::Event;
using shoset::LinkId;
using shoset::Subscribe;

// The test plays aggregators (links) and workers.
struct SubscriptionsTest : testing::Test, SubscriptionHost {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    Subscriptions subscriptions{*this};
    std::vector<std::pair<LinkId, shoset::Content>> said;
    std::vector<std::pair<WorkerId, std::string>> words;
    Code verdict = Code::ok;

    bool tellAggregator(LinkId link, shoset::Content content, Now) override
    {
        said.emplace_back(link, std::move(content));
        return true;
    }
    Code tellWorker(WorkerId worker, std::string word) override
    {
        if (verdict == Code::ok) {
            words.emplace_back(worker, std::move(word));
        }
        return verdict;
    }
    void add(WorkerId worker, const std::string& name, bool fromNow = true, std::vector<shoset::EventCursor> cursors = {})
    {
        subscriptions.add(worker, {name, {"sensor.*"}, fromNow, std::move(cursors)}, now);
    }
    // The subscriptions that were told to this link since the last call.
    std::vector<Subscribe> subscribed(LinkId link) { return saidTo<Subscribe>(link); }
    template <class Word>
    std::vector<Word> saidTo(LinkId link)
    {
        std::vector<Word> out;
        std::erase_if(said, [&](const auto& entry) {
            const Word* word = entry.first == link ? std::get_if<Word>(&entry.second) : nullptr;
            if (word != nullptr) {
                out.push_back(*word);
            }
            return word != nullptr;
        });
        return out;
    }
    void event(LinkId link, std::uint64_t subscription, std::uint64_t sequence, const std::string& source = "acme/s2",
               std::uint64_t lostTo = 0, const std::string& payload = "{\"a\": 1}")
    {
        Event event{7, sequence, "sensor.fan", "low", WallTime{} + 1500ms, lostTo, subscription};
        if (lostTo != 0) {
            event.topic = event.name = "";
        }
        subscriptions.onEvent(link, source, event, payload, now);
    }
    void refuse(LinkId link, std::uint64_t number, const std::string& why = "too many")
    {
        Subscribe word;
        word.subscription = number;
        word.refused = why;
        subscriptions.onBegun(link, word, now);
        settle();
    }
    void settle()
    {
        while (subscriptions.nextDeadline() <= now.mono) {
            subscriptions.onTimer(now);
        }
    }
    void later(Duration by)
    {
        now.mono += by;
        settle();
    }
    // Of so many sources, beginning with this one, where they begin.
    void begins(LinkId link, std::uint64_t number, std::size_t first, std::size_t count, bool more)
    {
        Subscribe word;
        word.subscription = number;
        word.more = more;
        for (std::size_t at = first; at < first + count; ++at) {
            word.cursors.push_back({"acme/c" + std::to_string(at), 1, 5});
        }
        subscriptions.onBegun(link, word, now);
    }
    std::vector<std::string> told(WorkerId worker)
    {
        std::vector<std::string> out;
        std::erase_if(words, [&](const auto& word) {
            if (word.first == worker) {
                out.push_back(word.second);
            }
            return word.first == worker;
        });
        return out;
    }
};

TEST_F(SubscriptionsTest, EventsComeToTheWorkerThatAskedAsWords)
{
    subscriptions.onLinkUp(3, now);
    add(1, "alarms");
    EXPECT_EQ(told(1), std::vector<std::string>{R"({"message":"subscribed","subscription":"alarms"})"});
    const auto asked = subscribed(3);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].topics, std::vector<std::string>{"sensor.*"});
    EXPECT_TRUE(asked[0].fromNow);
    EXPECT_EQ(asked[0].credit, limits::subscriptionWindow);
    event(3, asked[0].subscription, 5);
    event(3, asked[0].subscription, 6, "acme/s2", 8, "");
    const auto got = told(1);
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0], R"({"cursor":"7:5","message":"event","name":"low","source":"acme/s2","subscription":"alarms",)"
                      R"("time":"1970-01-01T00:00:01.500000Z","topic":"sensor.fan","payload":{"a":1}})");
    EXPECT_EQ(got[1], R"({"cursor":"7:8","lost":3,"message":"gap","source":"acme/s2","subscription":"alarms",)"
                      R"("time":"1970-01-01T00:00:01.500000Z"})");
}

TEST_F(SubscriptionsTest, TwoDoNotTakeEachOthersEvents)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    add(1, "b");
    add(2, "a");
    const auto asked = subscribed(3);
    ASSERT_EQ(asked.size(), 3U);
    told(1);
    told(2);
    for (const Subscribe& each : asked) {
        event(3, each.subscription, 5);
    }
    EXPECT_EQ(told(1).size(), 2U);
    EXPECT_EQ(told(2).size(), 1U);
    EXPECT_EQ(subscriptions.counters().duplicates, 0U);
}

TEST_F(SubscriptionsTest, WhenTheLinkEndsItGoesOnAtAnotherAggregatorWithoutRepeats)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    subscriptions.onBegun(3, {number, {}, {{"acme/s9", 2, 40}, {"acme/s2", 7, 3}}, false, 0}, now);
    event(3, number, 5);
    told(1);
    subscriptions.onLinkDown(3, now);
    event(3, number, 6);
    EXPECT_TRUE(told(1).empty()) << "it is nobody's any more";
    EXPECT_EQ(subscriptions.counters().unwanted, 1U);
    subscriptions.onLinkUp(4, now);
    const auto again = subscribed(4);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_FALSE(again[0].fromNow) << "it is known where it began";
    EXPECT_EQ(again[0].cursors, (std::vector<shoset::EventCursor>{{"acme/s2", 7, 5}, {"acme/s9", 2, 40}}));
    event(4, number, 5);
    event(4, number, 6);
    event(4, number, 6);
    EXPECT_EQ(told(1).size(), 1U);
    EXPECT_EQ(subscriptions.counters().duplicates, 2U);
}

TEST_F(SubscriptionsTest, TheWorkerIsToldWhereItBegins)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    told(1);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    subscriptions.onBegun(3, {number, {}, {{"acme/s9", 2, 40}}, false, 0}, now);
    EXPECT_EQ(told(1), std::vector<std::string>{R"({"cursor":{"acme/s9":"2:40"},"message":"cursor","subscription":"a"})"});
}

TEST_F(SubscriptionsTest, WhoBeginsAtACursorGetsNothingFromBeforeIt)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a", false, {{"acme/s2", 7, 5}});
    told(1);
    const auto asked = subscribed(3);
    EXPECT_EQ(asked.at(0).cursors, (std::vector<shoset::EventCursor>{{"acme/s2", 7, 5}}));
    event(3, asked[0].subscription, 5);
    event(3, asked[0].subscription, 6);
    EXPECT_EQ(told(1).size(), 1U);
}

TEST_F(SubscriptionsTest, AnAggregatorMaySendAsMuchAsTheWorkerHasTaken)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    for (std::uint64_t i = 1; i <= limits::subscriptionWindow; ++i) {
        event(3, number, i);
    }
    EXPECT_TRUE(saidTo<shoset::EventsTaken>(3).empty());
    subscriptions.onTaken(1, {"a", 3}, now);
    EXPECT_TRUE(saidTo<shoset::EventsTaken>(3).empty()) << "not for a few";
    subscriptions.onTaken(1, {"a", 20}, now);
    const auto taken = saidTo<shoset::EventsTaken>(3);
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0], (shoset::EventsTaken{number, limits::subscriptionWindow + 20}));
    subscriptions.onTaken(1, {"a", 10000}, now);
    EXPECT_EQ(saidTo<shoset::EventsTaken>(3).at(0).total, 2 * limits::subscriptionWindow) << "it cannot take more than it got";
    subscriptions.onLinkDown(3, now);
    subscriptions.onLinkUp(4, now);
    EXPECT_EQ(subscribed(4).at(0).credit, limits::subscriptionWindow);
}

TEST_F(SubscriptionsTest, DuplicatesDoNotUseUpTheCredit)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    for (std::uint64_t i = 1; i <= limits::subscriptionWindow; ++i) {
        event(3, number, 1);
    }
    EXPECT_FALSE(saidTo<shoset::EventsTaken>(3).empty());
}

TEST_F(SubscriptionsTest, GapsNeedNoCreditAndTooManyForASlowWorkerEndItsSubscriptionUntilItHasCaughtUp)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    for (std::uint64_t i = 1; i <= limits::subscriptionWindow; ++i) {
        event(3, number, i);
    }
    for (std::uint64_t i = 1; i <= limits::subscriptionWindow; ++i) {
        event(3, number, 1000 + 2 * i, "acme/s2", 1001 + 2 * i, "");
    }
    EXPECT_TRUE(said.empty());
    event(3, number, 2000);
    EXPECT_TRUE(subscribed(3).at(0).topics.empty());
    event(3, number, 2001);
    EXPECT_EQ(subscriptions.counters().unwanted, 1U);
    subscriptions.onTaken(1, {"a", 20}, now);
    EXPECT_TRUE(said.empty());
    subscriptions.onTaken(1, {"a", 2 * limits::subscriptionWindow}, now);
    const auto again = subscribed(3);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].cursors, (std::vector<shoset::EventCursor>{{"acme/s2", 7, 1001 + 2 * limits::subscriptionWindow}}));
    EXPECT_EQ(again[0].credit, limits::subscriptionWindow);
    told(1);
    event(3, number, 2002);
    EXPECT_TRUE(told(1).empty()) << "it was on its way, behind what was dropped";
    event(3, again[0].subscription, 2000);
    EXPECT_EQ(told(1).size(), 1U) << "nothing is left out";
}

TEST_F(SubscriptionsTest, WhatASocketDoesNotTakeWaitsInItsOrder)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    told(1);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    verdict = Code::full;
    event(3, number, 1);
    event(3, number, 2);
    EXPECT_LE(subscriptions.nextDeadline(), now.mono + limits::workerRetry);
    verdict = Code::ok;
    event(3, number, 3);
    now.mono += limits::workerRetry;
    subscriptions.onTimer(now);
    const auto got = told(1);
    ASSERT_EQ(got.size(), 3U);
    EXPECT_NE(got[0].find("7:1"), std::string::npos);
    EXPECT_NE(got[2].find("7:3"), std::string::npos);
    EXPECT_EQ(subscriptions.nextDeadline(), never);
}

TEST_F(SubscriptionsTest, OneThatEndsIsTakenBackFromTheAggregator)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    add(1, "b");
    add(2, "a");
    subscribed(3);
    subscriptions.remove(1, "a", now);
    EXPECT_TRUE(subscribed(3).at(0).topics.empty());
    subscriptions.onWorkerEnded(1, now);
    EXPECT_EQ(subscribed(3).size(), 1U);
    EXPECT_EQ(subscriptions.size(), 1U);
    add(2, "a", false);
    const auto replaced = subscribed(3);
    ASSERT_EQ(replaced.size(), 2U);
    EXPECT_TRUE(replaced[0].topics.empty());
    EXPECT_FALSE(replaced[1].fromNow);
    EXPECT_EQ(subscriptions.size(), 1U);
}

TEST_F(SubscriptionsTest, ThereAreNotMoreThanTheBoundAndTheySpreadOverTheAggregators)
{
    subscriptions.onLinkUp(3, now);
    subscriptions.onLinkUp(4, now);
    for (std::size_t i = 0; i <= limits::maxWorkerSubscriptions; ++i) {
        add(1, "s" + std::to_string(i));
    }
    EXPECT_EQ(subscriptions.size(), limits::maxWorkerSubscriptions);
    EXPECT_NE(told(1).back().find(R"("code":"full")"), std::string::npos);
    EXPECT_EQ(subscribed(3).size(), limits::maxWorkerSubscriptions / 2);
    EXPECT_EQ(subscribed(4).size(), limits::maxWorkerSubscriptions / 2);
}

TEST_F(SubscriptionsTest, APayloadThatIsNoneReachesNoWorker)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    told(1);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    event(3, number, 1, "acme/s2", 0, "{} , \"message\":\"bye\"");
    EXPECT_TRUE(told(1).empty());
    EXPECT_EQ(subscriptions.counters().malformed, 1U);
    event(3, number, 2, "acme/s2", 0, "");
    EXPECT_NE(told(1).at(0).find(R"("payload":{})"), std::string::npos);
}

TEST_F(SubscriptionsTest, AGapUsesCreditWhereTheAggregatorCountsIt)
{
    subscriptions.onLinkUp(3, now, true);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    for (std::uint64_t i = 1; i <= limits::subscriptionWindow; ++i) {
        event(3, number, 2 * i, "acme/s2", 2 * i + 1, "");
    }
    subscriptions.onTaken(1, {"a", limits::subscriptionWindow}, now);
    const auto taken = saidTo<shoset::EventsTaken>(3);
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].total, 2 * limits::subscriptionWindow);
}

TEST_F(SubscriptionsTest, WhatOneAggregatorRefusesAnotherMayHave)
{
    subscriptions.onLinkUp(3, now, true);
    subscriptions.onLinkUp(4, now, true);
    add(1, "a");
    told(1);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    refuse(3, number);
    EXPECT_TRUE(told(1).empty());
    EXPECT_EQ(subscribed(4).size(), 1U);
    EXPECT_TRUE(subscribed(3).empty()) << "it has none of that number";
    event(4, number, 5);
    EXPECT_EQ(told(1).size(), 1U);
    EXPECT_EQ(subscriptions.counters().refusedThere, 1U);
}

TEST_F(SubscriptionsTest, OneThatAllRefuseEndsAndItsWorkerIsTold)
{
    subscriptions.onLinkUp(3, now, true);
    subscriptions.onLinkUp(4, now, true);
    add(1, "a");
    told(1);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    refuse(3, number);
    refuse(4, number, "no room");
    EXPECT_EQ(told(1), std::vector<std::string>{R"({"code":"full","message":"not_subscribed","reason":"no room","subscription":"a"})"});
    EXPECT_EQ(subscriptions.size(), 0U);
    EXPECT_EQ(subscriptions.nextDeadline(), never);
    subscribed(4);
    add(1, "a");
    EXPECT_EQ(subscribed(3).size() + subscribed(4).size(), 1U) << "another one is another one";
}

TEST_F(SubscriptionsTest, OneThatHadBegunIsAskedForUntilSomebodyHasRoom)
{
    subscriptions.onLinkUp(3, now, true);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    event(3, number, 5);
    told(1);
    subscriptions.onLinkDown(3, now);
    subscriptions.onLinkUp(4, now, true);
    EXPECT_EQ(subscribed(4).size(), 1U);
    refuse(4, number);
    EXPECT_TRUE(subscribed(4).empty());
    later(limits::subscriptionRetry);
    EXPECT_EQ(subscribed(4).size(), 1U);
    refuse(4, number);
    later(limits::subscriptionRetry);
    ASSERT_EQ(subscribed(4).size(), 1U);
    event(4, number, 6);
    EXPECT_EQ(told(1).size(), 1U);
}

TEST_F(SubscriptionsTest, OneThatWasQuietForAWhileHadBegun)
{
    subscriptions.onLinkUp(3, now, true);
    add(1, "a", false);
    const std::uint64_t number = subscribed(3).at(0).subscription;
    told(1);
    later(limits::subscriptionRetry);
    subscriptions.onLinkDown(3, now);
    subscriptions.onLinkUp(4, now, true);
    refuse(4, number);
    EXPECT_TRUE(told(1).empty());
    EXPECT_EQ(subscriptions.size(), 1U);
}

TEST_F(SubscriptionsTest, WhereItBeginsWaitsForARoomInTheSocketInItsPlace)
{
    subscriptions.onLinkUp(3, now, true);
    verdict = Code::full;
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    begins(3, number, 0, 1, false);
    event(3, number, 5);
    EXPECT_TRUE(told(1).empty());
    verdict = Code::ok;
    later(limits::workerRetry);
    const auto got = told(1);
    ASSERT_EQ(got.size(), 3U);
    EXPECT_NE(got[0].find("subscribed"), std::string::npos);
    EXPECT_NE(got[1].find(R"("cursor":{"acme/c0":"1:5"})"), std::string::npos);
    EXPECT_NE(got[2].find("7:5"), std::string::npos);
    subscriptions.onTaken(1, {"a", 100}, now);
    for (std::uint64_t i = 1; i < limits::subscriptionWindow; ++i) {
        event(3, number, 5 + i);
    }
    EXPECT_EQ(saidTo<shoset::EventsTaken>(3).size(), 0U) << "one event was taken, no more";
}

TEST_F(SubscriptionsTest, AnAggregatorThatSaysForEverWhereItBeginsFillsNoMemory)
{
    subscriptions.onLinkUp(3, now, true);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    told(1);
    verdict = Code::full;
    for (std::size_t i = 0; i < limits::maxBeginningWords + 10; ++i) {
        begins(3, number, i, 1, true);
    }
    EXPECT_EQ(subscriptions.counters().wordsLost, 10U);
    verdict = Code::ok;
    later(limits::workerRetry);
    EXPECT_EQ(told(1).size(), limits::maxBeginningWords);
}

TEST_F(SubscriptionsTest, ARefusalWaitsForRoomInTheSocket)
{
    for (std::size_t i = 0; i < limits::maxWorkerSubscriptions; ++i) {
        add(1, "s" + std::to_string(i));
    }
    told(1);
    verdict = Code::full;
    add(1, "beyond");
    add(2, "beyond");
    verdict = Code::ok;
    subscriptions.onWorkerEnded(2, now);
    later(limits::workerRetry);
    EXPECT_EQ(told(1).size(), 1U);
    EXPECT_TRUE(told(2).empty());
    EXPECT_EQ(subscriptions.nextDeadline(), never);
}

TEST_F(SubscriptionsTest, ALinkThatEndsBeforeAllPlacesWereToldBringsNothingOfWhatWasStoredBefore)
{
    subscriptions.onLinkUp(3, now, true);
    add(1, "a");
    const std::uint64_t number = subscribed(3).at(0).subscription;
    begins(3, number, 0, limits::maxEventCursors, true);
    subscriptions.onLinkDown(3, now);
    subscriptions.onLinkUp(4, now, true);
    EXPECT_TRUE(subscribed(4).at(0).fromNow) << "of the other sources nothing is known yet";
    begins(4, number, 0, limits::maxEventCursors, true);
    begins(4, number, limits::maxEventCursors, limits::maxEventCursors, false);
    subscriptions.onLinkDown(4, now);
    subscriptions.onLinkUp(5, now, true);
    EXPECT_FALSE(subscribed(5).at(0).fromNow) << "it has begun at all of them";
}

TEST_F(SubscriptionsTest, OfAnOlderAggregatorMorePlacesFollowBehindAsManyAsThereCanBe)
{
    subscriptions.onLinkUp(3, now);
    add(1, "a");
    add(1, "b");
    const auto asked = subscribed(3);
    begins(3, asked.at(0).subscription, 0, limits::maxEventCursors, false);
    begins(3, asked.at(1).subscription, 0, limits::maxEventCursors, false);
    event(3, asked.at(1).subscription, 1);  // never before the last of them
    subscriptions.onLinkDown(3, now);
    subscriptions.onLinkUp(4, now);
    const auto again = subscribed(4);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_TRUE(again[0].fromNow);
    EXPECT_FALSE(again[1].fromNow);
}

}  // namespace
}  // namespace mesh::connector
