#include "cluster/raft/raft_engine.hpp"
#include "cluster/raft/rpc.hpp"

#include <algorithm>
#include <utility>

namespace mesh::cluster {

bool RaftEngine::isMember(std::uint64_t id) const
{
    return std::any_of(view.members.begin(), view.members.end(), [id](const Member& member) { return member.id == id; });
}

void RaftEngine::sendTo(std::uint64_t to, const PeerMessage& message)
{
    environment.send(to, encodePeerMessage(message));
}

void RaftEngine::receive(std::uint64_t from, std::string bytes)
{
    if (ended || stoppedFor != RaftTrouble::none) {  // while it closes, leadership is handed over
        return;
    }
    const auto message = decodePeerMessage(bytes);
    if (!message || from == 0 || from == options.self) {
        ++count.malformed;
        return;
    }
    // One that was removed is not told by raft, and goes on asking for votes.
    if (leads() && !isMember(from)) {
        ++count.strangers;
        if (changes.empty() && !std::holds_alternative<RemovedMessage>(*message)) {
            sendTo(from, RemovedMessage{view.term});
        }
        return;
    }
    std::visit([this, from](const auto& said) { onMessage(from, said); }, *message);
}

void RaftEngine::onMessage(std::uint64_t from, const RpcMessage& message)
{
    const auto known = std::find_if(reached.matches.begin(), reached.matches.end(), [from](const auto& each) { return each.first == from; });
    const bool later = leads() && known != reached.matches.end() && tellsNothingNew(message.rpc, view.term, known->second);
    count.deferred += later ? 1 : 0;
    host->receive(from, std::string(message.rpc), !later);
}

void RaftEngine::onMessage(std::uint64_t from, const ProposeMessage& message)
{
    if (auto command = decodeCommand(message.entry); !command) {
        ++count.malformed;
        return sendTo(from, RefuseMessage{message.tag, {Code::refused, command.error().message}});
    }
    takeForwarded(from, message.tag, message.millis, std::string(message.entry));
}

void RaftEngine::onMessage(std::uint64_t from, const BarrierMessage& message)
{
    takeForwarded(from, message.tag, message.millis, "");
}

void RaftEngine::takeForwarded(std::uint64_t from, std::uint64_t tag, std::uint32_t millis, std::string entry)
{
    ++count.forwardedToUs;
    if (!leads()) {
        return sendTo(from, RefuseMessage{tag, {Code::notSent, "this node is not the primary"}});
    }
    if (forwarded.size() >= limits::maxForwardedProposals) {
        ++count.refusedFull;
        return sendTo(from, RefuseMessage{tag, {Code::full, "the primary has too much to do"}});
    }
    const Instant now = environment.now();
    const Instant deadline = now + std::min<Duration>(std::chrono::milliseconds(millis), limits::maxRequestDeadline);
    const std::uint64_t token = ++lastToken;
    const bool isBarrier = entry.empty();
    forwarded.emplace(token, Forwarded{from, tag, isBarrier, deadline});
    environment.waits();
    toRaft(isBarrier ? RaftRequest::Kind::barrier : RaftRequest::Kind::propose, token, std::move(entry), deadline);
}

void RaftEngine::onMessage(std::uint64_t from, const RefuseMessage& message)
{
    const auto at = asks.find(message.tag);
    if (at == asks.end() || at->second.where != Ask::Where::forwarded || at->second.to != from) {
        return;
    }
    if (message.error.code == Code::notSent) {
        at->second.where = Ask::Where::waiting;  // for another primary, or the next tick
        at->second.since = environment.now();
        return;
    }
    answer(message.tag, message.error);
}

void RaftEngine::onMessage(std::uint64_t from, const BarrierAnswerMessage& message)
{
    const auto at = asks.find(message.tag);
    if (at == asks.end() || at->second.where != Ask::Where::forwarded || at->second.to != from ||
        !at->second.entry.empty()) {
        return;
    }
    at->second.where = Ask::Where::reaching;
    at->second.index = message.index;
    environment.post([this, engine = std::weak_ptr<int>(alive)] {
        if (!engine.expired()) {
            answerReached();
        }
    });
}

void RaftEngine::onMessage(std::uint64_t from, const RemovedMessage& message)
{
    if (isMember(from) && message.term >= view.term) {
        stop(RaftTrouble::removed, "this node was removed from the cluster; to join again it needs a new id and an empty "
                                   "directory in the place of " + options.directory);
    }
}

}  // namespace mesh::cluster
