#pragma once

#include "aggregator/core/resource_answer.hpp"

#include <nlohmann/json_fwd.hpp>

namespace mesh::aggregator {

// As status and the resource below show it.
nlohmann::ordered_json placeStatusJson(const PlaceStatus& status);

// /mesh/v1/tenants/{}/database: where a tenant's history is to live, at every node. For who may configure managers and belongs to no
// tenant; writes are recorded.
//
//   GET                                        {tenant, database, password_secret, here?}: `here` is how it stands at this node
//   POST {database, password_secret?}          204; see history::checkPlace() for `database`. Nodes move what there is by themselves
//
// A password stands in a secret of the tenant that is sealed to every node (node:NAME), and in no URL.
class DatabaseResources {
public:
    explicit DatabaseResources(const ResourceContext& resources) : context(resources) {}

    void handle(const CallPtr& call) const;

private:
    Answer read(const std::string& tenant) const;
    void put(const CallPtr& call) const;
    Result<void> check(const std::string& tenant, const std::string& place, const std::string& secret) const;

    ResourceContext context;
};

}  // namespace mesh::aggregator
