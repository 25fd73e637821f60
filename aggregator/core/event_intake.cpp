#include "aggregator/core/event_intake.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr std::string_view reservedTopics = "mesh.";
constexpr std::string_view ownBmc = "mesh.bmc";
constexpr std::size_t leastShare = 16;  // of a transaction, for each connector that has something

// What a connector may not say: topics of the mesh's own, but for its BMC's.
bool isReserved(const shoset::Address& source, const shoset::Event& event)
{
    const bool own = event.topic == ownBmc || event.topic.starts_with("mesh.bmc.");
    return event.topic.starts_with(reservedTopics) && !own && !shoset::nameOf(source).starts_with('@');
}

}  // namespace

EventPlace placeBehind(const history::EventRecord& record)
{
    return {record.epoch, std::max(record.sequence, record.lostTo)};
}

shoset::Event eventOf(const history::EventRecord& record, std::uint64_t subscription)
{
    return {record.epoch, record.sequence, record.topic, record.name, record.time, record.lostTo, subscription};
}

EventIntake::EventIntake(EventStorePort& eventStore, EventLinks& eventLinks, Admits quota, OnStored listener)
    : store(eventStore), links(eventLinks), admits(std::move(quota)), onStored(std::move(listener)), backoff(limits::eventRetryInitial)
{
}

void EventIntake::readHeads(Now)
{
    state = State::reading;
    store.readHeads({}, [this, owner = std::weak_ptr<int>(alive)](const Result<std::vector<history::EventHead>>& heads, Now now) {
        if (!owner.expired()) {
            onHeads(heads, now);
        }
    });
}

void EventIntake::onHeads(const Result<std::vector<history::EventHead>>& heads, Now now)
{
    if (!heads) {
        state = State::unread;
        return afterFailure(heads.error(), now);
    }
    state = State::recording;
    reason.clear();
    backoff = limits::eventRetryInitial;
    for (const history::EventHead& head : *heads) {
        const shoset::Address address = shoset::connectorAddress(head.tenant, head.connector);
        if (!isCredible(address, head.epoch, now)) {
            ++count.farEpochs;
            continue;
        }
        Source& source = sources[address];
        source.stored = source.taken = {head.epoch, head.sequence};
    }
    for (auto& [address, source] : sources) {
        tell(address, source, now);
    }
}

void EventIntake::afterFailure(const Error& error, Now now)
{
    ++count.failedWrites;
    reason = error.message;
    retryAt = now.mono + backoff;
    backoff = std::min<Duration>(2 * backoff, limits::eventRetryMax);
}

void EventIntake::onLinkUp(const shoset::Address& connector, Now now)
{
    Source& source = sources[connector];
    source.linked = true;
    source.refused = false;
    tell(connector, source, now);
}

void EventIntake::onLinkDown(const shoset::Address& connector)
{
    if (const auto found = sources.find(connector); found != sources.end()) {
        found->second.linked = false;
    }
}

void EventIntake::tell(const shoset::Address& address, Source& source, Now now)
{
    if (isReady() && source.linked) {
        source.told = source.stored;
        links.tellEvents(address, {}, shoset::EventsStored{source.stored.epoch, source.stored.sequence}, {}, now);
    }
}

void EventIntake::repeat(const shoset::Address& address, Now now)
{
    const auto found = sources.find(address);
    if (found == sources.end() || found->second.taken != found->second.stored || now.mono < found->second.repeatAt) {
        return;
    }
    found->second.repeatAt = now.mono + limits::eventHolePause;
    tell(address, found->second, now);
}

void EventIntake::resume(const shoset::Address& address, Now now)
{
    const auto found = sources.find(address);
    if (found == sources.end()) {
        return;
    }
    if (found->second.taken == found->second.stored) {
        tell(address, found->second, now);
    } else {
        found->second.resumes = someRefused = true;
    }
}

bool EventIntake::hasRoom(const Source& source, std::string_view tenant, std::size_t bytes) const
{
    const auto fits = [bytes](const Amount& amount, std::size_t events, std::size_t most) {
        return amount.events < events && amount.bytes + bytes <= most;
    };
    const auto ofIts = ofTenant.find(tenant);
    return fits(waiting, limits::maxWaitingEvents, limits::maxWaitingEventBytes) &&
           fits(source.amount, limits::maxWaitingSourceEvents, limits::maxWaitingSourceBytes) &&
           (ofIts == ofTenant.end() || fits(ofIts->second, limits::maxWaitingTenantEvents, limits::maxWaitingTenantBytes));
}

Offered EventIntake::offer(const shoset::Address& address, const shoset::Event& event, std::string_view payload, Now now)
{
    if (!isReady()) {
        ++count.early;
        return Offered::refused;
    }
    const std::uint64_t last = std::max(event.sequence, event.lostTo);
    if (event.epoch > limits::maxEventNumber || last > limits::maxEventNumber) {
        ++count.malformed;
        return Offered::refused;
    }
    if (!isCredible(address, event.epoch, now)) {
        ++count.farEpochs;
        return Offered::refused;
    }
    Source& source = sources[address];
    if (EventPlace{event.epoch, last} <= source.taken) {
        ++count.duplicates;
        return Offered::had;
    }
    const bool begins = event.epoch > source.taken.epoch;
    const bool skips = source.follows > source.taken.epoch && event.epoch > source.follows;
    if (begins && (source.taken.epoch > source.closed || skips)) {
        ++count.newEpochs;
        return Offered::newEpoch;
    }
    const std::uint64_t next = begins ? 1 : source.taken.sequence + 1;
    const bool fits = !source.refused && hasRoom(source, shoset::tenantOf(address), payload.size());
    if (event.sequence > next && fits) {
        ++count.holes;
        return Offered::hole;
    }
    if (!fits) {
        ++count.full;
        source.refused = someRefused = true;
        return Offered::refused;
    }
    if (!admits(shoset::tenantOf(address), payload.size(), now)) {
        ++count.overQuota;
        source.refused = someRefused = true;
        source.refusedUntil = now.mono + limits::eventHolePause;
        refusedUntil = std::min(refusedUntil, source.refusedUntil);
        return Offered::refused;
    }
    history::EventRecord record{event.time, std::string(shoset::tenantOf(address)), std::string(shoset::nameOf(address)), event.epoch,
                                next, event.topic, event.name, std::string(payload), event.lostTo};
    if (event.lostTo == 0 && isReserved(address, event)) {  // its place must not keep up what comes behind it
        ++count.reserved;
        record.topic = record.name = record.payload = {};
        record.lostTo = next;
    }
    if (record.lostTo != 0) {
        record.time = now.wall;
    }
    take(address, source, std::move(record));
    return Offered::taken;
}

void EventIntake::take(const shoset::Address& address, Source& source, history::EventRecord record)
{
    source.taken = placeBehind(record);
    Amount& ofIts = ofTenant[record.tenant];
    for (Amount* amount : {&waiting, &source.amount, &ofIts}) {
        ++amount->events;
        amount->bytes += record.payload.size();
    }
    if (source.waiting.empty()) {
        turns.push_back(address);
    }
    source.waiting.push_back(std::move(record));
}

void EventIntake::closeEpoch(const shoset::Address& address, std::uint64_t next)
{
    if (const auto found = sources.find(address); found != sources.end()) {
        found->second.closed = found->second.taken.epoch;
        found->second.follows = next;
    }
}

void EventIntake::adopt(const shoset::Address& address, EventPlace head, Now now)
{
    Source& source = sources[address];
    if (head <= source.taken || source.taken != source.stored) {
        return;
    }
    if (!isCredible(address, head.epoch, now)) {
        ++count.farEpochs;
        return;
    }
    const EventPlace before = source.stored;
    source.stored = source.taken = head;
    onStored({address, before, nullptr, 0, 0}, now);
    tell(address, source, now);
}

// A share for each that has something, whole runs of one connector.
void EventIntake::write(Now now)
{
    auto batch = std::make_shared<std::vector<history::EventRecord>>();
    batch->reserve(std::min(waiting.events, limits::maxEventBatch));
    std::size_t bytes = 0;
    const std::size_t share = std::max(leastShare, limits::maxEventBatch / turns.size());
    const auto full = [&] { return batch->size() >= limits::maxEventBatch || bytes >= limits::maxEventBatchBytes; };
    while (!turns.empty() && !full()) {
        const shoset::Address address = std::move(turns.front());
        turns.pop_front();
        Source& source = sources[address];
        const history::EventRecord& first = source.waiting.front();
        const auto ofIts = ofTenant.find(first.tenant);
        StoredRun run{address, {first.epoch, first.sequence - 1}, nullptr, batch->size(), 0};
        for (std::size_t taken = 0; taken < share && !source.waiting.empty() && !full(); ++taken) {
            const std::size_t size = source.waiting.front().payload.size();
            bytes += size;
            for (Amount* amount : {&waiting, &source.amount, &ofIts->second}) {
                --amount->events;
                amount->bytes -= size;
            }
            batch->push_back(std::move(source.waiting.front()));
            source.waiting.pop_front();
        }
        if (ofIts->second.events == 0) {
            ofTenant.erase(ofIts);
        }
        if (!source.waiting.empty()) {
            turns.push_back(address);
        }
        run.end = batch->size();
        runs.push_back(std::move(run));
    }
    underWay = std::move(batch);
    append(now);
}

void EventIntake::append(Now)
{
    writing = true;
    retryAt = never;
    store.appendEvents(underWay, [this, owner = std::weak_ptr<int>(alive)](const Result<void>& outcome, Now now) {
        if (!owner.expired()) {
            onWritten(outcome, now);
        }
    });
}

void EventIntake::onWritten(const Result<void>& outcome, Now now)
{
    writing = false;
    if (!outcome) {
        state = State::failing;
        return afterFailure(outcome.error(), now);
    }
    state = State::recording;
    reason.clear();
    backoff = limits::eventRetryInitial;
    const EventBatch batch = std::exchange(underWay, nullptr);
    std::vector<StoredRun> ended = std::exchange(runs, {});
    for (StoredRun& run : ended) {
        Source& source = sources[run.source];
        run.before = source.stored;  // of the epoch before where another began
        source.stored = placeBehind((*batch)[run.end - 1]);
        run.batch = batch;
        for (std::size_t at = run.begin; at < run.end; ++at) {
            ++((*batch)[at].lostTo == 0 ? count.stored : count.lost);
        }
        onStored(run, now);
    }
    for (const StoredRun& run : ended) {
        if (Source& source = sources[run.source]; source.told != source.stored) {
            tell(run.source, source, now);
        }
    }
    tellRefused(now);
}

// Twice what is stored, without progress: the connector goes on from there.
void EventIntake::tellRefused(Now now)
{
    if (!someRefused) {
        return;
    }
    someRefused = false;
    for (auto& [address, source] : sources) {
        const bool waits = source.refused && now.mono < source.refusedUntil;
        if (waits) {
            refusedUntil = std::min(refusedUntil, source.refusedUntil);
        } else if ((source.refused || source.resumes) && source.taken == source.stored && hasRoom(source, shoset::tenantOf(address), 0)) {
            source.refused = source.resumes = false;
            tell(address, source, now);
        }
        someRefused = someRefused || source.refused || source.resumes;
    }
}

void EventIntake::onTimer(Now now)
{
    if (refusedUntil <= now.mono) {
        refusedUntil = never;
        tellRefused(now);
    }
    if (state == State::reading || writing || (retryAt != never && now.mono < retryAt)) {
        return;
    }
    retryAt = never;
    if (state == State::unread) {
        readHeads(now);
    } else if (underWay != nullptr) {
        append(now);
    } else if (!turns.empty()) {
        write(now);
    }
}

Instant EventIntake::nextDeadline() const
{
    if (state == State::reading || writing) {
        return refusedUntil;
    }
    const bool something = state == State::unread || underWay != nullptr || !turns.empty();
    return retryAt == never && something ? Instant{} : std::min(retryAt, refusedUntil);
}

std::string EventIntake::condition() const
{
    if (!reason.empty()) {
        return "the history's database failed: " + reason;
    }
    return isReady() ? "recording" : "what is stored is being read";
}

bool EventIntake::isCredible(const shoset::Address& source, std::uint64_t epoch, Now now)
{
    return shoset::nameOf(source).starts_with('@') || shoset::isCredibleEpoch(epoch, now.wall, 2);
}

EventPlace EventIntake::taken(const shoset::Address& source) const
{
    const auto found = sources.find(source);
    return found == sources.end() ? EventPlace{} : found->second.taken;
}

EventPlace EventIntake::stored(const shoset::Address& source) const
{
    const auto found = sources.find(source);
    return found == sources.end() ? EventPlace{} : found->second.stored;
}

void EventIntake::forEachOf(std::string_view tenant, const std::function<void(const shoset::Address&, EventPlace)>& visit) const
{
    const std::string prefix = std::string(tenant) + "/";
    for (auto at = sources.lower_bound(prefix); at != sources.end() && at->first.starts_with(prefix); ++at) {
        visit(at->first, at->second.stored);
    }
}

void EventIntake::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_events_stored_total", "Events stored by this node", count.stored, false});
    out.push_back({"bmcmesh_events_losses_total", "Losses of events stored in their place", count.lost, false});
    out.push_back({"bmcmesh_events_duplicate_total", "Events that were there already", count.duplicates, false});
    out.push_back({"bmcmesh_events_holes_total", "Events not taken because some are missing before them", count.holes, false});
    out.push_back({"bmcmesh_events_new_epoch_total", "Events not taken until their connector's epoch before was looked for", count.newEpochs, false});
    out.push_back({"bmcmesh_events_refused_early_total", "Events not taken before what is stored was read", count.early, false});
    out.push_back({"bmcmesh_events_refused_full_total", "Events not taken because too many wait to be stored", count.full, false});
    out.push_back({"bmcmesh_events_refused_quota_total", "Events not taken because their tenant's quota of messages is used up", count.overQuota, false});
    out.push_back({"bmcmesh_events_refused_topic_total", "Events of topics that are the mesh's own", count.reserved, false});
    out.push_back({"bmcmesh_events_refused_malformed_total", "Events whose place is none", count.malformed, false});
    out.push_back({"bmcmesh_events_refused_epoch_total", "Events, and what is stored of connectors, of epochs that no clock can have come to", count.farEpochs, false});
    out.push_back({"bmcmesh_events_write_failures_total", "Transactions with events that the database refused", count.failedWrites, false});
    out.push_back({"bmcmesh_events_waiting", "Events that wait to be stored", waiting.events + (underWay == nullptr ? 0 : underWay->size()), true});
    out.push_back({"bmcmesh_events_recording", "1: events are stored; 0: the database fails, or was not read yet", isReady() && reason.empty() ? 1U : 0U, true});
}

}  // namespace mesh::aggregator
