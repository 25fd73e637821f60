#include "tests/simulation/cluster.hpp"

#include "cluster/core/codec.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::simulation {

using cluster::NodeRole;

namespace {

constexpr Duration election = limits::raftElectionFloor;
constexpr Duration heartbeat = limits::raftHeartbeatFloor;
constexpr std::size_t entriesPerSnapshot = 64;
constexpr std::uint64_t tokensPerMember = 1ULL << 32;

}  // namespace

SimEngine::SimEngine(World& w, const Network& n, ClusterCheckers& c, const Fault& f, const SimMembers& members,
                     std::uint64_t ownId, std::string ownName)
    : world(w), network(n), checkers(c), fault(f), all(members), id(ownId), name(std::move(ownName)),
      lastToken(ownId * tokensPerMember)
{
}

void SimEngine::found(const std::vector<cluster::Command>& commands)
{
    for (const cluster::Command& command : commands) {
        log.push_back({term, 0, *cluster::encodeCommand(command)});
        std::vector<cluster::Change> changes;
        const auto done = saved.apply(log.back().bytes, changes);
        checkers.applied(name, log.size(), log.back().term, log.back().token, log.back().bytes);
        if (!done || !done->ok()) {
            world.fail("the first state is refused: " + (done ? done->error : done.error()).message);
        }
    }
    synced = savedAt = log.size();
}

void SimEngine::start(std::function<void()> then)
{
    up = true;
    ++incarnation;
    turn = std::move(then);
    machine = saved;
    committed = applied = savedAt;
    feed.reset(machine.state().revision);
    heard = world.now().mono;
    patience = world.between(election, 2 * election);
    later(world.between(0ns, heartbeat), [this] { tick(); });
}

void SimEngine::crash()
{
    up = false;
    if (fault == Fault::forgetOnCrash && applied > savedAt) {
        savedAt = applied;  // the state that was saved is an older one
    }
    synced = std::min(log.size(), std::max(synced, savedAt));
    log.resize(synced);
    feed = {};
    role = NodeRole::follower;
    leader = 0;
    others.clear();
    asks.clear();
    tellStatus = {};
    replicating = false;
}

cluster::EngineStatus SimEngine::status() const
{
    cluster::EngineStatus out{role, term, id, leader, {}, leader == 0 ? "no primary is known" : ""};
    for (const auto& member : all) {
        out.members.push_back({member->id, member->name, "", true});
    }
    return out;
}

void SimEngine::changed()
{
    later(0ns, [this] {
        if (tellStatus) {
            tellStatus(status());
        }
    });
}

bool SimEngine::reaches(const SimEngine& other) const
{
    return up && other.up && network.passes(name, other.name);
}

Duration SimEngine::transit()
{
    return world.between(50us, 2ms);
}

// Unless this process is gone by then.
void SimEngine::later(Duration delay, std::function<void()> step)
{
    world.after(delay, [this, step = std::move(step), asker = incarnation] {
        if (up && incarnation == asker) {
            step();
            turn();
        }
    });
}

// ---- who leads

void SimEngine::tick()
{
    const Instant now = world.now().mono;
    if (role == NodeRole::primary) {
        const auto near = std::count_if(others.begin(), others.end(),
                                        [now](const auto& other) { return now - other.second.at < election; });
        if (static_cast<std::size_t>(near) + 1 < majority()) {
            follow(term, 0);
        } else {
            replicate();
        }
    } else if (now - heard >= patience) {
        campaign();
    }
    expire();
    later(heartbeat, [this] { tick(); });
}

// It asks first whether it would be elected, so a term begins with its primary.
void SimEngine::campaign()
{
    heard = world.now().mono;
    patience = world.between(election, 2 * election);
    if (leader != 0) {
        follow(term, 0);
    }
    role = NodeRole::candidate;
    changed();
    std::vector<SimEngine*> voters;
    std::uint64_t highest = term;
    for (const auto& other : all) {
        if (other.get() != this && reaches(*other) && other->reaches(*this) && other->grants(*this)) {
            voters.push_back(other.get());
            highest = std::max(highest, other->term);
        }
    }
    if (voters.size() + 1 < majority()) {
        return;
    }
    term = highest + 1;
    world.trace("primary " + name + " of term " + std::to_string(term));
    role = NodeRole::primary;
    leader = id;
    others.clear();
    for (SimEngine* voter : voters) {
        voter->follow(term, 0);
        voter->heard = world.now().mono;
        others[voter->id] = {0, world.now().mono};
    }
    append(0, {});
    dispatchWaiting();
}

bool SimEngine::grants(const SimEngine& candidate) const
{
    const auto newest = [](const std::vector<Entry>& entries) {
        return std::pair(entries.empty() ? 0 : entries.back().term, entries.size());
    };
    return role != NodeRole::primary && world.now().mono - heard >= election && newest(log) <= newest(candidate.log);
}

// What was given to another primary, or to the log as the primary, may be applied or not.
void SimEngine::follow(std::uint64_t newTerm, std::uint64_t newLeader)
{
    role = NodeRole::follower;
    term = newTerm;
    leader = newLeader;
    others.clear();
    changed();
    std::vector<std::uint64_t> unknown;
    for (auto& [token, ask] : asks) {
        if (ask.where != Ask::Where::waiting && ask.onApplied) {
            unknown.push_back(token);
        } else if (ask.where != Ask::Where::waiting) {
            ask.where = Ask::Where::waiting;
            ask.since = world.now().mono;
        }
    }
    for (const std::uint64_t token : unknown) {
        fail(token, {Code::outcomeUnknown, "the primary was lost before it answered"});
    }
    dispatchWaiting();
}

// ---- the log

void SimEngine::append(std::uint64_t token, std::string bytes)
{
    log.push_back({term, token, std::move(bytes)});
    later(world.between(500us, 8ms), [this, length = log.size()] {
        synced = std::max(synced, std::min(length, log.size()));
        advance();
    });
    if (fault == Fault::acknowledgeEarly) {
        committed = log.size();
        later(0ns, [this] { applyCommitted(); });
    }
    if (!replicating) {
        replicating = true;
        later(1ms, [this] {
            replicating = false;
            replicate();
        });
    }
}

void SimEngine::replicate()
{
    for (const auto& other : all) {
        if (role == NodeRole::primary && other.get() != this && reaches(*other)) {
            other->later(transit(), [this, to = other.get()] {
                if (reaches(*to)) {
                    to->receive(*this);
                }
            });
        }
    }
}

void SimEngine::receive(SimEngine& primary)
{
    if (primary.role != NodeRole::primary || primary.term < term) {
        return;
    }
    heard = world.now().mono;
    if (term != primary.term || leader != primary.id) {
        follow(primary.term, primary.id);
    }
    takeLog(primary);
    committed = std::max(committed, std::min(primary.committed, log.size()));
    applyCommitted();
    const Duration sync = synced < log.size() ? world.between(500us, 8ms) : Duration(0);
    later(sync, [this, &primary, length = log.size(), inTerm = term] {
        synced = std::max(synced, std::min(length, log.size()));
        if (reaches(primary) && term == inTerm) {
            primary.later(transit(), [this, &primary, length, inTerm] { primary.acknowledged(id, length, inTerm); });
        }
    });
}

// Equal entries have equal entries before them.
void SimEngine::takeLog(const SimEngine& primary)
{
    const std::vector<Entry>& theirs = primary.log;
    const auto differs = [this, &theirs] {
        const Entry& last = log.back();
        return log.size() > theirs.size() || last.term != theirs[log.size() - 1].term ||
               last.token != theirs[log.size() - 1].token;
    };
    while (!log.empty() && differs()) {
        if (log.size() <= committed) {
            world.fail(name + " has to take back a committed entry");
            return;
        }
        log.pop_back();
    }
    synced = std::min(synced, log.size());
    log.insert(log.end(), theirs.begin() + static_cast<std::ptrdiff_t>(log.size()), theirs.end());
}

void SimEngine::acknowledged(std::uint64_t who, std::size_t length, std::uint64_t inTerm)
{
    if (role == NodeRole::primary && term == inTerm) {
        Heard& of = others[who];
        of = {std::max(of.length, length), world.now().mono};
        advance();
    }
}

// An entry of this term that a majority has is committed, with all before it.
void SimEngine::advance()
{
    if (role != NodeRole::primary) {
        return;
    }
    std::vector<std::size_t> lengths{synced};
    for (const auto& [who, of] : others) {
        lengths.push_back(of.length);
    }
    lengths.resize(all.size());
    std::sort(lengths.rbegin(), lengths.rend());
    const std::size_t reached = lengths[majority() - 1];
    if (reached > committed && log[reached - 1].term == term) {
        committed = reached;
        checkers.committed(term, name);
        applyCommitted();
    }
}

void SimEngine::applyCommitted()
{
    while (applied < committed) {
        const Entry entry = log[applied++];
        checkers.applied(name, applied, entry.term, entry.token, entry.bytes);
        Result<cluster::Applied> done = cluster::Applied{};
        if (!entry.bytes.empty()) {
            std::vector<cluster::Change> changes;
            done = machine.apply(entry.bytes, changes);
            feed.publish(changes);
        }
        if (auto ask = asks.extract(entry.token)) {
            const Ask& served = ask.mapped();
            served.onApplied ? served.onApplied(std::move(done)) : served.onBarrier(machine.state().revision);
        }
    }
    if (applied - savedAt >= entriesPerSnapshot) {
        saved = machine;
        savedAt = applied;
        synced = std::max(synced, savedAt);
    }
}

}  // namespace mesh::simulation
