#include "aggregator/core/resource_registry.hpp"

#include "aggregator/core/enrolment.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "cluster/core/enrolments.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/join_string.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t defaultEnrolmentMinutes = 60;
constexpr std::int64_t maxEnrolmentMinutes = 7 * 24 * 60;
constexpr std::size_t enrolmentIdBytes = 8;

constexpr std::array tenantRules{PropertyRule{"name", Takes::text, true}};
constexpr std::array connectorRules{PropertyRule{"tenant", Takes::text, true}, PropertyRule{"name", Takes::text, true},
                                    PropertyRule{"key", Takes::text, true},    PropertyRule{"prefix", Takes::text},
                                    PropertyRule{"product", Takes::text},      PropertyRule{"type", Takes::text}};
constexpr std::array enrolmentRules{PropertyRule{"tenant", Takes::text, true}, PropertyRule{"name", Takes::text, true},
                                    PropertyRule{"minutes", Takes::integer},   PropertyRule{"prefix", Takes::text},
                                    PropertyRule{"product", Takes::text},      PropertyRule{"type", Takes::text}};

Answer jsonDocument(int status, const json& value)
{
    return documentAnswer(status, "application/json", jsonText(value));
}

Answer standsInAFile()
{
    return adminRefusal({Code::preconditionFailed, "tenants and connectors of this mesh stand in a file on each node; change that, "
                                              "and reload"});
}

// "tenant:name"; the colon is in neither.
tenants::ConnectorName nameOf(const std::string& id)
{
    const std::size_t colon = id.find(':');
    return colon == std::string::npos ? tenants::ConnectorName{} : tenants::ConnectorName{id.substr(0, colon), id.substr(colon + 1)};
}

const char* rotationOf(const tenants::Connector& connector)
{
    if (!connector.rotating) {
        return "";
    }
    return connector.pendingKey.empty() ? "wanted" : "offered";
}

std::vector<tenants::JoinString::Aggregator> enrolmentEndpoints(const cluster::State& state)
{
    std::vector<tenants::JoinString::Aggregator> out;
    for (const auto& [id, node] : state.nodes) {
        if (!node.enrolEndpoint.empty()) {
            out.push_back({node.name, node.enrolEndpoint, node.key});
        }
    }
    return out;
}

}  // namespace

Answer RegistryResources::tenants() const
{
    if (!context.node.registryInCluster()) {
        return standsInAFile();
    }
    json names = json::array();
    for (const std::string& name : context.engine.state().registry.tenants()) {
        names.push_back({{"name", name}});
    }
    return jsonDocument(200, {{"tenants", std::move(names)}});
}

// What the entry did, as an answer. A registry that stands in a file is changed there.
void RegistryResources::change(const CallPtr& call, cluster::Operation operation, int status) const
{
    if (!context.node.registryInCluster()) {
        return call->answer(standsInAFile());
    }
    propose(context, call, std::move(operation), [call, status](const cluster::Applied& applied) {
        if (!applied.ok()) {
            call->answer(adminRefusal(applied.error));
        } else {
            call->answer(status == 204 ? noContent() : jsonDocument(status, json::object()));
        }
    });
}

void RegistryResources::createTenant(const CallPtr& call) const
{
    auto read = readBody(call->request, tenantRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    change(call, cluster::PutTenant{*std::get<RequestBody>(read).text("name")}, 201);
}

void RegistryResources::removeTenant(const CallPtr& call) const
{
    change(call, cluster::RemoveTenant{call->id}, 204);
}

Answer RegistryResources::connectors(const Call& call) const
{
    if (!context.node.registryInCluster()) {
        return standsInAFile();
    }
    const cluster::State& state = context.engine.state();
    json list = json::array();
    for (const auto& [name, connector] : state.registry.connectors()) {
        const cluster::PrefixAssignment* assigned = cluster::findPrefix(state, name.tenant, name.name);
        const Satellite* satellite = context.satellites.find(shoset::connectorAddress(name.tenant, name.name));
        list.push_back({{"tenant", name.tenant},
                        {"name", name.name},
                        {"key", connector.key},
                        {"prefix", assigned == nullptr ? connector.prefix : assigned->prefix},
                        {"product", connector.product},
                        {"type", connector.type},
                        {"revoked", connector.revoked},
                        {"rotation", rotationOf(connector)},
                        {"linked", satellite != nullptr && satellite->linked}});
    }
    json waiting = json::array();
    for (const auto& [id, enrolment] : state.enrolments) {
        if (cluster::isOutstanding(enrolment, call.now.wall)) {
            waiting.push_back({{"id", id},
                               {"tenant", enrolment.tenant},
                               {"name", enrolment.name},
                               {"expires", dateTime(enrolment.expiresAt)}});
        }
    }
    return jsonDocument(200, {{"connectors", std::move(list)}, {"enrolments", std::move(waiting)}});
}

void RegistryResources::putConnector(const CallPtr& call) const
{
    auto read = readBody(call->request, connectorRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    tenants::Connector connector{*body.text("tenant"),   *body.text("name"),     *body.text("key"),
                                 body.textOr("prefix", ""), body.textOr("product", ""), body.textOr("type", "")};
    change(call, cluster::PutConnector{std::move(connector)}, 201);
}

void RegistryResources::removeConnector(const CallPtr& call) const
{
    const tenants::ConnectorName name = nameOf(call->id);
    change(call, cluster::RemoveConnector{name.tenant, name.name}, 204);
}

void RegistryResources::revoke(const CallPtr& call) const
{
    const tenants::ConnectorName name = nameOf(call->id);
    change(call, cluster::RevokeConnector{name.tenant, name.name}, 204);
}

void RegistryResources::rotate(const CallPtr& call) const
{
    const tenants::ConnectorName name = nameOf(call->id);
    change(call, cluster::BeginRotation{name.tenant, name.name}, 204);
}

void RegistryResources::cancelRotation(const CallPtr& call) const
{
    const tenants::ConnectorName name = nameOf(call->id);
    change(call, cluster::CancelRotation{name.tenant, name.name}, 204);
}

void RegistryResources::cancelEnrolment(const CallPtr& call) const
{
    change(call, cluster::CancelEnrolment{call->id}, 204);
}

void RegistryResources::createEnrolment(const CallPtr& call) const
{
    auto read = readBody(call->request, enrolmentRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const std::int64_t minutes = body.integer("minutes") == nullptr ? defaultEnrolmentMinutes : *body.integer("minutes");
    if (!context.node.registryInCluster()) {
        return call->answer(standsInAFile());
    }
    if (minutes < 1 || minutes > maxEnrolmentMinutes) {
        return call->answer(adminRefusal({Code::invalidArgument, "minutes is 1 to " + std::to_string(maxEnrolmentMinutes)}));
    }
    if (!aggregatorsOf(context.engine.state())) {
        return call->answer(adminRefusal({Code::preconditionFailed, "a node has not said where connectors reach it: set "
                                                               "mesh.advertise on each"}));
    }
    const std::string prefix = body.textOr("prefix", "");
    if (!prefix.empty() && !isValidPrefix(prefix)) {
        return call->answer(adminRefusal({Code::invalidArgument, "a prefix is 1 to 16 letters and digits"}));
    }
    tenants::JoinString join{enrolmentEndpoints(context.engine.state()), cluster::makeSecret(context.rng)};
    const Result<std::string> text = tenants::encodeJoinString(join);
    if (!text) {
        return call->answer(adminRefusal({Code::preconditionFailed, "no node can be reached for enrolment: set enrolment.advertise"}));
    }
    cluster::AddEnrolment enrolment;
    enrolment.id = toHex(context.rng.bytes(enrolmentIdBytes));
    enrolment.secretHash = cluster::hashSecret(join.secret);
    enrolment.tenant = *body.text("tenant");
    enrolment.name = *body.text("name");
    enrolment.prefix = prefix;
    enrolment.product = body.textOr("product", "");
    enrolment.type = body.textOr("type", "");
    enrolment.expiresAt = call->now.wall + std::chrono::minutes(minutes);
    const json made{{"id", enrolment.id}, {"join", *text}, {"expires", dateTime(enrolment.expiresAt)}};
    propose(context, call, std::move(enrolment), [call, made](const cluster::Applied& applied) {
        call->answer(applied.ok() ? jsonDocument(201, made) : adminRefusal(applied.error));
    });
}

}  // namespace mesh::aggregator
