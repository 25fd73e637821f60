#include "tests/simulation/cluster.hpp"

#include "cluster/core/codec.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"

// What is asked of the cluster: how it gets to the primary, and what is known of it when the primary is lost.
namespace mesh::simulation {

using cluster::NodeRole;

void SimEngine::propose(cluster::Command command, Instant deadline, ProposeHandler handler)
{
    Result<void> may = cluster::mayPropose(machine.state(), command.operation);
    Result<std::string> bytes = cluster::encodeCommand(command);
    if (!may || !bytes) {
        later(0ns, [handler = std::move(handler), error = may ? bytes.error() : may.error()] { handler(error); });
        return;
    }
    Ask ask;
    ask.bytes = std::move(*bytes);
    ask.deadline = deadline;
    ask.onApplied = std::move(handler);
    add(std::move(ask));
}

void SimEngine::barrier(Instant deadline, BarrierHandler handler)
{
    if (fault == Fault::skipCatchUp && role != NodeRole::primary) {
        later(0ns, [this, handler = std::move(handler)] { handler(machine.state().revision); });
        return;
    }
    Ask ask;
    ask.deadline = deadline;
    ask.onBarrier = std::move(handler);
    add(std::move(ask));
}

void SimEngine::add(Ask ask)
{
    ask.since = world.now().mono;
    const std::uint64_t token = ++lastToken;
    asks.emplace(token, std::move(ask));
    later(0ns, [this, token] { dispatch(token); });
}

void SimEngine::dispatch(std::uint64_t token)
{
    const auto found = asks.find(token);
    if (found == asks.end() || found->second.where != Ask::Where::waiting || leader == 0) {
        return;
    }
    Ask& ask = found->second;
    ask.where = role == NodeRole::primary ? Ask::Where::local : Ask::Where::forwarded;
    ask.since = world.now().mono;
    if (role == NodeRole::primary) {
        append(token, ask.bytes);
        return;
    }
    SimEngine& to = *all[leader - 1];
    if (reaches(to)) {
        to.later(transit(), [this, &to, token, bytes = ask.bytes] {
            if (network.passes(name, to.name) && to.role == NodeRole::primary) {
                to.append(token, bytes);
            }
        });
    }
}

void SimEngine::dispatchWaiting()
{
    for (const auto& [token, ask] : asks) {
        later(0ns, [this, waiting = token] { dispatch(waiting); });
    }
}

void SimEngine::expire()
{
    const Instant now = world.now().mono;
    std::vector<std::pair<std::uint64_t, Error>> ended;
    for (const auto& [token, ask] : asks) {
        const bool waits = ask.where == Ask::Where::waiting;
        const bool late = ask.deadline <= now;
        if (late || (ask.where == Ask::Where::forwarded && now - ask.since >= limits::raftForwardTimeout)) {
            ended.push_back({token, waits || ask.onBarrier ? Error{Code::deadlineExceeded, "no primary has answered in time"}
                                                           : Error{Code::outcomeUnknown, "the primary has not answered"}});
        } else if (waits && now - ask.since >= limits::raftPrimaryWait) {
            ended.push_back({token, {Code::unavailable, "no primary is known"}});
        }
    }
    for (auto& [token, error] : ended) {
        fail(token, std::move(error));
    }
}

void SimEngine::fail(std::uint64_t token, Error error)
{
    if (auto ask = asks.extract(token)) {
        barriersFailed += ask.mapped().onBarrier ? 1 : 0;
        later(0ns, [ended = std::move(ask.mapped()), error = std::move(error)] {
            ended.onApplied ? ended.onApplied(error) : ended.onBarrier(error);
        });
    }
}

}  // namespace mesh::simulation
