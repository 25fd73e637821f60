#include "aggregator/core/resource_databases.hpp"

#include "aggregator/core/history_places.hpp"
#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/sealed_documents.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/history/core/database_url.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array databaseRules{PropertyRule{"database", Takes::text, true}, PropertyRule{"password_secret", Takes::text}};

Error levelNeeded(const cluster::State& state)
{
    const Result<void> known = cluster::allNodesKnow(state, cluster::databaseFeatureLevel);
    return known ? Error{Code::unsupported, "the cluster is at feature level " + std::to_string(state.featureLevel) +
                                                " until it is raised; this needs " + std::to_string(cluster::databaseFeatureLevel)}
                 : known.error();
}

// Each node has to be able to read it.
Result<void> checkGranted(const cluster::State& state, const std::string& tenant, const std::string& secret)
{
    const std::optional<SealedDocument> sealed = findSealed(state, tenant, secret);
    const std::string shown = tenant + "/" + secret;
    if (!sealed) {
        return Error{Code::invalidArgument, "there is no secret " + shown + ": 'meshctl secret put " + shown + " --to node:NODE,...' stores one"};
    }
    for (const auto& [id, node] : state.nodes) {
        const std::string recipient = nodeRecipient(node.name);
        if (!node.witness && sealing::findRecipient(sealed->envelope, recipient) == nullptr) {
            return Error{Code::invalidArgument, "the secret " + shown + " is not granted to " + recipient + ": 'meshctl secret grant " + shown +
                                                    " --to " + recipient + "'"};
        }
    }
    return {};
}

}  // namespace

json placeStatusJson(const PlaceStatus& status)
{
    json out{{"tenant", status.tenant}, {"database", status.wanted}, {"in_use", status.inUse}, {"phase", status.phase}};
    if (!status.failure.empty()) {
        out["reason"] = status.failure;
    }
    if (status.phase != "settled") {
        out["copied"] = status.copied;
    }
    out["failures"] = status.failures;
    return out;
}

void DatabaseResources::handle(const CallPtr& call) const
{
    if (!context.node.registryInCluster()) {
        return call->answer(adminRefusal({Code::preconditionFailed, "tenants of this mesh stand in a file on each node; where their history "
                                                                    "lives is said where the cluster keeps them (registry: cluster)"}));
    }
    if (!context.engine.state().registry.hasTenant(call->id)) {
        return call->answer(notFound(call->request.path));
    }
    call->reads() ? call->answer(read(call->id)) : put(call);
}

Answer DatabaseResources::read(const std::string& tenant) const
{
    const Result<WantedPlace> place = placeOf(context.engine.state(), tenant);
    json out{{"tenant", tenant}, {"database", "?"}, {"password_secret", ""}};
    if (place) {
        out["database"] = place->name.empty() ? ownPlaceShown : history::shownUrl(place->name);
        out["password_secret"] = place->secret;
    } else {
        out["reason"] = place.error().message;
    }
    for (const PlaceStatus& status : context.node.historyPlaces()) {
        if (status.tenant == tenant) {
            out["here"] = placeStatusJson(status);
        }
    }
    return documentAnswer(200, "application/json", jsonText(out));
}

Result<void> DatabaseResources::check(const std::string& tenant, const std::string& place, const std::string& secret) const
{
    const cluster::State& state = context.engine.state();
    if (Result<void> fine = history::checkPlace(place); !fine) {
        return fine;
    }
    if (state.featureLevel < cluster::databaseFeatureLevel) {
        return levelNeeded(state);
    }
    if (history::isOwnFile(place) && !secret.empty()) {
        return Error{Code::invalidArgument, "a file has no password: leave the secret out"};
    }
    if (history::plainPlace(place).empty()) {
        return {};
    }
    const auto others = std::count_if(state.documents.begin(), state.documents.end(), [&tenant](const auto& entry) {
        return entry.first.kind == cluster::DocumentKind::database && !entry.first.tenant.empty() && entry.first.tenant != tenant;
    });
    if (static_cast<std::size_t>(others) + 1 >= limits::maxHistoryDatabases) {
        return Error{Code::full, "at most " + std::to_string(limits::maxHistoryDatabases - 1) + " tenants have a database of their own"};
    }
    return secret.empty() ? Result<void>{} : checkGranted(state, tenant, secret);
}

void DatabaseResources::put(const CallPtr& call) const
{
    auto read = readBody(call->request, databaseRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    if (!body.ignored.empty()) {
        return call->answer(badRequest(body.ignored));
    }
    const WantedPlace place{*body.text("database"), body.textOr("password_secret", "")};
    if (const Result<void> fine = check(call->id, place.name, place.secret); !fine) {
        return call->answer(adminRefusal(fine.error()));
    }
    const cluster::DocumentName name = placeDocument(call->id);
    if (history::plainPlace(place.name).empty() && cluster::findDocument(context.engine.state(), name) == nullptr) {
        return call->answer(noContent());
    }
    cluster::Operation operation = history::plainPlace(place.name).empty()
                                       ? cluster::Operation{cluster::RemoveDocument{name, cluster::anyRevision}}
                                       : cluster::Operation{cluster::PutDocument{name, cluster::anyRevision, placeText(place)}};
    propose(context, call, std::move(operation),
            [call](const cluster::Applied& applied) { call->answer(applied.ok() ? noContent() : adminRefusal(applied.error)); });
}

}  // namespace mesh::aggregator
