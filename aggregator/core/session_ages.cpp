#include "aggregator/core/session_ages.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

Duration timeoutOf(const cluster::Session& session)
{
    return std::chrono::seconds(session.timeoutSeconds);
}

}  // namespace

SessionAges::SessionAges(cluster::StateEngine& stateEngine, Rng& random) : engine(stateEngine), rng(random)
{
    watching = engine.watch(engine.state().revision, [this](const cluster::Change& change) {
        if (change.kind == cluster::ChangeKind::session) {
            changed.insert(change.key);
        }
        everything = everything || change.kind == cluster::ChangeKind::everything;
        if (everything || !changed.empty()) {
            lookAt = Instant{};
        }
    });
}

SessionAges::~SessionAges()
{
    engine.unwatch(watching);
}

bool SessionAges::isExpired(const cluster::Session& session, Now now)
{
    return ageOf(session, now) >= timeoutOf(session);
}

void SessionAges::used(const cluster::Session& session, Now now)
{
    if (ageOf(session, now) < timeoutOf(session) / 4 || !touching.insert(session.id).second) {
        return;
    }
    engine.propose({MessageId::make(now.wall, rng), now.wall, cluster::TouchSessions{{session.id}}},
                   now.mono + limits::defaultRequestDeadline,
                   [this, id = session.id, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>&) {
                       if (!owner.expired()) {
                           touching.erase(id);
                       }
                   });
}

void SessionAges::onTimer(Now now)
{
    lastNow = now.mono;
    if (lookAt <= now.mono) {
        note(now);
        lookAt = never;
        sweep(now);
    }
}

Duration SessionAges::ageOf(const cluster::Session& session, Now now)
{
    note(now);
    const auto found = seen.find(session.id);
    return found == seen.end() ? Duration{} : found->second.age + (now.mono - found->second.at);
}

void SessionAges::note(Now now)
{
    if (!begun) {
        begun = true;
        beginning = now.mono;
    }
    if (everything) {
        everything = false;
        std::erase_if(
            seen, [this](const auto& entry) { return cluster::findSession(engine.state(), entry.first) == nullptr; });
        for (const auto& [id, session] : engine.state().sessions) {
            if (const auto known = seen.find(id); known == seen.end() || known->second.lastUse != session.lastUse) {
                noteOne(id, true, now);
            }
        }
        changed.clear();
    }
    for (const std::string& id : changed) {
        noteOne(id, now.mono - beginning < limits::sessionSettling, now);
    }
    changed.clear();
}

void SessionAges::noteOne(const std::string& id, bool old, Now now)
{
    const cluster::Session* session = cluster::findSession(engine.state(), id);
    if (session == nullptr) {
        seen.erase(id);
        return;
    }
    const Duration age =
        old ? std::clamp<Duration>(now.wall - session->lastUse, Duration{}, timeoutOf(*session) / 2) : Duration{};
    seen.insert_or_assign(id, Seen{now.mono, age, session->lastUse});
}

// Ends what has expired and says when the next one will have. Any node knows, and only the primary does it.
void SessionAges::sweep(Now now)
{
    const bool primary = engine.status().role == cluster::NodeRole::primary;
    for (const auto& [id, session] : engine.state().sessions) {
        const Instant expires = now.mono + (timeoutOf(session) - ageOf(session, now));
        if (expires > now.mono) {
            lookAt = std::min(lookAt, expires);
        } else if (!primary || ending.size() >= limits::maxSessionsEnding) {
            lookAt = std::min(lookAt, now.mono + limits::sessionSweepRetry);
        } else if (ending.insert(id).second) {
            end(id, now);
        }
    }
}

void SessionAges::end(const std::string& id, Now now)
{
    engine.propose({MessageId::make(now.wall, rng), now.wall, cluster::EndSession{id}},
                   now.mono + limits::defaultRequestDeadline,
                   [this, id, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>&) {
                       if (!owner.expired()) {
                           ending.erase(id);
                           lookAt = std::min(lookAt, lastNow + limits::sessionSweepRetry);  // should it have failed
                       }
                   });
}

}  // namespace mesh::aggregator
