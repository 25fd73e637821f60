#pragma once

#include "shoset/base/result.hpp"
#include "tenants/privileges.hpp"

#include <string_view>

namespace mesh::aggregator {

// What redfish.* needs: the same as a Redfish request with that method to that resource. Code::invalidArgument: it is none;
// permissionDenied: nobody may.
Result<tenants::Requirement> requirementOfRedfish(std::string_view command, std::string_view payload);

}  // namespace mesh::aggregator
