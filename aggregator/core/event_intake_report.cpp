// What the intake tells of itself.
#include "aggregator/core/event_intake.hpp"

namespace mesh::aggregator {

std::string EventIntake::condition() const
{
    for (const auto& [name, lane] : lanes) {
        const std::string whose = name.empty() ? "the history's database" : "the database of tenant " + name;
        if (!lane.reason.empty()) {
            return whose + " failed: " + lane.reason;
        }
        if (!lane.isReady()) {
            return name.empty() ? "what is stored is being read" : "what is stored in " + whose + " is being read";
        }
    }
    return "recording";
}

void EventIntake::addMetrics(std::vector<Counter>& out) const
{
    out.push_back({"bmcmesh_events_stored_total", "Events stored by this node", count.stored, false});
    out.push_back({"bmcmesh_events_losses_total", "Losses of events stored in their place", count.lost, false});
    out.push_back({"bmcmesh_events_duplicate_total", "Events that were there already", count.duplicates, false});
    out.push_back({"bmcmesh_events_holes_total", "Events not taken because some are missing before them", count.holes, false});
    out.push_back({"bmcmesh_events_new_epoch_total", "Events not taken until their connector's epoch before was looked for", count.newEpochs, false});
    out.push_back({"bmcmesh_events_refused_early_total", "Events not taken before what is stored was read", count.early, false});
    out.push_back({"bmcmesh_events_refused_full_total", "Events not taken because too many wait to be stored", count.full, false});
    out.push_back({"bmcmesh_events_refused_quota_total", "Events not taken because their tenant's quota of messages is used up", count.overQuota, false});
    out.push_back({"bmcmesh_events_refused_topic_total", "Events of topics that are the mesh's own", count.reserved, false});
    out.push_back({"bmcmesh_events_refused_malformed_total", "Events whose place is none", count.malformed, false});
    out.push_back({"bmcmesh_events_refused_epoch_total", "Events, and what is stored of connectors, of epochs that no clock can have come to", count.farEpochs, false});
    out.push_back({"bmcmesh_events_write_failures_total", "Transactions with events that the database refused", count.failedWrites, false});
    std::size_t waits = 0;
    bool all = true;
    for (const auto& [name, lane] : lanes) {
        waits += lane.waiting.events + (lane.underWay == nullptr ? 0 : lane.underWay->size());
        all = all && lane.isReady() && lane.reason.empty();
    }
    out.push_back({"bmcmesh_events_waiting", "Events that wait to be stored", waits, true});
    out.push_back({"bmcmesh_events_recording", "1: events are stored; 0: a database fails, or was not read yet", all ? 1U : 0U, true});
}

}  // namespace mesh::aggregator
