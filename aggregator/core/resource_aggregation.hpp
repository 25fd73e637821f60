#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <optional>

namespace mesh::aggregator {

inline constexpr std::string_view aggregationSources = "AggregationService/AggregationSources";
inline constexpr std::string_view connectionMethods = "AggregationService/ConnectionMethods";
inline constexpr std::string_view agentlessAllow = "GET, HEAD, PATCH, DELETE";  // of a source without an agent

// AggregationService/AggregationSources: one per satellite that the asker sees, with a link to every first segment of it that
// the facade has no resource of its own for; behind those that satellites have themselves. The Id is the prefix, for life;
// while none is assigned, the satellite's name.
class AggregationResources {
public:
    explicit AggregationResources(const ResourceContext& resources) : context(resources) {}

    OwnCollection list(const Call& call) const;
    Answer get(const Call& call, const std::vector<RedfishMessage>& info = {}) const;
    // The record of the one that call.id names, if it has no agent.
    const cluster::Source* agentless(const Call& call) const;
    // Methods of the one that `id` names; of one that the asker does not see, those that it might have.
    std::string_view allowed(const Call& call, const std::string& id) const;

    // How connectors reach satellites: the one ConnectionMethod of the facade itself.
    std::string methodUri() const;
    Answer method(const Call& call) const;

private:
    const Satellite* find(const std::string& tenant, const std::string& id) const;
    std::vector<const Satellite*> visible(const std::string& tenant) const;

    ResourceContext context;
};

}  // namespace mesh::aggregator
