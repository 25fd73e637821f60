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

AuditTrail::AuditTrail(AuditMode mode, std::string ownName, HistoryPort& historyPort, Rng& random)
    : how(mode), node(std::move(ownName)), port(historyPort), rng(random)
{
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
    const bool hangs = now.mono >= answerBy;
    if (hangs || intents.size() >= limits::maxWaitingAudits) {
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
    intents.push_back({token, std::move(go)});
    write(now);
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

void AuditTrail::note(Deed deed, int status, Now now)
{
    if (how != AuditMode::off) {
        keepResult(resultOf(recordOf(std::move(deed), now), status, now), now);
    }
}

void AuditTrail::keepResult(history::AuditRecord result, Now now)
{
    if (results.size() >= limits::maxUnstoredResults) {
        results.pop_front();
        ++count.lostResults;
    }
    results.push_back(std::move(result));
    if (!failing) {
        write(now);
    } else if (retryAt == never) {
        retryAt = now.mono + limits::auditRetry;
    }
}

void AuditTrail::write(Now now)
{
    if (writing || (intents.empty() && results.empty())) {
        return;
    }
    writing = true;
    retryAt = never;
    answerBy = now.mono + limits::auditPatience;
    std::vector<history::AuditRecord> records;
    // Results first: they are older than intents that still wait, for whom they leave room: somebody waits for those.
    const std::size_t room = limits::maxAuditBatch - std::min(intents.size(), limits::maxAuditBatch / 2);
    while (!results.empty() && records.size() < room) {
        records.push_back(std::move(results.front()));
        results.pop_front();
    }
    std::vector<history::AuditRecord> kept = records;
    while (!intents.empty() && records.size() < limits::maxAuditBatch) {
        records.push_back(open.at(intents.front().token));
        underWay.push_back(std::move(intents.front()));
        intents.pop_front();
    }
    const std::size_t written = records.size();
    port.append(std::move(records), [this, written, kept = std::move(kept)](const Result<void>& stored, Now then) mutable {
        onWritten(written, std::move(kept), stored, then);
    });
}

void AuditTrail::onWritten(std::size_t written, std::vector<history::AuditRecord> kept, const Result<void>& stored, Now now)
{
    std::vector<Waiting> waited = std::exchange(underWay, {});
    // An intent that is stored after all must not look as if it had been carried out.
    for (const AuditToken token : std::exchange(gaveUp, {})) {
        if (stored) {
            end(token, refusedMeanwhile, now);
        } else {
            open.erase(token);
        }
    }
    writing = false;
    answerBy = never;
    failing = !stored.ok();
    if (stored) {
        count.stored += written;
    } else {
        ++count.failedWrites;
        results.insert(results.begin(), std::make_move_iterator(kept.begin()), std::make_move_iterator(kept.end()));
        for (; results.size() > limits::maxUnstoredResults; results.pop_front()) {
            ++count.lostResults;
        }
        retryAt = results.empty() ? never : now.mono + limits::auditRetry;
    }
    if (!failing || !intents.empty()) {
        write(now);
    }
    for (Waiting& one : waited) {
        if (stored) {
            one.go(one.token, now);
        } else if (how == AuditMode::bestEffort) {
            ++count.unrecorded;
            one.go(one.token, now);
        } else {
            ++count.refused;
            open.erase(one.token);
            one.go(stored.error(), now);
        }
    }
}

// Whoever waits is told; what is under way may be stored all the same.
void AuditTrail::giveUp(Now now)
{
    std::vector<Waiting> waited = std::exchange(underWay, {});
    if (how == AuditMode::required) {
        for (const Waiting& one : waited) {
            gaveUp.insert(one.token);
        }
        for (const Waiting& one : intents) {
            open.erase(one.token);
        }
    }
    waited.insert(waited.end(), std::make_move_iterator(intents.begin()), std::make_move_iterator(intents.end()));
    intents.clear();
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
    if (answerBy <= now.mono) {
        giveUp(now);
    } else if (retryAt <= now.mono) {
        write(now);
    }
}

Instant AuditTrail::nextDeadline() const
{
    if (writing) {
        return underWay.empty() && intents.empty() ? never : answerBy;
    }
    return retryAt;
}

void AuditTrail::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_audit_stored_total", "Records of the audit that were stored", count.stored, false});
    out.push_back({"bmcmesh_audit_refused_total", "Writes refused because they could not be recorded", count.refused, false});
    out.push_back({"bmcmesh_audit_unrecorded_total", "Writes carried out all the same (best_effort)", count.unrecorded, false});
    out.push_back({"bmcmesh_audit_results_lost_total", "Results that nobody will read, because the database was away too long", count.lostResults, false});
    out.push_back({"bmcmesh_audit_write_failures_total", "Transactions that the database refused", count.failedWrites, false});
    out.push_back({"bmcmesh_audit_results_waiting", "Results that are not stored yet", results.size(), true});
}

}  // namespace mesh::aggregator
