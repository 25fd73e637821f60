#pragma once

#include "shoset/base/time.hpp"
#include "shoset/host/busy_poll.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

namespace mesh::host {

// Both clocks, read at this moment: CLOCK_MONOTONIC and CLOCK_REALTIME. Any thread.
Now systemNow();

// The one event loop of a process. Everything but stop() belongs to the thread that calls run().
class Loop {
public:
    Loop();

    boost::asio::io_context& context() { return io; }
    Now now() const { return systemNow(); }
    // From then on it looks for something to do before it sleeps, where that pays (BusyPoll). Where it may use one core only it never
    // does: who brings it something could not run meanwhile.
    void pollBusily();
    // How long it has looked in all.
    Duration busyPolled() const { return busy ? busy->looked() : Duration{}; }
    // Runs until stop(), even when there is nothing to wait for.
    void run();
    // Any thread. run() returns after the handler that is running; handlers still waiting are not run.
    void stop();

private:
    void await();

    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
    std::optional<BusyPoll> busy;
};

}  // namespace mesh::host
