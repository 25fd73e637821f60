#include "aggregator/core/event_flow.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

EventFlow::Parts::Parts(const Environment& environment, EventStorePort& eventStore, EventLinks& eventLinks)
    : self(environment.self), store(eventStore), intake(eventStore, eventLinks, environment.admits,
                                [this](const StoredRun& run, Now now) {
                                    noteStored(run, now);
                                    recent.add(run);
                                    subscriptions.onStored(run, now);
                                    waiters.onStored(std::string(shoset::tenantOf(run.source)));
                                }),
      filling(eventStore, eventLinks, intake, environment.others), subscriptions(eventStore, eventLinks, intake, recent),
      log(intake, environment.self)
{
}

void EventFlow::Parts::noteStored(const StoredRun& run, Now now) const
{
    if (notes == nullptr || run.batch == nullptr) {
        return;
    }
    const history::EventRecord& first = (*run.batch)[run.begin];
    const EventPlace last = placeBehind((*run.batch)[run.end - 1]);
    notes->add(HopRing::events, shoset::tenantOf(run.source),
               {.kind = shoset::Kind::event, .fate = HopFate::stored, .id = idOfPlace(first.epoch, first.sequence),
                .about = idOfPlace(last.epoch, last.sequence), .from = run.source, .to = self,
                .left = run.begin + 1 == run.end ? first.time : WallTime{}},
               now);
}

void EventFlow::setNotes(HopNotes& ofMessages)
{
    if (parts != nullptr) {
        parts->notes = &ofMessages;
        parts->subscriptions.setNotes(ofMessages);
    }
}

EventFlow::EventFlow(Environment given, EventStorePort* eventStore, EventLinks& eventLinks) : environment(std::move(given)), links(eventLinks)
{
    if (eventStore != nullptr) {
        parts = std::make_unique<Parts>(environment, *eventStore, eventLinks);
    }
}

void EventFlow::onRecord(const shoset::Address& peer, shoset::Message message, std::string_view body, Now now)
{
    if (parts == nullptr) {
        ++whileOff;
    } else if (!shoset::isConnector(peer)) {
        onNodesRecord(peer, message, body, now);
    } else if (environment.isMember(peer)) {
        onConnectorsRecord(peer, std::move(message), body, now);
    } else {
        ++notAllowed;
    }
}

void EventFlow::onConnectorsRecord(const shoset::Address& connector, shoset::Message message, std::string_view body, Now now)
{
    if (const auto* event = std::get_if<shoset::Event>(&message.content); event != nullptr && message.source == connector) {
        const Offered outcome = parts->intake.offer(connector, *event, body, now);
        const bool missing = outcome == Offered::hole || outcome == Offered::newEpoch;
        if (missing && parts->filling.onMissing(connector, *event, outcome, now)) {
            parts->intake.offer(connector, *event, body, now);
        }
    } else if (auto* wish = std::get_if<shoset::Subscribe>(&message.content)) {
        parts->subscriptions.onSubscribe(connector, std::move(*wish), now);
    } else if (const auto* taken = std::get_if<shoset::EventsTaken>(&message.content)) {
        parts->subscriptions.onTaken(connector, *taken, now);
    } else {
        ++notAllowed;
    }
}

void EventFlow::onNodesRecord(const shoset::Address& node, const shoset::Message& message, std::string_view body, Now now)
{
    if (const auto* event = std::get_if<shoset::Event>(&message.content)) {
        parts->filling.onEvent(node, message.source, *event, body, now);
    } else if (const auto* wanted = std::get_if<shoset::EventsWanted>(&message.content)) {
        parts->filling.onWanted(node, *wanted, now);
    } else {
        ++notAllowed;
    }
}

void EventFlow::onConnectorUp(const shoset::Address& connector, Now now)
{
    onConnectorDown(connector);
    if (parts != nullptr && links.takesEvents(connector)) {
        parts->intake.onLinkUp(connector, now);
        parts->filling.onConnectorUp(connector, now);
    }
}

void EventFlow::onConnectorDown(const shoset::Address& connector)
{
    if (parts != nullptr) {
        parts->intake.onLinkDown(connector);
        parts->subscriptions.onLinkDown(connector);
    }
}

void EventFlow::note(const std::string& tenant, std::string_view topic, std::string_view name, std::string_view payload, Now now)
{
    if (parts != nullptr) {
        parts->log.note(tenant, topic, name, payload, now);
    }
}

void EventFlow::onLanes()
{
    if (parts != nullptr) {
        parts->intake.onLanes();
    }
}

void EventFlow::onTimer(Now now)
{
    if (parts != nullptr) {
        parts->intake.onTimer(now);
        parts->filling.onTimer(now);
        parts->subscriptions.onTimer(now);
        parts->waiters.onTimer(now);
    }
}

Instant EventFlow::nextDeadline() const
{
    return parts == nullptr ? never
                            : std::min({parts->intake.nextDeadline(), parts->filling.nextDeadline(), parts->subscriptions.nextDeadline(),
                                        parts->waiters.nextDeadline()});
}

void EventFlow::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_events_refused_kind_total", "Records of events that were not their sender's to send", notAllowed, false});
    out.push_back({"bmcmesh_events_refused_off_total", "Records of events that came although nothing is recorded here", whileOff, false});
    if (parts == nullptr) {
        return;
    }
    parts->intake.addMetrics(out);
    const EventFillingCounters& f = parts->filling.counters();
    const EventSubscriptionCounters& s = parts->subscriptions.counters();
    out.push_back({"bmcmesh_events_fills", "Connectors whose missing events are asked for from other nodes", parts->filling.running(), true});
    out.push_back({"bmcmesh_events_fills_begun_total", "Times that events were found missing", f.begun, false});
    out.push_back({"bmcmesh_events_fills_filled_total", "Those where somebody else had them", f.filled, false});
    out.push_back({"bmcmesh_events_fills_given_up_total", "Those where nobody had them: stored as a loss", f.givenUp, false});
    out.push_back({"bmcmesh_events_fills_asked_total", "Questions to other nodes for them", f.asked, false});
    out.push_back({"bmcmesh_events_fills_epochs_total", "Whole epochs that another node had and this one had missed", f.epochs, false});
    out.push_back({"bmcmesh_events_fills_no_slot_total", "Times that there was no room to ask for them", f.noSlot, false});
    out.push_back({"bmcmesh_events_looks", "Connectors that linked and for which others have yet to be asked", parts->filling.waitingLooks(), true});
    out.push_back({"bmcmesh_events_looks_forgotten_total", "Those that will not be, as too many wait", f.looksForgotten, false});
    out.push_back({"bmcmesh_events_passed_to_nodes_total", "Events that other nodes asked for", f.answered, false});
    out.push_back({"bmcmesh_events_not_passed_to_nodes_total", "Such questions that were not answered", f.notAnswered, false});
    out.push_back({"bmcmesh_events_unasked_total", "Events from other nodes that nobody had asked for", f.unasked, false});
    out.push_back({"bmcmesh_subscriptions", "Subscriptions of connectors to events", parts->subscriptions.size(), true});
    out.push_back({"bmcmesh_subscriptions_refused_total", "Those refused because there were too many", s.refused, false});
    out.push_back({"bmcmesh_subscriptions_refused_tenant_total", "Those refused because their tenant has its share of them", s.refusedTenant, false});
    out.push_back({"bmcmesh_subscriptions_foreign_total", "Places of subscriptions in events that are not for their connector", s.foreign, false});
    out.push_back({"bmcmesh_events_delivered_total", "Events sent to subscriptions", s.delivered, false});
    out.push_back({"bmcmesh_events_delivered_losses_total", "Losses told to subscriptions", s.losses, false});
    out.push_back({"bmcmesh_events_pages_read_total", "Times that events for a subscription were read from the database", s.pages, false});
    out.push_back({"bmcmesh_events_page_failures_total", "Those that failed", s.failedReads, false});
    out.push_back({"bmcmesh_events_pages_dropped_total", "Those to be read again because too much waits for credit", s.pagesDropped, false});
    out.push_back({"bmcmesh_events_held_bytes", "What was read and waits for credit", parts->subscriptions.heldBytes(), true});
    out.push_back({"bmcmesh_events_noted_total", "Events of the mesh's own", parts->log.noted(), false});
    out.push_back({"bmcmesh_events_notes_dropped_total", "Those left out because there were too many", parts->log.dropped(), false});
    out.push_back({"bmcmesh_events_http_waiting", "Requests that wait for events", parts->waiters.size(), true});
    out.push_back({"bmcmesh_events_http_refused_total", "Requests that did not wait, as too many did", parts->waiters.refused(), false});
}

}  // namespace mesh::aggregator
