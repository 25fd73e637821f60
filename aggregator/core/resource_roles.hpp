#pragma once

#include "aggregator/core/resource_answer.hpp"

namespace mesh::aggregator {

// AccountService/Roles: the predefined ones, which nobody changes, and custom ones, which hold in all tenants and are
// therefore made, changed and deleted by accounts of the system alone. A custom role's ETag is its revision.
class RoleResources {
public:
    explicit RoleResources(const ResourceContext& resources) : context(resources) {}

    // The methods of one.
    static std::string_view allowed(const std::string& id);
    OwnCollection list(const Call& call) const;
    void create(const CallPtr& call);
    // GET, HEAD, PATCH and DELETE of one.
    void handle(const CallPtr& call);

private:
    Answer get(const Call& call, const std::string& id, int status, const std::vector<RedfishMessage>& info,
               Headers extra = {}) const;
    void put(const CallPtr& call, cluster::PutRole role, int status, std::vector<RedfishMessage> info);
    void remove(const CallPtr& call, cluster::Revision seen);

    ResourceContext context;
};

}  // namespace mesh::aggregator
