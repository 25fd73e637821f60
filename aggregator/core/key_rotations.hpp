#pragma once

#include "aggregator/core/mesh.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace mesh::aggregator {

struct KeyRotationCounters {
    std::uint64_t offered = 0, refused = 0, limited = 0, completed = 0, repeated = 0;
};

// The aggregators' part in changing connectors' keys, where the registry is the cluster's. The operator's wish is in
// the state; each node tells the connectors that are linked to it how it stands with their keys, proposes what they
// offer, and proposes that a rotation is complete when its pending key says hello here. All of it may happen on several
// nodes, and again after any of them was lost: the state takes each step once. Pure.
class KeyRotations {
public:
    KeyRotations(Mesh& mesh, cluster::StateEngine& engine, Rng& rng);

    // Something about this connector changed; empty: about any.
    void onChange(const std::string& connector);
    // It has linked, with that key.
    void onHello(const shoset::Address& connector, const std::string& key, Now now);
    // It offers a key, over a link of `linkKey`. At most one offer of a connector in limits::keyOfferPause is proposed.
    void onOffer(const shoset::Address& connector, const std::string& linkKey, const std::string& offered, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;
    const KeyRotationCounters& counters() const { return count; }

private:
    // A pending key that has said hello, until the state has it in force.
    struct Completion {
        std::string key;
        bool asked = false;
        Instant askAt{};
    };
    const tenants::Connector* find(const shoset::Address& connector) const;
    std::optional<shoset::KeyStatus> statusOf(const shoset::Address& connector) const;
    void tell(const shoset::Address& connector, Now now);
    void complete(Now now);
    bool withinRate(const shoset::Address& connector, Instant now);
    void propose(cluster::Operation operation, Now now, cluster::StateEngine::ProposeHandler done);

    Mesh& mesh;
    cluster::StateEngine& engine;
    Rng& rng;
    Now lastNow;
    std::set<shoset::Address> changed;  // since they were told
    bool allChanged = false;
    std::map<shoset::Address, Completion> completions;  // of connectors that are linked, or were a moment ago
    std::map<shoset::Address, Instant> offers;  // when the last one was proposed, of the last limits::keyOfferPause
    KeyRotationCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

} // namespace mesh::aggregator
