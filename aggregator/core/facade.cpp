#include "aggregator/core/facade.hpp"

#include "aggregator/core/collection_body.hpp"
#include "aggregator/core/header_rules.hpp"
#include "aggregator/core/member_page.hpp"
#include "aggregator/core/query.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/classify.hpp"
#include "shoset/uri/registries.hpp"
#include "tenants/policy.hpp"
#include "tenants/privileges.hpp"

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

constexpr int clientLeft = 499;  // before anything was ordered
constexpr std::array knownMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

// Outside the Redfish tree everything counts as "-".
std::string_view pathForPrivileges(std::string_view onSatellite)
{
    constexpr std::string_view tree = "/redfish/v1/";
    return onSatellite.size() >= tree.size() && equalsIgnoreCase(onSatellite.substr(0, tree.size()), tree)
               ? onSatellite.substr(tree.size())
               : std::string_view("-");
}

// A browser sends the login of HTTP Basic along whatever page asks; whether that is one of this service it says itself (Fetch
// standard, "Origin"). A session's token comes from nobody but a page that has it.
bool fromAnotherSite(const RequestHead& head)
{
    const std::string* origin = findHeader(head.headers, "Origin");
    const std::string* host = findHeader(head.headers, "Host");
    const bool keptLogin = findHeader(head.headers, "Authorization") != nullptr && findHeader(head.headers, "X-Auth-Token") == nullptr;
    if (origin == nullptr || !keptLogin || head.method == "GET" || head.method == "HEAD") {
        return false;
    }
    return host == nullptr || (!equalsIgnoreCase(*origin, "https://" + *host) && !equalsIgnoreCase(*origin, "http://" + *host));
}

Answer readOnlyRefusal()
{
    Answer refusal = errorAnswer(405, {"OperationNotAllowed", {}, {}});
    refusal.head.headers.push_back({"Allow", "GET, HEAD"});
    return refusal;
}

Answer nothingAt(const std::string& path)
{
    return errorAnswer(404, {"ResourceMissingAtURI", {path}, {}});
}

}  // namespace

Facade::Facade(FacadeSettings given, HttpPort& httpPort, Access& accessControl, OwnResources& ownResources,
               const Satellites& known)
    : settings(std::move(given)), authority(settings.authorityLease), http(httpPort), access(accessControl), own(ownResources), satellites(known),
      gather(settings.collectionDeadline)
{
}

bool Facade::Exchange::reads() const
{
    return request.head.method == "GET" || request.head.method == "HEAD";
}

Facade::Exchange* Facade::find(ExchangeId id)
{
    const auto found = exchanges.find(id);
    return found == exchanges.end() ? nullptr : &found->second;
}

void Facade::onRequest(ExchangeId id, RequestInfo request)
{
    ++count.requests;
    Exchange& exchange = exchanges[id];
    exchange.request = std::move(request);
    exchange.asked = now.mono;
    exchange.bodyComplete = !exchange.request.bodyFollows;
    if (std::optional<Answer> refusal = checkForm(exchange)) {
        count.badPath += refusal->head.status != 403 ? 1 : 0;
        answer(id, std::move(*refusal));
        return;
    }
    access.identify(exchange.request.head.headers, now, [this, id](Identified who, Now when) {
        now = when;
        identified(id, std::move(who));
    });
}

// What can be said of a request before it is known who asks.
std::optional<Answer> Facade::checkForm(Exchange& exchange)
{
    const RequestHead& head = exchange.request.head;
    if (std::find(knownMethods.begin(), knownMethods.end(), head.method) == knownMethods.end()) {
        return errorAnswer(501, {"OperationNotAllowed", {}, {}});
    }
    const std::string* version = findHeader(head.headers, "OData-Version");
    if (version != nullptr && *version != "4.0") {
        return errorAnswer(412, {"HeaderInvalid", {"OData-Version"}, {}});
    }
    if (fromAnotherSite(head)) {
        return errorAnswer(403, {"InsufficientPrivilege", {}, {}},
                           "A page of another site may change something with a session's token only.");
    }
    const std::string* via = findHeader(head.headers, "Via");
    if (via != nullptr && via->find(settings.serviceUuid) != std::string::npos && !settings.serviceUuid.empty()) {
        ++count.loops;
        return errorAnswer(508, {"GeneralError", {}, {}}, "The request has passed this service before.");
    }
    Result<uri::Target> target = uri::checkPath(head.target);
    if (!target) {
        return errorAnswer(400, {"GeneralError", {}, {}}, target.error().message);
    }
    exchange.path = std::move(target->path);
    exchange.query = std::move(target->query);
    return std::nullopt;
}

void Facade::identified(ExchangeId id, Identified who)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    const bool open = own.isOpen(exchange->request.head.method, exchange->path);
    if (std::holds_alternative<Answer>(who) && !open) {
        answer(id, std::get<Answer>(std::move(who)));
        return;
    }
    if (std::holds_alternative<Anonymous>(who) && !open) {
        answer(id, unauthorized("Authenticate with HTTP Basic or a session's X-Auth-Token."));
        return;
    }
    exchange->who = std::holds_alternative<Answer>(who) ? Identified(Anonymous{}) : std::move(who);
    dispatch(id, *exchange);
}

void Facade::dispatch(ExchangeId id, Exchange& exchange)
{
    const uri::Classified place = uri::classify(exchange.path);
    const auto* principal = std::get_if<Principal>(&exchange.who);
    const Satellite* satellite =
        place.prefix.empty() || principal == nullptr ? nullptr : satellites.findByPrefix(place.prefix);
    if (satellite != nullptr && tenants::mayReach(principal->tenant, satellite->tenant)) {
        toSatellite(id, exchange, *satellite);
        return;
    }
    const std::string_view registry = uri::publishedRegistry(exchange.path);
    if (registry.empty() || principal == nullptr || !toRegistry(id, exchange, registry)) {
        answerInTurn(id, exchange);
    }
}

// Whoever asks for the system and not for a tenant does not wait, and makes nobody wait. What may be done is decided by what was known
// when the request came.
void Facade::answerInTurn(ExchangeId id, Exchange& exchange)
{
    const auto* who = std::get_if<Principal>(&exchange.who);
    if (who == nullptr || who->tenant.empty() || !waitsForTurn(id, exchange, who->tenant)) {
        answerHere(id, exchange);
    }
}

// A merged collection, or a resource of this node's own.
void Facade::answerHere(ExchangeId id, Exchange& exchange)
{
    const uri::Classified place = uri::classify(exchange.path);
    if (place.kind == uri::PathKind::topCollection && std::holds_alternative<Principal>(exchange.who) &&
        !own.ownsCollection(std::string(place.collection))) {
        toCollection(id, exchange, place.collection);
    } else {
        toOwn(id, exchange);
    }
}

void Facade::toSatellite(ExchangeId id, Exchange& exchange, const Satellite& satellite)
{
    const uri::UriMap map(satellite.prefix);
    const std::optional<std::string> onSatellite = map.toSatellite(exchange.path);
    if (!onSatellite || map.ownerOf(exchange.path) != uri::Owner::satellite) {
        ++count.notFound;
        answer(id, nothingAt(exchange.path));
        return;
    }
    if (!mayAsk(id, exchange, pathForPrivileges(*onSatellite), expansionOf(exchange.query))) {
        return;
    }
    if (exchange.reads() || trail == nullptr) {
        forward(id, exchange, satellite);
        return;
    }
    if (!admitOrder(id, exchange, satellite)) {
        return;
    }
    exchange.phase = Phase::recording;
    trail->begin({satellite.tenant, std::get<Principal>(exchange.who).user, exchange.request.remote, exchange.request.head.method,
                  exchange.path},
                 now, [this, id, address = satellite.address](const Result<AuditToken>& stored, Now when) {
                     now = when;
                     recorded(id, address, stored);
                 });
}

// Who does it is on disk, or cannot be: only then may it be ordered.
void Facade::recorded(ExchangeId id, const shoset::Address& address, const Result<AuditToken>& stored)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        if (stored) {
            trail->end(*stored, clientLeft, now);
        }
        return;
    }
    if (!stored) {
        answer(id, notRecorded());
        return;
    }
    exchange->audit = *stored;
    if (!mayWrite(id)) {  // anew: the lease may have ended meanwhile
        return;
    }
    const Satellite* satellite = satellites.find(address);
    if (satellite == nullptr) {
        fail(id, {Code::notSent, "it is no longer registered"}, false);
    } else {
        forward(id, *exchange, *satellite);
    }
}

void Facade::endAudit(Exchange& exchange, int status)
{
    if (exchange.audit != 0) {
        trail->end(std::exchange(exchange.audit, 0), status, now);
    }
}

// A published registry without prefix: any satellite that has it may answer. False: none has it.
bool Facade::toRegistry(ExchangeId id, Exchange& exchange, std::string_view registry)
{
    const std::vector<const Satellite*> holders =
        satellites.registryHolders(registry, std::get<Principal>(exchange.who).tenant);
    if (holders.empty()) {
        return false;
    }
    if (!exchange.reads()) {
        answer(id, readOnlyRefusal());
    } else if (mayAsk(id, exchange, pathForPrivileges(exchange.path), expansionOf(exchange.query))) {
        const bool repeatable = exchange.bodyComplete && exchange.request.body.empty();
        for (std::size_t left = repeatable ? std::min(holders.size() - 1, limits::maxAlternatives) : 0; left > 0; --left) {
            exchange.others.push_back(holders[left]->address);
        }
        forward(id, exchange, *holders.front());
    }
    return true;
}

// Whether this node may order anything now; else the client has been told.
bool Facade::mayWrite(ExchangeId id)
{
    const Result<void> authorised = authority.mayWrite(now);
    if (!authorised) {
        ++count.withoutAuthority;
        answer(id, temporarilyUnavailable(authorised.error().message));
    }
    return authorised.ok();
}

// Whether the client may do this on the satellites; else it has been told.
bool Facade::mayAsk(ExchangeId id, const Exchange& exchange, std::string_view path, tenants::Expansion expansion)
{
    const Principal& who = std::get<Principal>(exchange.who);
    const tenants::Requirement requirement =
        tenants::requiredPrivilege(tenants::Owner::satellite, exchange.request.head.method, path, expansion);
    if (!who.passwordChangeRequired && tenants::allows(who.privileges, requirement)) {
        return exchange.reads() || mayWrite(id);
    }
    answer(id, who.passwordChangeRequired ? passwordChangeRequired(who) : errorAnswer(403, {"InsufficientPrivilege", {}, {}}));
    return false;
}

void Facade::forward(ExchangeId id, Exchange& exchange, const Satellite& satellite, Joining joining)
{
    ++count.forwarded;
    exchange.phase = Phase::forwarded;
    exchange.satellite = satellite.address;
    exchange.satelliteName = satellite.name;
    exchange.satellitePrefix = satellite.prefix;
    SatelliteRequest request = requestFor(exchange, satellite);
    exchange.attemptDeadline = request.deadline;
    if (!exchange.reads()) {
        joinedGets.written(satellite.address);
    }
    const bool joinable = joining == Joining::allowed && request.http.method == "GET" && exchange.bodyComplete && request.body.empty();
    const std::string& tenant = std::get<Principal>(exchange.who).tenant;
    exchange.key = joinable ? joinedGets.keyOf(satellite.address, tenant, request.http.target, request.http.headers) : JoinedGets::Key{};
    exchange.follows = joinedGets.join(exchange.key, id);
    if (exchange.follows || !admitToSend(id, exchange, satellite, request.bodyLength)) {
        return;
    }
    const bool bodyFollows = request.bodyFollows;
    if (!bodyFollows && waitsForTurn(id, exchange, satellite.tenant)) {
        exchange.waiting = std::make_unique<SatelliteRequest>(std::move(request));
        return;
    }
    const std::size_t first = request.body.size();
    broker->start(id, std::move(request), now);
    // The satellite takes this much unasked; with it the client is asked to go on ("100 Continue").
    if (bodyFollows && first < limits::inlineBodyBytes && find(id) != nullptr) {
        http.grant(id, limits::inlineBodyBytes - first);
    }
}

SatelliteRequest Facade::requestFor(Exchange& exchange, const Satellite& satellite)
{
    const RequestHead& head = exchange.request.head;
    SatelliteRequest request;
    request.connector = satellite.address;
    request.connectorPrefix = satellite.prefix;
    request.user = std::get<Principal>(exchange.who).user;
    request.about = exchange.audit == 0 ? MessageId{} : trail->requestOf(exchange.audit);
    if (const std::string* host = findHeader(head.headers, "Host")) {
        request.hosts.push_back(*host);
    }
    request.http = {head.method, head.target, requestHeadersForSatellite(head.headers, settings.serviceUuid)};
    request.bodyFollows = exchange.request.bodyFollows;
    request.bodyLength = bodyLengthOf(exchange.request);
    request.body = std::move(exchange.request.body);
    if (exchange.deadline == never) {
        exchange.deadline = now.mono + (request.bodyFollows ? limits::maxRequestDeadline : limits::defaultRequestDeadline);
    }
    // While another one could answer, nobody waits long for this one.
    request.deadline = exchange.others.empty() ? exchange.deadline
                                               : std::min(exchange.deadline, now.mono + settings.collectionDeadline);
    return request;
}

void Facade::toCollection(ExchangeId id, Exchange& exchange, std::string_view collection)
{
    const Principal& who = std::get<Principal>(exchange.who);
    const RequestHead& head = exchange.request.head;
    ++count.collections;
    if (!exchange.reads()) {
        answer(id, readOnlyRefusal());
        return;
    }
    if (!mayAsk(id, exchange, collection)) {
        return;
    }
    if (uri::findTopCollection(collection)->inlined) {
        toGather(id, exchange, collection);
        return;
    }
    MergedCollection merged = satellites.merge(collection, who.tenant);
    for (std::string& member : own.ownMembers(std::string(collection), who)) {
        merged.exists = true;
        merged.members.push_back(std::move(member));
    }
    if (!merged.exists) {
        ++count.notFound;
        answer(id, nothingAt(exchange.path));
        return;
    }
    if (!toOnlyMember(id, exchange, merged)) {
        answer(id, collectionAnswer(collection, merged, head, exchange.query));
    }
}

// `only` of a collection with one member: that member answers. False: the collection has to.
bool Facade::toOnlyMember(ExchangeId id, Exchange& exchange, const MergedCollection& merged)
{
    const ParsedQuery parsed = parseCollectionQuery(exchange.query);
    const auto* wanted = std::get_if<CollectionQuery>(&parsed);
    if (wanted == nullptr || !wanted->only || merged.members.size() != 1) {
        return false;
    }
    const std::string& member = merged.members.front();
    Result<uri::Target> target = uri::checkPath(merged.inlined ? idOfMember(member) : member);
    if (!target || !target->query.empty() || uri::classify(target->path).kind != uri::PathKind::member) {
        return false;
    }
    exchange.request.head.target = target->path;
    exchange.path = std::move(target->path);
    exchange.query.clear();
    dispatch(id, exchange);
    return true;
}

// Members stand in it whole, so they have to be fetched.
void Facade::toGather(ExchangeId id, Exchange& exchange, std::string_view collection)
{
    const Principal& who = std::get<Principal>(exchange.who);
    ParsedQuery parsed = parseCollectionQuery(exchange.query);
    if (Answer* refusal = std::get_if<Answer>(&parsed)) {
        answer(id, std::move(*refusal));
        return;
    }
    exchange.phase = Phase::gathering;
    Headers headers{{"Accept", "application/json"}};
    for (const Header& header : exchange.request.head.headers) {
        if (equalsIgnoreCase(header.name, "Via") || equalsIgnoreCase(header.name, "Cache-Control")) {
            headers.push_back(header);
        }
    }
    Gather::Request request{std::string(collection), who.tenant, who.user, requestHeadersForSatellite(headers, settings.serviceUuid)};
    const bool started = gather.start(
        id, std::move(request), satellites.parts(collection, who.tenant),
        [this, id, collection](MergedCollection merged, Now when) {
            now = when;
            Exchange* asked = find(id);
            if (asked != nullptr && !toOnlyMember(id, *asked, merged)) {
                answer(id, merged.exists ? collectionAnswer(collection, merged, asked->request.head, asked->query)
                                         : nothingAt(asked->path));
            }
        },
        now);
    if (!started) {
        Answer refusal = errorAnswer(503, {"ServiceTemporarilyUnavailable", {"1"}, {}},
                                     "Too many collections are being fetched from satellites.");
        refusal.head.headers.push_back({"Retry-After", "1"});
        answer(id, std::move(refusal));
    }
}

void Facade::toOwn(ExchangeId id, Exchange& exchange)
{
    if (exchange.request.body.size() > limits::maxOwnBodyBytes ||
        exchange.request.contentLength > limits::maxOwnBodyBytes) {
        answer(id, errorAnswer(413, {"PayloadTooLarge", {}, {}}));
        return;
    }
    if (exchange.bodyComplete) {
        handleOwn(id, exchange);
        return;
    }
    exchange.phase = Phase::collecting;
    http.grant(id, limits::maxOwnBodyBytes + 1);  // what is too long, or ends exactly there, is to be seen
}

void Facade::handleOwn(ExchangeId id, Exchange& exchange)
{
    ++count.own;
    exchange.phase = Phase::own;
    OwnRequest request{exchange.request.head,
                       std::string(uri::withoutTrailingSlashes(exchange.path)),
                       exchange.query,
                       std::move(exchange.request.body),
                       exchange.request.remote,
                       exchange.who};
    own.handle(std::move(request), now, [this, id](Answer result, Now when) {
        now = when;
        answer(id, std::move(result));
    });
}

void Facade::onRequestBody(ExchangeId id, std::string piece, bool last)
{
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    if (exchange->phase == Phase::refused) {
        return;
    }
    exchange->bodyComplete = last;
    if (exchange->phase == Phase::forwarded) {
        broker->sendBody(id, std::move(piece), last, now);
        return;
    }
    if (exchange->request.body.size() + piece.size() > limits::maxOwnBodyBytes) {
        answer(id, errorAnswer(413, {"PayloadTooLarge", {}, {}}));
        return;
    }
    exchange->request.body += piece;
    exchange->request.bodyFollows = !last;
    if (last && exchange->phase == Phase::collecting) {
        answerInTurn(id, *exchange);  // anew: a turn was taken to ask for the body, and it may have come much later
    }
}

}  // namespace mesh::aggregator
