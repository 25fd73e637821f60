// Which key the connector dials with, and how it changes.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::connector {

using shoset::LinkId;

void Connector::loadKeys(const KeysOnDisk& keys)
{
    rotation.load(keys);
    if (!rotation.isAble()) {
        return;
    }
    self.capabilities |= shoset::capabilityKeys;
}

// From the aggregator itself only, as lists of aggregators.
void Connector::takeKeyStatus(LinkId id, const shoset::Message& message, Now now)
{
    if (message.source != links.at(id)->peer() || !rotation.isAble()) {
        ++count.keysForeign;
        return;
    }
    const auto& told = std::get<shoset::KeyStatus>(message.content);
    dialled.at(id).told = told;
    if (rotation.take(told)) {
        offerAt = std::min(offerAt, now.mono);
    } else {
        ++count.keysOlder;
    }
}

void Connector::onKeyStep(const Result<std::string>& done, Now now)
{
    if (!done) {
        ++count.keyStepsFailed;
    }
    nextProved = false;
    rotation.onStep(done, now.mono);
    secrets.onKey(rotation.current(), now);
    offerAt = now.mono;
    settle(now);
}

void Connector::onRefused(LinkId id, Now now)
{
    const auto found = dialled.find(id);
    if (found != dialled.end() && !rotation.next().empty()) {
        found->second.otherKeyAt = std::min(found->second.otherKeyAt, now.mono + limits::reconnectMax);
        keysLookAt = std::min(keysLookAt, found->second.otherKeyAt);
    }
}

void Connector::turnKeys(Now now)
{
    if (now.mono >= keysLookAt) {
        keysLookAt = never;
    }
    switch (rotation.step(now.mono)) {
        case KeyStep::none: break;
        case KeyStep::make: shell.makeKey(rotation.note()); break;
        case KeyStep::adopt: shell.adoptKey(); break;
        case KeyStep::drop: shell.dropKey(); break;
    }
    offerKey(now);
    std::vector<LinkId> ids;
    for (const auto& [id, contact] : dialled) {
        ids.push_back(id);
    }
    for (const LinkId id : ids) {
        if (const std::string key = keyFor(id, now.mono); key != dialled.at(id).key) {
            changeKey(id, key, now);
        }
    }
}

// Over every link that may carry it: the first one that reaches the cluster is enough.
void Connector::offerKey(Now now)
{
    if (now.mono < offerAt) {
        return;
    }
    offerAt = never;
    if (!rotation.isOffered()) {
        return;
    }
    offerAt = now.mono + limits::keyRetry;
    for (const auto& [id, contact] : dialled) {
        shoset::Link& link = *links.at(id);
        if (link.isUp() && contact.told && contact.key == rotation.current()) {
            link.append({{}, link.assignedName(), link.peer(), shoset::KeyOffer{rotation.next()}}, {}, 0, never, now,
                        0);
        }
    }
}

// The key that the link should have now. Whoever admits the next key is dialled with it, one after the other, so that
// there is always a link. Where neither is known to be good, they take turns.
std::string Connector::keyFor(LinkId id, Instant now) const
{
    const Contact& contact = dialled.at(id);
    if (contact.key != rotation.current() && contact.key != rotation.next()) {
        return rotation.current();
    }
    if (rotation.next().empty() || links.at(id)->isUp()) {
        const bool change = contact.key == rotation.current() && contact.told && rotation.admitsNext(*contact.told);
        return change && !isChanging(now) ? rotation.next() : contact.key;
    }
    if (now >= contact.otherKeyAt) {
        return contact.key == rotation.current() ? rotation.next() : rotation.current();
    }
    const bool wasUp = now >= contact.dialledAt + limits::keyRetry;
    return nextProved && wasUp ? rotation.next() : contact.key;
}

// A link is being made with the next key.
bool Connector::isChanging(Instant now) const
{
    return std::any_of(dialled.begin(), dialled.end(), [&](const auto& entry) {
        const Contact& contact = entry.second;
        return contact.key == rotation.next() && !links.at(entry.first)->isUp() &&
               now < contact.dialledAt + limits::keyRetry;
    });
}

void Connector::changeKey(LinkId id, const std::string& key, Now now)
{
    const shoset::AggregatorAddress address = dialled.at(id).address;
    hangUp(id, "goes on with another key", now);
    dial(address, key, now);
    contactsChanged = true;
}

} // namespace mesh::connector
