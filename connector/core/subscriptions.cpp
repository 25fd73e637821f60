#include "connector/core/subscriptions.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"

#include <algorithm>

namespace mesh::connector {

Subscriptions::Subscriptions(SubscriptionHost& owner) : host(owner) {}

// For events that may come beyond those that its worker has not taken.
std::uint64_t Subscriptions::Subscription::room() const
{
    return outstanding() < limits::subscriptionWindow ? limits::subscriptionWindow - outstanding() : 0;
}

std::uint64_t Subscriptions::Subscription::outstanding() const
{
    return delivered + waitingEvents - taken;
}

Subscriptions::Numbered::iterator Subscriptions::find(WorkerId worker, std::string_view name)
{
    return std::find_if(subscriptions.begin(), subscriptions.end(),
                        [&](const auto& entry) { return entry.second.worker == worker && entry.second.name == name; });
}

void Subscriptions::add(WorkerId worker, WorkerSubscribe word, Now now)
{
    if (const auto same = find(worker, word.subscription); same != subscriptions.end()) {
        end(same, now);
    }
    if (subscriptions.size() >= limits::maxWorkerSubscriptions) {
        ++count.refused;
        return refuse(worker, word.subscription, "full",
                      "expected at most " + std::to_string(limits::maxWorkerSubscriptions) + " subscriptions at one connector", now);
    }
    Subscription fresh;
    fresh.worker = worker;
    fresh.name = std::move(word.subscription);
    fresh.topics = std::move(word.topics);
    fresh.fromNow = word.fromNow;
    for (const shoset::EventCursor& cursor : word.cursors) {
        fresh.had[cursor.source] = {cursor.epoch, cursor.sequence};
    }
    const auto [at, added] = subscriptions.emplace(++lastNumber, std::move(fresh));
    put(at->second, {subscribedWord(at->second.name), false}, now);
    place(at->first, at->second, now);
}

void Subscriptions::refuse(WorkerId worker, const std::string& name, std::string_view code, std::string_view reason, Now now)
{
    if (untold.size() >= limits::maxUntoldWords) {
        ++count.wordsLost;
        return;
    }
    untold.emplace_back(worker, notSubscribedWord(name, code, reason));
    tellUntold(now);
}

// A worker that is gone waits for nothing.
void Subscriptions::tellUntold(Now now)
{
    std::set<WorkerId> full;
    std::erase_if(untold, [&](const auto& entry) {
        const bool isFull = full.contains(entry.first) || host.tellWorker(entry.first, entry.second) == Code::full;
        if (isFull) {
            full.insert(entry.first);
        }
        return !isFull;
    });
    if (!full.empty()) {
        ++count.workerFull;
        retryAt = std::min(retryAt, now.mono + limits::workerRetry);
    }
}

void Subscriptions::remove(WorkerId worker, const std::string& name, Now now)
{
    if (const auto found = find(worker, name); found != subscriptions.end()) {
        end(found, now);
    }
}

void Subscriptions::onWorkerEnded(WorkerId worker, Now now)
{
    std::erase_if(untold, [worker](const auto& entry) { return entry.first == worker; });
    for (auto at = subscriptions.begin(); at != subscriptions.end();) {
        at = at->second.worker == worker ? end(at, now) : std::next(at);
    }
}

Subscriptions::Numbered::iterator Subscriptions::end(Numbered::iterator at, Now now)
{
    leave(at->first, at->second, now);
    return subscriptions.erase(at);
}

void Subscriptions::leave(std::uint64_t number, Subscription& subscription, Now now)
{
    if (subscription.link) {
        --links.at(*subscription.link).subscriptions;
        shoset::Subscribe none;
        none.subscription = number;
        host.tellAggregator(*subscription.link, std::move(none), now);
        subscription.link.reset();
    }
}

// What is still on its way to it would hide what was dropped before that, if it were asked for anew under the same number.
void Subscriptions::renumber(Numbered::iterator at)
{
    auto moved = subscriptions.extract(at);
    moved.key() = ++lastNumber;
    subscriptions.insert(std::move(moved));
}

// The link with the fewest of those that have not refused it. What was had beyond limits::maxEventCursors sources comes again, and is
// dropped here; but one that has not begun at all sources yet begins anew at the others, as nobody wants all that is stored there.
void Subscriptions::place(std::uint64_t number, Subscription& subscription, Now now)
{
    auto least = links.end();
    for (auto way = links.begin(); way != links.end(); ++way) {
        const bool isFewer = least == links.end() || way->second.subscriptions < least->second.subscriptions;
        least = isFewer && !subscription.refusedBy.contains(way->first) ? way : least;
    }
    if (subscription.link || links.empty() || subscription.room() == 0) {
        return;
    }
    if (least == links.end()) {
        return placeAgain(subscription, now);
    }
    shoset::Subscribe word;
    word.subscription = number;
    word.topics = subscription.topics;
    word.fromNow = subscription.fromNow;
    for (const auto& [source, place] : subscription.had) {
        if (word.cursors.size() < limits::maxEventCursors) {
            word.cursors.push_back({source, place.first, place.second});
        }
    }
    word.credit = subscription.room();
    subscription.received = 0;
    subscription.credit = word.credit;
    subscription.placedAt = now.mono;
    if (host.tellAggregator(least->first, std::move(word), now)) {
        subscription.link = least->first;
        ++least->second.subscriptions;
    } else {
        placeAt = std::min(placeAt, now.mono + limits::subscriptionRetry);
    }
}

bool Subscriptions::isRefusedByAll(const Subscription& subscription) const
{
    return !links.empty() && std::all_of(links.begin(), links.end(), [&](const auto& way) { return subscription.refusedBy.contains(way.first); });
}

// One that never began ends with the next look.
void Subscriptions::placeAgain(const Subscription& subscription, Now now)
{
    placeAt = std::min(placeAt, subscription.begun ? now.mono + limits::subscriptionRetry : now.mono);
}

void Subscriptions::placeRefused(Now now)
{
    placeAt = never;
    for (auto at = subscriptions.begin(); at != subscriptions.end();) {
        Subscription& subscription = at->second;
        if (!subscription.link && isRefusedByAll(subscription)) {
            if (!subscription.begun) {
                refuse(subscription.worker, subscription.name, "full", subscription.refusal, now);
                at = subscriptions.erase(at);
                continue;
            }
            subscription.refusedBy.clear();
        }
        place(at->first, subscription, now);
        ++at;
    }
}

void Subscriptions::onLinkUp(shoset::LinkId link, Now now, bool creditsLosses)
{
    links.emplace(link, Way{creditsLosses, 0});
    for (auto& [number, subscription] : subscriptions) {
        place(number, subscription, now);
    }
}

void Subscriptions::onLinkDown(shoset::LinkId link, Now now)
{
    if (links.erase(link) == 0) {
        return;
    }
    for (auto& [number, subscription] : subscriptions) {
        subscription.refusedBy.erase(link);
        if (subscription.link == link) {
            subscription.link.reset();
            subscription.begun = subscription.begun || now.mono - subscription.placedAt >= limits::subscriptionRetry;
            ++count.moved;
            place(number, subscription, now);
        }
    }
}

// False: all up to there were had.
bool Subscriptions::raise(Subscription& subscription, const shoset::Address& source, Place place)
{
    const auto known = subscription.had.find(source);
    if (known != subscription.had.end()) {
        const bool isNew = known->second < place;
        known->second = std::max(known->second, place);
        return isNew;
    }
    if (subscription.had.size() < limits::maxConnectors) {
        subscription.had.emplace(source, place);
    }
    return true;
}

void Subscriptions::onEvent(shoset::LinkId link, const shoset::Address& source, const shoset::Event& event,
                            std::string_view payload, Now now)
{
    const auto found = subscriptions.find(event.subscription);
    if (found == subscriptions.end() || found->second.link != link) {
        ++count.unwanted;
        return;
    }
    Subscription& subscription = found->second;
    if (subscription.outstanding() >= 2 * limits::subscriptionWindow) {
        leave(found->first, subscription, now);
        return renumber(found);
    }
    subscription.begun = true;
    subscription.fromNow = false;  // where it begins was said before
    subscription.received += event.lostTo == 0 || links.at(link).creditsLosses ? 1 : 0;
    Result<std::string> checked = payload.empty()
                                      ? Result<std::string>(std::string())
                                      : shoset::compactJson(payload, limits::maxEventBytes, limits::maxPayloadDepth);
    const std::uint64_t last = event.lostTo != 0 ? event.lostTo : event.sequence;
    if (!raise(subscription, source, {event.epoch, last})) {
        ++count.duplicates;
    } else if (!checked) {
        ++count.malformed;
    } else {
        count.gaps += event.lostTo != 0 ? 1 : 0;
        put(subscription, {eventWord(subscription.name, source, event, *checked), true}, now);
    }
    grant(found->first, subscription, now);
}

// Sources that it did not know yet began before, and whatever comes of those that appear later is new. An older aggregator does not
// say whether more places follow: they do behind as many as there can be at once.
void Subscriptions::onBegun(shoset::LinkId link, const shoset::Subscribe& word, Now now)
{
    const auto found = subscriptions.find(word.subscription);
    if (found == subscriptions.end() || found->second.link != link || !word.topics.empty()) {
        ++count.unwanted;
        return;
    }
    Subscription& subscription = found->second;
    const bool isExact = links.at(link).creditsLosses;
    if (!word.refused.empty() && isExact) {
        return onRefused(found->first, subscription, word.refused, now);
    }
    subscription.begun = true;
    const bool moreFollow = isExact ? word.more : word.cursors.size() == limits::maxEventCursors;
    subscription.fromNow = subscription.fromNow && moreFollow;
    std::vector<shoset::EventCursor> begins;
    for (const shoset::EventCursor& cursor : word.cursors) {
        if (raise(subscription, cursor.source, {cursor.epoch, cursor.sequence})) {
            begins.push_back(cursor);
        }
    }
    if (!begins.empty()) {
        put(subscription, {cursorWord(subscription.name, begins), false}, now);
    }
}

void Subscriptions::onRefused(std::uint64_t number, Subscription& subscription, const std::string& reason, Now now)
{
    ++count.refusedThere;
    --links.at(*subscription.link).subscriptions;
    subscription.refusedBy.insert(*subscription.link);
    subscription.refusal = reason;
    subscription.link.reset();
    place(number, subscription, now);
}

// Events are bounded by their credit; where it begins may be said as often as an aggregator likes.
void Subscriptions::put(Subscription& subscription, Waiting word, Now now)
{
    if (!word.isEvent && subscription.waiting.size() - subscription.waitingEvents >= limits::maxBeginningWords) {
        ++count.wordsLost;
        return;
    }
    subscription.waitingEvents += word.isEvent ? 1 : 0;
    subscription.waiting.push_back(std::move(word));
    drain(subscription, now);
}

// In their order. A worker that is gone is told of by its socket, soon.
void Subscriptions::drain(Subscription& subscription, Now now)
{
    while (!subscription.waiting.empty()) {
        const Waiting& first = subscription.waiting.front();
        if (host.tellWorker(subscription.worker, first.word) != Code::ok) {
            ++count.workerFull;
            retryAt = std::min(retryAt, now.mono + limits::workerRetry);
            return;
        }
        subscription.waitingEvents -= first.isEvent ? 1 : 0;
        subscription.delivered += first.isEvent ? 1 : 0;
        count.delivered += first.isEvent ? 1 : 0;
        subscription.waiting.pop_front();
    }
}

void Subscriptions::onTaken(WorkerId worker, const WorkerTaken& word, Now now)
{
    const auto found = find(worker, word.subscription);
    if (found == subscriptions.end()) {
        return;
    }
    Subscription& subscription = found->second;
    subscription.taken = std::max(subscription.taken, std::min(word.total, subscription.delivered));
    drain(subscription, now);
    grant(found->first, subscription, now);
    place(found->first, subscription, now);
}

// Not for each single one that was taken.
void Subscriptions::grant(std::uint64_t number, Subscription& subscription, Now now)
{
    const std::uint64_t total = subscription.received + subscription.room();
    if (subscription.link && total >= subscription.credit + limits::subscriptionWindow / 4) {
        subscription.credit = total;
        host.tellAggregator(*subscription.link, shoset::EventsTaken{number, total}, now);
    }
}

void Subscriptions::onTimer(Now now)
{
    if (placeAt <= now.mono) {
        placeRefused(now);
    }
    if (now.mono < retryAt) {
        return;
    }
    retryAt = never;
    tellUntold(now);
    for (auto& [number, subscription] : subscriptions) {
        drain(subscription, now);
    }
}

}  // namespace mesh::connector
