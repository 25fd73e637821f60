#include "cluster/raft/raft_thread.hpp"

#include "cluster/raft/entry.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mesh::cluster {

namespace {

// What who can act may do; empty: nothing but what the error says.
const char* remedyFor(std::string_view error)
{
    return error.find("read-only file system") == std::string_view::npos
               ? ""
               : ": make it writable, and where the kernel made it read-only, check the disk first";
}

std::chrono::milliseconds toChrono(Duration duration)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

}  // namespace

// ---- hooks

int RaftHost::Thread::onApply(void* context, std::uint64_t index, const void* bytes, std::size_t length)
{
    auto& self = *static_cast<Thread*>(context);
    if (index <= self.machineIndex) {
        return 0;  // applied before the log was opened again
    }
    const std::string_view entry(static_cast<const char*>(bytes), length);
    const auto operations = decodeEntry(entry);
    Error error = operations ? Error{} : operations.error();
    if (operations) {
        std::vector<Change> changes;
        for (const std::string_view operation : *operations) {
            if (auto applied = self.machine.apply(operation, changes); !applied) {
                error = applied.error();
                break;
            }
        }
    }
    if (error.code != Code::ok) {
        self.failure = error.code;
        self.failureSentence = "entry " + std::to_string(index) + " of the log: " + error.message;
        return -1;
    }
    self.machineIndex = index;
    ++self.count.entries;
    self.tell(EntryApplied{index, std::string(entry)});
    return 0;
}

int RaftHost::Thread::onRestore(void* context, const void* bytes, std::size_t length)
{
    auto& self = *static_cast<Thread*>(context);
    const auto snapshot = decodeRaftSnapshot({static_cast<const char*>(bytes), length});
    Result<void> restored = snapshot ? Result<void>() : Result<void>(snapshot.error());
    if (snapshot) {
        if (snapshot->index <= self.machineIndex) {
            return 0;
        }
        restored = self.machine.restore(snapshot->state);
    }
    if (!restored) {
        self.failure = restored.error().code;
        self.failureSentence = restored.error().message;
        return -1;
    }
    self.machineIndex = snapshot->index;
    ++self.count.restores;
    self.tell(StateRestored{snapshot->index, std::string(snapshot->state)});
    return 0;
}

int RaftHost::Thread::onSnapshot(void* context, std::uint64_t index, void** bytes, std::size_t* length)
{
    auto& self = *static_cast<Thread*>(context);
    if (self.machineIndex > index) {
        return -1;  // the log was opened again and has not caught up with what was applied before
    }
    const std::string state = self.machine.snapshot();
    const std::string snapshot = encodeRaftSnapshot({index, state});
    *bytes = mesh_raft_allocate(snapshot.size());
    if (*bytes == nullptr) {
        return -1;
    }
    std::memcpy(*bytes, snapshot.data(), snapshot.size());
    *length = snapshot.size();
    ++self.count.snapshots;
    return 0;
}

void RaftHost::Thread::onOutgoing(void* context, std::uint64_t to, const void* bytes, std::size_t length)
{
    auto& self = *static_cast<Thread*>(context);
    RpcCutter& stream = self.streams[to];
    if (length == 0) {
        return stream.reset();
    }
    std::vector<std::string> messages;
    if (!stream.feed({static_cast<const char*>(bytes), length}, messages)) {
        ++self.count.brokenStreams;
    }
    for (std::string& message : messages) {
        self.tell(RpcWritten{to, std::move(message)});
    }
}

void RaftHost::Thread::onDone(void* context, std::uint64_t token, int code, std::uint64_t index)
{
    static_cast<Thread*>(context)->end(token, code, index);
}

void RaftHost::Thread::onWoken(void* context)
{
    static_cast<Thread*>(context)->takeIn();
}

void RaftHost::Thread::takeIn()
{
    std::vector<RaftRequest> requests;
    std::vector<Received> received;
    bool closing = false;
    bool abrupt = false;
    {
        const std::lock_guard lock(host.mutex);
        requests.swap(host.requests);
        received.swap(host.received);
        host.receivedBytes = 0;
        closing = host.closing;
        abrupt = host.abrupt;
    }
    for (const Received& message : received) {
        if (mesh_raft_receive(raft, message.from, message.rpc.data(), message.rpc.size()) == 0) {
            ++count.droppedRpcs;
        }
    }
    for (RaftRequest& request : requests) {
        begin(request);
    }
    if (closing) {
        mesh_raft_close(raft, abrupt ? 0 : 1);
    }
}

void RaftHost::Thread::onTurn(void* context)
{
    auto& self = *static_cast<Thread*>(context);
    if (!self.over) {
        self.takeIn();  // what was not urgent
        self.propose();
        self.look();
    }
    self.publish();
}

void RaftHost::Thread::onClosing(void* context)
{
    auto& self = *static_cast<Thread*>(context);
    self.over = true;
    const std::lock_guard lock(self.host.mutex);
    self.host.running = nullptr;
}

// As long as somebody wants the log it is waited for, as it may be the disk that hangs, and nobody else may write there.
int RaftHost::Thread::onOverdue(void* context, const char* error)
{
    auto& self = *static_cast<Thread*>(context);
    {
        const std::lock_guard lock(self.host.mutex);
        if (self.host.closing) {
            return 1;
        }
    }
    if (self.trouble != RaftTrouble::diskFailed) {
        self.trouble = RaftTrouble::diskFailed;
        self.reason = self.host.settings.directory + ": " + error +
                      "; the log is being closed, and that does not end: where the disk does not hang, restart this node";
        self.showStopped();
        self.publish();
    }
    return 0;
}

// ---- the thread

void RaftHost::Thread::work()
{
    Duration delay = limits::raftReopenInitial;
    while (true) {
        const bool opened = open();
        if (opened) {
            const Clock::time_point begun = Clock::now();
            run();
            if (Clock::now() - begun > toChrono(limits::raftReopenMax)) {
                delay = limits::raftReopenInitial;
            }
        }
        const bool final = trouble == RaftTrouble::corrupt || trouble == RaftTrouble::unusable ||
                           trouble == RaftTrouble::unknownEntry;
        if (final) {
            delay = Duration::max();  // until it is closed
        }
        pauseBefore(delay);
        const std::lock_guard lock(host.mutex);
        if (host.closing) {
            break;
        }
        delay = std::min(2 * delay, Duration(limits::raftReopenMax));
    }
    tell(HostEnded{});
    publish();
}

// Waits, and refuses what is asked meanwhile.
void RaftHost::Thread::pauseBefore(Duration delay)
{
    const Clock::time_point begin = Clock::now();
    while (true) {
        std::vector<RaftRequest> requests;
        {
            std::unique_lock lock(host.mutex);
            const auto due = [this] { return host.closing || !host.requests.empty(); };
            if (delay == Duration::max()) {
                host.changed.wait(lock, due);
            } else {
                host.changed.wait_until(lock, begin + toChrono(delay), due);
            }
            requests.swap(host.requests);
            if (requests.empty()) {
                return;
            }
        }
        for (const RaftRequest& request : requests) {
            refuse(request.token, Code::unavailable, reason);
        }
        publish();
    }
}

bool RaftHost::Thread::open()
{
    std::vector<mesh_raft_member> bootstrap;
    for (const RaftMember& member : host.settings.bootstrap) {
        bootstrap.push_back({member.id, member.name.c_str(), member.voter ? 1 : 0, 0});
    }
    const mesh_raft_settings settings{host.settings.directory.c_str(), host.settings.self, host.settings.name.c_str(),
                                      bootstrap.data(), static_cast<unsigned>(bootstrap.size()),
                                      static_cast<unsigned>(toMillis(host.settings.election)),
                                      static_cast<unsigned>(toMillis(host.settings.heartbeat)),
                                      host.settings.snapshotThreshold, host.settings.snapshotTrailing,
                                      limits::raftSegmentBytes, limits::raftReserveBytes / 1024,
                                      limits::raftInflightEntries, 2 * limits::maxRaftMessageBytes,
                                      static_cast<unsigned>(toMillis(host.settings.closePatience))};
    const mesh_raft_hooks hooks{this, onApply, onRestore, onSnapshot, onOutgoing, onDone,
                                onWoken, onTurn, onClosing, onOverdue};
    int code = MESH_RAFT_OK;
    char error[MESH_RAFT_ERROR_BYTES] = "";
    failure = Code::ok;
    over = false;
    streams.clear();
    raft = mesh_raft_open(&settings, &hooks, &code, error);
    ++count.opened;
    Result<void> result;
    const std::string where = host.settings.directory + ": ";
    if (code == MESH_RAFT_CORRUPT || (code == MESH_RAFT_STOPPED && failure == Code::corrupt)) {
        result = Error{Code::corrupt, where + (failure == Code::corrupt ? failureSentence : error) +
                                          ". Nothing was changed. Remove this member from the cluster, move the "
                                          "directory away and add the member anew; it gets everything from the others. "
                                          "A single node restores the directory from a backup"};
        setTrouble(RaftTrouble::corrupt, result.error().message);
    } else if (code == MESH_RAFT_STOPPED) {
        result = Error{Code::unsupported, where + failureSentence};
        setTrouble(RaftTrouble::unknownEntry, result.error().message);
    } else if (code == MESH_RAFT_UNUSABLE && count.opened == 1) {
        result = Error{Code::ioError, where + error};
        setTrouble(RaftTrouble::unusable, result.error().message);
    } else if (raft == nullptr) {
        setTrouble(code == MESH_RAFT_NO_SPACE ? RaftTrouble::diskFull : RaftTrouble::diskFailed,
                   where + error + "; it is tried again" + remedyFor(error));
    }
    if (raft != nullptr) {
        roomAt = Clock::now();
        setTrouble(RaftTrouble::none, "");
        look();
    }
    publish();
    const std::lock_guard lock(host.mutex);
    host.running = raft;
    if (!host.attempted) {
        host.attempted = true;
        host.firstAttempt = result;
    }
    if (raft != nullptr) {
        host.wake();  // what was asked before
    }
    host.changed.notify_all();
    return raft != nullptr;
}

void RaftHost::Thread::run()
{
    char error[MESH_RAFT_ERROR_BYTES] = "";
    const int code = mesh_raft_run(raft, error);
    count.guarded += mesh_raft_guarded(raft);
    count.abandoned += code == MESH_RAFT_ABANDONED ? 1 : 0;
    mesh_raft_free(raft);
    raft = nullptr;
    const std::string where = host.settings.directory + ": ";
    if (code == MESH_RAFT_STOPPED) {
        setTrouble(failure == Code::corrupt ? RaftTrouble::corrupt : RaftTrouble::unknownEntry, where + failureSentence);
    } else if (code == MESH_RAFT_UNUSABLE) {
        setTrouble(RaftTrouble::unusable, error);
    } else if (code == MESH_RAFT_ABANDONED) {
        setTrouble(RaftTrouble::closed, "this node is shutting down, and its log could not be closed in time");
    } else if (code != MESH_RAFT_OK) {
        setTrouble(RaftTrouble::diskFailed, where + error + "; the log was closed and is opened again");
    } else {
        setTrouble(RaftTrouble::closed, "this node is shutting down");
    }
    for (const RaftRequest& proposal : std::exchange(proposals, {})) {
        refuse(proposal.token, Code::unavailable, reason);
    }
    for (const std::uint64_t token : std::exchange(waitingBarriers, {})) {
        refuse(token, Code::unavailable, reason);
    }
    for (auto* open : {&batches, &barriers}) {
        while (!open->empty()) {
            end(open->begin()->first, MESH_RAFT_LOST, 0);
        }
    }
    while (!changes.empty()) {
        end(changes.begin()->first, MESH_RAFT_LOST, 0);
    }
    publish();
}

// Nobody has a role whose log is closed.
void RaftHost::Thread::setTrouble(RaftTrouble what, std::string why)
{
    trouble = what;
    reason = std::move(why);
    if (raft == nullptr) {
        showStopped();
    }
}

void RaftHost::Thread::showStopped()
{
    view.role = NodeRole::stopped;
    view.leader = 0;
    view.trouble = trouble;
    view.reason = reason;
    tell(ViewChanged{view});
}

void RaftHost::Thread::publish()
{
    const std::lock_guard lock(host.mutex);
    host.count = count;
    host.count.guarded += raft != nullptr ? mesh_raft_guarded(raft) : 0;
    const bool wasEmpty = host.events.empty();
    for (RaftEvent& event : outgoing) {
        if (const auto* rpc = std::get_if<RpcWritten>(&event)) {
            if (host.eventBytes + rpc->rpc.size() > limits::raftQueueBytes) {
                ++count.droppedRpcs;
                continue;
            }
            host.eventBytes += rpc->rpc.size();
        }
        host.events.push_back(std::move(event));
    }
    outgoing.clear();
    if (wasEmpty && !host.events.empty()) {
        host.notify();
    }
}

}  // namespace mesh::cluster
