#include "cluster/core/memory_engine.hpp"

#include <algorithm>
#include <utility>

namespace mesh::cluster {

MemoryEngine::MemoryEngine()
{
    current.role = NodeRole::primary;
    current.term = 1;
    current.self = 1;
    current.leader = 1;
    current.members = {{1, "memory", "", true}};
}

void MemoryEngine::propose(Command command, Instant deadline, ProposeHandler handler)
{
    Waiting waiting;
    waiting.deadline = deadline;
    waiting.onApplied = std::move(handler);
    auto entry = encodeCommand(command);
    if (entry) {
        waiting.entry = std::move(*entry);
    } else {
        waiting.refused = entry.error();
    }
    queue.push_back(std::move(waiting));
}

void MemoryEngine::barrier(Instant deadline, BarrierHandler handler)
{
    Waiting waiting;
    waiting.deadline = deadline;
    waiting.onBarrier = std::move(handler);
    queue.push_back(std::move(waiting));
}

std::size_t MemoryEngine::pump(Instant now, std::size_t count)
{
    std::size_t done = 0;
    for (std::size_t left = std::min(count, queue.size()); left > 0; --left, ++done) {
        Waiting next = std::move(queue.front());
        queue.pop_front();
        handle(std::move(next), now);
    }
    return done;
}

void MemoryEngine::handle(Waiting waiting, Instant now)
{
    Error refused = waiting.refused;
    if (refused.code == Code::ok && waiting.deadline <= now) {
        refused = Error{Code::deadlineExceeded, "the deadline passed before this could be proposed"};
    }
    if (refused.code == Code::ok && current.role != NodeRole::primary) {
        refused = Error{Code::unavailable, "no primary is known"};
    }
    if (waiting.onBarrier) {
        waiting.onBarrier(refused.code == Code::ok ? Result<Revision>(machine.state().revision)
                                                   : Result<Revision>(refused));
        return;
    }
    if (refused.code != Code::ok) {
        waiting.onApplied(refused);
        return;
    }
    std::vector<Change> changes;
    auto applied = machine.apply(waiting.entry, changes);
    feed.publish(changes);
    if (answersToLose > 0) {
        --answersToLose;
        waiting.onApplied(Error{Code::outcomeUnknown, "the primary was lost before it answered"});
        return;
    }
    waiting.onApplied(std::move(applied));
}

void MemoryEngine::setStatus(EngineStatus status)
{
    const bool changed = !(status == current);
    current = std::move(status);
    if (changed && tellStatus) {
        tellStatus(current);
    }
}

}  // namespace mesh::cluster
