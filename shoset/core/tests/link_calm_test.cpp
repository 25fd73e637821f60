#include "shoset/core/tests/link_pair.hpp"

namespace mesh::shoset {
namespace {

// Both ends know of calm links, or one does not.
struct Calm : testing::Test {
    explicit Calm(bool dialerKnows = true, bool listenerKnows = true)
    {
        pair.dialer.self.capabilities |= std::uint64_t{capabilityCalm} * (dialerKnows ? 1 : 0);
        pair.listener.self.capabilities |= std::uint64_t{capabilityCalm} * (listenerKnows ? 1 : 0);
        pair.connect();
    }
    // How many heartbeats go in that time.
    std::uint64_t beatsIn(Duration time)
    {
        const std::uint64_t before = pair.dialer.counters.framesOut;
        pair.run(time);
        return pair.dialer.counters.framesOut - before;
    }
    // How long it takes each end to notice that nothing arrives any more.
    std::pair<Duration, Duration> noticed()
    {
        pair.cut = true;
        const Duration cutAt = pair.time;
        std::pair<Duration, Duration> out{Duration::max(), Duration::max()};
        while (pair.time - cutAt < 5s && (pair.dialer.link->isUp() || pair.listener.link->isUp())) {
            pair.run(1ms);
            out.first = pair.dialer.link->isUp() ? out.first : std::min(out.first, pair.time - cutAt);
            out.second = pair.listener.link->isUp() ? out.second : std::min(out.second, pair.time - cutAt);
        }
        return out;
    }
    void speak(End& end)
    {
        ASSERT_TRUE(say(pair, end, "/"));
        end.link->flush();
    }

    Pair pair;
};

TEST_F(Calm, ALinkWithoutTrafficBeatsMoreSlowlyAfterAWhile)
{
    EXPECT_NEAR(static_cast<double>(beatsIn(limits::calmAfter)), limits::calmAfter / limits::heartbeatInterval, 1);
    EXPECT_NEAR(static_cast<double>(beatsIn(20s)), 20s / limits::calmHeartbeat, 1);
    EXPECT_TRUE(pair.bothUp());
}

TEST_F(Calm, WhoIsGoneIsNoticedAfterThreeOfTheSlowBeats)
{
    pair.run(20s);
    const auto [dialer, listener] = noticed();
    EXPECT_LE(dialer, 3 * limits::calmHeartbeat + 1ms);
    EXPECT_LE(listener, 3 * limits::calmHeartbeat + 1ms);
    EXPECT_GE(dialer, 2 * limits::calmHeartbeat);
    EXPECT_GE(listener, 2 * limits::calmHeartbeat);
}

TEST_F(Calm, ABusyLinkKeepsItsPace)
{
    for (int i = 0; i < 20; ++i) {
        pair.run(limits::calmAfter - 100ms);
        speak(i % 2 == 0 ? pair.dialer : pair.listener);
    }
    EXPECT_NEAR(static_cast<double>(beatsIn(1s)), 1s / limits::heartbeatInterval, 1);
    const auto [dialer, listener] = noticed();
    EXPECT_LE(std::max(dialer, listener), 3 * limits::heartbeatInterval + 1ms);
}

TEST_F(Calm, AWordOfEitherEndBringsThePaceBackAtOnce)
{
    for (End* end : {&pair.dialer, &pair.listener}) {
        pair.run(20s);
        speak(*end);
        pair.deliver();
        pair.dialer.link->flush();  // as at the end of each turn
        pair.deliver();
        EXPECT_NEAR(static_cast<double>(beatsIn(1s)), 1s / limits::heartbeatInterval, 1);
        EXPECT_TRUE(pair.bothUp());
    }
    const auto [dialer, listener] = noticed();
    EXPECT_LE(std::max(dialer, listener), 3 * limits::heartbeatInterval + 1ms);
}

TEST_F(Calm, WhoSpeaksOnACalmLinkNoticesSoonThatNobodyHears)
{
    pair.run(20s);
    pair.cut = true;
    speak(pair.listener);
    speak(pair.dialer);
    const auto [dialer, listener] = noticed();
    EXPECT_LE(std::max(dialer, listener), 4 * limits::heartbeatInterval + 1ms);
    EXPECT_GE(std::min(dialer, listener), 3 * limits::heartbeatInterval) << "an answer needs its time";
}

TEST_F(Calm, ALongWayEndsNoLinkThatSpeaksAgain)
{
    pair.way = 120ms;
    for (End* end : {&pair.dialer, &pair.listener}) {
        pair.run(20s);
        speak(*end);
        pair.deliver();
        pair.dialer.link->flush();
        pair.run(3s);
        EXPECT_TRUE(pair.bothUp());
    }
    EXPECT_EQ(pair.dialer.log, Log{"up"});
    EXPECT_EQ(pair.listener.log, Log{"up"});
}

TEST_F(Calm, AnInventedPaceDoesNotKeepALinkForLong)
{
    Heartbeat beat{toMicros(pair.dialer.at(pair.time).mono), 0, 0, UINT32_MAX};
    pair.listener.link->onFrame(frameOf({{}, {}, {}, beat}), pair.listener.at(pair.time));
    const auto [dialer, listener] = noticed();
    EXPECT_LE(listener, 3 * limits::calmHeartbeat + 1ms);
}

struct CalmWithAnOldListener : Calm {
    CalmWithAnOldListener() : Calm(true, false) {}
};
struct CalmWithAnOldDialer : Calm {
    CalmWithAnOldDialer() : Calm(false, true) {}
};

TEST_F(CalmWithAnOldListener, ThePaceStays)
{
    pair.run(20s);
    EXPECT_NEAR(static_cast<double>(beatsIn(2s)), 2s / limits::heartbeatInterval, 1);
}

TEST_F(CalmWithAnOldDialer, ThePaceAndThePatienceStay)
{
    pair.run(20s);
    EXPECT_NEAR(static_cast<double>(beatsIn(2s)), 2s / limits::heartbeatInterval, 1);
    EXPECT_LE(noticed().second, 3 * limits::heartbeatInterval + 1ms);
}

TEST_F(Calm, AnIntervalThatIsLongAnywayStays)
{
    pair.listener.link->setHeartbeatInterval(1s);
    pair.run(20s);
    EXPECT_NEAR(static_cast<double>(beatsIn(20s)), 20, 1);
    EXPECT_TRUE(pair.bothUp());
}

}  // namespace
}  // namespace mesh::shoset
