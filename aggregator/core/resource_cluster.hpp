#pragma once

#include "aggregator/core/resource_answer.hpp"

namespace mesh::aggregator {

// /mesh/v1/cluster: the nodes of the cluster, for who may configure managers and belongs to no tenant.
//
//   GET    members                 the registered nodes, with what each said of itself
//   POST   members                 {name, key, peer_endpoint, mesh_endpoint?, witness?}: takes a node in that has never run.
//                                  201 with {id, nodes}, which the node needs for its first start; the same again for the
//                                  same name and key until it has started
//   DELETE members/{name}          a node that is gone for good, or leaves
//   POST   transfer                {to?}: another node is to be the primary; 202, the status tells when it is
//   GET    backup                  what the nodes agree on, as a file (cluster/core/backup.hpp), with all that was acknowledged
//                                  before the request. It has the hashes of passwords
class ClusterResources {
public:
    explicit ClusterResources(const ResourceContext& resources) : context(resources) {}

    Answer list() const;
    void take(const CallPtr& call) const;
    void remove(const CallPtr& call) const;
    void transfer(const CallPtr& call) const;
    void backup(const CallPtr& call) const;

private:
    ResourceContext context;
};

}  // namespace mesh::aggregator
