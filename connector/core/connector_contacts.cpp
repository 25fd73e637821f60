// Whom the connector dials: the aggregators that it was told, or those of its configuration.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::connector {

using shoset::AggregatorAddress;
using shoset::Link;
using shoset::LinkId;

// From the aggregator itself only: what another one passes on is nobody's word about the mesh.
void Connector::takeList(const Link& from, const shoset::Message& message)
{
    if (message.source != from.peer()) {
        ++count.listsForeign;
        return;
    }
    const bool first = !contacts.hasList();
    switch (contacts.take(std::get<shoset::Aggregators>(message.content))) {
        case Contacts::Taken::newer:
            ++count.listsTaken;
            listUnsaved = contactsChanged = true;
            reserve = reserve || first;  // those that serve now stay until one of the list does
            break;
        case Contacts::Taken::known: break;
        case Contacts::Taken::older: ++count.listsOlder; return;
        case Contacts::Taken::malformed: ++count.listsMalformed; return;
    }
    saveList();
}

void Connector::saveList()
{
    if (listUnsaved && !listBeingSaved) {
        listUnsaved = false;
        listBeingSaved = true;
        state.save(StateFile::aggregators, contacts.content());
    }
}

void Connector::onSaved(StateFile file, Result<void> result, Now now)
{
    if (file == StateFile::fence) {
        executor.onFenceSaved(std::move(result), now);
        return;
    }
    if (file == StateFile::secrets) {
        secrets.onSaved(result, now);
        return;
    }
    if (file == StateFile::configuration) {
        onConfigurationSaved(result, now);
        return;
    }
    listBeingSaved = false;
    if (result) {
        saveList();  // another one may have come meanwhile
    } else {
        ++count.listsNotSaved;
        listUnsaved = true;  // tried again when a list is told again
    }
}

Instant Connector::reserveDeadline() const
{
    return aloneSince == never || reserve || !contacts.hasList() ? never : aloneSince + limits::contactPatience;
}

void Connector::judgeContacts(Now now)
{
    if (!contactsChanged && now.mono < reserveDeadline()) {
        return;
    }
    contactsChanged = false;
    bool someUp = false;
    bool listedUp = false;
    for (const auto& [id, link] : links) {
        someUp = someUp || link->isUp();
        listedUp = listedUp || (link->isUp() && contacts.isListed(dialled.at(id).address));
    }
    if (someUp) {
        aloneSince = never;
    } else if (aloneSince == never) {
        aloneSince = now.mono;
    }
    if (listedUp) {
        reserve = false;
    } else if (now.mono >= reserveDeadline()) {
        reserve = true;
    }
    dialContacts(now);
}

void Connector::dialContacts(Now now)
{
    noteAggregators();
    const std::vector<AggregatorAddress> wanted = contacts.toDial(reserve);
    for (const AggregatorAddress& address : wanted) {
        const bool isDialled =
            std::any_of(dialled.begin(), dialled.end(), [&address](const auto& entry) { return entry.second.address == address; });
        if (!isDialled) {
            dial(address, nextProved ? rotation.next() : rotation.current(), now);
        }
    }
    std::vector<LinkId> gone;
    for (const auto& [id, contact] : dialled) {
        if (std::find(wanted.begin(), wanted.end(), contact.address) == wanted.end()) {
            gone.push_back(id);
        }
    }
    for (const LinkId id : gone) {
        hangUp(id, "no longer an aggregator of this connector", now);
    }
}

void Connector::dial(const AggregatorAddress& address, const std::string& key, Now now)
{
    const LinkId id = nextLink++;
    dialled.emplace(id, Contact{address, key, now.mono});
    links.emplace(id, std::make_unique<Link>(id, Link::Role::dialer, address.name, self, shell, *this, linkCount));
    if (!rotation.next().empty()) {
        keysLookAt = std::min(keysLookAt, now.mono + limits::keyRetry);
    }
    shell.dial(id, address, key);
}

void Connector::hangUp(LinkId id, const std::string& reason, Now now)
{
    links.at(id)->bye(reason, now);
    eventsDown(id, now);
    const shoset::Address peer = links.at(id)->peer();
    links.erase(id);
    dialled.erase(id);
    shell.hangUp(id);
    secrets.onLinkDown(peer, now);
    asks.onLinkDown(id, now);
}

}  // namespace mesh::connector
