#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Managers of the facade itself: one per node of the cluster, each listing all of them as its redundancy, the primary
// Enabled, the others StandbySpare; one that this node cannot reach UnavailableOffline. Oem.Bmcmesh has what the node said of
// itself. ForceFailover makes another node the primary. Seen by accounts of the system alone.
class ManagerResources {
public:
    explicit ManagerResources(const ResourceContext& resources) : context(resources) {}

    std::vector<std::string> members(const Principal& who) const;
    Answer get(const Call& call) const;
    Answer networkProtocol(const Call& call) const;
    // POST Actions/Manager.ForceFailover {NewManager: {@odata.id}}, which must be another voter: 400 for anything else.
    void forceFailover(const CallPtr& call) const;

private:
    const cluster::Node* find(const Call& call) const;

    ResourceContext context;
};

}  // namespace mesh::aggregator
