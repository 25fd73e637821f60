#include "aggregator/core/resource_policies.hpp"

#include "aggregator/core/command_policies.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array grantRules{PropertyRule{"tenant", Takes::text, true}, PropertyRule{"sender", Takes::text, true},
                                PropertyRule{"command", Takes::text, true}, PropertyRule{"target", Takes::text, true}};

bool same(const tenants::Grant& a, const tenants::Grant& b)
{
    return a.tenant == b.tenant && a.sender == b.sender && a.command == b.command && a.target == b.target;
}

// "TENANT:SENDER:COMMAND:TARGET"; no name has a colon.
tenants::Grant grantOf(const std::string& id)
{
    std::array<std::string, 4> parts;
    std::size_t at = 0;
    for (std::size_t i = 0; i < parts.size() && at <= id.size(); ++i) {
        const std::size_t end = std::min(id.find(':', at), id.size());
        parts[i] = id.substr(at, end - at);
        at = end + 1;
    }
    return {parts[0], parts[1], parts[2], parts[3]};
}

}  // namespace

Answer PolicyResources::list() const
{
    json all = json::array();
    for (const tenants::Grant& grant : grantsOf(context.engine.state())) {
        all.push_back({{"tenant", grant.tenant}, {"sender", grant.sender}, {"command", grant.command}, {"target", grant.target}});
    }
    return documentAnswer(200, "application/json", jsonText({{"policies", std::move(all)}}));
}

// One that was changed meanwhile is not overwritten.
void PolicyResources::put(const CallPtr& call, const std::string& tenant, const std::vector<tenants::Grant>& grants, int status) const
{
    const cluster::State& state = context.engine.state();
    const cluster::DocumentName name = policyDocument(state, tenant);
    const cluster::Document* old = cluster::findDocument(state, name);
    cluster::PutDocument operation{name, old == nullptr ? cluster::Revision{0} : old->revision, policyText(grants, tenant)};
    propose(context, call, std::move(operation), [call, status](const cluster::Applied& applied) {
        if (!applied.ok()) {
            return call->answer(adminRefusal(applied.error));
        }
        call->answer(status == 204 ? noContent() : documentAnswer(status, "application/json", "{}"));
    });
}

void PolicyResources::grant(const CallPtr& call) const
{
    auto read = readBody(call->request, grantRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const tenants::Grant wanted{*body.text("tenant"), *body.text("sender"), *body.text("command"), *body.text("target")};
    std::vector<tenants::Grant> grants = grantsOf(context.engine.state());
    const bool known = std::any_of(grants.begin(), grants.end(), [&](const tenants::Grant& grant) { return same(grant, wanted); });
    tenants::Policy policy = policyOf(context.engine.state());
    if (const Result<void> granted = policy.grant(wanted); !granted) {
        return call->answer(adminRefusal(granted.error()));
    }
    const auto& all = context.satellites.all();
    if (std::none_of(all.begin(), all.end(), [&](const auto& entry) { return entry.second.tenant == wanted.tenant; }) &&
        !context.engine.state().registry.hasTenant(wanted.tenant)) {
        return call->answer(adminRefusal({Code::notFound, "there is no tenant " + wanted.tenant}));
    }
    if (!known) {
        grants.push_back(wanted);
    }
    put(call, wanted.tenant, grants, 201);
}

void PolicyResources::revoke(const CallPtr& call) const
{
    const tenants::Grant wanted = grantOf(call->id);
    std::vector<tenants::Grant> grants = grantsOf(context.engine.state());
    if (std::erase_if(grants, [&](const tenants::Grant& grant) { return same(grant, wanted); }) == 0) {
        return call->answer(notFound(call->request.path));
    }
    put(call, wanted.tenant, grants, 204);
}

}  // namespace mesh::aggregator
