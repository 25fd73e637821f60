#pragma once

#include "aggregator/core/mesh.hpp"
#include "aggregator/core/node_view.hpp"
#include "cluster/core/state_engine.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesh::aggregator {

// Tells connectors what they are to be configured as, and knows how far each has come. Every node tells the connectors that are
// linked to it, when they link and when their documents change; what comes twice the connector ignores. Pure.
class Configurations {
public:
    // As the registry in force has it; nullptr: there is none.
    using Find = std::function<const tenants::Connector*(const shoset::Address& connector)>;
    Configurations(Mesh& mesh, cluster::StateEngine& engine, Find find);

    // A document changed, by its key in the state's changes; empty: anything.
    void onChange(const std::string& key);
    // Its registration did; its type may be another one.
    void onConnectorChange(const shoset::Address& connector);
    void onHello(const shoset::Address& connector, Now now) { tell(connector, now); }
    void onConfigured(const shoset::Address& connector, shoset::Configured told);
    // It announced itself: what another process of it told is void.
    void onIncarnation(const shoset::Address& connector, std::uint64_t incarnation);
    void onTimer(Now now);
    Instant nextDeadline() const { return changed.empty() && changedConnectors.empty() ? never : Instant{}; }

    // nullptr: it never told.
    const shoset::Configured* of(const shoset::Address& connector) const;
    const tenants::Connector* connector(const shoset::Address& address) const { return find(address); }
    void addMetrics(std::vector<Counter>& out) const;

private:
    struct Heard {
        shoset::Configured word;   // sequence 0: that process has not told yet
        std::uint64_t former = 0;  // incarnation of which nothing is taken any more
    };
    bool turnsTo(Heard& entry, std::uint64_t incarnation);
    void tell(const shoset::Address& connector, Now now);

    Mesh& mesh;
    cluster::StateEngine& engine;
    const Find find;
    std::set<std::string> changed;  // tenants; "": all
    std::set<shoset::Address> changedConnectors;
    std::map<shoset::Address, Heard> heard;
    std::uint64_t toldCount = 0;
    std::uint64_t overtaken = 0;
};

}  // namespace mesh::aggregator
