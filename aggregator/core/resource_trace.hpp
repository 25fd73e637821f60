#pragma once

#include "aggregator/core/resource_answer.hpp"
#include "aggregator/core/trace_lookup.hpp"

namespace mesh::aggregator {

// /mesh/v1/trace: where one message has been, for who may configure components: of his own tenant, or of any if he belongs to none.
//
//   GET trace/{id}   the document of TraceLookup. `id`: of a command as /mesh/v1/commands tells it, of a record as the audit trail
//        does (`request`), of an event (`id` in /mesh/v1/events), or TENANT:CONNECTOR:vVERSION for a connector's configuration.
//        404 alike where nobody has noted such a message, where it is another tenant's, and where there can be none.
class TraceResources {
public:
    // Without it, nothing is known. Set once before the first request.
    void set(TraceLookup& traces) { lookup = &traces; }

    void read(const CallPtr& call) const;

private:
    TraceLookup* lookup = nullptr;
};

}  // namespace mesh::aggregator
