#include "aggregator/core/event_filling.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

EventFilling::EventFilling(EventStorePort& eventStore, EventLinks& eventLinks, EventIntake& eventIntake, Others otherNodes)
    : store(eventStore), links(eventLinks), intake(eventIntake), others(std::move(otherNodes))
{
}

bool EventFilling::onMissing(const shoset::Address& source, const shoset::Event& event, Offered outcome, Now now)
{
    const EventPlace taken = intake.taken(source);
    const bool tail = outcome == Offered::newEpoch;
    const auto known = others();
    if (tail && known && known->empty()) {
        intake.closeEpoch(source);
        return true;
    }
    intake.repeat(source, now);
    if (const auto running = fills.find(source); running != fills.end()) {
        running->second.seen = now.mono;
        running->second.offered = event.epoch;
        if (tail && running->second.epoch >= taken.epoch) {
            close(running->second, now);
        }
        return false;
    }
    if (!hasSlot(source, false)) {
        ++count.noSlot;
        return false;  // what is missing is noticed again
    }
    Fill fill;
    fill.tail = fill.closes = tail;
    fill.epoch = tail ? taken.epoch : event.epoch;
    fill.to = tail ? limits::maxEventNumber : event.sequence - 1;
    fill.offered = event.epoch;
    fill.begunAt = taken;
    fill.begun = fill.seen = now.mono;
    fill.actAt = now.mono + (tail ? Duration::zero() : limits::eventFillDelay);
    fills.emplace(source, std::move(fill));
    ++count.begun;
    return false;
}

void EventFilling::onConnectorUp(const shoset::Address& source, Now now)
{
    if (toLook.size() >= limits::maxWaitingLooks && !toLook.contains(source)) {
        ++count.looksForgotten;
        return;  // then its next event shows what is missing
    }
    toLook[source] = now.mono + limits::eventFillDelay;
    startLooks(now);
}

// Its epoch has ended. Who had nothing more of it, or is asked just now, may have got some since, as long as it went on.
void EventFilling::close(Fill& fill, Now now)
{
    if (fill.onlyLooks()) {
        fill.begun = now.mono;
        fill.inVain.clear();
        fill.refused = true;
    }
    fill.closes = true;
}

bool EventFilling::hasSlot(const shoset::Address& source, bool onlyLooks) const
{
    const std::string prefix = std::string(shoset::tenantOf(source)) + "/";
    std::size_t ofTenant = 0;
    for (auto at = fills.lower_bound(prefix); at != fills.end() && at->first.starts_with(prefix); ++at) {
        ++ofTenant;
    }
    if (onlyLooks) {
        return ofTenant < limits::maxTenantEventFills / 2;
    }
    return ofTenant == 0 || (fills.size() < limits::maxEventFills && ofTenant < limits::maxTenantEventFills);
}

bool EventFilling::mayLook() const
{
    const auto looks = std::count_if(fills.begin(), fills.end(), [](const auto& entry) { return entry.second.onlyLooks(); });
    return fills.size() < limits::maxEventFills && static_cast<std::size_t>(looks) < limits::maxEventLooks;
}

// One of each tenant in turn.
void EventFilling::startLooks(Now now)
{
    std::string fullOne;  // the first tenant in this round that gets no slot
    unread.clear();
    while (!toLook.empty() && mayLook()) {
        auto next = toLook.lower_bound(lookedFor + "0");  // which is behind all that begin with lookedFor + "/"
        next = next == toLook.end() ? toLook.begin() : next;
        const shoset::Address source = next->first;
        lookedFor = shoset::tenantOf(source);
        const bool isReady = intake.isReady(lookedFor);
        const EventPlace taken = intake.taken(source);
        if (!isReady) {
            unread.insert(lookedFor);
        }
        if (isReady && (taken.epoch == 0 || fills.contains(source))) {
            toLook.erase(next);
            fullOne.clear();
        } else if (isReady && hasSlot(source, true)) {
            Fill fill;
            fill.tail = true;
            fill.epoch = taken.epoch;
            fill.to = limits::maxEventNumber;
            fill.begunAt = taken;
            fill.begun = fill.seen = now.mono;
            fill.actAt = std::max(now.mono, next->second);
            fills.emplace(source, std::move(fill));
            toLook.erase(next);
            fullOne.clear();
        } else if (lookedFor == fullOne) {
            return;
        } else if (fullOne.empty()) {
            fullOne = lookedFor;
        }
    }
}

bool EventFilling::isDone(const shoset::Address& source, const Fill& fill) const
{
    const EventPlace taken = intake.taken(source);
    const bool byItself = !fill.helped && taken != fill.begunAt;  // the connector has gone on
    return byItself || taken >= EventPlace{fill.epoch, fill.to};
}

void EventFilling::step(const shoset::Address& source, Fill& fill, Now now)
{
    if (isDone(source, fill)) {
        count.filled += fill.helped ? 1 : 0;
        if (fill.helped || !fill.onlyLooks()) {
            intake.resume(source, now);
        }
        if (fill.tail || !fill.helped) {
            ended.insert(source);
        } else {
            lookFurther(source, fill, now);
        }
        return;
    }
    if (!fill.tail) {
        intake.repeat(source, now);
    }
    if (!fill.databaseRead) {
        readDatabase(source, fill);
    } else {
        askNext(source, fill, now);
    }
}

// The connector may have trimmed meanwhile what it offered then, too, and have nothing left to tell.
void EventFilling::lookFurther(const shoset::Address& source, Fill& fill, Now now)
{
    fill.tail = true;
    fill.to = limits::maxEventNumber;
    fill.beyond = 0;
    fill.begunAt = intake.taken(source);
    fill.begun = fill.actAt = now.mono;
    fill.asked.clear();
    fill.inVain.clear();
}

void EventFilling::readDatabase(const shoset::Address& source, Fill& fill)
{
    fill.busy = true;
    fill.actAt = never;
    store.readHeads(source, [this, source, owner = std::weak_ptr<int>(alive)](const Result<std::vector<history::EventHead>>& heads, Now now) {
        if (owner.expired()) {
            return;
        }
        const auto found = fills.find(source);
        if (found == fills.end()) {
            return;
        }
        Fill& running = found->second;
        running.busy = false;
        running.databaseRead = heads.ok();
        running.actAt = heads ? now.mono : now.mono + limits::eventFillPause;
        if (heads && !heads->empty()) {
            const EventPlace before = intake.taken(source);
            intake.adopt(source, {heads->front().epoch, heads->front().sequence}, now);
            running.helped = running.helped || intake.taken(source) != before;
        }
    });
}

void EventFilling::askNext(const shoset::Address& source, Fill& fill, Now now)
{
    const std::optional<std::vector<shoset::Address>> nodes = others();
    const shoset::Address last = std::exchange(fill.asked, {});
    bool allInVain = nodes.has_value();
    shoset::Address next;
    for (const shoset::Address& node : nodes.value_or(std::vector<shoset::Address>())) {
        if (fill.inVain.contains(node)) {
            continue;
        }
        allInVain = false;
        if (links.takesEvents(node) && (next.empty() || next == last)) {
            next = node;
        }
    }
    if (!next.empty()) {
        return ask(next, source, fill, now);
    }
    const Duration age = now.mono - fill.begun;
    const bool offeredSince = fill.seen >= fill.begun + limits::eventHolePause;
    if (fill.tail ? allInVain || age >= (fill.onlyLooks() ? limits::eventFillLeast : limits::eventFillPatience)
                  : offeredSince && age >= (allInVain ? limits::eventFillLeast : limits::eventFillPatience)) {
        return giveUp(source, fill, allInVain, now);
    }
    if (age >= limits::eventFillPatience) {
        ended.insert(source);
        return;
    }
    fill.actAt = now.mono + limits::eventFillPause;
}

void EventFilling::ask(const shoset::Address& peer, const shoset::Address& source, Fill& fill, Now now)
{
    const std::uint64_t from = nextOf(source, fill.epoch);
    fill.asked = peer;
    fill.progressed = fill.refused = false;
    fill.actAt = now.mono + limits::eventFillAnswer;
    ++count.asked;
    links.tellEvents(peer, {}, shoset::EventsWanted{source, fill.epoch, from, std::min(fill.to, from + limits::eventFillSlice - 1), false}, {}, now);
}

void EventFilling::giveUp(const shoset::Address& source, Fill& fill, bool allInVain, Now now)
{
    if (fill.tail) {
        return endTail(source, fill, allInVain, now);
    }
    ++count.givenUp;
    ended.insert(source);
    storeLoss(source, fill.epoch, fill.to, now);
    intake.resume(source, now);
}

// Nobody has more of this epoch. Before the connector's own one is taken, those between are asked for.
void EventFilling::endTail(const shoset::Address& source, Fill& fill, bool allInVain, Now now)
{
    const std::uint64_t next = nextOf(source, fill.epoch);
    const bool isHole = fill.beyond > next;
    const bool mayLackSome = !allInVain || intake.taken(source).epoch < fill.epoch;  // who has it was not asked, or has it no more
    if (fill.closes && (isHole || mayLackSome) && !storeLoss(source, fill.epoch, isHole ? fill.beyond - 1 : next, now)) {
        fill.actAt = now.mono + limits::eventFillPause;
    } else if (fill.closes && isHole) {
        lookFurther(source, fill, now);
    } else if (fill.nextEpoch != 0 && (fill.closes || allInVain)) {
        ++count.epochs;
        intake.closeEpoch(source, fill.nextEpoch);
        fill.epoch = std::exchange(fill.nextEpoch, 0);
        lookFurther(source, fill, now);
    } else {
        ended.insert(source);
        if (fill.closes) {
            intake.closeEpoch(source);
        }
        if (fill.helped || !fill.onlyLooks()) {
            intake.resume(source, now);
        }
    }
}

std::uint64_t EventFilling::nextOf(const shoset::Address& source, std::uint64_t epoch) const
{
    const EventPlace taken = intake.taken(source);
    return taken.epoch == epoch ? taken.sequence + 1 : 1;
}

// False: there is no room for it just now.
bool EventFilling::storeLoss(const shoset::Address& source, std::uint64_t epoch, std::uint64_t to, Now now)
{
    shoset::Event loss;
    loss.epoch = epoch;
    loss.sequence = nextOf(source, epoch);
    loss.lostTo = to;
    return intake.offer(source, loss, {}, now) == Offered::taken;
}

void EventFilling::onEvent(const shoset::Address& peer, const shoset::Address& source, const shoset::Event& event,
                           std::string_view payload, Now now)
{
    const auto found = fills.find(source);
    if (found == fills.end() || found->second.asked != peer || event.epoch != found->second.epoch) {
        ++count.unasked;
        return;
    }
    Fill& fill = found->second;
    fill.actAt = now.mono + limits::eventFillAnswer;
    const Offered offered = intake.offer(source, event, payload, now);
    if (offered == Offered::taken) {
        fill.progressed = fill.helped = true;
    }
    const bool isNearer = fill.beyond <= nextOf(source, fill.epoch) || event.sequence < fill.beyond;
    fill.beyond = fill.tail && offered == Offered::hole && isNearer ? event.sequence : fill.beyond;
    fill.refused = fill.refused || offered == Offered::refused;
}

// Of a connector that has begun another epoch none can follow that one; of another it is not known.
void EventFilling::noteNextEpoch(const shoset::Address& source, Fill& fill, std::uint64_t epoch, Now now)
{
    const bool isBetween = epoch > fill.epoch && (fill.offered <= fill.epoch || epoch < fill.offered);
    if (fill.tail && isBetween && EventIntake::isCredible(source, epoch, now)) {
        fill.nextEpoch = fill.nextEpoch == 0 ? epoch : std::min(fill.nextEpoch, epoch);
    }
}

void EventFilling::onWanted(const shoset::Address& peer, const shoset::EventsWanted& wanted, Now now)
{
    if (!wanted.done) {
        return answer(peer, wanted, now);
    }
    const auto found = fills.find(wanted.connector);
    if (found == fills.end() || found->second.asked != peer || wanted.epoch != found->second.epoch) {
        return;
    }
    Fill& fill = found->second;
    noteNextEpoch(wanted.connector, fill, wanted.nextEpoch, now);
    const EventPlace taken = intake.taken(wanted.connector);
    const bool full = fill.refused || taken != intake.stored(wanted.connector);  // it may just not have been taken
    if (fill.progressed && !isDone(wanted.connector, fill)) {
        ask(peer, wanted.connector, fill, now);
    } else if (fill.progressed) {
        fill.actAt = now.mono;
    } else {
        if (!full) {
            fill.inVain.insert(peer);
        }
        fill.actAt = full ? now.mono + limits::eventFillPause : now.mono;
    }
}

void EventFilling::answer(const shoset::Address& peer, const shoset::EventsWanted& wanted, Now)
{
    if (reading >= limits::maxWantedReads || wanted.from > limits::maxEventNumber || wanted.epoch > limits::maxEventNumber) {
        ++count.notAnswered;
        return;
    }
    ++reading;
    history::SourceQuery query{std::string(shoset::tenantOf(wanted.connector)), std::string(shoset::nameOf(wanted.connector)), wanted.epoch,
                               wanted.from - 1, limits::eventFillSlice, limits::eventFillBytes};
    store.readSource(std::move(query), [this, peer, wanted, owner = std::weak_ptr<int>(alive)](const Result<history::SourcePage>& page, Now now) {
        if (owner.expired()) {
            return;
        }
        --reading;
        if (!page) {
            ++count.notAnswered;
            return;
        }
        shoset::EventsWanted done = wanted;
        done.done = true;
        for (const history::EventRecord& record : page->records) {
            if (record.epoch != wanted.epoch || record.sequence > wanted.to) {
                done.nextEpoch = record.epoch != wanted.epoch ? record.epoch : 0;
                break;
            }
            links.tellEvents(peer, wanted.connector, eventOf(record, 0), record.payload, now);
            ++count.answered;
        }
        links.tellEvents(peer, {}, done, {}, now);
    });
}

void EventFilling::onTimer(Now now)
{
    for (auto& [source, fill] : fills) {
        if (!fill.busy && fill.actAt <= now.mono) {
            step(source, fill, now);
        }
    }
    for (const shoset::Address& source : std::exchange(ended, {})) {
        fills.erase(source);
    }
    startLooks(now);
}

Instant EventFilling::nextDeadline() const
{
    const bool nowRead = std::any_of(unread.begin(), unread.end(), [this](const std::string& tenant) { return intake.isReady(tenant); });
    Instant next = nowRead ? Instant{} : never;
    for (const auto& [source, fill] : fills) {
        next = std::min(next, fill.actAt);
    }
    return next;
}

}  // namespace mesh::aggregator
