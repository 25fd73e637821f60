#include "shoset/core/clock_bound.hpp"

#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mesh::shoset {
namespace {

Instant at(std::int64_t micros)
{
    return Instant{std::chrono::microseconds(micros)};
}

// Rounding and drift together may cost this much where nothing else does.
constexpr Duration slack = 10us;

TEST(ClockBound, KnowsNothingBeforeTheFirstRoundTrip)
{
    EXPECT_FALSE(ClockBound().earliestSend(5, at(10)).has_value());
}

TEST(ClockBound, OfAnInstantRoundTripIsTheOffset)
{
    ClockBound clock;
    clock.onRoundTrip(1000, 1000, 501000);
    const Instant earliest = *clock.earliestSend(501500, at(2000));
    EXPECT_LE(earliest, at(1500));
    EXPECT_GE(earliest, at(1500) - slack);
}

TEST(ClockBound, HoldsForOffsetsOfBothSigns)
{
    for (const std::int64_t offset : {-999000, -1, 0, 1, 4000000}) {
        ClockBound clock;
        clock.onRoundTrip(1000000, 1000100, 1000050 + offset);
        const Instant earliest = *clock.earliestSend(1000200 + offset, at(1000300));
        EXPECT_LE(earliest, at(1000200)) << offset;
        EXPECT_GE(earliest, at(1000150) - slack) << offset;
    }
}

TEST(ClockBound, IsWrongByTheWayOutAtMostHoweverSlowTheWayBackWas)
{
    ClockBound clock;
    clock.onRoundTrip(0, 900010, 5000010);  // 10 us out, 900 ms back
    const Instant earliest = *clock.earliestSend(5000000 + 950000, at(960000));
    EXPECT_LE(earliest, at(950000));
    EXPECT_GE(earliest, at(950000) - 10us - 200us - slack);
    ClockBound slow;
    slow.onRoundTrip(0, 900010, 5900000);  // 900 ms out: the peer's reading may be as old as our question
    EXPECT_LE(*slow.earliestSend(5000000 + 950000, at(960000)), at(50000));
}

TEST(ClockBound, KeepsTheTightestRoundTrip)
{
    ClockBound clock;
    clock.onRoundTrip(1000, 1010, 1005);
    const Instant before = *clock.earliestSend(60000, at(70000));
    clock.onRoundTrip(2000, 52000, 51000);  // a slow way out: says less
    EXPECT_EQ(*clock.earliestSend(60000, at(70000)), before);
    clock.onRoundTrip(65000, 65001, 65000);
    const Instant best = *clock.earliestSend(60000, at(70000));
    EXPECT_GE(best, before);
    clock.onRoundTrip(5000, 65001, 5002);  // as tight at its time, but that is long ago
    EXPECT_EQ(*clock.earliestSend(60000, at(70000)), best);
}

TEST(ClockBound, WidensWithAgeUntilANewerRoundTripIsBetter)
{
    ClockBound clock;
    clock.onRoundTrip(0, 10, 5);
    const Instant fresh = *clock.earliestSend(100, at(1000));
    EXPECT_GE(fresh, at(90) - slack);
    // After 1000 s two clocks of 100 ppm may have gone 200 ms apart.
    const Instant old = *clock.earliestSend(1000000000, at(1000000100));
    EXPECT_LE(old, at(1000000000 - 200000));
    EXPECT_GE(old, at(1000000000 - 202000));
    clock.onRoundTrip(1000000000, 1000000500, 1000000400);
    EXPECT_GE(*clock.earliestSend(1000000600, at(1000000700)), at(1000000200) - slack);
}

TEST(ClockBound, TellingTheSameRoundTripAgainDoesNotMakeItYounger)
{
    ClockBound once;
    ClockBound repeated;
    once.onRoundTrip(1000, 2000, 1500);
    for (std::int64_t received = 2000; received < 100000000; received += 1000000) {
        repeated.onRoundTrip(1000, received, 1500);
    }
    EXPECT_EQ(*repeated.earliestSend(100000000, at(100000100)), *once.earliestSend(100000000, at(100000100)));
}

TEST(ClockBound, IsNeverLaterThanNow)
{
    ClockBound clock;
    clock.onRoundTrip(1000, 1010, 1005);
    EXPECT_EQ(*clock.earliestSend(9000000, at(2000)), at(2000));
    EXPECT_EQ(*clock.earliestSend(INT64_MAX, at(2000)), at(2000));
}

TEST(ClockBound, IgnoresNonsense)
{
    ClockBound clock;
    clock.onRoundTrip(2000, 1000, 1500);  // received before it was sent
    clock.onRoundTrip(INT64_MIN, 1000, INT64_MAX);
    clock.onRoundTrip(-1, 1000, 1000);
    clock.onRoundTrip(1000, 1000, INT64_MIN);
    clock.onRoundTrip(1000, 1000, -1);
    clock.onRoundTrip(1000, 1000, INT64_MAX);
    EXPECT_FALSE(clock.earliestSend(1500, at(2000)).has_value());
}

TEST(ClockBound, StampsFromTheEndsOfTheirRangeDoNotOverflow)
{
    ClockBound clock;
    clock.onRoundTrip(0, 0, 0);
    ClockBound ahead;
    ahead.onRoundTrip(1000, 1000, 1000000000000);
    for (const std::int64_t stamp : {INT64_MIN, INT64_MIN + 1, std::int64_t{-1}, INT64_MAX / 1000, INT64_MAX / 1000 + 1, INT64_MAX}) {
        EXPECT_LE(*clock.earliestSend(stamp, at(5000)), at(5000)) << stamp;
        EXPECT_LE(*ahead.earliestSend(stamp, at(5000)), at(5000)) << stamp;
    }
}

// A clock of `ppm` parts per million, read in whole microseconds; the argument is true time in nanoseconds.
struct QuartzClock {
    std::int64_t offsetNanos;
    std::int64_t ppm;
    std::int64_t nanos(std::int64_t trueNanos) const { return offsetNanos + trueNanos + trueNanos / 1000000 * ppm; }
    std::int64_t micros(std::int64_t trueNanos) const { return nanos(trueNanos) / 1000; }
};

struct Arrival {
    std::int64_t when;  // true nanoseconds
    bool roundTrip;
    std::int64_t sent;  // true nanoseconds: of our question, or of their message
    std::int64_t theirs;
};

// What the peer sends arrives in order, as on one connection.
std::vector<Arrival> arrivalsOf(Rng& rng, const QuartzClock& ours, const QuartzClock& theirs)
{
    const std::uint64_t maxDelay = 1 + (std::uint64_t{1000} << rng.below(22));
    std::vector<Arrival> arrivals;
    std::int64_t time = 1000000;
    std::int64_t lastArrival = 0;
    for (int i = 0; i < 60; ++i) {
        time += static_cast<std::int64_t>(rng.below(rng.below(20) == 0 ? 2000000000000 : 2000000000));
        const auto way = [&] { return static_cast<std::int64_t>(rng.below(5) == 0 ? 0 : rng.below(maxDelay)); };
        const bool roundTrip = i == 0 || rng.below(3) == 0;
        const std::int64_t asked = time;
        if (roundTrip) {
            time += way();
        }
        lastArrival = std::max(lastArrival, time + way());
        arrivals.push_back({lastArrival, roundTrip, roundTrip ? ours.micros(asked) : ours.nanos(time), theirs.micros(time)});
    }
    return arrivals;
}

TEST(ClockBound, EarliestSendIsNeverLaterThanTheTrueSendWhateverDelaysAndDrift)
{
    SeededRng rng(20240501);
    for (int run = 0; run < 3000; ++run) {
        const auto offset = [&] { return static_cast<std::int64_t>(rng.below(1000000000000000)); };
        const auto ppm = [&] { return rng.below(2) == 0 ? static_cast<std::int64_t>(rng.below(201)) - 100 : rng.below(2) == 0 ? 100 : -100; };
        const QuartzClock ours{offset(), ppm()};
        const QuartzClock theirs{offset(), ppm()};
        ClockBound clock;
        for (const Arrival& arrival : arrivalsOf(rng, ours, theirs)) {
            if (arrival.roundTrip) {
                clock.onRoundTrip(arrival.sent, ours.micros(arrival.when), arrival.theirs);
                continue;
            }
            const std::optional<Instant> earliest = clock.earliestSend(arrival.theirs, Instant{Duration(ours.nanos(arrival.when))});
            ASSERT_TRUE(earliest.has_value());
            ASSERT_LE(earliest->time_since_epoch().count(), arrival.sent)
                << "run " << run << " ppm " << ours.ppm << " " << theirs.ppm << " at " << arrival.when;
        }
    }
}

}  // namespace
}  // namespace mesh::shoset
