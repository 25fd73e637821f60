#include "cluster/raft/raft_host.hpp"

#include "cluster/raft/raft_thread.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

RaftHost::RaftHost(Settings given, std::function<void()> tell)
    : settings(std::move(given)), notify(std::move(tell)), inner(std::make_unique<Thread>(*this))
{
}

RaftHost::~RaftHost()
{
    {
        const std::lock_guard lock(mutex);
        closing = true;
        abrupt = true;
        wake();
    }
    if (thread.joinable()) {
        thread.join();
    }
}

Result<void> RaftHost::start()
{
    thread = std::thread([this] { inner->work(); });
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return attempted; });
    return firstAttempt;
}

// With the mutex held.
void RaftHost::wake()
{
    if (running != nullptr) {
        mesh_raft_wake(running);
    }
    changed.notify_all();
}

bool RaftHost::request(RaftRequest request)
{
    const std::lock_guard lock(mutex);
    if (requests.size() >= limits::maxQueuedProposals + limits::maxForwardedProposals) {
        return false;
    }
    requests.push_back(std::move(request));
    wake();
    return true;
}

bool RaftHost::receive(std::uint64_t from, std::string rpc, bool urgent)
{
    const std::lock_guard lock(mutex);
    if (receivedBytes + rpc.size() > limits::raftQueueBytes || running == nullptr) {
        ++refusedRpcs;
        return false;
    }
    receivedBytes += rpc.size();
    received.push_back({from, std::move(rpc)});
    if (urgent) {
        wake();
    }
    return true;
}

std::vector<RaftEvent> RaftHost::take()
{
    const std::lock_guard lock(mutex);
    eventBytes = 0;
    return std::exchange(events, {});
}

void RaftHost::close()
{
    const std::lock_guard lock(mutex);
    closing = true;
    wake();
}

RaftHostCounters RaftHost::counters() const
{
    const std::lock_guard lock(mutex);
    RaftHostCounters all = count;
    all.droppedRpcs += refusedRpcs;
    return all;
}

}  // namespace mesh::cluster
