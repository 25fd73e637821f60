#pragma once

#include <chrono>
#include <cstdint>

namespace mesh {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// Tags without now(): pure code receives the time, it never asks for it.
struct MonotonicTag {
    using duration = Duration;
    using rep = Duration::rep;
    using period = Duration::period;
    using time_point = std::chrono::time_point<MonotonicTag>;
    static constexpr bool is_steady = true;
};
struct WallTag {
    using duration = Duration;
    using rep = Duration::rep;
    using period = Duration::period;
    using time_point = std::chrono::time_point<WallTag>;
    static constexpr bool is_steady = false;
};

// A point on this process's monotonic clock; its epoch means nothing to anybody else.
using Instant = MonotonicTag::time_point;
// Nanoseconds since 1970-01-01 UTC. For people, tokens' expiry and message ids; never for timeouts.
using WallTime = WallTag::time_point;

// "Now" on both clocks, constant within one turn of the loop.
struct Now {
    Instant mono{};
    WallTime wall{};
};

constexpr Instant never = Instant::max();

// The last microsecond since 1970 that WallTime holds; the first one is as many before. What comes as a number of microseconds is
// compared with it before it becomes a time.
constexpr std::int64_t lastMicros = std::chrono::duration_cast<std::chrono::microseconds>(WallTime::max().time_since_epoch()).count();

constexpr std::int64_t toMicros(Instant t)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
}
constexpr std::int64_t toMillis(WallTime t)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}
constexpr std::int64_t toMillis(Duration d)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace mesh
