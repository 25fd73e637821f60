// Events: those of this connector on their way to the aggregators, and those that its workers listen to.
#include "connector/core/connector.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

namespace mesh::connector {

using shoset::Link;
using shoset::LinkId;

namespace {

constexpr const char* bmcTopic = "mesh.bmc";

bool knowsEvents(const Link& link)
{
    return (link.peerCapabilities() & shoset::capabilityEvents) != 0;
}

}  // namespace

Result<void> Connector::loadOutbox(const std::vector<shoset::Outbox::Segment>& files, Now now)
{
    outboxLoaded = true;
    return outbox.load(files, now);
}

void Connector::onOutboxWritten(Result<void> result, Now now)
{
    outbox.onWritten(std::move(result), now);
    pumpEvents(now);
}

void Connector::pumpEvents(Now now)
{
    if (outboxLoaded) {
        sender.pump(now);
    }
}

void Connector::eventsUp(LinkId id, Now now)
{
    const Link& link = *links.at(id);
    if (knowsEvents(link)) {
        sender.onLinkUp(id, link.peer());
        subscriptions.onLinkUp(id, now, (link.peerCapabilities() & shoset::capabilityEventCredit) != 0);
    }
}

void Connector::eventsDown(LinkId id, Now now)
{
    sender.onLinkDown(id);
    subscriptions.onLinkDown(id, now);
}

// Of all that the connector knows, a majority has to have an event.
void Connector::noteAggregators()
{
    std::vector<std::string> names;
    for (const shoset::AggregatorAddress& address : contacts.toDial(false)) {
        names.push_back(address.name);
    }
    sender.setAggregators(names);
}

bool Connector::takeEventRecord(const Link& link, LinkId id, const shoset::Message& message, std::string_view body, Now now)
{
    if (const auto* event = std::get_if<shoset::Event>(&message.content)) {
        const bool own = message.source == link.assignedName();
        if (own || shoset::tenantOf(message.source) != shoset::tenantOf(link.assignedName())) {
            ++count.eventsForeign;
        } else {
            subscriptions.onEvent(id, message.source, *event, body, now);
        }
        return true;
    }
    const bool fromItself = message.source == link.peer();
    if (const auto* stored = std::get_if<shoset::EventsStored>(&message.content)) {
        fromItself ? sender.onStored(id, *stored, now) : void(++count.eventsForeign);
        return true;
    }
    if (const auto* begun = std::get_if<shoset::Subscribe>(&message.content)) {
        fromItself ? subscriptions.onBegun(id, *begun, now) : void(++count.eventsForeign);
        return true;
    }
    return false;
}

bool Connector::sendEvent(LinkId id, const shoset::Event& event, std::string_view payload, Now now)
{
    Link* link = find(id);
    return link != nullptr &&
           link->append({{}, link->assignedName(), link->peer(), event}, payload, shoset::flagLast, never, now, 0);
}

bool Connector::tellAggregator(LinkId id, shoset::Content content, Now now)
{
    Link* link = find(id);
    return link != nullptr && link->append({{}, link->assignedName(), link->peer(), std::move(content)}, {}, 0, never, now, 0);
}

Code Connector::tellWorker(WorkerId worker, std::string word)
{
    return shell.sendToWorker(worker, std::move(word));
}

void Connector::onWorkerEmit(WorkerId worker, WorkerEmit word, Now now)
{
    if (!outboxLoaded) {
        return emissions.answer(worker, notAcceptedWord(word.ref, "unavailable", "this connector has no outbox"), now);
    }
    emissions.emit(worker, std::move(word), now);
}

void Connector::onWorkerEnded(WorkerId worker, Now now)
{
    emissions.onWorkerEnded(worker);
    subscriptions.onWorkerEnded(worker, now);
    asks.onWorkerEnded(worker);
}

// As long as it is reachable from the start on there is nothing to tell.
void Connector::noteBmc(const shoset::Announce& said, Now now)
{
    if (!outboxLoaded || said.bmcReachable == bmcReachable) {
        return;
    }
    bmcReachable = said.bmcReachable;
    const nlohmann::json payload = said.bmcReachable ? nlohmann::json::object() : nlohmann::json{{"reason", said.bmcReason}};
    emissions.emitOwn(bmcTopic, said.bmcReachable ? "bmc.reachable" : "bmc.unreachable",
                      payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), now);
}

}  // namespace mesh::connector
