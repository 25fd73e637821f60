#pragma once

#include "aggregator/core/mesh.hpp"
#include "aggregator/core/node_view.hpp"
#include "cluster/core/state_engine.hpp"
#include "shoset/base/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

struct SecretCounters {
    std::uint64_t given = 0, denied = 0, malformed = 0, resealed = 0, limited = 0;
};

// Answers what connectors ask of the sealed secrets, always within the connector's own tenant and of what it is a recipient of:
// secretGet is answered with the envelope, secretList with names, versions and the keys that its seals are for, and by
// secretSeal it replaces its own seal, and nothing else. One that is not for it is not there. What comes of a new seal only the
// recipient itself can spoil: everything but the seals bears the operator's signature.
class SecretAsks {
public:
    SecretAsks(Mesh& mesh, cluster::StateEngine& engine, Rng& rng);

    // What is addressed to others is none of these: a worker may have sent that, and of its connector's secrets it decides nothing.
    static bool concerns(const shoset::Command& command);
    // `from`: a connector, proved.
    void onAsked(const shoset::Address& from, const MessageId& id, const shoset::Command& command, std::string_view payload, Now now);
    const SecretCounters& counters() const { return count; }
    void addMetrics(std::vector<Counter>& out) const;

private:
    // New seals of one connector.
    struct Window {
        Instant since{};
        std::size_t seals = 0;
    };
    void get(const shoset::Address& from, const MessageId& id, std::string_view payload, Now now);
    void list(const shoset::Address& from, const MessageId& id, Now now);
    void takeSeal(const shoset::Address& from, const MessageId& id, std::string_view payload, Now now);
    bool withinRate(const shoset::Address& from, Instant now);
    void answer(const shoset::Address& to, const MessageId& id, std::string_view payload, Now now);
    void refuse(const shoset::Address& to, const MessageId& id, const Error& error, Now now);
    void denied(const shoset::Address& to, const MessageId& id, const std::string& name, Now now);

    Mesh& mesh;
    cluster::StateEngine& engine;
    Rng& rng;
    std::map<shoset::Address, Window> windows;  // of the last limits::resealWindow
    SecretCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
