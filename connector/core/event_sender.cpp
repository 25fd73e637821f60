#include "connector/core/event_sender.hpp"

#include <algorithm>

namespace mesh::connector {

EventSender::EventSender(shoset::Outbox& events, EventLinks& ways) : outbox(events), links(ways) {}

void EventSender::setAggregators(const std::vector<std::string>& names)
{
    known.assign(names.begin(), names.end());
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    std::erase_if(aggregators, [this](const auto& entry) {
        return !entry.second.link && !std::binary_search(known.begin(), known.end(), entry.first);
    });
}

void EventSender::onLinkUp(shoset::LinkId link, const shoset::Address& name)
{
    Aggregator& aggregator = aggregators[name];
    aggregator.link = link;
    aggregator.heard = false;
    aggregator.highest = 0;
    aggregator.resendAt = never;
    goBack(aggregator);
}

void EventSender::onLinkDown(shoset::LinkId link)
{
    for (auto& [name, aggregator] : aggregators) {
        if (aggregator.link == link) {
            aggregator.link.reset();
            goBack(aggregator);
        }
    }
}

std::uint64_t EventSender::confirmedBy(const Aggregator& aggregator) const
{
    return aggregator.told && aggregator.told->epoch == outbox.epoch() ? aggregator.told->sequence : 0;
}

// To what it said last that it has.
void EventSender::goBack(Aggregator& aggregator)
{
    aggregator.underWay.clear();
    aggregator.underWayBytes = 0;
    aggregator.hole = false;
    aggregator.sent = confirmedBy(aggregator);
}

void EventSender::confirm(Aggregator& aggregator, std::uint64_t sequence)
{
    while (!aggregator.underWay.empty() && aggregator.underWay.front().first <= sequence) {
        aggregator.underWayBytes -= aggregator.underWay.front().second;
        aggregator.underWay.pop_front();
    }
    aggregator.sent = std::max(aggregator.sent, sequence);
}

void EventSender::onStored(shoset::LinkId link, const shoset::EventsStored& told, Now now)
{
    const auto found =
        std::find_if(aggregators.begin(), aggregators.end(), [link](const auto& entry) { return entry.second.link == link; });
    if (found == aggregators.end()) {
        return;
    }
    Aggregator& aggregator = found->second;
    count.refusedEpochs += isCredible(told, now) ? 0 : 1;
    const bool again = aggregator.heard && aggregator.told == told;
    const bool less = aggregator.told && aggregator.told->epoch == told.epoch && told.sequence < aggregator.told->sequence;
    aggregator.told = told;
    aggregator.knowsMore = told.epoch == outbox.epoch() && told.sequence > outbox.last();
    if (again) {
        if (!aggregator.underWay.empty() && aggregator.resendAt == never) {
            aggregator.resendAt = std::max(now.mono, aggregator.resentAt + limits::eventResendPause);
        }
        return;
    }
    aggregator.heardAt = now.mono;
    aggregator.resendAt = never;
    if (less || aggregator.hole || !aggregator.heard) {
        goBack(aggregator);
    }
    aggregator.heard = true;
    confirm(aggregator, confirmedBy(aggregator));
}

bool EventSender::isCredible(const shoset::EventsStored& told, Now now) const
{
    return told.epoch <= outbox.epoch() || shoset::isCredibleEpoch(told.epoch, now.wall);
}

bool EventSender::mayRenew(Now now)
{
    if (renewals == limits::epochsAtOnce) {
        renewalsAt = now.mono;
    }
    for (; renewals < limits::epochsAtOnce && renewalsAt + limits::epochPause <= now.mono; ++renewals) {
        renewalsAt += limits::epochPause;
    }
    renewalWaits = renewals == 0;
    renewals -= renewalWaits ? 0 : 1;
    return !renewalWaits;
}

// An epoch is wanted where there is none yet, and where an aggregator knows of more than ever was on this disk.
void EventSender::followEpoch(Now now)
{
    if (!outbox.isRenewing()) {
        bool someHeard = false;
        bool knowsMore = false;
        std::uint64_t highest = 0;
        for (const auto& [name, aggregator] : aggregators) {
            if (aggregator.told && isCredible(*aggregator.told, now)) {
                someHeard = true;
                highest = std::max(highest, aggregator.told->epoch);
                knowsMore = knowsMore || aggregator.told->epoch > outbox.epoch() ||
                            (aggregator.told->epoch == outbox.epoch() && aggregator.told->sequence > outbox.last());
            }
        }
        renewalWaits = false;
        if (someHeard && (outbox.epoch() == 0 || (knowsMore && mayRenew(now)))) {
            trim(Last::goes);
            outbox.renew(highest, now);
        }
    }
    if (outbox.epoch() != epoch) {
        epoch = outbox.epoch();
        for (auto& [name, aggregator] : aggregators) {
            aggregator.highest = 0;
            goBack(aggregator);
        }
    }
}

// One that knows more than ever was here confirms nothing: its events of these numbers may be others, that this disk has lost.
// Who lacks what is trimmed learns so from what comes behind it. So the last one stays until all have it, as nothing more may come;
// but not into a new epoch, where it would be another event.
void EventSender::trim(Last last)
{
    if (outbox.epoch() == 0 || known.empty()) {
        return;
    }
    std::vector<std::uint64_t> confirmed;
    for (const shoset::Address& name : known) {
        const auto found = aggregators.find(name);
        const bool isKnown = found != aggregators.end() && !found->second.knowsMore;
        confirmed.push_back(isKnown ? confirmedBy(found->second) : 0);
    }
    std::sort(confirmed.rbegin(), confirmed.rend());
    const std::uint64_t most = confirmed[confirmed.size() / 2];
    const bool stays = last == Last::stays && !outbox.isRenewing() && confirmed.back() < outbox.last();
    outbox.trim(most, stays);
}

void EventSender::sendTo(Aggregator& aggregator, Now now)
{
    const bool impatient = !aggregator.underWay.empty() && now.mono >= aggregator.heardAt + limits::eventPatience;
    if (impatient || now.mono >= aggregator.resendAt) {
        count.impatient += impatient ? 1 : 0;
        aggregator.resendAt = never;
        aggregator.resentAt = aggregator.heardAt = now.mono;
        goBack(aggregator);
    }
    while (aggregator.underWay.size() < limits::eventWindow) {
        const shoset::Outbox::Entry* entry = outbox.from(aggregator.sent + 1);
        if (entry == nullptr ||
            (!aggregator.underWay.empty() && aggregator.underWayBytes + entry->bytes > limits::eventWindowBytes)) {
            return;
        }
        // Others have what is missing before this one: it is to ask them, and gets no more until it has done so.
        const bool beyond = entry->event.sequence > aggregator.sent + 1;
        if ((beyond || aggregator.hole) && !aggregator.underWay.empty()) {
            return;
        }
        shoset::Event event = entry->event;
        event.sequence = std::max(event.sequence, aggregator.sent + (event.lostTo != 0 ? 1 : 0));
        if (!links.sendEvent(*aggregator.link, event, entry->payload, now)) {
            return;
        }
        aggregator.hole = beyond;
        ++(entry->end() > aggregator.highest ? count.sent : count.resent);
        aggregator.highest = std::max(aggregator.highest, entry->end());
        aggregator.heardAt = aggregator.underWay.empty() ? now.mono : aggregator.heardAt;
        aggregator.sent = entry->end();
        aggregator.underWay.emplace_back(entry->end(), entry->bytes);
        aggregator.underWayBytes += entry->bytes;
    }
}

void EventSender::pump(Now now)
{
    for (auto& [name, aggregator] : aggregators) {  // also of an outbox that was read only now
        aggregator.knowsMore = aggregator.knowsMore || confirmedBy(aggregator) > outbox.last();
    }
    trim(Last::stays);  // first: what a majority has must not come again in a new epoch
    followEpoch(now);
    trim(Last::stays);
    for (auto& [name, aggregator] : aggregators) {
        if (aggregator.link && aggregator.heard) {
            sendTo(aggregator, now);
        }
    }
}

Instant EventSender::nextDeadline() const
{
    Instant next = renewalWaits ? renewalsAt + limits::epochPause : never;
    for (const auto& [name, aggregator] : aggregators) {
        if (aggregator.link && !aggregator.underWay.empty()) {
            next = std::min({next, aggregator.resendAt, aggregator.heardAt + limits::eventPatience});
        }
    }
    return next;
}

}  // namespace mesh::connector
