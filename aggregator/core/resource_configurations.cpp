#include "aggregator/core/resource_configurations.hpp"

#include "aggregator/core/configuration_rules.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "shoset/base/date_time.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t maxAuthorBytes = 128;

constexpr std::array configurationRules{PropertyRule{"document", Takes::json, true}, PropertyRule{"tenant", Takes::text},
                                        PropertyRule{"follows", Takes::integer}};

const char* stateWord(shoset::ConfiguredState state)
{
    switch (state) {
        case shoset::ConfiguredState::pending: return "pending";
        case shoset::ConfiguredState::applied: return "applied";
        case shoset::ConfiguredState::refused: return "refused";
    }
    return "unknown";
}

json acknowledged(const cluster::Document& wanted, const shoset::Configured* told)
{
    if (told == nullptr) {
        return {{"state", "unknown"}};
    }
    json out{{"state", told->document == wanted.revision ? stateWord(told->state) : "behind"}, {"version", told->version}};
    if (told->document == wanted.revision && !told->reason.empty()) {
        out["reason"] = told->reason;
    }
    return out;
}

json described(const cluster::DocumentName& name, const cluster::Document& document, const Configurations* layers)
{
    json out{{"tenant", name.tenant},       {"kind", configurationWord(name.kind)}, {"name", name.name},
             {"version", document.version}, {"at", dateTime(document.at)},          {"by", document.author}};
    if (name.kind == cluster::DocumentKind::component) {
        out["acknowledged"] = acknowledged(document, layers == nullptr ? nullptr : layers->of(shoset::connectorAddress(name.tenant, name.name)));
    }
    return out;
}

json parsedDocument(const std::string& content)
{
    return json::parse(content, nullptr, false);
}

}  // namespace

// Empty: he has to say which.
std::string ConfigurationResources::tenantFor(const Call& call, const std::string& given) const
{
    return given.empty() ? call.tenant() : given;
}

// "TENANT:KIND:NAME"; what is out of the asker's reach does not exist.
std::optional<cluster::DocumentName> ConfigurationResources::named(const Call& call) const
{
    const std::size_t first = call.id.find(':');
    const std::size_t second = call.id.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
        return std::nullopt;
    }
    const auto kind = configurationKind(call.id.substr(first + 1, second - first - 1));
    const std::string tenant = call.id.substr(0, first);
    if (!kind || !tenants::mayReach(call.tenant(), tenant)) {
        return std::nullopt;
    }
    return cluster::DocumentName{*kind, tenant, call.id.substr(second + 1)};
}

Answer ConfigurationResources::list(const Call& call) const
{
    json all = json::array();
    for (const auto& [name, document] : context.engine.state().documents) {
        if (!configurationWord(name.kind).empty() && tenants::mayReach(call.tenant(), name.tenant)) {
            all.push_back(described(name, document, layers));
        }
    }
    return documentAnswer(200, "application/json", jsonText({{"documents", std::move(all)}}));
}

Answer ConfigurationResources::get(const Call& call) const
{
    const auto name = named(call);
    const cluster::Document* document = name ? cluster::findDocument(context.engine.state(), *name) : nullptr;
    if (document == nullptr) {
        return notFound(call.request.path);
    }
    json out = described(*name, *document, layers);
    out["document"] = parsedDocument(document->content);
    out["history"] = json::array();
    for (const cluster::DocumentVersion& version : document->former) {
        out["history"].push_back({{"version", version.number}, {"at", dateTime(version.at)}, {"by", version.author}, {"document", parsedDocument(version.content)}});
    }
    return documentAnswer(200, "application/json", jsonText(out));
}

// Empty for what is of no connector, or of one without a type.
Result<std::string> ConfigurationResources::connectorType(const cluster::DocumentName& name) const
{
    if (name.kind != cluster::DocumentKind::component) {
        return std::string();
    }
    const shoset::Address address = shoset::connectorAddress(name.tenant, name.name);
    const tenants::Connector* connector = layers == nullptr ? nullptr : layers->connector(address);
    if (connector == nullptr && context.satellites.find(address) == nullptr) {
        return Error{Code::notFound, "there is no connector " + name.name};
    }
    return connector == nullptr ? std::string() : connector->type;
}

void ConfigurationResources::put(const CallPtr& call) const
{
    auto read = readBody(call->request, configurationRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const std::string tenant = tenantFor(*call, body.textOr("tenant", ""));
    const auto& all = context.satellites.all();
    const bool isThere = context.engine.state().registry.hasTenant(tenant) ||
                         std::any_of(all.begin(), all.end(), [&](const auto& entry) { return entry.second.tenant == tenant; });
    if (tenant.empty()) {
        return call->answer(adminRefusal({Code::invalidArgument, "name the tenant that it is for"}));
    }
    if (!tenants::mayReach(call->tenant(), tenant) || !isThere) {
        return call->answer(adminRefusal({Code::notFound, "there is no tenant " + tenant}));
    }
    Result<ConfigurationDocument> document = readConfiguration(tenant, *body.text("document"));
    const Result<std::string> type = document ? connectorType(document->name) : document.error();
    if (Result<void> fits = type ? fitsOthers(context.engine.state(), *document, *type) : Result<void>(type.error()); !fits) {
        return call->answer(adminRefusal(fits.error()));
    }
    const cluster::Document* old = cluster::findDocument(context.engine.state(), document->name);
    const std::uint64_t now = old == nullptr ? 0 : old->version;
    const std::int64_t* follows = body.integer("follows");
    const std::string who = call->who == nullptr ? std::string() : call->who->user.substr(0, maxAuthorBytes);
    cluster::PutVersion operation{document->name, follows == nullptr ? now : static_cast<std::uint64_t>(*follows), std::move(document->content), who};
    propose(context, call, std::move(operation), [call, name = document->name, now](const cluster::Applied& applied) {
        if (!applied.ok()) {
            return call->answer(adminRefusal(applied.error));
        }
        json made{{"tenant", name.tenant}, {"kind", configurationWord(name.kind)}, {"name", name.name}, {"version", std::stoull(applied.value)}};
        call->answer(documentAnswer(applied.value == std::to_string(now) ? 200 : 201, "application/json", jsonText(made)));
    });
}

void ConfigurationResources::remove(const CallPtr& call) const
{
    const auto name = named(*call);
    const cluster::Document* document = name ? cluster::findDocument(context.engine.state(), *name) : nullptr;
    if (document == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    if (Result<void> unused = isUnused(context.engine.state(), *name); !unused) {
        return call->answer(adminRefusal(unused.error()));
    }
    propose(context, call, cluster::RemoveDocument{*name, document->revision}, [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : adminRefusal(applied.error));
    });
}

}  // namespace mesh::aggregator
