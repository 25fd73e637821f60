#include "shoset/host/loop.hpp"

#include <chrono>

namespace mesh::host {

// One thread runs the loop, so Asio may skip waking another; posting from other threads stays safe.
static constexpr int runningThreads = 1;

Now systemNow()
{
    return {Instant(std::chrono::steady_clock::now().time_since_epoch()),
            WallTime(std::chrono::system_clock::now().time_since_epoch())};
}

Loop::Loop() : io(runningThreads), work(boost::asio::make_work_guard(io)) {}

void Loop::run()
{
    io.run();
}

void Loop::stop()
{
    io.stop();
}

}  // namespace mesh::host
