#include "shoset/host/loop.hpp"

#include "shoset/host/scheduling.hpp"

#include <chrono>
#include <thread>

namespace mesh::host {

// One thread runs the loop, so Asio may skip waking another; posting from other threads stays safe.
static constexpr int runningThreads = 1;

static Instant monotonicNow()
{
    return Instant(std::chrono::steady_clock::now().time_since_epoch());
}

Now systemNow()
{
    return {monotonicNow(), WallTime(std::chrono::system_clock::now().time_since_epoch())};
}

Loop::Loop() : io(runningThreads), work(boost::asio::make_work_guard(io)) {}

void Loop::pollBusily()
{
    if (usableCores() > 1) {
        busy.emplace();
    }
}

void Loop::run()
{
    while (!io.stopped()) {
        if (!busy) {
            io.run();
        } else if (io.poll() == 0) {
            await();
        }
    }
}

// There is nothing to do: until something was done.
void Loop::await()
{
    const Instant begun = monotonicNow();
    const Instant end = begun + busy->time();
    Instant at = begun;
    while (at < end) {
        std::this_thread::yield();  // to who brings it, should that be waiting for this core
        at = monotonicNow();        // whoever else takes the core makes it a long wait
        if (io.poll() != 0) {
            busy->waited(at - begun, at - begun, at);
            return;
        }
    }
    io.run_one();
    const Instant done = monotonicNow();
    busy->waited(done - begun, at - begun, done);
}

void Loop::stop()
{
    io.stop();
}

}  // namespace mesh::host
