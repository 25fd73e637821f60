#include "aggregator/core/command_policies.hpp"

#include <sstream>

namespace mesh::aggregator {

namespace {

constexpr const char* documentName = "commands";

void readGrants(const std::string& tenant, const std::string& content, std::vector<tenants::Grant>& out)
{
    std::istringstream lines(content);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        tenants::Grant grant{tenant, {}, {}, {}};
        if (words >> grant.sender >> grant.command >> grant.target) {
            out.push_back(std::move(grant));
        }
    }
}

}  // namespace

cluster::DocumentName policyDocument(const cluster::State& state, const std::string& tenant)
{
    return state.registry.hasTenant(tenant) ? cluster::DocumentName{cluster::DocumentKind::policy, tenant, documentName}
                                            : cluster::DocumentName{cluster::DocumentKind::policy, "", tenant};
}

std::vector<tenants::Grant> grantsOf(const cluster::State& state)
{
    std::vector<tenants::Grant> out;
    for (const auto& [name, document] : state.documents) {
        const std::string& tenant = name.tenant.empty() ? name.name : name.tenant;
        if (name.kind == cluster::DocumentKind::policy && name == policyDocument(state, tenant)) {
            readGrants(tenant, document.content, out);
        }
    }
    return out;
}

tenants::Policy policyOf(const cluster::State& state)
{
    tenants::Policy policy;
    for (tenants::Grant& grant : grantsOf(state)) {
        const Result<void> granted = policy.grant(std::move(grant));  // what is malformed or too many grants nothing
        static_cast<void>(granted);
    }
    return policy;
}

std::string policyText(const std::vector<tenants::Grant>& grants, const std::string& tenant)
{
    std::string out;
    for (const tenants::Grant& grant : grants) {
        if (grant.tenant == tenant) {
            out += grant.sender + " " + grant.command + " " + grant.target + "\n";
        }
    }
    return out;
}

}  // namespace mesh::aggregator
