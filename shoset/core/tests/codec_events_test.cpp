#include "shoset/base/limits.hpp"
#include "shoset/core/message.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

Result<Message> afterTheWire(const Content& content)
{
    const Message message{{}, "acme/sled07", "agg-a", content};
    return decodeHeader(kindOf(message.content), encodeHeader(message));
}

template <class T>
void keepsEveryField(const T& content)
{
    const Result<Message> decoded = afterTheWire(content);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    ASSERT_TRUE(std::holds_alternative<T>(decoded->content));
    EXPECT_EQ(std::get<T>(decoded->content), content);
}

Event someEvent()
{
    return {7, UINT64_MAX, "sensor.fan", "too_slow", WallTime(std::chrono::microseconds(1'700'000'000'123'456)), 0, 3};
}

TEST(Codec, EventsAndWhatIsSaidOfThemKeepEveryField)
{
    keepsEveryField(someEvent());
    keepsEveryField(Event{7, 4, "", "", {}, 9, 0});
    keepsEveryField(EventsStored{});
    keepsEveryField(EventsStored{7, UINT64_MAX});
    keepsEveryField(Subscribe{3, {"sensor.*", "power", "*"}, {{"acme/sled07", 7, UINT64_MAX}, {"acme/sled08", 0, 0}}, true, UINT64_MAX});
    keepsEveryField(Subscribe{3, {}, {}, false, 0});
    keepsEveryField(Subscribe{3, {}, {}, false, 0, "too many", true});
    keepsEveryField(EventsTaken{3, UINT64_MAX});
    keepsEveryField(EventsWanted{"acme/sled07", 7, 1, UINT64_MAX, true, UINT64_MAX});
}

TEST(Codec, AnEventWithoutAPlaceATopicOrANameIsRefused)
{
    keepsEveryField(Event{1, 1, "t", "n", WallTime::max() - std::chrono::nanoseconds(WallTime::max().time_since_epoch().count() % 1000), 0, 0});
    std::vector<Event> malformed(8, someEvent());
    malformed[0].epoch = 0;
    malformed[1].sequence = 0;
    malformed[2].topic = "";
    malformed[3].name = "";
    malformed[4].topic = "a b";
    malformed[5].name = std::string(limits::maxTopicBytes + 1, 'x');
    malformed[6].lostTo = UINT64_MAX;  // a gap is no event
    malformed[7] = {7, 5, "", "", {}, 4, 0};
    for (const Event& event : malformed) {
        EXPECT_FALSE(afterTheWire(event).ok());
    }
}

TEST(Codec, SubscriptionsAndWishesThatMakeNoSenseAreRefused)
{
    const Subscribe good{1, {"*"}, {{"acme/sled07", 1, 1}}, false, 1};
    Subscribe most = good;
    most.topics.assign(limits::maxSubscriptionTopics, std::string(limits::maxTopicBytes, 't') + "*");
    most.cursors.assign(limits::maxEventCursors, {std::string(31, 't') + "/" + std::string(63, 'n'), UINT64_MAX, UINT64_MAX});
    EXPECT_TRUE(afterTheWire(most).ok());
    EXPECT_LE(encodeHeader({{}, "acme/sled07", "agg-a", most}).size(), limits::maxHeaderBytes);
    for (const char* topic : {"", "*.fan", "sensor**", "sensor fan", ".fan"}) {
        EXPECT_FALSE(afterTheWire(Subscribe{1, {topic}, {}, false, 1}).ok()) << topic;
    }
    Subscribe tooMuch = most;
    tooMuch.topics.push_back("one.more");
    EXPECT_FALSE(afterTheWire(tooMuch).ok());
    tooMuch = most;
    tooMuch.cursors.push_back(good.cursors.front());
    EXPECT_FALSE(afterTheWire(tooMuch).ok());
    EXPECT_FALSE(afterTheWire(Subscribe{1, {"*"}, {{"agg-a", 1, 1}}, false, 1}).ok());
    EXPECT_TRUE(afterTheWire(Subscribe{1, {}, {}, false, 0, std::string(limits::maxRefusalBytes, 'x')}).ok());
    EXPECT_FALSE(afterTheWire(Subscribe{1, {}, {}, false, 0, std::string(limits::maxRefusalBytes + 1, 'x')}).ok());
    for (const EventsWanted& wanted : {EventsWanted{"agg-a", 1, 1, 1, false}, EventsWanted{"acme/sled07", 0, 1, 1, false},
                                       EventsWanted{"acme/sled07", 1, 0, 1, false}, EventsWanted{"acme/sled07", 1, 2, 1, false}}) {
        EXPECT_FALSE(afterTheWire(wanted).ok());
    }
}

TEST(Epochs, ThatAnyClockMayHaveShownAreCredibleAndThoseNearTheEndAreNot)
{
    const auto lastOfAnyClock = static_cast<std::uint64_t>(toMillis(WallTime::max()));
    EXPECT_TRUE(isCredibleEpoch(lastOfAnyClock, WallTime{}));
    EXPECT_TRUE(isCredibleEpoch(lastOfAnyClock + limits::maxEpochAhead, WallTime{}, 2)) << "what a connector may have come to";
    EXPECT_TRUE(isCredibleEpoch(limits::maxEpochAhead, WallTime{} - 24h));
    EXPECT_FALSE(isCredibleEpoch(limits::maxEpochAhead + 1, WallTime{}));
    EXPECT_FALSE(isCredibleEpoch(limits::maxEventNumber - 1, WallTime::max(), 2));
}

TEST(Topics, MatchWholeOrByTheirBeginning)
{
    EXPECT_TRUE(topicMatches("*", "sensor.fan"));
    EXPECT_TRUE(topicMatches("sensor.*", "sensor.fan"));
    EXPECT_TRUE(topicMatches("sensor.fan", "sensor.fan"));
    EXPECT_FALSE(topicMatches("sensor", "sensor.fan"));
    EXPECT_FALSE(topicMatches("sensor.*", "sensors"));
    EXPECT_FALSE(topicMatches("sensor.fan", "sensor.fan2"));
    EXPECT_TRUE(isTopic("sensor.Fan-1_a"));
    EXPECT_FALSE(isTopic("*"));
    EXPECT_TRUE(isTopicPattern("sens*"));
}

}  // namespace
}  // namespace mesh::shoset
