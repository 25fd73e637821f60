#pragma once

#include "cluster/local/local_engine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace mesh::cluster {

// A loop (the test's thread, in runUntil) and one thread for blocking work.
class Loop {
public:
    Loop() : worker([this] { work(); }) {}
    ~Loop()
    {
        {
            const std::lock_guard lock(mutex);
            ending = true;
            held = false;
        }
        changed.notify_all();
        worker.join();
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    LocalEngine::Environment environment()
    {
        LocalEngine::Environment made;
        made.submit = [this](LocalEngine::Job job, LocalEngine::Job done) {
            if (refuseWork) {
                return false;
            }
            const std::lock_guard lock(mutex);
            jobs.emplace_back(std::move(job), std::move(done));
            changed.notify_all();
            return true;
        };
        made.post = [this](LocalEngine::Job job) { post(std::move(job)); };
        made.now = [this] { return now(); };
        return made;
    }

    // Runs what was posted until the condition holds; the test fails after ten seconds.
    template <class Condition>
    void runUntil(Condition condition)
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition()) {
            LocalEngine::Job next;
            {
                std::unique_lock lock(mutex);
                changed.wait_for(lock, std::chrono::milliseconds(1), [this] { return !posted.empty(); });
                if (!posted.empty()) {
                    next = std::move(posted.front());
                    posted.pop_front();
                }
            }
            if (next) {
                next();
            }
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited for ten seconds";
        }
    }

    Instant now() const { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }
    void holdWorker()
    {
        const std::lock_guard lock(mutex);
        held = true;
    }
    void releaseWorker()
    {
        const std::lock_guard lock(mutex);
        held = false;
        changed.notify_all();
    }
    bool idle()
    {
        const std::lock_guard lock(mutex);
        return jobs.empty() && posted.empty() && !working;
    }

    bool refuseWork = false;

private:
    void post(LocalEngine::Job job)
    {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(job));
        changed.notify_all();
    }
    void work()
    {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return (!held && !jobs.empty()) || ending; });
            if (jobs.empty()) {
                return;
            }
            auto [job, done] = std::move(jobs.front());
            jobs.pop_front();
            working = true;
            lock.unlock();
            job();
            job = nullptr;
            lock.lock();
            working = false;
            posted.push_back(std::move(done));
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::pair<LocalEngine::Job, LocalEngine::Job>> jobs;
    std::deque<LocalEngine::Job> posted;
    bool held = false;
    bool ending = false;
    bool working = false;
    std::thread worker;
};

}  // namespace mesh::cluster
