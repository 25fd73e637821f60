#include "aggregator/core/history_places.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/sealed_documents.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/history/core/database_url.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_text.hpp"
#include "shoset/sealing/sealing.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <span>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr const char* placeName = "history";
constexpr std::size_t maxPlaceDepth = 2;

nlohmann::json placeJson(const cluster::Document& document)
{
    if (!shoset::checkJsonBounds(document.content, limits::maxDocumentBytes, maxPlaceDepth)) {
        return {};
    }
    return nlohmann::json::parse(document.content, nullptr, false);
}

std::string textIn(const nlohmann::json& object, const char* field)
{
    const auto found = object.is_object() ? object.find(field) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

cluster::DocumentName placeDocument(const std::string& tenant)
{
    return {cluster::DocumentKind::database, tenant, placeName};
}

std::string placeText(const WantedPlace& place)
{
    return jsonText({{"database", place.name}, {"password_secret", place.secret}});
}

Result<WantedPlace> placeOf(const cluster::State& state, const std::string& tenant)
{
    const cluster::Document* document = cluster::findDocument(state, placeDocument(tenant));
    if (document == nullptr) {
        return WantedPlace{};
    }
    const nlohmann::json read = placeJson(*document);
    WantedPlace place{textIn(read, "database"), textIn(read, "password_secret")};
    if (const Result<void> understood = history::checkPlace(place.name); !understood) {
        return Error{Code::unsupported, "this node does not understand where it is to be (" + understood.error().message +
                                            "): it stays where it is"};
    }
    place.name = history::plainPlace(place.name);
    return place;
}

std::map<std::string, std::string> nodeKeys(const cluster::State& state)
{
    std::map<std::string, std::string> out;
    for (const auto& [id, node] : state.nodes) {
        const cluster::Document* document = cluster::findDocument(state, {cluster::DocumentKind::database, {}, node.name});
        const Result<std::string> key = document == nullptr ? Result<std::string>(std::string())
                                                            : sealing::fromBase64(textIn(placeJson(*document), "key"));
        if (key && key->size() == sealing::keyBytes) {
            out[node.name] = *key;
        }
    }
    return out;
}

std::string nodeRecipient(std::string_view node)
{
    return std::string(sealing::nodePrefix) + std::string(node);
}

HistoryPlaces::HistoryPlaces(Environment given, cluster::StateEngine& stateEngine, HistoryPlacesPort* shell, Rng& random)
    : environment(std::move(given)), engine(stateEngine), port(shell), rng(random), isUsed(port != nullptr || environment.seed.has_value()), changed(isUsed)
{
    if (port != nullptr) {
        port->start([this](const std::string& tenant, const std::string& secret) { return password(tenant, secret); },
                    [this](const std::string& tenant, const std::string& place, const std::string& failure, Now now) {
                        onNews(tenant, place, failure, now);
                    });
    }
}

void HistoryPlaces::onNews(const std::string& tenant, const std::string& place, const std::string& failure, Now now) const
{
    if (failure.empty()) {
        return;
    }
    const std::string payload = jsonText({{"tenant", tenant}, {"database", place}, {"reason", failure}});
    environment.note(tenant, "history_not_moved", payload, now);
    environment.note({}, "history_not_moved", payload, now);
}

// Whoever could put another one in its place could also name another database: so any operator's signature will do.
Result<std::string> HistoryPlaces::password(const std::string& tenant, const std::string& secret) const
{
    const std::string shown = "the secret " + tenant + "/" + secret;
    if (!environment.seed) {
        return Error{Code::unsupported, shown + " cannot be read: this node has no key of its own for that"};
    }
    const std::optional<SealedDocument> sealed = findSealed(engine.state(), tenant, secret);
    if (!sealed) {
        return Error{Code::notFound, shown + " is not there"};
    }
    const std::string self = nodeRecipient(environment.node);
    if (sealing::findRecipient(sealed->envelope, self) == nullptr) {
        return Error{Code::permissionDenied, shown + " is not granted to " + self + ": meshctl secret grant " + tenant + "/" + secret +
                                                 " --to " + self};
    }
    const std::array operators{sealed->envelope.operatorKey};
    const std::array seeds{*environment.seed};
    const Result<sealing::SecretText> opened = sealing::open(sealed->envelope, {tenant, self, operators, seeds}, secret);
    if (!opened) {
        return Error{opened.error().code, shown + ": " + opened.error().message};
    }
    return std::string(opened->view());
}

// Without a majority it is tried again and again, and nothing is moved.
void HistoryPlaces::catchUp(Now now)
{
    if (std::exchange(askingCluster, true)) {
        return;
    }
    engine.barrier(now.mono + limits::keeperDeadline,
                   [this, at = now.mono, owner = std::weak_ptr<int>(alive)](const Result<cluster::Revision>& reached) {
                       if (owner.expired()) {
                           return;
                       }
                       askingCluster = false;
                       if (reached) {
                           caughtUp = true;
                           changed = true;
                       } else {
                           retryAt = at + limits::keeperRetry;
                       }
                   });
}

void HistoryPlaces::tellPlaces(Now now)
{
    const cluster::State& state = engine.state();
    std::map<std::string, WantedPlace> all;
    std::map<std::string, std::string> unknown;
    for (const std::string& tenant : state.registry.tenants()) {
        Result<WantedPlace> place = placeOf(state, tenant);
        if (place) {
            all[tenant] = std::move(*place);
        } else {
            unknown.emplace(tenant, place.error().message);
        }
    }
    const std::map<std::string, std::string> before = std::exchange(notUnderstood, std::move(unknown));
    for (const auto& [tenant, why] : notUnderstood) {
        if (!before.contains(tenant)) {
            onNews(tenant, "?", why, now);
        }
    }
    port->setPlaces(std::move(all));
    environment.onLanes(now);
}

void HistoryPlaces::tellKey(Now now)
{
    const cluster::State& state = engine.state();
    if (!environment.seed || proposing || state.featureLevel < cluster::databaseFeatureLevel ||
        cluster::findNodeByName(state, environment.node) == nullptr) {
        return;
    }
    const cluster::DocumentName name{cluster::DocumentKind::database, {}, environment.node};
    const std::string content = jsonText({{"key", sealing::toBase64(sealing::sealingKeyOf(*environment.seed))}});
    const cluster::Document* known = cluster::findDocument(state, name);
    if (known != nullptr && known->content == content) {
        return;
    }
    proposing = true;
    engine.propose({MessageId::make(now.wall, rng), now.wall, cluster::PutDocument{name, cluster::anyRevision, content}},
                   now.mono + limits::keeperDeadline, [this, at = now.mono, owner = std::weak_ptr<int>(alive)](const Result<cluster::Applied>&) {
                       if (!owner.expired()) {
                           proposing = false;
                           retryAt = at + limits::keeperRetry;
                       }
                   });
}

void HistoryPlaces::onTimer(Now now)
{
    if (!changed && now.mono < retryAt) {
        return;
    }
    retryAt = never;
    const bool isNews = std::exchange(changed, false);
    if (port != nullptr && !caughtUp) {
        catchUp(now);
    } else if (port != nullptr && isNews) {
        tellPlaces(now);
    }
    tellKey(now);
}

std::vector<PlaceStatus> HistoryPlaces::statuses() const
{
    return port == nullptr ? std::vector<PlaceStatus>{} : port->statuses();
}

void HistoryPlaces::addMetrics(std::vector<Counter>& out) const
{
    std::uint64_t moves = 0;
    std::uint64_t failures = 0;
    std::uint64_t unsettled = 0;
    for (const PlaceStatus& status : statuses()) {
        moves += status.moves;
        failures += status.failures;
        unsettled += status.phase == "settled" ? 0 : 1;
    }
    out.push_back({"bmcmesh_history_moves_total", "Times that a tenant's history moved to another database", moves, false});
    out.push_back({"bmcmesh_history_move_failures_total", "Attempts at that which failed; the old database stays in use", failures, false});
    out.push_back({"bmcmesh_history_moves_pending", "Tenants whose history is not where it is to be", unsettled, true});
}

}  // namespace mesh::aggregator
