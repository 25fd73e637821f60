#include "aggregator/core/resource_registry.hpp"

#include "aggregator/core/enrolment.hpp"
#include "aggregator/core/json_text.hpp"
#include "cluster/core/enrolments.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/join_string.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t defaultEnrolmentMinutes = 60;
constexpr std::int64_t maxEnrolmentMinutes = 7 * 24 * 60;
constexpr std::size_t enrolmentIdBytes = 8;

constexpr std::array tenantRules{PropertyRule{"name", Takes::text, true},
                                 PropertyRule{"quota/messages_per_second", Takes::integer},
                                 PropertyRule{"quota/bytes_in_flight", Takes::integer},
                                 PropertyRule{"quota/stored_events", Takes::integer},
                                 PropertyRule{"quota/connectors", Takes::integer}};
constexpr std::span<const PropertyRule> quotaRules = std::span(tenantRules).subspan(1);
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

json quotaDocument(const tenants::Quota& quota)
{
    return {{"messages_per_second", quota.messagesPerSecond},
            {"bytes_in_flight", quota.bytesInFlight},
            {"stored_events", quota.storedEvents},
            {"connectors", quota.connectors}};
}

// nullopt: none is given. What is too large the state refuses.
Result<std::optional<cluster::SetTenantQuota>> quotaIn(const RequestBody& body)
{
    cluster::SetTenantQuota quota;
    const std::pair<const char*, std::optional<std::uint64_t>*> parts[] = {
        {"quota/messages_per_second", &quota.messagesPerSecond},
        {"quota/bytes_in_flight", &quota.bytesInFlight},
        {"quota/stored_events", &quota.storedEvents},
        {"quota/connectors", &quota.connectors}};
    bool given = false;
    for (const auto& [name, part] : parts) {
        const std::int64_t* value = body.integer(name);
        if (value != nullptr && *value < 0) {
            return Error{Code::invalidArgument, "a quota is not below 0; 0 is none"};
        }
        if (value != nullptr) {
            *part = static_cast<std::uint64_t>(*value);
            given = true;
        }
    }
    return given ? std::optional(std::move(quota)) : std::nullopt;
}

}  // namespace

Answer RegistryResources::tenants() const
{
    if (!context.node.registryInCluster()) {
        return standsInAFile();
    }
    json names = json::array();
    const tenants::Registry& registry = context.engine.state().registry;
    for (const std::string& name : registry.tenants()) {
        names.push_back({{"name", name}, {"connectors", registry.connectorsOf(name)}, {"quota", quotaDocument(registry.quotaOf(name))}});
        if (const TenantUse* use = quotas == nullptr ? nullptr : quotas->find(name)) {
            names.back()["bytes_in_flight"] = use->inFlight;
            names.back()["refused"] = {{"messages", use->refusedMessages}, {"bytes", use->refusedBytes}};
        }
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
    const RequestBody& body = std::get<RequestBody>(read);
    if (!body.ignored.empty()) {  // a quota that is not as it was meant
        return call->answer(badRequest(body.ignored));
    }
    Result<std::optional<cluster::SetTenantQuota>> quota = quotaIn(body);
    if (!quota) {
        return call->answer(adminRefusal(quota.error()));
    }
    if (!*quota) {
        return change(call, cluster::PutTenant{*body.text("name")}, 201);
    }
    (*quota)->name = *body.text("name");
    (*quota)->add = true;
    change(call, **quota, 201);
}

void RegistryResources::setQuota(const CallPtr& call) const
{
    auto read = readBody(call->request, quotaRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    if (!body.ignored.empty()) {
        return call->answer(badRequest(body.ignored));
    }
    Result<std::optional<cluster::SetTenantQuota>> quota = quotaIn(body);
    if (!quota) {
        return call->answer(adminRefusal(quota.error()));
    }
    (*quota)->name = call->id;
    change(call, **quota, 204);
}

void RegistryResources::removeTenant(const CallPtr& call) const
{
    const std::string& query = call->request.query;
    if (!query.empty() && query != "force=true") {
        return call->answer(adminRefusal({Code::invalidArgument, "the one thing to ask for here is force=true"}));
    }
    change(call, query.empty() ? cluster::Operation{cluster::RemoveTenant{call->id}} : cluster::Operation{cluster::DropTenant{call->id}},
           204);
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
    if (!context.node.registryInCluster()) {
        return call->answer(standsInAFile());
    }
    propose(context, call, cluster::PutConnector{connector}, [this, call, tenant = connector.tenant](const cluster::Applied& applied) {
        call->answer(applied.ok() ? jsonDocument(201, json::object()) : refuseConnector(applied.error, tenant));
    });
}

Answer RegistryResources::refuseConnector(const Error& error, const std::string& tenant) const
{
    if (quotas != nullptr) {
        quotas->connectorRefused(error, context.engine.state().registry, tenant);
    }
    return adminRefusal(error);
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
    propose(context, call, enrolment, [this, call, made, tenant = enrolment.tenant](const cluster::Applied& applied) {
        call->answer(applied.ok() ? jsonDocument(201, made) : refuseConnector(applied.error, tenant));
    });
}

}  // namespace mesh::aggregator
