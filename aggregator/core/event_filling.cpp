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
        running->second.closes = running->second.closes || (tail && running->second.epoch == taken.epoch);
        return false;
    }
    if (fills.size() >= limits::maxEventFills) {
        return false;  // what is missing is noticed again
    }
    Fill fill;
    fill.tail = fill.closes = tail;
    fill.epoch = tail ? taken.epoch : event.epoch;
    fill.to = tail ? limits::maxEventNumber : event.sequence - 1;
    fill.begunAt = taken;
    fill.begun = fill.seen = now.mono;
    fill.actAt = now.mono + (tail ? Duration::zero() : limits::eventFillDelay);
    fills.emplace(source, std::move(fill));
    ++count.begun;
    return false;
}

void EventFilling::onConnectorUp(const shoset::Address& source, Now now)
{
    const EventPlace taken = intake.taken(source);
    if (taken.epoch == 0 || fills.size() >= limits::maxEventFills || fills.contains(source)) {
        return;  // then its next event shows what is missing
    }
    Fill fill;
    fill.tail = true;
    fill.epoch = taken.epoch;
    fill.to = limits::maxEventNumber;
    fill.begunAt = taken;
    fill.begun = fill.seen = now.mono;
    fill.actAt = now.mono + limits::eventFillDelay;
    fills.emplace(source, std::move(fill));
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
            lookFurther(fill, now);
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
void EventFilling::lookFurther(Fill& fill, Now now)
{
    fill.tail = true;
    fill.to = limits::maxEventNumber;
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
        return giveUp(source, fill, now);
    }
    if (age >= limits::eventFillPatience) {
        ended.insert(source);
        return;
    }
    fill.actAt = now.mono + limits::eventFillPause;
}

void EventFilling::ask(const shoset::Address& peer, const shoset::Address& source, Fill& fill, Now now)
{
    const EventPlace taken = intake.taken(source);
    const std::uint64_t from = taken.epoch == fill.epoch ? taken.sequence + 1 : 1;
    fill.asked = peer;
    fill.progressed = fill.refused = false;
    fill.actAt = now.mono + limits::eventFillAnswer;
    ++count.asked;
    links.tellEvents(peer, {}, shoset::EventsWanted{source, fill.epoch, from, std::min(fill.to, from + limits::eventFillSlice - 1), false}, {}, now);
}

void EventFilling::giveUp(const shoset::Address& source, const Fill& fill, Now now)
{
    count.givenUp += fill.tail ? 0 : 1;
    ended.insert(source);
    if (fill.tail && fill.closes) {
        intake.closeEpoch(source);
    } else if (!fill.tail) {
        const EventPlace taken = intake.taken(source);
        shoset::Event loss;
        loss.epoch = fill.epoch;
        loss.sequence = taken.epoch == fill.epoch ? taken.sequence + 1 : 1;
        loss.lostTo = fill.to;
        intake.offer(source, loss, {}, now);
    }
    if (fill.helped || !fill.onlyLooks()) {
        intake.resume(source, now);
    }
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
    fill.refused = fill.refused || offered == Offered::refused;
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
        for (const history::EventRecord& record : page->records) {
            if (record.epoch != wanted.epoch || record.sequence > wanted.to) {
                break;
            }
            links.tellEvents(peer, wanted.connector, eventOf(record, 0), record.payload, now);
            ++count.answered;
        }
        shoset::EventsWanted done = wanted;
        done.done = true;
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
}

Instant EventFilling::nextDeadline() const
{
    Instant next = never;
    for (const auto& [source, fill] : fills) {
        next = std::min(next, fill.actAt);
    }
    return next;
}

}  // namespace mesh::aggregator
