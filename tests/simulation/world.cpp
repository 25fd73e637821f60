#include "tests/simulation/world.hpp"

namespace mesh::simulation {

void World::after(Duration delay, std::function<void()> event)
{
    at(current.mono + delay, std::move(event));
}

void World::at(Instant when, std::function<void()> event)
{
    queue.push({when < current.mono ? current.mono : when, nextOrder++, std::move(event)});
}

bool World::runUntil(Instant end)
{
    while (!queue.empty() && queue.top().when <= end && firstFailure.empty()) {
        Event event = queue.top();
        queue.pop();
        current.wall += event.when - current.mono;
        current.mono = event.when;
        ++eventCount;
        event.run();
    }
    return firstFailure.empty();
}

Duration World::between(Duration low, Duration high)
{
    return low + Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

void World::trace(const std::string& line)
{
    lines += std::to_string(toMicros(current.mono)) + " " + line + "\n";
}

void World::fail(const std::string& what)
{
    trace("FAILED " + what);
    if (firstFailure.empty()) {
        firstFailure = what;
    }
}

}  // namespace mesh::simulation
