#include "tenants/policy.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::tenants {

bool mayReach(std::string_view accountTenant, std::string_view connectorTenant)
{
    return accountTenant.empty() || accountTenant == connectorTenant;
}

Result<void> Policy::grant(Grant grant)
{
    for (const std::string* name : {&grant.tenant, &grant.sender, &grant.command, &grant.target}) {
        if (!isValidName(*name)) {
            return Error{Code::invalidArgument,
                         "a grant names tenant, sender, command and target; \"" + *name + "\" is not a name"};
        }
    }
    auto entry = std::make_tuple(std::move(grant.tenant), std::move(grant.sender), std::move(grant.command),
                                 std::move(grant.target));
    if (grants.size() >= limits::maxGrants && !grants.contains(entry)) {
        return Error{Code::full,
                     "there are " + std::to_string(limits::maxGrants) + " grants already, the most there can be"};
    }
    grants.insert(std::move(entry));
    return {};
}

bool Policy::revoke(const Grant& grant)
{
    return grants.erase(std::make_tuple(grant.tenant, grant.sender, grant.command, grant.target)) > 0;
}

bool Policy::mayCommand(std::string_view senderTenant, std::string_view sender, std::string_view command,
                        std::string_view targetTenant, std::string_view target) const
{
    return senderTenant == targetTenant &&
           grants.contains(std::make_tuple(std::string(senderTenant), std::string(sender), std::string(command),
                                           std::string(target)));
}

}  // namespace mesh::tenants
