#pragma once

#include "cluster/core/state_engine.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// What a node says of itself.
struct NodeReport {
    std::string role;  // "primary", "standby", "candidate" or "stopped"
    std::uint64_t generation = 0;
    std::uint64_t term = 0;
    std::uint64_t applied = 0;  // entries of the log
    std::string notReady;       // why; empty: it is ready
    std::vector<std::string> peers;  // the nodes that it is linked with
    bool operator==(const NodeReport&) const = default;
};

// What this node knows of another.
struct PeerStatus {
    std::string name;
    bool linked = false;
    WallTime since{};                          // of the last change of that, as this node saw it
    std::optional<NodeReport> report = {};     // while it is linked, once it came
};

const char* roleName(cluster::NodeRole role);

// As it goes to other nodes, at most limits::maxReportBytes.
std::string encodeReport(const NodeReport& report);
// nullopt: it is none, or over a limit. Unknown members are ignored.
std::optional<NodeReport> decodeReport(std::string_view text);

// What the nodes tell each other about themselves, so that each can show all. A node tells those that it is linked with at
// once when a link, its part or its readiness changes, limits::reportPause later at most what it has applied, and
// everything again after limits::reportRefresh, because one may get lost. A node without a link cannot be reached, whatever
// it said last.
class PeerReports {
public:
    struct Environment {
        std::string self;
        std::function<NodeReport()> own;
        std::function<bool(const std::string& node)> isLinked;
        std::function<void(const std::string& node, const std::string& report)> tell;  // it may be lost
    };
    PeerReports(Environment environment, const cluster::StateEngine& engine);

    // A link, the part of this node or the members have changed.
    void wake() { lookAt = Instant{}; }
    // Something was applied.
    void onApplied();
    // `node` is proved by the caller.
    void onReport(const std::string& node, std::string_view text);
    void onTimer(Now now);
    Instant nextDeadline() const { return lookAt; }

    // The other registered nodes.
    std::vector<PeerStatus> all() const;
    std::uint64_t malformed() const { return dropped; }

private:
    struct Peer {
        bool linked = false;
        WallTime since{};
        std::optional<NodeReport> report;
    };

    const Environment environment;
    const cluster::StateEngine& engine;
    std::map<std::string, Peer> peers;
    NodeReport told;
    Instant toldAt = Instant::min();
    Instant lookAt{};
    std::uint64_t dropped = 0;
};

}  // namespace mesh::aggregator
