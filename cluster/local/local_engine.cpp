#include "cluster/local/local_engine.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mesh::cluster {

struct LocalEngine::Outcome {
    Result<void> result;
    bool replaced = false;  // the file was rewritten first
};

LocalEngine::LocalEngine(Options given, Environment around)
    : options(std::move(given)), environment(std::move(around)), nextCompaction(limits::compactionBytes)
{
    current.role = NodeRole::primary;
    current.term = 1;
    current.self = 1;
    current.leader = 1;
    current.members = {{1, options.nodeName, "", true}};
}

LocalEngine::~LocalEngine() = default;

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(Options options, Environment environment)
{
    std::unique_ptr<LocalEngine> engine(new LocalEngine(std::move(options), std::move(environment)));
    if (auto loaded = engine->load(); !loaded) {
        return loaded.error();
    }
    return engine;
}

Result<void> LocalEngine::load()
{
    StateFile::Contents contents;
    auto opened = StateFile::open(options.path, machine.snapshot(), contents, options.calls);
    if (!opened) {
        return opened.error();
    }
    file = std::move(*opened);
    count.cutBytes = contents.cutBytes;
    if (auto restored = machine.restore(contents.snapshot); !restored) {
        return Error{restored.error().code, options.path + ": " + restored.error().message};
    }
    std::vector<Change> changes;
    for (const std::string& entry : contents.entries) {
        if (auto applied = machine.apply(entry, changes); !applied) {
            return Error{applied.error().code, options.path + ", after revision " + std::to_string(state().revision) +
                                                   ": " + applied.error().message};
        }
        changes.clear();
    }
    feed.reset(state().revision);
    return {};
}

void LocalEngine::refuse(ProposeHandler handler, Error error)
{
    environment.post([handler = std::move(handler), error = std::move(error), engine = std::weak_ptr<int>(alive)] {
        if (!engine.expired()) {
            handler(error);
        }
    });
}

void LocalEngine::propose(Command command, Instant deadline, ProposeHandler handler)
{
    ++count.proposals;
    auto entry = encodeCommand(command);
    if (!entry) {
        ++count.refusedInvalid;
        return refuse(std::move(handler), entry.error());
    }
    if (closing) {
        return refuse(std::move(handler), {Code::unavailable, "this node is shutting down"});
    }
    if (waiting.size() >= limits::maxQueuedProposals) {
        ++count.refusedFull;
        return refuse(std::move(handler),
                      {Code::full, std::to_string(limits::maxQueuedProposals) + " changes wait for the disk already"});
    }
    waiting.push_back({std::move(*entry), deadline, std::move(handler)});
    pump();
}

void LocalEngine::barrier(Instant deadline, BarrierHandler handler)
{
    // What was answered is applied here, and nobody else can commit: there is nothing to wait for.
    environment.post([this, deadline, handler = std::move(handler), engine = std::weak_ptr<int>(alive)] {
        if (engine.expired()) {
            return;
        }
        if (deadline <= environment.now()) {
            return handler(Error{Code::deadlineExceeded, "the deadline passed"});
        }
        handler(state().revision);
    });
}

// Starts the next job if none runs. Not recursive, though handlers may propose and a tool's submit() runs at once.
void LocalEngine::pump()
{
    if (pumping) {
        return;
    }
    pumping = true;
    const std::weak_ptr<int> engine = alive;
    while (!busy && !waiting.empty()) {
        write();
        if (engine.expired()) {
            return;
        }
    }
    if (!busy && dueForCompaction()) {
        compact();
    }
    pumping = false;
    if (!busy && closing && waiting.empty() && closed) {
        environment.post(std::exchange(closed, nullptr));
    }
}

void LocalEngine::write()
{
    const Instant now = environment.now();
    std::vector<std::string> entries;
    std::vector<Proposal> late;
    std::size_t bytes = 0;
    while (!waiting.empty() && bytes < limits::maxBatchBytes) {
        Proposal next = std::move(waiting.front());
        waiting.pop_front();
        if (next.deadline <= now) {
            late.push_back(std::move(next));
            continue;
        }
        bytes += next.entry.size();
        entries.push_back(next.entry);
        inFlight.push_back(std::move(next));
    }
    for (Proposal& proposal : late) {
        ++count.refusedLate;
        refuse(std::move(proposal.handler), {Code::deadlineExceeded, "the deadline passed before the disk was free"});
    }
    if (entries.empty()) {
        return;
    }
    busy = true;
    auto outcome = std::make_shared<Outcome>();
    std::string snapshot = file->mustReplace() ? machine.snapshot() : std::string();
    auto job = [target = file, outcome, entries = std::move(entries), snapshot = std::move(snapshot)] {
        if (!snapshot.empty()) {
            outcome->result = target->replace(snapshot);
            outcome->replaced = outcome->result.ok();
        }
        if (outcome->result) {
            outcome->result = target->append(entries);
        }
    };
    auto done = [this, outcome, engine = std::weak_ptr<int>(alive)] {
        if (!engine.expired()) {
            written(*outcome);
        }
    };
    if (!environment.submit(std::move(job), std::move(done))) {
        busy = false;
        count.refusedFull += inFlight.size();
        for (Proposal& proposal : std::exchange(inFlight, {})) {
            refuse(std::move(proposal.handler), {Code::full, "too much work waits for the disk"});
        }
    }
}

// Stays busy until the whole batch is applied: handlers may propose, but neither a later batch nor a snapshot may
// overtake what is on the disk already.
void LocalEngine::written(const Outcome& outcome)
{
    const std::weak_ptr<int> engine = alive;
    const std::vector<Proposal> batch = std::move(inFlight);
    inFlight.clear();
    if (outcome.replaced) {
        ++count.compactions;
        nextCompaction = limits::compactionBytes;
    }
    ++(outcome.result ? count.batches : count.writeFailures);
    setReason(outcome.result ? "" : outcome.result.error().message);
    for (const Proposal& proposal : batch) {
        if (engine.expired()) {
            return;
        }
        if (!outcome.result) {
            answer(proposal, outcome.result.error());
            continue;
        }
        std::vector<Change> changes;
        auto applied = machine.apply(proposal.entry, changes);
        ++count.applied;
        feed.publish(changes);
        if (!engine.expired()) {
            answer(proposal, std::move(applied));
        }
    }
    if (!engine.expired()) {
        busy = false;
        pump();
    }
}

void LocalEngine::answer(const Proposal& proposal, Result<Applied> result)
{
    if (proposal.handler) {
        proposal.handler(std::move(result));
    }
}

bool LocalEngine::dueForCompaction() const
{
    return file->appendedBytes() >= std::max(nextCompaction, file->snapshotBytes());
}

void LocalEngine::compact()
{
    busy = true;
    auto outcome = std::make_shared<Outcome>();
    auto job = [target = file, outcome, snapshot = machine.snapshot()] { outcome->result = target->replace(snapshot); };
    auto done = [this, outcome, engine = std::weak_ptr<int>(alive)] {
        if (engine.expired()) {
            return;
        }
        busy = false;
        ++(outcome->result ? count.compactions : count.compactionFailures);
        nextCompaction = limits::compactionBytes + (outcome->result ? 0 : file->appendedBytes());
        pump();
    };
    if (!environment.submit(std::move(job), std::move(done))) {
        busy = false;
        ++count.compactionFailures;
        nextCompaction = limits::compactionBytes + file->appendedBytes();
    }
}

void LocalEngine::setReason(std::string reason)
{
    if (current.reason != reason) {
        current.reason = std::move(reason);
        if (tellStatus) {
            tellStatus(current);
        }
    }
}

void LocalEngine::expire()
{
    const Instant now = environment.now();
    std::vector<ProposeHandler> unconfirmed;
    for (Proposal& proposal : inFlight) {
        if (proposal.handler && proposal.deadline <= now) {
            unconfirmed.push_back(std::exchange(proposal.handler, nullptr));
        }
    }
    const auto late = std::stable_partition(waiting.begin(), waiting.end(),
                                            [now](const Proposal& proposal) { return proposal.deadline > now; });
    std::vector<Proposal> untried(std::make_move_iterator(late), std::make_move_iterator(waiting.end()));
    waiting.erase(late, waiting.end());
    count.unanswered += unconfirmed.size();
    count.refusedLate += untried.size();
    for (ProposeHandler& handler : unconfirmed) {
        refuse(std::move(handler),
               {Code::outcomeUnknown, "the disk did not confirm this change in time; it may still be made"});
    }
    for (Proposal& proposal : untried) {
        refuse(std::move(proposal.handler), {Code::deadlineExceeded, "the deadline passed before the disk was free"});
    }
}

void LocalEngine::close(Job done)
{
    closing = true;
    closed = std::move(done);
    pump();
}

}  // namespace mesh::cluster
