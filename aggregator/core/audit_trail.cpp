#include "aggregator/core/audit_trail.hpp"

#include "cluster/history/core/limits.hpp"
#include "shoset/base/ids.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

history::AuditRecord resultOf(history::AuditRecord intent, int status, Now now)
{
    intent.phase = history::Phase::result;
    intent.status = status;
    intent.time = now.wall;
    return intent;
}

}  // namespace

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
    if (intents.size() >= limits::maxWaitingAudits) {
        ++(how == AuditMode::required ? count.refused : count.unrecorded);
        return go(how == AuditMode::required ? Result<AuditToken>(Error{Code::full, "too many requests wait to be recorded"})
                                             : Result<AuditToken>(AuditToken{0}),
                  now);
    }
    const AuditToken token = ++lastToken;
    open.emplace(token, recordOf(std::move(deed), now));
    intents.push_back({token, std::move(go)});
    write();
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
        write();
    } else if (retryAt == never) {
        retryAt = now.mono + limits::auditRetry;
    }
}

void AuditTrail::write()
{
    if (writing || (intents.empty() && results.empty())) {
        return;
    }
    writing = true;
    retryAt = never;
    std::vector<history::AuditRecord> records;
    std::vector<Waiting> waiting;
    // Results first: they are older than intents that still wait, for whom they leave room: somebody waits for those.
    const std::size_t room = limits::maxAuditBatch - std::min(intents.size(), limits::maxAuditBatch / 2);
    while (!results.empty() && records.size() < room) {
        records.push_back(std::move(results.front()));
        results.pop_front();
    }
    std::vector<history::AuditRecord> kept = records;
    while (!intents.empty() && records.size() < limits::maxAuditBatch) {
        records.push_back(open.at(intents.front().token));
        waiting.push_back(std::move(intents.front()));
        intents.pop_front();
    }
    port.append(std::move(records), [this, waiting = std::move(waiting), kept = std::move(kept)](const Result<void>& stored, Now now) mutable {
        onWritten(std::move(waiting), std::move(kept), stored, now);
    });
}

void AuditTrail::onWritten(std::vector<Waiting> waited, std::vector<history::AuditRecord> kept, const Result<void>& stored, Now now)
{
    writing = false;
    failing = !stored.ok();
    if (stored) {
        count.stored += waited.size() + kept.size();
    } else {
        ++count.failedWrites;
        results.insert(results.begin(), std::make_move_iterator(kept.begin()), std::make_move_iterator(kept.end()));
        for (; results.size() > limits::maxUnstoredResults; results.pop_front()) {
            ++count.lostResults;
        }
        retryAt = results.empty() ? never : now.mono + limits::auditRetry;
    }
    if (!failing || !intents.empty()) {
        write();
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

void AuditTrail::onTimer(Now now)
{
    if (retryAt <= now.mono) {
        write();
    }
}

Instant AuditTrail::nextDeadline() const
{
    return writing ? never : retryAt;
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
