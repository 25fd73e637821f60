#pragma once

#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

namespace mesh::simulation {

// Virtual time and the queue of what happens next. Everything in a run follows from the seed: events at the same moment
// run in the order they were made.
class World {
public:
    explicit World(std::uint64_t seed) : random(seed) {}

    Now now() const { return current; }
    Rng& rng() { return random; }

    void after(Duration delay, std::function<void()> event);
    void at(Instant when, std::function<void()> event);
    // Runs events up to `end`; false as soon as a check failed.
    bool runUntil(Instant end);

    // Uniform.
    Duration between(Duration low, Duration high);
    bool chance(unsigned percent) { return random.below(100) < percent; }

    // One line of what happened; the lines of two runs with one seed are equal.
    void trace(const std::string& line);
    const std::string& traceText() const { return lines; }
    // A property was violated. The first one is kept.
    void fail(const std::string& what);
    const std::string& failure() const { return firstFailure; }
    std::uint64_t events() const { return eventCount; }

private:
    struct Event {
        Instant when;
        std::uint64_t order;
        std::function<void()> run;
        bool operator>(const Event& other) const
        {
            return when != other.when ? when > other.when : order > other.order;
        }
    };

    SeededRng random;
    Now current{Instant{} + 1h, WallTime{} + 24h * 20000};
    std::priority_queue<Event, std::vector<Event>, std::greater<>> queue;
    std::uint64_t nextOrder = 0;
    std::uint64_t eventCount = 0;
    std::string lines;
    std::string firstFailure;
};

}  // namespace mesh::simulation
