#include "cluster/raft/entry.hpp"
#include "cluster/raft/raft_thread.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

namespace {

Error errorOf(int code)
{
    switch (code) {
        case MESH_RAFT_OK:
            return {};
        case MESH_RAFT_NOT_LEADER:
            return {Code::notSent, "this node is not the primary"};
        case MESH_RAFT_FULL:
            return {Code::full, "the disks of a majority of the members have no room for the log"};
        case MESH_RAFT_BUSY:
            return {Code::unavailable, "another change of the membership is under way"};
        case MESH_RAFT_REFUSED:
            return {Code::preconditionFailed, "there is no such member, or it is that already"};
        case MESH_RAFT_TOO_SLOW:
            return {Code::unavailable, "the member did not catch up with the log in time"};
        default:
            return {Code::outcomeUnknown, "the primary was lost before it was confirmed"};
    }
}

}  // namespace

void RaftHost::Thread::tell(RaftEvent event)
{
    outgoing.push_back(std::move(event));
}

void RaftHost::Thread::refuse(std::uint64_t token, Code code, const std::string& why)
{
    tell(RequestDone{token, Error{code, why}, 0});
}

void RaftHost::Thread::begin(RaftRequest& request)
{
    using Kind = RaftRequest::Kind;
    if (request.kind == Kind::propose) {
        proposals.push_back(std::move(request));
        return;
    }
    if (request.kind == Kind::barrier) {
        waitingBarriers.push_back(request.token);
        return;
    }
    const std::uint64_t own = ++lastToken;
    int code = MESH_RAFT_OK;
    changes.emplace(own, request.token);
    if (request.kind == Kind::add) {
        code = mesh_raft_add(raft, own, request.id, request.bytes.c_str());
    } else if (request.kind == Kind::assign) {
        code = mesh_raft_assign(raft, own, request.id, request.voter ? 1 : 0);
    } else if (request.kind == Kind::remove) {
        code = mesh_raft_remove(raft, own, request.id);
    } else {
        code = mesh_raft_transfer(raft, own, request.id);
    }
    if (code != MESH_RAFT_OK) {
        end(own, code, 0);
    }
}

// What was begun under an own token ends for everybody who shares it.
void RaftHost::Thread::end(std::uint64_t token, int code, std::uint64_t index)
{
    const Error error = errorOf(code);
    std::vector<std::uint64_t> asked;
    if (token == witnessTransfer) {
        witnessTransfer = 0;
    }
    if (auto batch = batches.extract(token)) {
        asked = std::move(batch.mapped());
    } else if (auto barrier = barriers.extract(token)) {
        asked = std::move(barrier.mapped());
    } else if (auto change = changes.extract(token)) {
        asked.push_back(change.mapped());
    }
    for (const std::uint64_t each : asked) {
        tell(RequestDone{each, error, index});
    }
}

// Puts what waits into the log, several in one entry; all barriers that wait are one.
void RaftHost::Thread::propose()
{
    const Clock::time_point now = Clock::now();
    while (!proposals.empty() && batches.size() < limits::raftInflightBatches) {
        std::vector<std::string> operations;
        std::vector<std::uint64_t> tokens;
        std::vector<RaftRequest> taken;
        std::size_t bytes = 0;
        while (!proposals.empty() && taken.size() < limits::raftEntryOperations) {
            RaftRequest& next = proposals.front();
            if (next.deadline <= now) {
                refuse(next.token, Code::deadlineExceeded, "the deadline passed before this could be proposed");
                proposals.pop_front();
                continue;
            }
            bytes += next.bytes.size() + entryOverhead;
            if (!taken.empty() && bytes > limits::maxEntryBytes) {
                break;
            }
            operations.push_back(next.bytes);
            tokens.push_back(next.token);
            taken.push_back(std::move(next));
            proposals.pop_front();
        }
        if (taken.empty()) {
            break;
        }
        const std::string entry = encodeEntry(operations);
        const std::uint64_t own = ++lastToken;
        batches.emplace(own, std::move(tokens));
        const int code = mesh_raft_apply(raft, own, entry.data(), entry.size());
        // Also for a moment after the start, before the first segment is reserved.
        if (code == MESH_RAFT_FULL && now - roomAt < limits::raftFullAfter) {
            batches.erase(own);
            proposals.insert(proposals.begin(), std::make_move_iterator(taken.begin()),
                             std::make_move_iterator(taken.end()));
            break;
        }
        if (code != MESH_RAFT_OK) {
            end(own, code, 0);
        }
    }
    if (!waitingBarriers.empty()) {
        const std::uint64_t own = ++lastToken;
        const int code = mesh_raft_barrier(raft, own);
        if (code == MESH_RAFT_FULL && now - roomAt < limits::raftFullAfter) {
            return;
        }
        barriers.emplace(own, std::exchange(waitingBarriers, {}));
        if (code != MESH_RAFT_OK) {
            end(own, code, 0);
        }
    }
}

void RaftHost::Thread::look()
{
    mesh_raft_view seen;
    mesh_raft_look(raft, &seen);
    const Clock::time_point now = Clock::now();
    if (seen.capacity_kib >= limits::raftReserveBytes / 1024) {
        roomAt = now;
    }
    RaftView fresh;
    fresh.role = seen.role == MESH_RAFT_LEADER      ? NodeRole::primary
                 : seen.role == MESH_RAFT_CANDIDATE ? NodeRole::candidate
                                                    : NodeRole::follower;
    fresh.term = seen.term;
    fresh.leader = seen.leader;
    Progress reached{seen.applied, {}};
    for (unsigned i = 0; i < seen.count; ++i) {
        const mesh_raft_member& member = seen.members[i];
        fresh.members.push_back({member.id, member.name, "", member.voter != 0});
        if (fresh.role == NodeRole::primary) {
            reached.matches.emplace_back(member.id, member.match);
        }
    }
    fresh.trouble = RaftTrouble::none;
    if (now - roomAt >= limits::raftFullAfter) {
        fresh.trouble = RaftTrouble::diskFull;
        fresh.reason = host.settings.directory + ": the disk has no room for the log; nothing can be written until it has";
    } else if (fresh.leader == 0) {
        fresh.trouble = RaftTrouble::noPrimary;
        fresh.reason = "no primary is known: an election is under way, or a majority of the members cannot be reached";
    }
    if (reached != progress) {
        progress = reached;
        tell(progress);
    }
    if (fresh != view) {
        view = std::move(fresh);
        tell(ViewChanged{view});
    }
    transferAway(seen);
}

// A witness does not stay primary while another voter is there.
void RaftHost::Thread::transferAway(const mesh_raft_view& seen)
{
    if (!host.settings.witness || seen.role != MESH_RAFT_LEADER || witnessTransfer != 0) {
        return;
    }
    bool other = false;
    for (unsigned i = 0; i < seen.count; ++i) {
        other = other || (seen.members[i].voter != 0 && seen.members[i].id != host.settings.self);
    }
    if (other) {
        witnessTransfer = ++lastToken;
        if (mesh_raft_transfer(raft, witnessTransfer, 0) != MESH_RAFT_OK) {
            witnessTransfer = 0;
        }
    }
}

}  // namespace mesh::cluster
