#pragma once

#include "cluster/core/state_machine.hpp"
#include "cluster/raft/raft_host.hpp"
#include "cluster/raft/raft_shim.h"
#include "cluster/raft/rpc.hpp"

#include <deque>
#include <map>

namespace mesh::cluster {

// What raft's thread alone touches: the run of libraft, proposals on their way into the log, and a state machine of its
// own. Snapshots are taken from that one: libraft wants them at once and exactly at the entry that it has applied last,
// while the loop's may lag behind. The price is the state's memory once more: 6 MB at 5,000 satellites.
class RaftHost::Thread {
public:
    explicit Thread(RaftHost& owner) : host(owner), machine(owner.settings.featureLevel) {}
    void work();  // the thread

private:
    using Clock = std::chrono::steady_clock;

    // Hooks of mesh_raft.
    static int onApply(void* self, std::uint64_t index, const void* bytes, std::size_t length);
    static int onRestore(void* self, const void* bytes, std::size_t length);
    static int onSnapshot(void* self, std::uint64_t index, void** bytes, std::size_t* length);
    static void onOutgoing(void* self, std::uint64_t to, const void* bytes, std::size_t length);
    static void onDone(void* self, std::uint64_t token, int code, std::uint64_t index);
    static void onWoken(void* self);
    static void onTurn(void* self);
    static void onClosing(void* self);
    static int onOverdue(void* self, const char* error);

    bool open();
    void run();
    void pauseBefore(Duration delay);
    void takeIn();
    void begin(RaftRequest& request);
    void propose();
    void refuse(std::uint64_t token, Code code, const std::string& why);
    void end(std::uint64_t token, int code, std::uint64_t index);
    void look();
    void transferAway(const mesh_raft_view& view);
    void setTrouble(RaftTrouble trouble, std::string reason);
    void showStopped();
    void tell(RaftEvent event);
    void publish();

    RaftHost& host;
    mesh_raft* raft = nullptr;
    bool over = false;  // raft is closing: nothing may be asked of it any more
    StateMachine machine;
    std::uint64_t machineIndex = 0;  // of the last entry that `machine` has applied
    std::map<std::uint64_t, RpcCutter> streams;
    std::deque<RaftRequest> proposals;  // not in the log yet
    std::map<std::uint64_t, std::vector<std::uint64_t>> batches;  // by own token: the proposals in an entry
    std::map<std::uint64_t, std::vector<std::uint64_t>> barriers;
    std::vector<std::uint64_t> waitingBarriers;
    std::uint64_t lastToken = 0;
    std::uint64_t witnessTransfer = 0;  // token
    std::map<std::uint64_t, std::uint64_t> changes;  // by own token
    RaftView view;
    Progress progress;
    Clock::time_point roomAt = Clock::now();  // when there was room for the log last
    Code failure = Code::ok;                  // of a hook
    std::string failureSentence;
    RaftTrouble trouble = RaftTrouble::starting;
    std::string reason;
    std::vector<RaftEvent> outgoing;
    RaftHostCounters count;
};

}  // namespace mesh::cluster
