#include "aggregator/core/redfish_rules.hpp"

#include "aggregator/core/query.hpp"
#include "shoset/core/redfish_command.hpp"
#include "shoset/uri/classify.hpp"

#include <algorithm>
#include <string>

namespace mesh::aggregator {

namespace {

constexpr std::size_t treeBytes = std::string_view("/redfish/v1/").size();

}  // namespace

Result<tenants::Requirement> requirementOfRedfish(std::string_view command, std::string_view payload)
{
    const Result<shoset::RedfishCommand> request = shoset::parseRedfishCommand(command, payload);
    if (!request) {
        return request.error();
    }
    const Result<uri::Target> target = uri::checkPath(request->uri);
    if (!target) {
        return target.error();
    }
    if (uri::classify(target->path).kind == uri::PathKind::notRedfish) {
        return Error{Code::invalidArgument, "expected a 'uri' without empty segments"};
    }
    const std::string_view below = std::string_view(target->path).substr(std::min(target->path.size(), treeBytes));
    tenants::Requirement requirement =
        tenants::requiredPrivilege(tenants::Owner::satellite, request->method, below, expansionOf(target->query));
    if (requirement.anyOf.empty()) {
        return Error{Code::permissionDenied, "nobody may do that: sessions are the facade's"};
    }
    return requirement;
}

}  // namespace mesh::aggregator
