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
    return delivered + waiting.size() - taken;
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
        host.tellWorker(worker, notSubscribedWord(word.subscription, "full",
                                                  "expected at most " + std::to_string(limits::maxWorkerSubscriptions) +
                                                      " subscriptions at one connector"));
        return;
    }
    Subscription fresh;
    fresh.worker = worker;
    fresh.name = std::move(word.subscription);
    fresh.topics = std::move(word.topics);
    fresh.fromNow = word.fromNow;
    for (const shoset::EventCursor& cursor : word.cursors) {
        fresh.had[cursor.source] = {cursor.epoch, cursor.sequence};
    }
    host.tellWorker(worker, subscribedWord(fresh.name));
    const auto [at, added] = subscriptions.emplace(++lastNumber, std::move(fresh));
    place(at->first, at->second, now);
}

void Subscriptions::remove(WorkerId worker, const std::string& name, Now now)
{
    if (const auto found = find(worker, name); found != subscriptions.end()) {
        end(found, now);
    }
}

void Subscriptions::onWorkerEnded(WorkerId worker, Now now)
{
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
        --links.at(*subscription.link);
        shoset::Subscribe none;
        none.subscription = number;
        host.tellAggregator(*subscription.link, std::move(none), now);
        subscription.link.reset();
    }
}

// The link with the fewest. What was had beyond limits::maxEventCursors sources comes again, and is dropped here.
void Subscriptions::place(std::uint64_t number, Subscription& subscription, Now now)
{
    const auto least =
        std::min_element(links.begin(), links.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (subscription.link || least == links.end() || subscription.room() == 0) {
        return;
    }
    shoset::Subscribe word;
    word.subscription = number;
    word.topics = subscription.topics;
    word.fromNow = subscription.fromNow && subscription.had.size() <= limits::maxEventCursors;
    for (const auto& [source, place] : subscription.had) {
        if (word.cursors.size() < limits::maxEventCursors) {
            word.cursors.push_back({source, place.first, place.second});
        }
    }
    word.credit = subscription.room();
    subscription.received = 0;
    subscription.credit = word.credit;
    if (host.tellAggregator(least->first, std::move(word), now)) {
        subscription.link = least->first;
        ++least->second;
    }
}

void Subscriptions::onLinkUp(shoset::LinkId link, Now now)
{
    links.emplace(link, 0);
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
        if (subscription.link == link) {
            subscription.link.reset();
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
        return leave(found->first, subscription, now);
    }
    subscription.received += event.lostTo == 0 ? 1 : 0;  // a gap needs no credit
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
        deliver(subscription, eventWord(subscription.name, source, event, *checked), now);
    }
    grant(found->first, subscription, now);
}

// Sources that it did not know yet began before, and whatever comes of those that appear later is new.
void Subscriptions::onBegun(shoset::LinkId link, const shoset::Subscribe& word, Now)
{
    const auto found = subscriptions.find(word.subscription);
    if (found == subscriptions.end() || found->second.link != link || !word.topics.empty()) {
        ++count.unwanted;
        return;
    }
    found->second.fromNow = false;
    std::vector<shoset::EventCursor> begins;
    for (const shoset::EventCursor& cursor : word.cursors) {
        if (raise(found->second, cursor.source, {cursor.epoch, cursor.sequence})) {
            begins.push_back(cursor);
        }
    }
    if (!begins.empty()) {
        host.tellWorker(found->second.worker, cursorWord(found->second.name, begins));
    }
}

void Subscriptions::deliver(Subscription& subscription, std::string word, Now now)
{
    subscription.waiting.push_back(std::move(word));
    drain(subscription, now);
}

// In their order. A worker that is gone is told of by its socket, soon.
void Subscriptions::drain(Subscription& subscription, Now now)
{
    while (!subscription.waiting.empty()) {
        if (host.tellWorker(subscription.worker, subscription.waiting.front()) != Code::ok) {
            ++count.workerFull;
            retryAt = std::min(retryAt, now.mono + limits::workerRetry);
            return;
        }
        subscription.waiting.pop_front();
        ++subscription.delivered;
        ++count.delivered;
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
    if (now.mono < retryAt) {
        return;
    }
    retryAt = never;
    for (auto& [number, subscription] : subscriptions) {
        drain(subscription, now);
    }
}

}  // namespace mesh::connector
