#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

namespace mesh::tenants {

// May an account of `accountTenant` see and command connectors of `connectorTenant`? The system's own accounts, whose
// tenant is "", reach every tenant; the others reach their own. What is out of reach does not exist for the asker.
bool mayReach(std::string_view accountTenant, std::string_view connectorTenant);

// Leave for one connector (or its workers) to send one command to one other connector of its tenant. Names are exact,
// there are no wildcards.
struct Grant {
    std::string tenant;
    std::string sender;
    std::string command;
    std::string target;
};

// What connectors may say to each other: nothing, but what was granted. Never across tenants.
class Policy {
public:
    // invalidArgument when a name is malformed, full beyond limits::maxGrants; granting twice is granting once.
    Result<void> grant(Grant grant);
    // False: it was not granted.
    bool revoke(const Grant& grant);

    bool mayCommand(std::string_view senderTenant, std::string_view sender, std::string_view command,
                    std::string_view targetTenant, std::string_view target) const;
    std::size_t size() const { return grants.size(); }

private:
    std::set<std::tuple<std::string, std::string, std::string, std::string>> grants;
};

}  // namespace mesh::tenants
