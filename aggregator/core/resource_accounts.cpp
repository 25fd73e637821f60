#include "aggregator/core/resource_accounts.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_oem_schemas.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "cluster/core/accounts.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/policy.hpp"
#include "tenants/privileges.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;
using tenants::Privilege;

constexpr std::string_view allowed = "GET, HEAD, PATCH, DELETE";
constexpr std::string_view tenantProperty = "Oem/Bmcmesh/Tenant";

constexpr std::array accountCreateRules{
    PropertyRule{"UserName", Takes::text, true},   PropertyRule{"Password", Takes::secret, true},
    PropertyRule{"RoleId", Takes::text, true},     PropertyRule{"Enabled", Takes::flag},
    PropertyRule{"PasswordChangeRequired", Takes::flag}, PropertyRule{tenantProperty, Takes::text},
    PropertyRule{"Locked"},      PropertyRule{"Id"},    PropertyRule{"Name"},
    PropertyRule{"AccountTypes"}, PropertyRule{"Links"},
};

constexpr std::array accountPatchRules{
    PropertyRule{"UserName", Takes::text},  PropertyRule{"Password", Takes::secret},
    PropertyRule{"RoleId", Takes::text},    PropertyRule{"Enabled", Takes::flag},
    PropertyRule{"Locked", Takes::flag},    PropertyRule{"PasswordChangeRequired", Takes::flag},
    PropertyRule{tenantProperty},           PropertyRule{"Id"},
    PropertyRule{"Name"},                   PropertyRule{"AccountTypes"},
    PropertyRule{"Links"},
};

std::string accountUri(const std::string& id)
{
    return "/redfish/v1/AccountService/Accounts/" + id;
}

// A lock runs out without a change of the account.
std::string accountEtag(const cluster::Account& account, Now now)
{
    return '"' + std::to_string(account.revision) + (cluster::isLocked(account, now.wall) ? "-locked\"" : "\"");
}

Answer tooManyPasswords()
{
    return temporarilyUnavailable("Too many passwords are being changed or checked. Nothing was changed; repeat the request.");
}

bool managesUsers(const Principal& who)
{
    return who.privileges.contains({Privilege::configureUsers});
}

template <class Value>
std::optional<Value> given(const Value* value)
{
    return value == nullptr ? std::nullopt : std::optional<Value>(*value);
}

}  // namespace

OwnCollection AccountResources::list(const Call& call) const
{
    OwnCollection collection{"/redfish/v1/AccountService/Accounts", "ManagerAccountCollection", "Accounts Collection", {}};
    const Principal& who = *call.who;
    const bool all = managesUsers(who) || who.privileges.contains({Privilege::configureManager});
    std::vector<std::string> ids;
    for (const auto& [id, account] : context.engine.state().accounts) {
        if (id == who.accountId || (all && tenants::mayReach(who.tenant, account.tenant))) {
            ids.push_back(id);
        }
    }
    std::sort(ids.begin(), ids.end(), [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    for (const std::string& id : ids) {
        collection.members.push_back(accountUri(id));
    }
    return collection;
}

const cluster::Account* AccountResources::find(const Call& call) const
{
    const cluster::Account* account = cluster::findAccount(context.engine.state(), call.id);
    return account != nullptr && tenants::mayReach(call.who->tenant, account->tenant) ? account : nullptr;
}

Answer AccountResources::get(const Call& call, const cluster::Account& account, int status,
                             const std::vector<RedfishMessage>& info, Headers extra) const
{
    const std::string type = typeOf("ManagerAccount");
    json body{{"@odata.id", accountUri(account.id)},
              {"@odata.type", type},
              {"Id", account.id},
              {"Name", "User Account"},
              {"UserName", account.userName},
              {"Password", nullptr},
              {"RoleId", account.roleId},
              {"Enabled", account.enabled},
              {"Locked", cluster::isLocked(account, call.now.wall)},
              {"PasswordChangeRequired", account.passwordChangeRequired},
              {"AccountTypes", {"Redfish"}},
              {"Links", {{"Role", {{"@odata.id", "/redfish/v1/AccountService/Roles/" + account.roleId}}}}}};
    if (!account.tenant.empty()) {
        body["Oem"]["Bmcmesh"] = {{"@odata.type", oemTypeOf("ManagerAccount")},
                                  {"Tenant", account.tenant}};
    }
    for (const RedfishMessage& message : info) {
        body["@Message.ExtendedInfo"].push_back(json::parse(messageJson(message)));
    }
    return representationAnswer(call.request.head,
                                {type, jsonText(body), std::string(allowed),
                                 accountEtag(account, call.now)},
                                status, std::move(extra));
}

// What is wrong with the values, each named.
std::vector<RedfishMessage> AccountResources::check(const RequestBody& body, const std::string& userName) const
{
    std::vector<RedfishMessage> wrong;
    const std::string* name = body.text("UserName");
    if (name != nullptr && !cluster::checkUserName(*name)) {
        wrong.push_back({"PropertyValueFormatError", {*name, "UserName"}, "#/UserName"});
    }
    const std::string* password = body.text("Password");
    if (password != nullptr && !cluster::checkPassword(*password, name != nullptr ? *name : userName)) {
        wrong.push_back({"PropertyValueError", {"Password"}, "#/Password"});
    }
    const std::string* role = body.text("RoleId");
    if (role != nullptr && !cluster::roleExists(context.engine.state(), *role)) {
        wrong.push_back({"PropertyValueNotInList", {*role, "RoleId"}, "#/RoleId"});
    }
    const bool* locked = body.flag("Locked");
    if (locked != nullptr && *locked) {
        wrong.push_back({"PropertyValueNotInList", {"true", "Locked"}, "#/Locked"});
    }
    return wrong;
}

// Logins wait in the same queue.
bool AccountResources::takePasswordPlace(const CallPtr& call)
{
    if (passwordsWaiting == limits::maxWaitingPasswordChanges) {
        call->answer(tooManyPasswords());
        return false;
    }
    ++passwordsWaiting;
    return true;
}

void AccountResources::hash(const CallPtr& call, const std::string& password, std::function<void(std::string)> then)
{
    if (!takePasswordPlace(call)) {
        return;
    }
    context.passwords.hash(password, [this, call, then = std::move(then)](Result<std::string> hashed, Now now) {
        --passwordsWaiting;
        call->now = now;
        if (hashed) {
            then(std::move(*hashed));
        } else {
            call->answer(tooManyPasswords());
        }
    });
}

void AccountResources::create(const CallPtr& call)
{
    auto read = readBody(call->request, accountCreateRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    if (const std::vector<RedfishMessage> wrong = check(body, {}); !wrong.empty()) {
        call->answer(badRequest(wrong));
        return;
    }
    cluster::CreateAccount account;
    account.userName = *body.text("UserName");
    account.roleId = *body.text("RoleId");
    account.enabled = given(body.flag("Enabled")).value_or(true);
    account.passwordChangeRequired = given(body.flag("PasswordChangeRequired")).value_or(false);
    account.tenant = given(body.text(tenantProperty)).value_or(call->tenant());
    if (!tenants::mayReach(call->tenant(), account.tenant)) {
        call->answer(forbidden());
        return;
    }
    hash(call, *body.text("Password"), [this, call, account, info = body.ignored](std::string hashed) mutable {
        account.passwordHash = std::move(hashed);
        propose(context, call, account, [this, call, name = account.userName, info](const cluster::Applied& applied) {
            const cluster::Account* made = cluster::findAccount(context.engine.state(), applied.value);
            if (applied.error.code == Code::alreadyExists) {
                call->answer(errorAnswer(400, {"ResourceAlreadyExists", {"ManagerAccount", "UserName", name}, "#/UserName"}));
            } else if (!applied.ok()) {
                call->answer(refusedChange(applied.error, call->request.path));
            } else if (made == nullptr) {
                call->answer(notFound(accountUri(applied.value)));
            } else {
                call->answer(get(*call, *made, 201, info, {{"Location", accountUri(made->id)}}));
            }
        });
    });
}

void AccountResources::handle(const CallPtr& call)
{
    const cluster::Account* account = find(*call);
    if (account == nullptr) {
        call->answer(notFound(call->request.path));
    } else if (call->reads()) {
        call->answer(get(*call, *account, 200, {}));
    } else if (failsIfMatch(call->request.head, accountEtag(*account, call->now))) {
        call->answer(preconditionFailed());
    } else if (call->request.head.method == "PATCH") {
        patch(call, *account);
    } else {
        remove(call, *account);
    }
}

void AccountResources::patch(const CallPtr& call, const cluster::Account& account)
{
    const Principal& who = *call->who;
    auto read = readBody(call->request, accountPatchRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const bool passwordAlone = body.values.size() == 1 && body.has("Password");
    if (!passwordAlone && (who.passwordChangeRequired || !managesUsers(who))) {
        call->answer(who.passwordChangeRequired ? passwordChangeRequired(who) : forbidden());
        return;
    }
    if (const std::vector<RedfishMessage> wrong = check(body, account.userName); !wrong.empty()) {
        call->answer(badRequest(wrong));
        return;
    }
    cluster::UpdateAccount change;
    change.id = account.id;
    change.ifRevision = isConditional(call->request.head) ? account.revision : cluster::anyRevision;
    change.userName = given(body.text("UserName"));
    change.roleId = given(body.text("RoleId"));
    change.enabled = given(body.flag("Enabled"));
    change.locked = given(body.flag("Locked"));
    change.passwordChangeRequired = given(body.flag("PasswordChangeRequired"));
    change.keepSession = call->own ? who.sessionId : std::string();
    const std::string* password = body.text("Password");
    if (password == nullptr) {
        update(call, std::move(change), body.ignored);
        return;
    }
    const auto rehash = [this, call, change, password = *password, info = body.ignored] {
        hash(call, password, [this, call, change, info](std::string hashed) mutable {
            change.passwordHash = std::move(hashed);
            update(call, std::move(change), info);
        });
    };
    if (!who.passwordChangeRequired) {
        rehash();
        return;
    }
    // Who must change the password does not get by with the old one.
    if (!takePasswordPlace(call)) {
        return;
    }
    context.passwords.check(*password, account.passwordHash, [this, call, rehash](const Result<bool>& same, Now now) {
        --passwordsWaiting;
        call->now = now;
        if (!same) {
            call->answer(tooManyPasswords());
        } else if (*same) {
            call->answer(badRequest({{"PropertyValueError", {"Password"}, "#/Password"}}));
        } else {
            rehash();
        }
    });
}

void AccountResources::update(const CallPtr& call, cluster::UpdateAccount change, std::vector<RedfishMessage> info)
{
    const std::string name = change.userName.value_or(std::string());
    propose(context, call, std::move(change), [this, call, name, info = std::move(info)](const cluster::Applied& applied) {
        const cluster::Account* account = find(*call);
        if (applied.error.code == Code::alreadyExists) {
            call->answer(errorAnswer(400, {"ResourceAlreadyExists", {"ManagerAccount", "UserName", name}, "#/UserName"}));
        } else if (!applied.ok()) {
            call->answer(refusedChange(applied.error, call->request.path));
        } else if (account == nullptr) {
            call->answer(notFound(call->request.path));
        } else {
            call->answer(get(*call, *account, 200, info));
        }
    });
}

void AccountResources::remove(const CallPtr& call, const cluster::Account& account)
{
    cluster::DeleteAccount operation{account.id, isConditional(call->request.head) ? account.revision : cluster::anyRevision};
    propose(context, call, std::move(operation), [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : refusedChange(applied.error, call->request.path));
    });
}

}  // namespace mesh::aggregator
