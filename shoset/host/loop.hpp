#pragma once

#include "shoset/base/time.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace mesh::host {

// Both clocks, read at this moment: CLOCK_MONOTONIC and CLOCK_REALTIME. Any thread.
Now systemNow();

// The one event loop of a process. Everything but stop() belongs to the thread that calls run().
class Loop {
public:
    Loop();

    boost::asio::io_context& context() { return io; }
    Now now() const { return systemNow(); }
    // Runs until stop(), even when there is nothing to wait for.
    void run();
    // Any thread. run() returns after the handler that is running; handlers still waiting are not run.
    void stop();

private:
    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
};

}  // namespace mesh::host
