#pragma once

#include "aggregator/core/event_flow.hpp"
#include "aggregator/core/resource_answer.hpp"

#include <memory>

namespace mesh::aggregator {

// The events that this node has stored (where nodes share a database: what all have), for who may configure components: of his own
// tenant, or of any if he belongs to none.
//
//   GET /mesh/v1/events?tenant=&connector=&topic=PATTERN&since=&until=&after=&limit=&wait=
//
// In the order in which they were stored; `since` and `until` are seconds since 1970 when that was, `topic` is one, or with "*" at the
// end what begins so. 200 with {events, next, more}: `next` goes into the next request's `after`, to this node and of a reader of the
// same tenant; `after=now` gives no events, only the place behind those there are. `wait`: seconds, if there is none, until one is
// stored. {connector: "@agg-a"} is an event of the mesh's own; one with `lost_to` is none: from `sequence` to there they were lost.
// `payload` is as it was told, JSON; `payload_text` where it is not.
class EventResources {
public:
    explicit EventResources(const ResourceContext& resources) : context(resources) {}
    void set(EventFlow& events) { flow = &events; }

    void read(const CallPtr& call) const;

private:
    struct Ask;
    void ask(const std::shared_ptr<Ask>& one, Now now) const;
    void onPage(const std::shared_ptr<Ask>& one, const Result<history::EventPage>& page, Now now) const;

    ResourceContext context;
    EventFlow* flow = nullptr;
};

}  // namespace mesh::aggregator
