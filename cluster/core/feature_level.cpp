#include "cluster/core/feature_level.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <variant>

namespace mesh::cluster {

namespace {

// How many of the operations there were at each level, beginning with the first. Levels 3 and 6 are but other rules, level 7
// but fields.
constexpr std::array<std::size_t, newestFeatureLevel> operationsAtLevel = {18, 41, 41, 43, 44, 44, 44, std::variant_size_v<Operations>};

// A field that came later than its record needs its level where it is set.
FeatureLevel levelOfFields(const Operation& operation)
{
    bool sealed = false;
    if (const auto* node = std::get_if<PutNode>(&operation)) {
        sealed = !node->node.sealingKey.empty();
    } else if (const auto* source = std::get_if<PutSource>(&operation)) {
        sealed = std::any_of(source->source.passwords.begin(), source->source.passwords.end(),
                             [](const SealedPassword& password) { return !password.key.empty(); });
    }
    return sealed ? sealedSourcesFeatureLevel : firstFeatureLevel;
}

Error tooNew(const std::string& what, FeatureLevel level)
{
    return Error{Code::unsupported, what + " feature level " + std::to_string(level)};
}

}  // namespace

FeatureLevel featureLevelOf(const Operation& operation)
{
    const auto level = std::upper_bound(operationsAtLevel.begin(), operationsAtLevel.end(), operation.index());
    return std::max(static_cast<FeatureLevel>(level - operationsAtLevel.begin()) + firstFeatureLevel, levelOfFields(operation));
}

FeatureLevel neededLevel(const Operation& operation)
{
    const auto* raise = std::get_if<RaiseFeatureLevel>(&operation);
    return std::max(featureLevelOf(operation), raise == nullptr ? firstFeatureLevel : raise->level);
}

Result<void> allNodesKnow(const State& state, FeatureLevel level)
{
    std::string older;
    for (const auto& [id, node] : state.nodes) {
        if (node.featureLevel < level) {
            older += (older.empty() ? "" : ", ") + node.name + " (which knows " + std::to_string(node.featureLevel) + ")";
        }
    }
    if (!older.empty()) {
        return tooNew("upgrade " + older + " first: this needs", level);
    }
    return {};
}

Result<void> mayPropose(const State& state, const Operation& operation)
{
    const FeatureLevel level = neededLevel(operation);
    if (level <= state.featureLevel) {
        return {};
    }
    if (level > newestFeatureLevel) {
        return tooNew("this node's program knows up to " + std::to_string(newestFeatureLevel) + ", not", level);
    }
    if (auto known = allNodesKnow(state, level); !known || std::holds_alternative<RaiseFeatureLevel>(operation)) {
        return known;
    }
    return tooNew("the cluster is at " + std::to_string(state.featureLevel) + " until it is raised; this needs", level);
}

}  // namespace mesh::cluster
