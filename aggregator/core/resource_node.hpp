#pragma once

#include "aggregator/core/resource_answer.hpp"

namespace mesh::aggregator {

// What a node says of itself outside the Redfish tree.
// /healthz: {"ready", "reason", "primary"}, 200 or 503.
Answer health(const ResourceContext& context);
// /metrics: Prometheus text exposition format 0.0.4.
Answer metrics(const NodeView& node);
// /mesh/v1/status, as meshctl reads it: the node, its cluster, its peers and the satellites that the asker sees.
Answer meshStatus(const Call& call, const ResourceContext& context);

}  // namespace mesh::aggregator
