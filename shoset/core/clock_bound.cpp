#include "shoset/core/clock_bound.hpp"

#include <algorithm>

namespace mesh::shoset {

namespace {

// What an Instant can hold. Stamps come from peers: a value outside is nonsense and must not overflow anything.
constexpr std::int64_t maxMicros = INT64_MAX / 1000;

bool isStamp(std::int64_t micros)
{
    return micros >= 0 && micros <= maxMicros;
}

// How much an upper bound of the offset grows in `micros` on our clock: 201 ppm, since of two clocks of 100 ppm each the
// fast one gains 200.02 on the slow one, and two microseconds for what rounding takes off stamps and off this quotient.
std::int64_t drift(std::int64_t micros)
{
    return std::max<std::int64_t>(micros, 0) / 4975 + 2;
}

}  // namespace

// The peer read its clock at the time of `sent` or later, so the bound's age counts from there.
void ClockBound::onRoundTrip(std::int64_t sent, std::int64_t received, std::int64_t theirs)
{
    if (!isStamp(sent) || !isStamp(received) || !isStamp(theirs) || received < sent) {
        return;
    }
    const std::int64_t offset = theirs - sent;
    if (!largestOffset || offset + drift(received - sent) <= *largestOffset + drift(received - measuredAt)) {
        largestOffset = offset;
        measuredAt = sent;
    }
}

std::optional<Instant> ClockBound::earliestSend(std::int64_t theirs, Instant now) const
{
    if (!largestOffset) {
        return std::nullopt;
    }
    const std::int64_t offset = *largestOffset + drift(toMicros(now) - measuredAt);
    const std::int64_t earliest = std::clamp<std::int64_t>(theirs, 0, maxMicros) - offset;
    return std::min(Instant{std::chrono::microseconds(std::clamp<std::int64_t>(earliest, 0, maxMicros))}, now);
}

}  // namespace mesh::shoset
