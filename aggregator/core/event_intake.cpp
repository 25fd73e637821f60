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

std::string EventStorePort::laneOf(std::string_view) const
{
    return {};
}

std::vector<std::string> EventStorePort::lanes() const
{
    return {};
}

EventPlace placeBehind(const history::EventRecord& record)
{
    return {record.epoch, std::max(record.sequence, record.lostTo)};
}

shoset::Event eventOf(const history::EventRecord& record, std::uint64_t subscription)
{
    return {record.epoch, record.sequence, record.topic, record.name, record.time, record.lostTo, subscription};
}

EventIntake::EventIntake(EventStorePort& eventStore, EventLinks& eventLinks, Admits quota, OnStored listener)
    : store(eventStore), links(eventLinks), admits(std::move(quota)), onStored(std::move(listener))
{
    laneFor({});
    onLanes();
}

void EventIntake::readHeads(Lane& lane)
{
    lane.state = State::reading;
    const shoset::Address whose = lane.name.empty() ? shoset::Address() : shoset::connectorAddress(lane.name, {});
    store.readHeads(whose, [this, &lane, owner = std::weak_ptr<int>(alive)](const Result<std::vector<history::EventHead>>& heads, Now now) {
        if (!owner.expired()) {
            onHeads(lane, heads, now);
        }
    });
}

void EventIntake::onHeads(Lane& lane, const Result<std::vector<history::EventHead>>& heads, Now now)
{
    if (!heads) {
        lane.state = State::unread;
        return afterFailure(lane, heads.error(), now);
    }
    lane.state = State::recording;
    lane.reason.clear();
    lane.backoff = limits::eventRetryInitial;
    for (const history::EventHead& head : *heads) {
        const shoset::Address address = shoset::connectorAddress(head.tenant, head.connector);
        if (store.laneOf(head.tenant) != lane.name) {
            continue;
        }
        if (!isCredible(address, head.epoch, now)) {
            ++count.farEpochs;
            continue;
        }
        Source& source = sources[address];
        source.stored = source.taken = {head.epoch, head.sequence};
    }
    for (auto& [address, source] : sources) {
        if (store.laneOf(shoset::tenantOf(address)) == lane.name) {
            tell(address, source, now);
        }
    }
}

void EventIntake::afterFailure(Lane& lane, const Error& error, Now now)
{
    ++count.failedWrites;
    lane.reason = error.message;
    lane.retryAt = now.mono + lane.backoff;
    lane.backoff = std::min<Duration>(2 * lane.backoff, limits::eventRetryMax);
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
    if (source.linked && isReady(shoset::tenantOf(address))) {
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

// A tenant with a database of its own has less room, as have all of these together: it must not take that of the others.
bool EventIntake::hasRoom(const Lane& lane, const Source& source, std::string_view tenant, std::size_t bytes) const
{
    const auto fits = [bytes](const Amount& amount, std::size_t events, std::size_t most) {
        return amount.events < events && amount.bytes + bytes <= most;
    };
    const std::size_t part = lane.name.empty() ? 1 : 4;
    const auto ofIts = ofTenant.find(tenant);
    return fits(lane.waiting, limits::maxWaitingEvents / part, limits::maxWaitingEventBytes / part) &&
           (lane.name.empty() || fits(elsewhere, limits::maxWaitingEvents, limits::maxWaitingEventBytes)) &&
           fits(source.amount, limits::maxWaitingSourceEvents, limits::maxWaitingSourceBytes) &&
           (ofIts == ofTenant.end() || fits(ofIts->second, limits::maxWaitingTenantEvents, limits::maxWaitingTenantBytes));
}

Offered EventIntake::offer(const shoset::Address& address, const shoset::Event& event, std::string_view payload, Now now)
{
    Lane& lane = laneFor(shoset::tenantOf(address));
    if (!lane.isReady()) {
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
    const bool fits = !source.refused && hasRoom(lane, source, shoset::tenantOf(address), payload.size());
    if (event.sequence > next && fits) {
        ++count.holes;
        return Offered::hole;
    }
    if (!fits) {
        ++count.full;
        source.refused = someRefused = true;
        return Offered::refused;
    }
    const bool ownNote = shoset::nameOf(address).starts_with('@');  // which may tell that the quota is used up
    if (!ownNote && !admits(shoset::tenantOf(address), payload.size(), now)) {
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
    take(lane, address, source, std::move(record));
    return Offered::taken;
}

void EventIntake::take(Lane& lane, const shoset::Address& address, Source& source, history::EventRecord record)
{
    source.taken = placeBehind(record);
    Amount& ofIts = ofTenant[record.tenant];
    Amount* const ofOthers = lane.name.empty() ? nullptr : &elsewhere;
    for (Amount* amount : {&lane.waiting, &source.amount, &ofIts, ofOthers}) {
        if (amount != nullptr) {
            ++amount->events;
            amount->bytes += record.payload.size();
        }
    }
    if (source.waiting.empty()) {
        lane.turns.push_back(address);
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
void EventIntake::write(Lane& lane)
{
    auto batch = std::make_shared<std::vector<history::EventRecord>>();
    batch->reserve(std::min(lane.waiting.events, limits::maxEventBatch));
    std::size_t bytes = 0;
    const std::size_t share = std::max(leastShare, limits::maxEventBatch / lane.turns.size());
    const auto full = [&] { return batch->size() >= limits::maxEventBatch || bytes >= limits::maxEventBatchBytes; };
    Amount* const ofOthers = lane.name.empty() ? nullptr : &elsewhere;
    while (!lane.turns.empty() && !full()) {
        const shoset::Address address = std::move(lane.turns.front());
        lane.turns.pop_front();
        Source& source = sources[address];
        const history::EventRecord& first = source.waiting.front();
        const auto ofIts = ofTenant.find(first.tenant);
        StoredRun run{address, {first.epoch, first.sequence - 1}, nullptr, batch->size(), 0};
        for (std::size_t taken = 0; taken < share && !source.waiting.empty() && !full(); ++taken) {
            const std::size_t size = source.waiting.front().payload.size();
            bytes += size;
            for (Amount* amount : {&lane.waiting, &source.amount, &ofIts->second, ofOthers}) {
                if (amount != nullptr) {
                    --amount->events;
                    amount->bytes -= size;
                }
            }
            batch->push_back(std::move(source.waiting.front()));
            source.waiting.pop_front();
        }
        if (ofIts->second.events == 0) {
            ofTenant.erase(ofIts);
        }
        if (!source.waiting.empty()) {
            lane.turns.push_back(address);
        }
        run.end = batch->size();
        lane.runs.push_back(std::move(run));
    }
    lane.underWay = std::move(batch);
    append(lane);
}

void EventIntake::append(Lane& lane)
{
    lane.writing = true;
    lane.retryAt = never;
    store.appendEvents(lane.underWay, [this, &lane, owner = std::weak_ptr<int>(alive)](const Result<void>& outcome, Now now) {
        if (!owner.expired()) {
            onWritten(lane, outcome, now);
        }
    });
}

void EventIntake::onWritten(Lane& lane, const Result<void>& outcome, Now now)
{
    lane.writing = false;
    if (!outcome) {
        lane.state = State::failing;
        return afterFailure(lane, outcome.error(), now);
    }
    lane.state = State::recording;
    lane.reason.clear();
    lane.backoff = limits::eventRetryInitial;
    for (auto& [name, other] : lanes) {
        other.isBehind = other.isBehind && !lane.name.empty();
    }
    const EventBatch batch = std::exchange(lane.underWay, nullptr);
    std::vector<StoredRun> ended = std::exchange(lane.runs, {});
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
        } else if ((source.refused || source.resumes) && source.taken == source.stored &&
                   hasRoom(laneFor(shoset::tenantOf(address)), source, shoset::tenantOf(address), 0)) {
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
    for (auto& [name, lane] : lanes) {
        step(lane, now);
    }
}

void EventIntake::step(Lane& lane, Now now)
{
    if (lane.state == State::reading || lane.writing || lane.isBehind || (lane.retryAt != never && now.mono < lane.retryAt)) {
        return;
    }
    lane.retryAt = never;
    if (lane.state == State::unread) {
        readHeads(lane);
    } else if (lane.underWay != nullptr) {
        appendAgain(lane);
    } else if (!lane.turns.empty()) {
        write(lane);
    }
}

Instant EventIntake::Lane::nextDeadline() const
{
    if (state == State::reading || writing || isBehind) {
        return never;
    }
    const bool something = state == State::unread || underWay != nullptr || !turns.empty();
    return retryAt == never && something ? Instant{} : retryAt;
}

Instant EventIntake::nextDeadline() const
{
    Instant next = refusedUntil;
    for (const auto& [name, lane] : lanes) {
        next = std::min(next, lane.nextDeadline());
    }
    return next;
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

}  // namespace mesh::aggregator
