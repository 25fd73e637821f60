#include "aggregator/core/resource_secrets.hpp"

#include "aggregator/core/history_places.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/sealed_documents.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/sealing/sealing.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array secretRules{PropertyRule{"envelope", Takes::json, true}, PropertyRule{"revision", Takes::integer}};

json summaryOf(const SealedDocument& sealed)
{
    json recipients = json::array();
    for (const sealing::Recipient& recipient : sealed.envelope.recipients) {
        recipients.push_back({{"connector", recipient.connector}, {"key", sealing::toBase64(recipient.seal.key)}});
    }
    return {{"tenant", sealed.envelope.tenant},
            {"name", sealed.envelope.name},
            {"version", sealed.envelope.version},
            {"operator", sealing::toBase64(sealed.envelope.operatorKey)},
            {"recipients", std::move(recipients)},
            {"revision", sealed.revision}};
}

// Whether it may take the place of what is there.
Result<void> checkSucceeds(const cluster::State& state, const sealing::Envelope& envelope, std::int64_t revision)
{
    if (Result<void> genuine = sealing::checkSignature(envelope); !genuine) {
        return Error{Code::invalidArgument, genuine.error().message};
    }
    if (!state.registry.hasTenant(envelope.tenant)) {
        return Error{Code::notFound, "the cluster has no tenant " + envelope.tenant + " (registry: cluster)"};
    }
    const bool forNodes = std::any_of(envelope.recipients.begin(), envelope.recipients.end(), [](const sealing::Recipient& each) {
        return each.connector.starts_with(sealing::nodePrefix);
    });
    if (forNodes && state.featureLevel < cluster::databaseFeatureLevel) {  // an older node would find no secret in it
        return Error{Code::unsupported, "a secret for nodes needs feature level " + std::to_string(cluster::databaseFeatureLevel)};
    }
    const std::optional<SealedDocument> old = findSealed(state, envelope.tenant, envelope.name);
    if (!old && revision != 0) {
        return Error{Code::refused, "the secret " + envelope.name + " was removed meanwhile"};
    }
    if (old && (revision == 0 || static_cast<cluster::Revision>(revision) != old->revision ||
                envelope.version != old->envelope.version + 1)) {
        return Error{Code::refused, "the secret " + envelope.name + " is at version " + std::to_string(old->envelope.version) +
                                        ": read it again"};
    }
    if (!old && allSealed(state, envelope.tenant).size() >= limits::maxSecretsPerTenant) {
        return Error{Code::full, "a tenant has at most " + std::to_string(limits::maxSecretsPerTenant) + " secrets"};
    }
    return {};
}

}  // namespace

Answer SecretResources::list() const
{
    json secrets = json::array();
    for (const auto& [name, sealed] : allSealed(context.engine.state(), {})) {
        secrets.push_back(summaryOf(sealed));
    }
    json connectors = json::array();
    for (const auto& [address, satellite] : context.satellites.all()) {
        if (!satellite.sealingKey.empty()) {
            connectors.push_back(
                {{"tenant", satellite.tenant}, {"name", satellite.name}, {"key", sealing::toBase64(satellite.sealingKey)}});
        }
    }
    json nodes = json::array();
    for (const auto& [name, key] : nodeKeys(context.engine.state())) {
        nodes.push_back({{"name", nodeRecipient(name)}, {"key", sealing::toBase64(key)}});
    }
    return documentAnswer(200, "application/json",
                          jsonText({{"secrets", std::move(secrets)}, {"connectors", std::move(connectors)}, {"nodes", std::move(nodes)}}));
}

void SecretResources::put(const CallPtr& call, const std::string& tenant, const std::string& name) const
{
    auto read = readBody(call->request, secretRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const std::int64_t revision = body.integer("revision") == nullptr ? 0 : *body.integer("revision");
    const Result<sealing::Envelope> envelope = sealing::parseEnvelope(*body.text("envelope"));
    if (!envelope) {
        return call->answer(adminRefusal({Code::invalidArgument, envelope.error().message}));
    }
    if (envelope->tenant != tenant || envelope->name != name) {
        return call->answer(adminRefusal({Code::invalidArgument, "what was sealed is " + envelope->tenant + ":" + envelope->name}));
    }
    if (const Result<void> succeeds = checkSucceeds(context.engine.state(), *envelope, revision); !succeeds) {
        return call->answer(adminRefusal(succeeds.error()));
    }
    cluster::PutDocument operation{secretDocument(envelope->tenant, envelope->name), static_cast<cluster::Revision>(revision),
                                   sealing::envelopeText(*envelope)};
    propose(context, call, std::move(operation), [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? documentAnswer(201, "application/json", "{}") : adminRefusal(applied.error));
    });
}

void SecretResources::handle(const CallPtr& call) const
{
    const std::size_t colon = std::min(call->id.find(':'), call->id.size());  // no name has one
    const std::string tenant = call->id.substr(0, colon);
    const std::string name = call->id.substr(std::min(colon + 1, call->id.size()));
    if (call->reads()) {
        call->answer(read(tenant, name, call->request.path));
    } else if (call->request.head.method == "POST") {
        put(call, tenant, name);
    } else {
        remove(call, tenant, name);
    }
}

Answer SecretResources::read(const std::string& tenant, const std::string& name, const std::string& path) const
{
    const std::optional<SealedDocument> sealed = findSealed(context.engine.state(), tenant, name);
    if (!sealed) {
        return notFound(path);
    }
    return documentAnswer(200, "application/json",
                          R"({"revision":)" + std::to_string(sealed->revision) + R"(,"envelope":)" +
                              sealing::envelopeText(sealed->envelope) + "}");
}

void SecretResources::remove(const CallPtr& call, const std::string& tenant, const std::string& name) const
{
    propose(context, call, cluster::RemoveDocument{secretDocument(tenant, name), cluster::anyRevision},
            [call](const cluster::Applied& applied) { call->answer(applied.ok() ? noContent() : adminRefusal(applied.error)); });
}

}  // namespace mesh::aggregator
