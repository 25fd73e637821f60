#pragma once

#include "aggregator/core/page_places.hpp"
#include "aggregator/core/peer_reports.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mesh::aggregator {

struct Counter {
    std::string name;  // "mesh_records_forwarded_total"
    std::string help;
    std::uint64_t value = 0;
    bool gauge = false;
};

constexpr const char* ownPlaceShown = "sqlite";  // the node's own database, as people call it

// How it stands at this node with where a tenant's history is to live.
struct PlaceStatus {
    std::string tenant;
    std::string wanted;  // as people may see it
    std::string inUse;
    std::string phase;   // see history::MovePhase
    std::string failure;
    std::uint64_t copied = 0, failures = 0, moves = 0;
};

// What a node can say of itself, for /healthz, /metrics, /mesh/v1/status and the Managers.
class NodeView {
public:
    virtual ~NodeView() = default;
    virtual std::string nodeName() const = 0;
    virtual std::string serviceUuid() const = 0;
    virtual std::string software() const = 0;
    // Empty when ready, else why not.
    virtual std::string notReady() const = 0;
    // What it tells the other nodes of itself.
    virtual NodeReport report() const = 0;
    // The other nodes of the cluster.
    virtual std::vector<PeerStatus> peers() const = 0;
    // Tenants and connectors are kept in the cluster, not in a file.
    virtual bool registryInCluster() const = 0;
    virtual std::vector<Counter> metrics() const = 0;
    // Of tenants whose history is, or is to be, elsewhere than in the node's own database.
    virtual std::vector<PlaceStatus> historyPlaces() const = 0;
    // How it names places in what it has stored.
    virtual const PagePlaces& pagePlaces() const = 0;
};

}  // namespace mesh::aggregator
