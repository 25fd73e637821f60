#include "aggregator/core/event_subscriptions.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

// A connector's: the mesh's own events are for people.
bool isPassedOn(const shoset::Address& source, const shoset::Address& subscriber)
{
    return source != subscriber && shoset::tenantOf(source) == shoset::tenantOf(subscriber) && !shoset::nameOf(source).starts_with('@');
}

// Behind one event of an epoch, which may have more of them. Behind the last number there can be is none.
bool isInside(EventPlace place)
{
    return place.epoch != 0 && place.sequence != 0 && place.sequence < limits::maxEventNumber;
}

}  // namespace

EventSubscriptions::EventSubscriptions(EventStorePort& eventStore, EventLinks& eventLinks, const EventIntake& eventIntake,
                                       const RecentEvents& recentEvents)
    : store(eventStore), links(eventLinks), intake(eventIntake), recent(recentEvents)
{
}

bool EventSubscriptions::Subscription::hasRoom(Now now) const
{
    return sent < total && (burst < limits::subscriptionBytes || burstEnd <= now.mono);
}

bool EventSubscriptions::Subscription::hasRoomForLoss(Now now) const
{
    return (!creditsLosses || sent < total) && (burstLosses < limits::subscriptionLosses || burstEnd <= now.mono);
}

void EventSubscriptions::Subscription::spend(std::size_t bytes, bool isLoss, Now now)
{
    if (burstEnd <= now.mono) {
        burst = burstLosses = 0;
        burstEnd = now.mono + limits::subscriptionPause;
    }
    burst += bytes;
    burstLosses += isLoss ? 1 : 0;
    sent += isLoss && !creditsLosses ? 0 : 1;
}

EventSubscriptions::Subscription* EventSubscriptions::find(const Key& key)
{
    const auto ofOne = all.find(key.first);
    const auto found = ofOne == all.end() ? std::map<std::uint64_t, Subscription>::iterator{} : ofOne->second.find(key.second);
    return ofOne == all.end() || found == ofOne->second.end() ? nullptr : &found->second;
}

void EventSubscriptions::erase(const Key& key)
{
    const auto ofOne = all.find(key.first);
    if (ofOne == all.end()) {
        return;
    }
    if (const auto gone = ofOne->second.find(key.second); gone != ofOne->second.end()) {
        release(key.first, gone->second);
        ofOne->second.erase(gone);
    }
    if (ofOne->second.empty()) {
        all.erase(ofOne);
    }
}

void EventSubscriptions::release(const shoset::Address& subscriber, const Subscription& gone)
{
    --count;
    held -= gone.heldBytes;
    const auto share = shares.find(shoset::tenantOf(subscriber));
    share->second.heldBytes -= gone.heldBytes;
    if (--share->second.subscriptions == 0) {
        shares.erase(share);
    }
}

std::string EventSubscriptions::whyRefused(const shoset::Address& subscriber)
{
    const auto ofOne = all.find(subscriber);
    const auto share = shares.find(shoset::tenantOf(subscriber));
    const std::size_t ofTenant = share == shares.end() ? 0 : share->second.subscriptions;
    if (ofOne != all.end() && ofOne->second.size() >= limits::maxSubscriptionsPerConnector) {
        ++counted.refused;
        return "expected at most " + std::to_string(limits::maxSubscriptionsPerConnector) + " subscriptions of one connector";
    }
    if (ofTenant >= limits::maxTenantSubscriptions) {
        ++counted.refusedTenant;
        return "expected at most " + std::to_string(limits::maxTenantSubscriptions) + " subscriptions of one tenant at one aggregator";
    }
    if (count >= limits::maxSubscriptions && ofTenant >= limits::leastTenantSubscriptions) {
        ++counted.refused;
        return "the aggregator has too many subscriptions";
    }
    return {};
}

void EventSubscriptions::onSubscribe(const shoset::Address& subscriber, shoset::Subscribe wish, Now now)
{
    const Key key{subscriber, wish.subscription};
    erase(key);
    if (wish.topics.empty()) {
        return;
    }
    const bool isExact = links.creditsLosses(subscriber);
    if (std::string why = whyRefused(subscriber); !why.empty()) {
        if (isExact) {
            shoset::Subscribe refusal;
            refusal.subscription = key.second;
            refusal.refused = std::move(why);
            links.tellEvents(subscriber, {}, std::move(refusal), {}, now);
        }
        return;
    }
    ++count;
    ++shares[std::string(shoset::tenantOf(subscriber))].subscriptions;
    Subscription& made = all[subscriber][wish.subscription];
    made.serial = ++lastSerial;
    made.topics = std::move(wish.topics);
    made.cursors = std::move(wish.cursors);
    made.fromNow = wish.fromNow;
    made.creditsLosses = isExact;
    made.total = wish.credit;
    begin(key, made, now);
}

void EventSubscriptions::begin(const Key& key, Subscription& to, Now now)
{
    if (!intake.isReady(shoset::tenantOf(key.first))) {
        tenantsWait.emplace(shoset::tenantOf(key.first));
        return;
    }
    to.begun = true;
    for (const shoset::EventCursor& cursor : to.cursors) {
        if (isPassedOn(cursor.source, key.first)) {
            // No event is behind the last number there can be: a database would count on from below 0.
            to.places[cursor.source] = {std::min(cursor.epoch, limits::maxEventNumber), std::min(cursor.sequence, limits::maxEventNumber)};
        } else {
            ++counted.foreign;
        }
    }
    to.cursors = {};
    std::vector<shoset::EventCursor> places;
    intake.forEachOf(shoset::tenantOf(key.first), [&](const shoset::Address& source, EventPlace stored) {
        if (!isPassedOn(source, key.first)) {
            return;
        }
        const auto place = to.places.find(source);
        const EventPlace from = place != to.places.end() ? place->second : stored;
        places.push_back({source, from.epoch, from.sequence});
        const bool wanted = place != to.places.end() ? place->second < stored : !to.fromNow && stored != EventPlace{};
        if (wanted && to.isBehind.insert(source).second) {
            to.behind.push_back(source);
        }
    });
    if (to.fromNow) {
        tellBeginning(key, places, now);
    }
    pump(key, to, now);
}

// So that it can go on from there at another aggregator.
void EventSubscriptions::tellBeginning(const Key& key, const std::vector<shoset::EventCursor>& places, Now now)
{
    std::size_t at = 0;
    do {
        shoset::Subscribe told;
        told.subscription = key.second;
        for (; at < places.size() && told.cursors.size() < limits::maxEventCursors; ++at) {
            told.cursors.push_back(places[at]);
        }
        told.more = at < places.size();
        links.tellEvents(key.first, {}, std::move(told), {}, now);
    } while (at < places.size());
}

void EventSubscriptions::onTaken(const shoset::Address& subscriber, const shoset::EventsTaken& taken, Now now)
{
    const Key key{subscriber, taken.subscription};
    Subscription* to = find(key);
    if (to == nullptr || taken.total <= to->total) {
        return;
    }
    to->total = taken.total;
    pump(key, *to, now);
}

void EventSubscriptions::onLinkDown(const shoset::Address& subscriber)
{
    if (const auto found = all.find(subscriber); found != all.end()) {
        for (const auto& [number, gone] : found->second) {
            release(subscriber, gone);
        }
        all.erase(found);
    }
}

void EventSubscriptions::onStored(const StoredRun& run, Now now)
{
    const std::string prefix = std::string(shoset::tenantOf(run.source)) + "/";
    for (auto ofOne = all.lower_bound(prefix); ofOne != all.end() && ofOne->first.starts_with(prefix); ++ofOne) {
        if (!isPassedOn(run.source, ofOne->first)) {
            continue;
        }
        for (auto& [number, to] : ofOne->second) {
            if (!to.begun) {
                continue;
            }
            to.places.try_emplace(run.source, to.fromNow ? run.before : EventPlace{});
            if (to.isBehind.insert(run.source).second) {
                to.behind.push_back(run.source);
            }
            pump({ofOne->first, number}, to, now);
        }
    }
}

// Until there is no room, nothing more, or a page has to be read.
void EventSubscriptions::pump(const Key& key, Subscription& to, Now now)
{
    bool isBlocked = false;
    while (!isBlocked && !to.reading && to.hasRoom(now) && !to.behind.empty()) {
        const shoset::Address source = to.behind.front();
        const EventPlace place = to.places[source];
        if (!to.page.empty()) {
            isBlocked = !sendPage(key, to, now);
            if (!isBlocked) {
                to.behind.pop_front();
                to.behind.push_back(source);  // others have their turn
            }
        } else if (place >= intake.stored(source)) {
            to.behind.pop_front();
            to.isBehind.erase(source);
        } else if (const auto known = recent.behind(source, place, limits::eventPage, limits::eventPageBytes); known && !known->empty()) {
            to.page.assign(known->begin(), known->end());
            to.pageWasRead = to.restLost = false;
        } else {
            readLater(key, to);
        }
    }
    rest(key, to, now);
}

// Who has credit goes on after a pause; who has none, when there is some. What is remembered is looked for again then: it may
// be forgotten meanwhile, which makes it the store's.
void EventSubscriptions::rest(const Key& key, Subscription& to, Now now)
{
    if (!to.pageWasRead) {
        to.page.clear();
    }
    hold(key.first, to);
    if (!to.reading && !to.behind.empty() && to.sent < to.total) {
        pacedUntil = std::min(pacedUntil, to.burstEnd > now.mono ? to.burstEnd : now.mono + limits::subscriptionPause);
    }
}

void EventSubscriptions::hold(const shoset::Address& subscriber, Subscription& to)
{
    if (to.page.size() == to.heldEvents) {
        return;
    }
    Share& share = shares[std::string(shoset::tenantOf(subscriber))];
    held -= to.heldBytes;
    share.heldBytes -= to.heldBytes;
    std::size_t bytes = 0;
    for (const EventPtr& record : to.page) {
        bytes += history::storedBytes(*record);
    }
    if (held + bytes > limits::maxHeldPageBytes || share.heldBytes + bytes > limits::maxHeldTenantPageBytes) {
        to.page.clear();
        bytes = 0;
        ++counted.pagesDropped;
    }
    to.heldEvents = to.page.size();
    to.heldBytes = bytes;
    held += bytes;
    share.heldBytes += bytes;
}

bool EventSubscriptions::sendPage(const Key& key, Subscription& to, Now now)
{
    const shoset::Address& source = to.behind.front();
    EventPlace& place = to.places[source];
    if (to.restLost) {
        if (!tellLoss(key, to, source, {place.epoch, place.sequence + 1}, place.sequence + 1, now)) {
            return false;
        }
        place.sequence = limits::maxEventNumber;
        to.restLost = false;
    }
    Run run;
    bool goesOn = true;
    while (goesOn && !to.page.empty()) {
        const history::EventRecord& record = *to.page.front();
        const std::uint64_t before = to.sent;
        goesOn = placeBehind(record) <= place || send(key, to, record, place, now);
        if (to.sent != before) {
            noteRun(key, source, run, {record.epoch, record.sequence}, now);
        }
        if (goesOn) {
            place = std::max(place, placeBehind(record));
            to.page.pop_front();
        }
    }
    noteRun(key, source, run, {}, now);
    return goesOn;
}

// One note for those that follow each other; `next` ends them where it does not.
void EventSubscriptions::noteRun(const Key& key, const shoset::Address& source, Run& run, EventPlace next, Now now)
{
    if (next.epoch != 0 && next.epoch == run.last.epoch && next.sequence == run.last.sequence + 1) {
        run.last = next;
        return;
    }
    const Run ended = std::exchange(run, Run{next, next});
    if (notes != nullptr && ended.first.epoch != 0) {
        notes->add(HopRing::events, shoset::tenantOf(source),
                   {.kind = shoset::Kind::event, .fate = HopFate::sent, .id = idOfPlace(ended.first.epoch, ended.first.sequence),
                    .about = idOfPlace(ended.last.epoch, ended.last.sequence), .from = source, .to = key.first, .over = key.first},
                   now);
    }
}

bool EventSubscriptions::send(const Key& key, Subscription& to, const history::EventRecord& record, EventPlace& place, Now now)
{
    const shoset::Address& source = to.behind.front();
    const std::uint64_t next = record.epoch == place.epoch ? place.sequence + 1 : 1;
    if (place.epoch != 0 && record.sequence > next) {  // retention was there first
        if (!tellLoss(key, to, source, {record.epoch, next}, record.sequence - 1, now)) {
            return false;
        }
        place = {record.epoch, record.sequence - 1};
    }
    if (record.lostTo != 0) {
        return tellLoss(key, to, source, {record.epoch, std::max(record.sequence, next)}, record.lostTo, now);
    }
    const bool wanted = std::any_of(to.topics.begin(), to.topics.end(),
                                    [&](const std::string& pattern) { return shoset::topicMatches(pattern, record.topic); });
    if (!wanted) {
        return true;
    }
    if (!to.hasRoom(now) || !links.tellEvents(key.first, source, eventOf(record, key.second), record.payload, now)) {
        return false;
    }
    to.spend(record.payload.size(), false, now);
    ++counted.delivered;
    return true;
}

// One for each hole. Costs credit where the subscriber knows that.
bool EventSubscriptions::tellLoss(const Key& key, Subscription& to, const shoset::Address& source, EventPlace from, std::uint64_t last, Now now)
{
    shoset::Event loss;
    loss.epoch = from.epoch;
    loss.sequence = from.sequence;
    loss.lostTo = last;
    loss.subscription = key.second;
    if (!to.hasRoomForLoss(now) || !links.tellEvents(key.first, source, loss, {}, now)) {
        return false;
    }
    to.spend(0, true, now);
    ++counted.losses;
    return true;
}

void EventSubscriptions::readLater(const Key& key, Subscription& to)
{
    to.reading = true;
    toRead.emplace_back(key, to.serial);
}

void EventSubscriptions::read(Now)
{
    while (reading < limits::maxEventReads && !toRead.empty()) {
        const auto [key, serial] = std::move(toRead.front());
        toRead.pop_front();
        Subscription* to = find(key);
        if (to == nullptr || to->serial != serial) {
            continue;
        }
        const shoset::Address source = to->behind.front();
        const EventPlace place = to->places[source];
        ++reading;
        ++counted.pages;
        // With the last one that it had: while that is there, nothing behind it was removed.
        const std::size_t had = isInside(place) ? 1 : 0;
        store.readSource({std::string(shoset::tenantOf(source)), std::string(shoset::nameOf(source)), place.epoch, place.sequence - had,
                          limits::eventPage + had, limits::eventPageBytes},
                         [this, key = key, serial = serial, source, owner = std::weak_ptr<int>(alive)](const Result<history::SourcePage>& page, Now now) {
                             if (!owner.expired()) {
                                 --reading;
                                 onPage(key, serial, source, page, now);
                             }
                         });
    }
}

void EventSubscriptions::onPage(const Key& key, std::uint64_t serial, const shoset::Address& source, const Result<history::SourcePage>& page,
                                Now now)
{
    Subscription* to = find(key);
    if (to == nullptr || to->serial != serial) {
        return;
    }
    if (!page) {
        ++counted.failedReads;
        toRead.emplace_back(key, serial);
        retryAt = now.mono + limits::eventReadRetry;
        return;
    }
    to->reading = false;
    to->pageWasRead = true;
    const EventPlace place = to->places[source];
    to->restLost = isInside(place) && !page->records.empty() && page->records.front().epoch != place.epoch;
    for (const history::EventRecord& record : page->records) {
        if (placeBehind(record) > place) {
            to->page.push_back(std::make_shared<const history::EventRecord>(record));
        }
    }
    if (to->page.empty() && !passOver(key, *to, source, now)) {
        return rest(key, *to, now);
    }
    pump(key, *to, now);
}

// Retention has removed all there was. False: there is no room to say so.
bool EventSubscriptions::passOver(const Key& key, Subscription& to, const shoset::Address& source, Now now)
{
    EventPlace& place = to.places[source];
    const EventPlace head = intake.stored(source);
    if (head <= place) {
        return true;
    }
    const std::uint64_t next = head.epoch == place.epoch ? place.sequence + 1 : 1;
    if (place.epoch != 0 && !tellLoss(key, to, source, {head.epoch, next}, head.sequence, now)) {
        return false;
    }
    place = head;
    return true;
}

bool EventSubscriptions::someCanBegin() const
{
    return std::any_of(tenantsWait.begin(), tenantsWait.end(), [this](const std::string& tenant) { return intake.isReady(tenant); });
}

void EventSubscriptions::onTimer(Now now)
{
    if (someCanBegin()) {
        tenantsWait.clear();  // who has to wait on says so again
        for (auto& [subscriber, ofOne] : all) {
            for (auto& [number, to] : ofOne) {
                if (!to.begun) {
                    begin({subscriber, number}, to, now);
                }
            }
        }
    }
    if (pacedUntil <= now.mono) {
        pacedUntil = never;
        for (auto& [subscriber, ofOne] : all) {
            for (auto& [number, to] : ofOne) {
                pump({subscriber, number}, to, now);
            }
        }
    }
    if (retryAt == never || retryAt <= now.mono) {
        retryAt = never;
        read(now);
    }
}

Instant EventSubscriptions::nextDeadline() const
{
    if (someCanBegin() || (retryAt == never && reading < limits::maxEventReads && !toRead.empty())) {
        return Instant{};
    }
    return std::min(retryAt, pacedUntil);
}

}  // namespace mesh::aggregator
