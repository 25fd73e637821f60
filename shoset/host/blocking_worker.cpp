#include "shoset/host/blocking_worker.hpp"

#include "shoset/host/scheduling.hpp"

#include <boost/asio/post.hpp>

#include <csignal>

namespace mesh::host {

BlockingWorker::BlockingWorker(boost::asio::io_context& io, std::size_t maxJobs)
    : context(io), keepLoop(boost::asio::make_work_guard(io)), maxWaiting(maxJobs)
{
    // Signals belong to the loop's thread: a new thread inherits the mask of its maker.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] { runJobs(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BlockingWorker::~BlockingWorker()
{
    stop();
}

bool BlockingWorker::submit(std::function<void()> job, std::function<void()> doneOnLoop)
{
    {
        const std::lock_guard lock(mutex);
        if (stopping || waiting.size() >= maxWaiting) {
            ++refusedJobs;
            return false;
        }
        waiting.push_back({std::move(job), std::move(doneOnLoop)});
    }
    wake.notify_one();
    return true;
}

void BlockingWorker::stop()
{
    {
        const std::lock_guard lock(mutex);
        stopping = true;
    }
    wake.notify_one();
    if (thread.joinable()) {
        thread.join();
        keepLoop.reset();
    }
}

void BlockingWorker::runJobs()
{
    workInBackground();
    std::unique_lock lock(mutex);
    while (true) {
        wake.wait(lock, [this] { return stopping || !waiting.empty(); });
        if (waiting.empty()) {
            return;
        }
        Job job = std::move(waiting.front());
        waiting.pop_front();
        lock.unlock();
        job.work();
        if (job.done) {
            boost::asio::post(context, std::move(job.done));
        }
        lock.lock();
    }
}

}  // namespace mesh::host
