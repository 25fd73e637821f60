#pragma once

#include "aggregator/core/resource_answer.hpp"
#include "tenants/policy.hpp"

#include <string>
#include <vector>

namespace mesh::aggregator {

// /mesh/v1/policies: which connector may send which command to which other one of its tenant. For who may configure managers
// and belongs to no tenant.
//
//   GET policies
//   POST policies {tenant, sender, command, target}   201, also where it was granted before
//   DELETE policies/TENANT:SENDER:COMMAND:TARGET
class PolicyResources {
public:
    explicit PolicyResources(const ResourceContext& resources) : context(resources) {}

    Answer list() const;
    void grant(const CallPtr& call) const;
    void revoke(const CallPtr& call) const;

private:
    void put(const CallPtr& call, const std::string& tenant, const std::vector<tenants::Grant>& grants, int status) const;

    ResourceContext context;
};

}  // namespace mesh::aggregator
