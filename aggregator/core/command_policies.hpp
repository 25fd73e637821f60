#pragma once

#include "cluster/core/state.hpp"
#include "tenants/policy.hpp"

#include <string>
#include <vector>

namespace mesh::aggregator {

// Which connector may send which command to which other one, as the cluster's documents of kind policy have it: one for each
// tenant, a line for each grant, "sender command target". Where tenants stand in a file the state does not know them: the
// document is the system's then, and named as the tenant. Once the state has the tenant, that one counts no more: what was granted
// beside the file is to be granted anew, and what is revoked is revoked.
cluster::DocumentName policyDocument(const cluster::State& state, const std::string& tenant);
// By tenant, then as they stand there. What is no grant is not in it, and nothing across tenants.
std::vector<tenants::Grant> grantsOf(const cluster::State& state);
tenants::Policy policyOf(const cluster::State& state);
std::string policyText(const std::vector<tenants::Grant>& grants, const std::string& tenant);

}  // namespace mesh::aggregator
