#include "aggregator/core/resource_roles.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "cluster/core/accounts.hpp"
#include "tenants/privileges.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array roleCreateRules{
    PropertyRule{"RoleId", Takes::text, true},
    PropertyRule{"AssignedPrivileges", Takes::texts, true},
    PropertyRule{"Id"}, PropertyRule{"Name"}, PropertyRule{"IsPredefined"}, PropertyRule{"OemPrivileges"},
};
constexpr std::array rolePatchRules{
    PropertyRule{"AssignedPrivileges", Takes::texts},
    PropertyRule{"RoleId"}, PropertyRule{"Id"}, PropertyRule{"Name"}, PropertyRule{"IsPredefined"},
    PropertyRule{"OemPrivileges"},
};

std::string roleUri(const std::string& id)
{
    return "/redfish/v1/AccountService/Roles/" + id;
}

bool isPredefined(const std::string& id)
{
    return tenants::predefinedRole(id).has_value();
}

// Custom roles only; predefined ones have the hash of their body.
std::string roleEtag(const cluster::State& state, const std::string& id)
{
    const auto role = state.roles.find(id);
    return role == state.roles.end() ? std::string() : '"' + std::to_string(role->second.revision) + '"';
}

// Or the first name that is no privilege.
Result<tenants::PrivilegeSet> parse(const std::vector<std::string>& names)
{
    std::uint8_t mask = 0;
    for (const std::string& name : names) {
        const auto privilege = tenants::parsePrivilege(name);
        if (!privilege) {
            return Error{Code::invalidArgument, name};
        }
        mask = static_cast<std::uint8_t>(mask | tenants::PrivilegeSet{*privilege}.mask());
    }
    return tenants::PrivilegeSet::fromMask(mask);
}

}  // namespace

std::string_view RoleResources::allowed(const std::string& id)
{
    return isPredefined(id) ? readOnly : "GET, HEAD, PATCH, DELETE";
}

OwnCollection RoleResources::list(const Call&) const
{
    OwnCollection collection{"/redfish/v1/AccountService/Roles", "RoleCollection", "Roles Collection", {}};
    for (const std::string_view id : tenants::predefinedRoles) {
        collection.members.push_back(roleUri(std::string(id)));
    }
    for (const auto& [id, role] : context.engine.state().roles) {
        collection.members.push_back(roleUri(id));
    }
    return collection;
}

Answer RoleResources::get(const Call& call, const std::string& id, int status, const std::vector<RedfishMessage>& info,
                          Headers extra) const
{
    const cluster::State& state = context.engine.state();
    const tenants::PrivilegeSet privileges = cluster::privilegesOf(state, id);
    json names = json::array();
    for (const tenants::Privilege privilege : tenants::allPrivileges) {
        if (privileges.contains({privilege})) {
            names.push_back(tenants::privilegeName(privilege));
        }
    }
    const std::string type = typeOf("Role");
    json body{{"@odata.id", roleUri(id)},
              {"@odata.type", type},
              {"Id", id},
              {"Name", id + " Role"},
              {"RoleId", id},
              {"IsPredefined", isPredefined(id)},
              {"AssignedPrivileges", std::move(names)},
              {"OemPrivileges", json::array()}};
    for (const RedfishMessage& message : info) {
        body["@Message.ExtendedInfo"].push_back(json::parse(messageJson(message)));
    }
    return representationAnswer(call.request.head,
                                {type, jsonText(body),
                                 std::string(allowed(id)), roleEtag(state, id)},
                                status, std::move(extra));
}

void RoleResources::put(const CallPtr& call, cluster::PutRole role, int status, std::vector<RedfishMessage> info)
{
    const std::string id = role.id;
    propose(context, call, std::move(role), [this, call, id, status, info = std::move(info)](const cluster::Applied& applied) {
        if (applied.error.code == Code::alreadyExists) {
            call->answer(errorAnswer(400, {"ResourceAlreadyExists", {"Role", "RoleId", id}, "#/RoleId"}));
            return;
        }
        Headers extra;
        if (status == 201) {
            extra.push_back({"Location", roleUri(id)});
        }
        call->answer(applied.ok() ? get(*call, id, status, info, std::move(extra))
                                  : refusedChange(applied.error, call->request.path));
    });
}

void RoleResources::create(const CallPtr& call)
{
    if (!call->tenant().empty()) {
        call->answer(forbidden());
        return;
    }
    auto read = readBody(call->request, roleCreateRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const std::string& id = *body.text("RoleId");
    const Result<tenants::PrivilegeSet> privileges = parse(*body.texts("AssignedPrivileges"));
    if (cluster::roleExists(context.engine.state(), id)) {
        call->answer(errorAnswer(400, {"ResourceAlreadyExists", {"Role", "RoleId", id}, "#/RoleId"}));
    } else if (!cluster::checkCustomRole(id)) {
        call->answer(badRequest({{"PropertyValueFormatError", {id, "RoleId"}, "#/RoleId"}}));
    } else if (!privileges) {
        call->answer(badRequest(
            {{"PropertyValueNotInList", {privileges.error().message, "AssignedPrivileges"}, "#/AssignedPrivileges"}}));
    } else {
        put(call, {id, cluster::anyRevision, *privileges}, 201, body.ignored);
    }
}

void RoleResources::remove(const CallPtr& call, cluster::Revision seen)
{
    const auto& accounts = context.engine.state().accounts;
    const bool inUse = std::any_of(accounts.begin(), accounts.end(),
                                   [&call](const auto& account) { return account.second.roleId == call->id; });
    if (inUse) {
        call->answer(refusedChange({Code::refused, "accounts have the role " + call->id}, call->request.path));
        return;
    }
    propose(context, call, cluster::DeleteRole{call->id, seen}, [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : refusedChange(applied.error, call->request.path));
    });
}

void RoleResources::handle(const CallPtr& call)
{
    const cluster::State& state = context.engine.state();
    if (!cluster::roleExists(state, call->id)) {
        call->answer(notFound(call->request.path));
        return;
    }
    if (call->reads()) {
        call->answer(get(*call, call->id, 200, {}));
        return;
    }
    if (!call->tenant().empty()) {
        call->answer(forbidden());
        return;
    }
    if (failsIfMatch(call->request.head, roleEtag(state, call->id))) {
        call->answer(preconditionFailed());
        return;
    }
    const cluster::Revision seen = isConditional(call->request.head) ? state.roles.at(call->id).revision : cluster::anyRevision;
    if (call->request.head.method == "DELETE") {
        remove(call, seen);
        return;
    }
    auto read = readBody(call->request, rolePatchRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const Result<tenants::PrivilegeSet> privileges = parse(*body.texts("AssignedPrivileges"));
    if (!privileges) {
        call->answer(badRequest(
            {{"PropertyValueNotInList", {privileges.error().message, "AssignedPrivileges"}, "#/AssignedPrivileges"}}));
        return;
    }
    put(call, {call->id, seen, *privileges}, 200, body.ignored);
}

}  // namespace mesh::aggregator
