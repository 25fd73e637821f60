#include "cluster/history/core/history_move.hpp"

#include "cluster/history/core/database_url.hpp"

#include <algorithm>
#include <utility>

namespace mesh::history {

const char* phaseName(MovePhase phase)
{
    switch (phase) {
    case MovePhase::settled:
        return "settled";
    case MovePhase::opening:
        return "opening";
    case MovePhase::copying:
        return "copying";
    case MovePhase::closing:
        return "closing";
    case MovePhase::failed:
        break;
    }
    return "failed";
}

// What a move that was cut off may have left in the node's own database is nobody's.
HistoryMove::HistoryMove(std::string place, bool ownFile) : ownIsFile(ownFile), used(std::move(place)), target(used)
{
    if (!used.empty() && ownIsFile) {
        leftovers.insert(std::string());
        halfCleared.insert(std::string());
    }
}

bool HistoryMove::isFile(const std::string& place) const
{
    return place.empty() ? ownIsFile : isOwnFile(place);
}

std::set<std::string>::const_iterator HistoryMove::firstLeftover() const
{
    return std::find_if(leftovers.begin(), leftovers.end(), [this](const std::string& place) { return place != used; });
}

void HistoryMove::want(std::string place)
{
    target = std::move(place);
    retryAt = Instant{};
    backoff = limits::historyMoveRetry;
    if (target == used) {
        reason.clear();
    }
}

std::optional<MoveStep> HistoryMove::next(Now now)
{
    if (busy) {
        return std::nullopt;
    }
    if (stage != Stage::idle && under != target) {
        abandon();
    }
    if (target != used) {
        return nextOfMove(now);
    }
    const auto left = firstLeftover();
    if (left == leftovers.end() || now.mono < clearAt) {
        return std::nullopt;
    }
    busy = clearing = true;
    halfCleared.insert(*left);
    return MoveStep{MoveDeed::clear, *left, {}, 0};
}

std::optional<MoveStep> HistoryMove::nextOfMove(Now now)
{
    if (stage == Stage::idle) {
        if (now.mono < retryAt) {
            return std::nullopt;
        }
        stage = Stage::open;
        under = target;
        auditAt = eventsAt = records = 0;
        leftovers.erase(under);  // it is copied over
    }
    busy = true;
    switch (stage) {
    case Stage::clear:
        return MoveStep{MoveDeed::clear, under, {}, 0};
    case Stage::audit:
        return MoveStep{MoveDeed::copyAudit, used, under, auditAt};
    case Stage::events:
        return MoveStep{MoveDeed::copyEvents, used, under, eventsAt};
    case Stage::ids:
        return MoveStep{MoveDeed::readIds, used, under, 0};
    case Stage::settle:
        return MoveStep{MoveDeed::settle, used, under, 0};
    case Stage::idle:
    case Stage::open:
        break;
    }
    return MoveStep{MoveDeed::open, used, under, 0};
}

void HistoryMove::onDone(const Result<MoveReply>& reply, Now now)
{
    busy = false;
    if (std::exchange(stale, false)) {
        return;
    }
    if (std::exchange(clearing, false)) {
        if (!reply) {
            clearAt = now.mono + limits::historyMoveRetry;
        } else if (!reply->more) {
            const auto cleared = firstLeftover();
            halfCleared.erase(*cleared);
            leftovers.erase(cleared);
        }
        return;
    }
    if (!reply) {
        return fail(reply.error(), now);
    }
    if (stage == Stage::open) {
        stage = halfCleared.contains(under) ? Stage::clear : Stage::audit;
    } else if (stage == Stage::clear) {
        if (!reply->more) {
            halfCleared.erase(under);
            stage = Stage::audit;
        }
    } else if (stage == Stage::ids) {  // and no database is asked any more
        stage = Stage::settle;
        heldUntil = never;
    } else if (stage == Stage::settle) {
        onMoved();
    } else {
        onCopied(*reply, now);
    }
}

void HistoryMove::onCopied(const MoveReply& reply, Now now)
{
    records += reply.records;
    (stage == Stage::audit ? auditAt : eventsAt) = reply.at;
    if (reply.more) {
        return;
    }
    if (stage == Stage::audit) {
        stage = Stage::events;
    } else if (held) {
        stage = Stage::ids;
    } else {  // nothing new is written from here on, and the last of it comes now
        held = true;
        heldUntil = now.mono + limits::historyHold;
        stage = Stage::audit;
    }
}

void HistoryMove::onMoved()
{
    const std::string before = std::exchange(used, under);
    stage = Stage::idle;
    held = false;
    ++done;
    reason.clear();
    backoff = limits::historyMoveRetry;
    if (isFile(before)) {
        leftovers.insert(before);
    }
    news = MoveNews{used, {}};
}

// What was copied so far is nobody's.
void HistoryMove::abandon()
{
    stage = Stage::idle;
    held = false;
    heldUntil = never;
    if (isFile(under) && under != used) {
        leftovers.insert(under);
    }
}

void HistoryMove::fail(const Error& error, Now now)
{
    ++failed;
    if (reason != error.message) {
        reason = error.message;
        news = MoveNews{under, reason};
    }
    retryAt = now.mono + backoff;
    backoff = std::min<Duration>(2 * backoff, limits::historyMoveRetryMax);
    abandon();
}

void HistoryMove::onTimer(Now now)
{
    if (held && heldUntil <= now.mono) {
        stale = busy;
        fail({Code::unavailable, "the database is too slow: the last writes were not copied in time, and others waited for that"}, now);
    }
}

Instant HistoryMove::nextDeadline() const
{
    if (held) {
        return heldUntil;
    }
    if (busy) {
        return never;
    }
    if (target != used) {
        return stage == Stage::idle ? retryAt : Instant{};
    }
    return firstLeftover() != leftovers.end() ? clearAt : never;
}

MovePhase HistoryMove::phase() const
{
    if (target == used) {
        return MovePhase::settled;
    }
    if (held) {
        return MovePhase::closing;
    }
    if (stage == Stage::idle) {
        return reason.empty() ? MovePhase::opening : MovePhase::failed;
    }
    const bool opens = stage == Stage::open || stage == Stage::clear;
    return opens ? (reason.empty() ? MovePhase::opening : MovePhase::failed) : MovePhase::copying;
}

std::optional<MoveNews> HistoryMove::takeNews()
{
    return std::exchange(news, std::nullopt);
}

}  // namespace mesh::history
