#pragma once

#include "shoset/base/limits.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace mesh::host {

// The one thread for work that blocks (password hashes, fsync, SQL), so that the loop never does. Jobs run one after
// the other, in the order they were submitted.
class BlockingWorker {
public:
    explicit BlockingWorker(boost::asio::io_context& context, std::size_t maxJobs = limits::maxBlockingJobs);
    ~BlockingWorker();
    BlockingWorker(const BlockingWorker&) = delete;
    BlockingWorker& operator=(const BlockingWorker&) = delete;

    // Loop thread. Runs `job` on the worker, then `doneOnLoop` (which may be empty) on the loop. False, and nothing
    // will run, when `maxJobs` are waiting or after stop(). Jobs must not throw.
    bool submit(std::function<void()> job, std::function<void()> doneOnLoop);
    // Loop thread. Takes nothing more, returns when every job accepted so far has run. Their doneOnLoop run if the loop
    // goes on. Called by the destructor.
    void stop();

    std::uint64_t refused() const { return refusedJobs; }

private:
    struct Job {
        std::function<void()> work;
        std::function<void()> done;
    };
    void runJobs();

    boost::asio::io_context& context;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keepLoop;
    const std::size_t maxWaiting;
    std::uint64_t refusedJobs = 0;
    std::mutex mutex;  // guards `waiting` and `stopping`
    std::condition_variable wake;
    std::deque<Job> waiting;
    bool stopping = false;
    std::thread thread;
};

}  // namespace mesh::host
