#pragma once

#include "aggregator/core/event_filling.hpp"
#include "aggregator/core/event_log.hpp"
#include "aggregator/core/event_subscriptions.hpp"
#include "aggregator/core/event_waiters.hpp"
#include "aggregator/core/hop_notes.hpp"
#include "aggregator/core/recent_events.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// Events at an aggregator: what connectors emit is stored, acknowledged, passed on to who wants it and shown. Where there is no
// store (history.audit: off) nothing of it is done; such a node does not have the capability.
class EventFlow {
public:
    struct Environment {
        std::string self;
        std::function<bool(const shoset::Address& connector)> isMember;
        EventFilling::Others others;
        EventIntake::Admits admits = [](std::string_view, std::size_t, Now) { return true; };
    };
    EventFlow(Environment environment, EventStorePort* store, EventLinks& links);

    bool isOn() const { return parts != nullptr; }
    // Where it is noted which were stored and passed on; without it, nowhere. Set once before the first record.
    void setNotes(HopNotes& ofMessages);
    // A record of events, from the proved other end of a link.
    void onRecord(const shoset::Address& peer, shoset::Message message, std::string_view body, Now now);
    void onConnectorUp(const shoset::Address& connector, Now now);
    void onConnectorDown(const shoset::Address& connector);
    void note(const std::string& tenant, std::string_view topic, std::string_view name, std::string_view payload, Now now);

    // A tenant may have another lane.
    void onLanes();
    void onTimer(Now now);
    Instant nextDeadline() const;
    void addMetrics(std::vector<Counter>& out) const;

    // Of one that is on.
    EventStorePort& store() { return parts->store; }
    EventWaiters& waiters() { return parts->waiters; }
    std::string condition() const { return parts->intake.condition(); }

private:
    struct Parts {
        Parts(const Environment& environment, EventStorePort& store, EventLinks& links);
        void noteStored(const StoredRun& run, Now now) const;
        const std::string self;
        HopNotes* notes = nullptr;
        EventStorePort& store;
        RecentEvents recent;
        EventWaiters waiters;
        EventIntake intake;
        EventFilling filling;
        EventSubscriptions subscriptions;
        EventLog log;
    };
    void onConnectorsRecord(const shoset::Address& connector, shoset::Message message, std::string_view body, Now now);
    void onNodesRecord(const shoset::Address& node, const shoset::Message& message, std::string_view body, Now now);

    const Environment environment;
    EventLinks& links;
    std::unique_ptr<Parts> parts;
    std::uint64_t notAllowed = 0;
    std::uint64_t whileOff = 0;
};

}  // namespace mesh::aggregator
