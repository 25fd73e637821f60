#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mesh::aggregator {

// The root and the services below it, from one table: those that the facade offers itself, and those that it shows because a
// satellite of the asker's tenant has them. Each links the top-level collections that exist (aggregation-cases.md).
class ServiceResources {
public:
    explicit ServiceResources(const ResourceContext& resources) : context(resources) {}

    // /redfish/v1
    Answer root(const Call& call) const;
    // /redfish/v1/odata: the OData service document (DSP0266).
    Answer odata(const Call& call) const;

    // The service at `path` below /redfish/v1, in any case ("TelemetryService/LogService"), as this tenant sees it; nothing
    // if there is none.
    std::optional<Representation> find(std::string_view path, const std::string& tenant) const;

private:
    struct Link {
        std::string property;  // as ServiceRoot spells it
        std::string uri;
    };
    std::vector<Link> rootLinks(const std::string& tenant) const;

    ResourceContext context;
};

// Seconds that new sessions may be idle, as SessionService keeps them in the state.
constexpr std::string_view sessionServiceUri = "/redfish/v1/SessionService";
std::uint32_t sessionTimeout(const cluster::State& state);
// What the state keeps for SessionService with this value.
std::string sessionServiceProperty(std::uint32_t timeoutSeconds);

}  // namespace mesh::aggregator
