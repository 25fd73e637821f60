#include "aggregator/core/audit_trail.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr int refusedMeanwhile = 503;  // as the client was told

history::AuditRecord resultOf(history::AuditRecord intent, int status, Now now)
{
    intent.phase = history::Phase::result;
    intent.status = status;
    intent.time = now.wall;
    return intent;
}

}  // namespace

EventStorePort* HistoryPort::events()
{
    return nullptr;
}

HistoryPlacesPort* HistoryPort::places()
{
    return nullptr;
}

std::string HistoryPort::laneOf(const std::string&) const
{
    return {};
}

AuditTrail::AuditTrail(AuditMode mode, std::string ownName, HistoryPort& historyPort, Rng& random)
    : how(mode), node(std::move(ownName)), port(historyPort), rng(random)
{
}

AuditTrail::Lane& AuditTrail::laneFor(const std::string& tenant)
{
    const std::string name = port.laneOf(tenant);
    const auto [lane, made] = lanes.try_emplace(name);
    if (made) {
        lane->second.mostResults = name.empty() ? limits::maxUnstoredResults : limits::maxUnstoredResults / 8;
    }
    return lane->second;
}

bool AuditTrail::isBusy() const
{
    return !ready.empty() || std::any_of(lanes.begin(), lanes.end(), [](const auto& entry) {
        const Lane& lane = entry.second;
        return lane.writing || !lane.intents.empty() || !lane.results.empty();
    });
}

history::AuditRecord AuditTrail::recordOf(Deed deed, Now now)
{
    history::AuditRecord record;
    record.time = now.wall;
    record.tenant = std::move(deed.tenant);
    record.account = history::plainText(deed.account, limits::maxAuditNameBytes);
    record.client = history::plainText(deed.client, limits::maxAuditNameBytes);
    record.node = node;
    record.method = history::plainText(deed.method, limits::maxAuditNameBytes);
    record.uri = history::plainText(deed.uri, limits::maxAuditUriBytes);
    record.request = MessageId::make(now.wall, rng).hex();
    return record;
}

void AuditTrail::begin(Deed deed, Now now, Go go)
{
    if (how == AuditMode::off) {
        return go(AuditToken{0}, now);
    }
    Lane& lane = laneFor(deed.tenant);
    const bool hangs = now.mono >= lane.answerBy;
    const auto goingOn = ready.find(deed.tenant);
    const std::size_t waiting = lane.intents.size() + (goingOn == ready.end() ? 0 : goingOn->second.size());
    if (hangs || waiting >= limits::maxWaitingAudits) {
        if (how == AuditMode::bestEffort) {
            ++count.unrecorded;
            return go(AuditToken{0}, now);
        }
        ++count.refused;
        return go(hangs ? Error{Code::unavailable, "the history's database does not answer"}
                        : Error{Code::full, "too many requests wait to be recorded"},
                  now);
    }
    const AuditToken token = ++lastToken;
    open.emplace(token, recordOf(std::move(deed), now));
    lane.intents.push_back({token, std::move(go)});
    write(lane, now);
}

void AuditTrail::end(AuditToken token, int status, Now now)
{
    const auto found = open.find(token);
    if (found == open.end()) {
        return;
    }
    history::AuditRecord result = resultOf(std::move(found->second), status, now);
    open.erase(found);
    keepResult(std::move(result), now);
}

MessageId AuditTrail::requestOf(AuditToken token) const
{
    const auto found = open.find(token);
    const Result<MessageId> id = found == open.end() ? Error{} : MessageId::fromHex(found->second.request);
    return id ? *id : MessageId{};
}

void AuditTrail::note(Deed deed, int status, Now now)
{
    if (how != AuditMode::off) {
        keepResult(resultOf(recordOf(std::move(deed), now), status, now), now);
    }
}

void AuditTrail::noteRefused(Deed deed, int status, Now now)
{
    if (how == AuditMode::off) {
        return;
    }
    std::erase_if(refusals, [now](const auto& entry) { return now.mono - entry.second.since >= 1min; });
    Minute& minute = refusals.try_emplace(deed.tenant, Minute{now.mono, 0}).first->second;
    if (minute.noted >= limits::auditRefusalsPerMinute) {
        ++count.unnoted;
        return;
    }
    ++minute.noted;
    note(std::move(deed), status, now);
}

void AuditTrail::keepResult(history::AuditRecord result, Now now)
{
    Lane& lane = laneFor(result.tenant);
    if (lane.results.size() >= lane.mostResults) {
        lane.results.pop_front();
        ++count.lostResults;
    }
    lane.results.push_back(std::move(result));
    if (!lane.failing) {
        write(lane, now);
    } else if (lane.retryAt == never) {
        lane.retryAt = now.mono + limits::auditRetry;
    }
}

void AuditTrail::write(Lane& lane, Now now)
{
    if (lane.writing || (lane.intents.empty() && lane.results.empty())) {
        return;
    }
    lane.writing = true;
    lane.retryAt = never;
    lane.answerBy = now.mono + limits::auditPatience;
    std::vector<history::AuditRecord> records;
    // Results first: they are older than intents that still wait, for whom they leave room: somebody waits for those.
    const std::size_t room = limits::maxAuditBatch - std::min(lane.intents.size(), limits::maxAuditBatch / 2);
    while (!lane.results.empty() && records.size() < room) {
        records.push_back(std::move(lane.results.front()));
        lane.results.pop_front();
    }
    std::vector<history::AuditRecord> kept = records;
    while (!lane.intents.empty() && records.size() < limits::maxAuditBatch) {
        records.push_back(open.at(lane.intents.front().token));
        lane.underWay.push_back(std::move(lane.intents.front()));
        lane.intents.pop_front();
    }
    const std::size_t written = records.size();
    port.append(std::move(records), [this, &lane, written, kept = std::move(kept)](const Result<void>& stored, Now then) mutable {
        onWritten(lane, written, std::move(kept), stored, then);
    });
}

void AuditTrail::onWritten(Lane& lane, std::size_t written, std::vector<history::AuditRecord> kept, const Result<void>& stored, Now now)
{
    std::vector<Waiting> waited = std::exchange(lane.underWay, {});
    // An intent that is stored after all must not look as if it had been carried out.
    for (const AuditToken token : std::exchange(lane.gaveUp, {})) {
        if (stored) {
            end(token, refusedMeanwhile, now);
        } else {
            open.erase(token);
        }
    }
    lane.writing = false;
    lane.answerBy = never;
    lane.failing = !stored.ok();
    if (stored) {
        count.stored += written;
    } else {
        ++count.failedWrites;
        keepAgain(std::move(kept), now);
        lane.retryAt = lane.results.empty() ? never : now.mono + limits::auditRetry;
    }
    if (!lane.failing || !lane.intents.empty()) {
        write(lane, now);
    }
    const bool othersGoOn = !ready.empty();
    for (Waiting& one : waited) {
        ready[open.at(one.token).tenant].push_back({std::move(one), stored});
    }
    if (!othersGoOn) {
        goOn(now);
    }
}

void AuditTrail::goOn(Now now)
{
    std::vector<Ready> turn;
    for (auto tenant = ready.begin(); tenant != ready.end();) {
        std::deque<Ready>& line = tenant->second;
        for (std::size_t i = 0; i < limits::auditsPerTurn && !line.empty(); ++i) {
            turn.push_back(std::move(line.front()));
            line.pop_front();
        }
        tenant = line.empty() ? ready.erase(tenant) : std::next(tenant);
    }
    for (Ready& next : turn) {
        tell(next.one, next.stored, now);
    }
}

void AuditTrail::tell(Waiting& one, const Result<void>& stored, Now now)
{
    if (!stored && how == AuditMode::required) {
        ++count.refused;
        open.erase(one.token);
        return one.go(stored.error(), now);
    }
    count.unrecorded += stored ? 0 : 1;
    one.go(one.token, now);
}

// What was not stored, before what came later; its tenant may have another lane by now.
void AuditTrail::keepAgain(std::vector<history::AuditRecord> kept, Now now)
{
    for (auto record = kept.rbegin(); record != kept.rend(); ++record) {
        Lane& lane = laneFor(record->tenant);
        if (lane.results.size() >= lane.mostResults) {
            ++count.lostResults;
            continue;
        }
        lane.results.push_front(std::move(*record));
        if (!lane.writing && lane.retryAt == never) {
            lane.retryAt = now.mono + limits::auditRetry;
        }
    }
}

void AuditTrail::onLanes(Now now)
{
    Lane& common = laneFor(std::string());
    std::deque<Waiting> intents = std::exchange(common.intents, {});
    std::deque<history::AuditRecord> results = std::exchange(common.results, {});
    for (Waiting& one : intents) {
        laneFor(open.at(one.token).tenant).intents.push_back(std::move(one));
    }
    for (history::AuditRecord& result : results) {
        laneFor(result.tenant).results.push_back(std::move(result));
    }
    for (auto& [name, lane] : lanes) {
        if (!lane.failing || !lane.intents.empty()) {
            write(lane, now);
        } else if (lane.retryAt == never && !lane.results.empty()) {
            lane.retryAt = now.mono + limits::auditRetry;
        }
    }
}

// Whoever waits is told; what is under way may be stored all the same.
void AuditTrail::giveUp(Lane& lane, Now now)
{
    std::vector<Waiting> waited = std::exchange(lane.underWay, {});
    if (how == AuditMode::required) {
        for (const Waiting& one : waited) {
            lane.gaveUp.insert(one.token);
        }
        for (const Waiting& one : lane.intents) {
            open.erase(one.token);
        }
    }
    waited.insert(waited.end(), std::make_move_iterator(lane.intents.begin()), std::make_move_iterator(lane.intents.end()));
    lane.intents.clear();
    for (Waiting& one : waited) {
        if (how == AuditMode::bestEffort) {
            ++count.unrecorded;
            one.go(one.token, now);
        } else {
            ++count.refused;
            one.go(Error{Code::unavailable, "the history's database does not answer"}, now);
        }
    }
}

void AuditTrail::onTimer(Now now)
{
    goOn(now);
    for (auto& [name, lane] : lanes) {
        if (lane.answerBy <= now.mono) {
            giveUp(lane, now);
        } else if (lane.retryAt <= now.mono) {
            write(lane, now);
        }
    }
}

Instant AuditTrail::nextDeadline() const
{
    Instant next = ready.empty() ? never : Instant{};
    for (const auto& [name, lane] : lanes) {
        if (!lane.writing) {
            next = std::min(next, lane.retryAt);
        } else if (!lane.underWay.empty() || !lane.intents.empty()) {
            next = std::min(next, lane.answerBy);
        }
    }
    return next;
}

void AuditTrail::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_audit_stored_total", "Records of the audit that were stored", count.stored, false});
    out.push_back({"bmcmesh_audit_refused_total", "Writes refused because they could not be recorded", count.refused, false});
    out.push_back({"bmcmesh_audit_unrecorded_total", "Writes carried out all the same (best_effort)", count.unrecorded, false});
    out.push_back({"bmcmesh_audit_results_lost_total", "Results that nobody will read, because the database was away too long", count.lostResults, false});
    out.push_back({"bmcmesh_audit_write_failures_total", "Transactions that the database refused", count.failedWrites, false});
    out.push_back({"bmcmesh_audit_refusals_unrecorded_total", "Orders beyond a tenant's quota that were only counted", count.unnoted, false});
    std::size_t waiting = 0;
    for (const auto& [name, lane] : lanes) {
        waiting += lane.results.size();
    }
    out.push_back({"bmcmesh_audit_results_waiting", "Results that are not stored yet", waiting, true});
}

}  // namespace mesh::aggregator
