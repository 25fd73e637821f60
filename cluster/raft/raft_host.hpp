#pragma once

#include "cluster/core/feature_level.hpp"
#include "cluster/raft/raft_event.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct mesh_raft;

namespace mesh::cluster {

// Counted on raft's thread, read when nothing runs or for figures.
struct RaftHostCounters {
    std::uint64_t entries = 0, snapshots = 0, restores = 0, opened = 0;
    std::uint64_t guarded = 0;       // snapshots that arrived while one was taken or installed
    std::uint64_t droppedRpcs = 0;   // queues were full
    std::uint64_t abandoned = 0;     // logs that did not close in time
    std::uint64_t brokenStreams = 0; // of raft's to a member; never, with the libraft that this was made for
};

// libraft on a thread and loop of its own. The other methods are for one thread, the loop's; what happens comes from
// take(), in order. Opens the log again after the disk failed; a log that is damaged or not understood stays closed.
class RaftHost {
public:
    struct Settings {
        std::string directory;
        std::uint64_t self = 0;
        std::string name;
        std::vector<RaftMember> bootstrap;
        Duration election{};
        Duration heartbeat{};
        bool witness = false;
        unsigned snapshotThreshold = 0;
        unsigned snapshotTrailing = 0;
        FeatureLevel featureLevel = newestFeatureLevel;  // see StateMachine
        Duration closePatience = limits::raftClose;
    };

    // `notify` runs on raft's thread when take() has something again.
    RaftHost(Settings settings, std::function<void()> notify);
    // Closes the log at once and joins the thread; blocks for as long as the disk does, but not longer than
    // Settings::closePatience: a log that is not closed then is left to the end of the process. For longer where raft's own thread
    // hangs in the disk (it writes its term there); the end of the process has a bound of its own.
    ~RaftHost();
    RaftHost(const RaftHost&) = delete;
    RaftHost& operator=(const RaftHost&) = delete;

    // Waits until the log was opened, or was not. corrupt, unsupported, invalidArgument and such: it never will be.
    // What may pass (the disk is full, or fails) is no error: RaftView::trouble tells it.
    Result<void> start();
    // false: too much waits already; nothing comes of it.
    bool request(RaftRequest request);
    // One checked message of raft's. One that is not urgent waits for what wakes raft's thread next, its tick at the latest.
    bool receive(std::uint64_t from, std::string rpc, bool urgent = true);
    std::vector<RaftEvent> take();
    // Hands leadership over and closes the log; HostEnded tells when.
    void close();
    RaftHostCounters counters() const;

private:
    class Thread;  // everything that only raft's thread touches
    friend class Thread;
    struct Received {
        std::uint64_t from;
        std::string rpc;
    };
    void wake();

    const Settings settings;
    const std::function<void()> notify;

    mutable std::mutex mutex;  // guards all below
    std::condition_variable changed;
    std::vector<RaftRequest> requests;
    std::vector<Received> received;
    std::size_t receivedBytes = 0;
    std::vector<RaftEvent> events;
    std::size_t eventBytes = 0;  // of messages among them
    RaftHostCounters count;          // as raft's thread published them
    std::uint64_t refusedRpcs = 0;  // before they came to it
    mesh_raft* running = nullptr;
    bool closing = false;
    bool abrupt = false;  // no leadership is handed over
    bool attempted = false;
    Result<void> firstAttempt;

    std::unique_ptr<Thread> inner;
    std::thread thread;
};

}  // namespace mesh::cluster
