#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mesh::aggregator {

// How far a node's clock is ahead of the one that asked it, in microseconds.
struct NodeClock {
    std::int64_t offset = 0;
    std::int64_t uncertainty = 0;
    // It differs for sure; else both are taken to be the same.
    bool corrects() const { return offset > uncertainty || -offset > uncertainty; }
};

// A hop as nodes tell each other of it; times in microseconds since 1970.
struct TracedHop {
    std::string node;
    std::string tenant, message, kind, what, code, from, to, over;
    std::int64_t at = 0;
    std::int64_t left = 0;  // 0: not known
};

// nullopt: it is none.
std::optional<TracedHop> readTracedHop(const std::string& node, const nlohmann::ordered_json& told);
nlohmann::ordered_json tracedHopDocument(const TracedHop& hop);

// In the order in which it happened, all by the clock of `self`: clocks that differ are put right, and where what is left would show
// a message at a node before it was sent there, that node's times are moved.
void putInOrder(std::vector<TracedHop>& hops, const std::map<std::string, NodeClock>& clocks, const std::string& self);

}  // namespace mesh::aggregator
