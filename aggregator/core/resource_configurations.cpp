#include "aggregator/core/resource_configurations.hpp"

#include "aggregator/core/configuration_rules.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "cluster/core/feature_level.hpp"
#include "shoset/base/date_time.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>
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

// The asker's own; the system's may leave it out where there is one tenant only. Empty: he has to say which.
std::string ConfigurationResources::tenantFor(const Call& call, const std::string& given) const
{
    if (!given.empty() || !call.tenant().empty()) {
        return given.empty() ? call.tenant() : given;
    }
    std::set<std::string> tenants = context.engine.state().registry.tenants();
    for (const auto& [address, satellite] : context.satellites.all()) {
        tenants.insert(satellite.tenant);
    }
    return tenants.size() == 1 ? *tenants.begin() : std::string();
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
    if (!document) {
        return call->answer(adminRefusal(document.error()));
    }
    Upload upload{std::move(*document), std::nullopt, call->who == nullptr ? std::string() : call->who->user.substr(0, maxAuthorBytes)};
    if (const std::int64_t* follows = body.integer("follows")) {
        upload.follows = static_cast<std::uint64_t>(*follows);
    }
    whenCaughtUp(call, [this, call, upload = std::move(upload)] { store(call, upload); });
}

// What another node took a moment ago counts, too.
void ConfigurationResources::whenCaughtUp(const CallPtr& call, std::function<void()> then) const
{
    if (!context.catchUp.isBehind()) {
        return then();
    }
    context.catchUp.run(call->now.mono, [call, then = std::move(then)](const Result<void>& reached) {
        if (!reached) {
            return call->answer(temporarilyUnavailable("What it has to fit is not known here: " + reached.error().message + "."));
        }
        then();
    });
}

void ConfigurationResources::store(const CallPtr& call, Upload upload) const
{
    const cluster::State& state = context.engine.state();
    const ConfigurationDocument& document = upload.document;
    const Result<std::string> type = connectorType(document.name);
    if (Result<void> fits = type ? fitsOthers(state, document, *type) : Result<void>(type.error()); !fits) {
        return call->answer(adminRefusal(fits.error()));
    }
    const cluster::Document* old = cluster::findDocument(state, document.name);
    const std::uint64_t there = old == nullptr ? 0 : old->version;
    upload.follows = upload.follows.value_or(there);
    ++upload.checks;
    const cluster::PutVersion version{document.name, *upload.follows, document.content, upload.author};
    cluster::Operation operation = cluster::PutConfiguration{version, cluster::configurationView(state, document.name.tenant), *type};
    if (!cluster::mayPropose(state, operation)) {
        operation = version;  // of nodes with an older program
    }
    propose(context, call, std::move(operation), [this, call, there, upload = std::move(upload)](const cluster::Applied& applied) {
        if (isOvertaken(applied, upload)) {
            return store(call, upload);
        }
        if (!applied.ok()) {
            return call->answer(adminRefusal(applied.error));
        }
        const cluster::DocumentName& name = upload.document.name;
        json made{{"tenant", name.tenant}, {"kind", configurationWord(name.kind)}, {"name", name.name}, {"version", std::stoull(applied.value)}};
        call->answer(documentAnswer(applied.value == std::to_string(there) ? 200 : 201, "application/json", jsonText(made)));
    });
}

// What it was checked against was changed, and not the document itself.
bool ConfigurationResources::isOvertaken(const cluster::Applied& applied, const Upload& upload) const
{
    const cluster::Document* current = cluster::findDocument(context.engine.state(), upload.document.name);
    return applied.error.code == Code::preconditionFailed && upload.checks < limits::maxConfigurationChecks &&
           (current == nullptr ? 0 : current->version) == *upload.follows;
}

void ConfigurationResources::remove(const CallPtr& call) const
{
    const auto name = named(*call);
    if (!name) {
        return call->answer(notFound(call->request.path));
    }
    whenCaughtUp(call, [this, call, name = *name] { removeUnused(call, name, 1); });
}

void ConfigurationResources::removeUnused(const CallPtr& call, const cluster::DocumentName& name, std::size_t checks) const
{
    const cluster::State& state = context.engine.state();
    const cluster::Document* document = cluster::findDocument(state, name);
    if (document == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    if (Result<void> unused = isUnused(state, name); !unused) {
        return call->answer(adminRefusal(unused.error()));
    }
    const cluster::Revision revision = document->revision;
    cluster::Operation operation = cluster::RemoveConfiguration{name, revision, cluster::configurationView(state, name.tenant)};
    if (!cluster::mayPropose(state, operation)) {
        operation = cluster::RemoveDocument{name, revision};
    }
    propose(context, call, std::move(operation), [this, call, name, revision, checks](const cluster::Applied& applied) {
        const cluster::Document* current = cluster::findDocument(context.engine.state(), name);
        const bool untouched = current != nullptr && current->revision == revision;
        if (applied.error.code == Code::preconditionFailed && untouched && checks < limits::maxConfigurationChecks) {
            return removeUnused(call, name, checks + 1);
        }
        call->answer(applied.ok() ? noContent() : adminRefusal(applied.error));
    });
}

}  // namespace mesh::aggregator
