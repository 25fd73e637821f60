#pragma once

#include "cluster/core/state_engine.hpp"
#include "cluster/core/state_machine.hpp"
#include "cluster/local/state_file.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mesh::cluster {

struct LocalCounters {
    std::uint64_t proposals = 0, applied = 0, batches = 0, compactions = 0;
    std::uint64_t refusedFull = 0, refusedLate = 0, refusedInvalid = 0, unanswered = 0;
    std::uint64_t writeFailures = 0, compactionFailures = 0;
    std::uint64_t cutBytes = 0;  // of an unfinished write, found when the file was opened
};

// The StateEngine of a single node: one file, and the primary is always this node. Proposals that wait while the disk
// is busy share the next fsync. Nothing is written but proposals, and a rewrite once limits::compactionBytes of them
// were appended. Nothing is applied before it is on the disk; a write that fails changes nothing in memory and is
// answered with ioError, and the next proposal tries again.
class LocalEngine final : public StateEngine {
public:
    using Job = std::function<void()>;
    struct Environment {
        // Runs `job` on another thread, one at a time, then `done` on the loop's; false: refused, neither is run.
        // A tool without a loop may run both at once: the handlers then run inside propose().
        std::function<bool(Job job, Job done)> submit;
        // Runs it on the loop's thread, later.
        std::function<void(Job)> post;
        std::function<Instant()> now;
    };
    struct Options {
        std::string path;
        std::string nodeName;
        FileCalls calls = FileCalls::system();
    };

    // Blocks on the disk. Errors as StateFile::open(), and unsupported for what a newer program wrote.
    static Result<std::unique_ptr<LocalEngine>> open(Options options, Environment environment);
    // A job that is still running goes on by itself; its handlers are not called any more.
    ~LocalEngine() override;

    void propose(Command command, Instant deadline, ProposeHandler handler) override;
    void barrier(Instant deadline, BarrierHandler handler) override;
    const State& state() const override { return machine.state(); }
    WatchId watch(Revision from, ChangeHandler handler) override { return feed.watch(from, std::move(handler)); }
    void unwatch(WatchId id) override { feed.unwatch(id); }
    EngineStatus status() const override { return current; }
    void onStatus(StatusHandler handler) override { tellStatus = std::move(handler); }

    // Answers what is late: deadlineExceeded for what still waits, outcomeUnknown for what the disk has not confirmed.
    // For the loop's tick; without it a proposal is answered when the disk answers.
    void expire();
    // Refuses further proposals with `unavailable`; `done` runs when those accepted are answered.
    void close(Job done);

    const LocalCounters& counters() const { return count; }
    std::string hash() const { return machine.hash(); }

private:
    struct Proposal {
        std::string entry;
        Instant deadline;
        ProposeHandler handler;  // empty: answered already
    };
    struct Outcome;  // of the job on the other thread

    LocalEngine(Options options, Environment environment);
    Result<void> load();
    void refuse(ProposeHandler handler, Error error);
    void pump();
    void write();
    void written(const Outcome& outcome);
    static void answer(const Proposal& proposal, Result<Applied> result);
    void compact();
    void setReason(std::string reason);
    bool dueForCompaction() const;

    Options options;
    Environment environment;
    std::shared_ptr<StateFile> file;
    StateMachine machine;
    ChangeFeed feed;
    EngineStatus current;
    StatusHandler tellStatus;
    LocalCounters count;
    std::deque<Proposal> waiting;
    std::vector<Proposal> inFlight;
    bool busy = false;
    bool pumping = false;
    bool closing = false;
    std::size_t nextCompaction;  // appended bytes that make the next attempt due
    Job closed;
    std::shared_ptr<int> alive = std::make_shared<int>();  // gone with the engine; what outlives it checks
};

}  // namespace mesh::cluster
