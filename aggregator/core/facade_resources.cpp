#include "aggregator/core/facade_resources.hpp"

#include "aggregator/core/query.hpp"
#include "aggregator/core/resource_node.hpp"
#include "aggregator/core/resource_oem_schemas.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "shoset/uri/collections.hpp"
#include "tenants/privileges.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

using tenants::Privilege;

// What a path names that a privilege can depend on.
enum class About : std::uint8_t { other, account, session };

// What is needed beyond the privilege registry's word on a path below the root.
enum class Needs : std::uint8_t { registry, login, componentManager, manager, systemManager };

constexpr std::string_view tree = "/redfish/v1";

// The path has the pattern's segments, in any case; `id` gets what stands for {}.
bool matches(std::string_view pattern, std::string_view path, std::string& id)
{
    while (true) {
        const std::string_view wanted = pattern.substr(0, pattern.find('/'));
        const std::string_view segment = path.substr(0, path.find('/'));
        if (wanted == "{}" && !segment.empty()) {
            id = segment;
        } else if (!equalsIgnoreCase(wanted, segment)) {
            return false;
        }
        if (wanted.size() == pattern.size() || segment.size() == path.size()) {
            return wanted.size() == pattern.size() && segment.size() == path.size();
        }
        pattern.remove_prefix(wanted.size() + 1);
        path.remove_prefix(segment.size() + 1);
    }
}

// Below /redfish/v1/, or empty.
std::string_view belowRoot(std::string_view path)
{
    return path.size() > tree.size() && equalsIgnoreCase(path.substr(0, tree.size()), tree) && path[tree.size()] == '/'
               ? path.substr(tree.size() + 1)
               : std::string_view();
}

bool allowsMethod(std::string_view allow, std::string_view method)
{
    while (!allow.empty()) {
        const std::string_view one = allow.substr(0, allow.find(", "));
        if (one == method) {
            return true;
        }
        allow.remove_prefix(std::min(allow.size(), one.size() + 2));
    }
    return false;
}

constexpr std::string_view createOnly = "POST";
constexpr std::string_view withCreate = "GET, HEAD, POST";

}  // namespace

struct FacadeResources::Route {
    std::string_view pattern;  // below "/", "{}" is any one segment
    std::string_view allow;
    // Everything but reads of a collection.
    void (*handle)(FacadeResources& all, const CallPtr& call) = nullptr;
    // A collection's members.
    OwnCollection (*list)(const FacadeResources& all, const Call& call) = nullptr;
    std::string_view openMethods = {};  // may be asked for without authentication
    About about = About::other;
    Needs needs = Needs::registry;
    // In place of `allow`, where it depends on what stands for {}, or on the node.
    std::string_view (*allowOf)(const FacadeResources& all, const Call& call, const std::string& id) = nullptr;
    bool readsRecorded = false;  // as writes are: they hand out what is secret
    // What stands in the audit trail, where the path does not say enough.
    void (*describe)(const FacadeResources& all, const Call& call, Deed& deed) = nullptr;
    // Whether it is within a quota, before it is recorded.
    Result<void> (*reserve)(const FacadeResources& all, Call& call) = nullptr;
};

struct FacadeResources::Found {
    const Route* route = nullptr;               // of the table above, or
    std::optional<Representation> service = {}; // of the table of services
    std::string id = {};
    std::string_view allow = {};
    bool exists() const { return !allow.empty(); }
};

std::span<const FacadeResources::Route> FacadeResources::routes()
{
    using R = FacadeResources;
    static constexpr Route table[] = {
        {"redfish", readOnly,
         [](R&, const CallPtr& call) { call->answer(documentAnswer(200, "application/json", R"({"v1":"/redfish/v1/"})")); },
         nullptr, readOnly},
        {"redfish/v1", readOnly, [](R& all, const CallPtr& call) { call->answer(all.services.root(*call)); }, nullptr, readOnly},
        {"redfish/v1/odata", readOnly, [](R& all, const CallPtr& call) { call->answer(all.services.odata(*call)); }, nullptr,
         readOnly},
        {"redfish/v1/$metadata", readOnly,
         [](R&, const CallPtr& call) { call->answer(documentAnswer(200, "application/xml", metadataDocument())); }, nullptr,
         readOnly},
        {"redfish/v1/JsonSchemas", readOnly, nullptr, [](const R&, const Call&) { return schemaCollection(); }},
        {"redfish/v1/JsonSchemas/{}", readOnly,
         [](R&, const CallPtr& call) {
             std::optional<Answer> answer = schemaAnswer(*call);
             call->answer(answer ? std::move(*answer) : notFound(call->request.path));
         }},
        {"redfish/v1/schema/{}", readOnly,
         [](R&, const CallPtr& call) {
             std::string csdl = oemCsdl(call->id);
             call->answer(csdl.empty() ? notFound(call->request.path) : documentAnswer(200, "application/xml", std::move(csdl)));
         }},
        {"redfish/v1/AccountService/Accounts", withCreate, [](R& all, const CallPtr& call) { all.accounts.create(call); },
         [](const R& all, const Call& call) { return all.accounts.list(call); }},
        {"redfish/v1/AccountService/Accounts/Members", createOnly,
         [](R& all, const CallPtr& call) { all.accounts.create(call); }},
        {"redfish/v1/AccountService/Accounts/{}", "GET, HEAD, PATCH, DELETE",
         [](R& all, const CallPtr& call) { all.accounts.handle(call); }, nullptr, {}, About::account},
        {"redfish/v1/AccountService/Roles", withCreate, [](R& all, const CallPtr& call) { all.roles.create(call); },
         [](const R& all, const Call& call) { return all.roles.list(call); }},
        {"redfish/v1/AccountService/Roles/Members", createOnly, [](R& all, const CallPtr& call) { all.roles.create(call); }},
        {"redfish/v1/AccountService/Roles/{}", {}, [](R& all, const CallPtr& call) { all.roles.handle(call); }, nullptr, {},
         About::other, Needs::registry,
         [](const R&, const Call&, const std::string& id) { return RoleResources::allowed(id); }},
        {"redfish/v1/SessionService", "GET, HEAD, PATCH", [](R& all, const CallPtr& call) { all.sessions.service(call); }},
        {"redfish/v1/SessionService/Sessions", withCreate, [](R& all, const CallPtr& call) { all.sessions.create(call); },
         [](const R& all, const Call& call) { return all.sessions.list(call); }, createOnly},
        {"redfish/v1/SessionService/Sessions/Members", createOnly,
         [](R& all, const CallPtr& call) { all.sessions.create(call); }, nullptr, createOnly},
        {"redfish/v1/SessionService/Sessions/{}", "GET, HEAD, DELETE",
         [](R& all, const CallPtr& call) { all.sessions.handle(call); }, nullptr, {}, About::session},
        {"redfish/v1/AggregationService/AggregationSources", withCreate,
         [](R& all, const CallPtr& call) { all.sources.create(call); },
         [](const R& all, const Call& call) { return all.aggregation.list(call); }, {}, About::other, Needs::registry,
         [](const R& all, const Call&, const std::string&) { return all.sources.takesNew() ? withCreate : readOnly; }},
        {"redfish/v1/AggregationService/AggregationSources/Members", createOnly,
         [](R& all, const CallPtr& call) { all.sources.create(call); }},
        {"redfish/v1/AggregationService/AggregationSources/{}", agentlessAllow,
         [](R& all, const CallPtr& call) { all.sources.handle(call); }, nullptr, {}, About::other, Needs::registry,
         [](const R& all, const Call& call, const std::string& id) { return all.aggregation.allowed(call, id); }},
        {"redfish/v1/AggregationService/ConnectionMethods/{}", readOnly,
         [](R& all, const CallPtr& call) { call->answer(all.aggregation.method(*call)); }},
        {"redfish/v1/Managers/{}", readOnly, [](R& all, const CallPtr& call) { call->answer(all.managers.get(*call)); }},
        {"redfish/v1/Managers/{}/NetworkProtocol", readOnly,
         [](R& all, const CallPtr& call) { call->answer(all.managers.networkProtocol(*call)); }},
        {"redfish/v1/Managers/{}/Actions/Manager.ForceFailover", createOnly,
         [](R& all, const CallPtr& call) { all.managers.forceFailover(call); }},
        {"healthz", readOnly, [](R& all, const CallPtr& call) { call->answer(health(all.context)); }, nullptr, readOnly},
        {"metrics", readOnly, [](R& all, const CallPtr& call) { call->answer(metrics(all.context.node)); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/status", readOnly,
         [](R& all, const CallPtr& call) { call->answer(meshStatus(*call, all.context)); }, nullptr,
         {}, About::other, Needs::login},
    };
    return table;
}

std::span<const FacadeResources::Route> FacadeResources::workerRoutes()
{
    using R = FacadeResources;
    static constexpr Route table[] = {
        {"mesh/v1/workers", readOnly, [](R& all, const CallPtr& call) { call->answer(all.commands.workers(*call)); }, nullptr,
         {}, About::other, Needs::login},
        {"mesh/v1/commands", createOnly, [](R& all, const CallPtr& call) { all.commands.create(call); }, nullptr,
         {}, About::other, Needs::componentManager, nullptr, false,
         [](const R& all, const Call& call, Deed& deed) { all.commands.describe(call, deed); },
         [](const R& all, Call& call) { return all.commands.reserve(call); }},
        {"mesh/v1/commands/{}", readOnly, [](R& all, const CallPtr& call) { all.commands.read(call); }, nullptr,
         {}, About::other, Needs::componentManager},
        {"mesh/v1/trace/{}", readOnly, [](R& all, const CallPtr& call) { all.traces.read(call); }, nullptr,
         {}, About::other, Needs::componentManager},
        {"mesh/v1/events", readOnly, [](R& all, const CallPtr& call) { all.events.read(call); }, nullptr,
         {}, About::other, Needs::componentManager},
        {"mesh/v1/config", withCreate,
         [](R& all, const CallPtr& call) {
             call->reads() ? call->answer(all.configurations.list(*call)) : all.configurations.put(call);
         },
         nullptr, {}, About::other, Needs::manager},
        {"mesh/v1/config/{}", "GET, HEAD, DELETE",
         [](R& all, const CallPtr& call) {
             call->reads() ? call->answer(all.configurations.get(*call)) : all.configurations.remove(call);
         },
         nullptr, {}, About::other, Needs::manager},
        {"mesh/v1/policies", withCreate,
         [](R& all, const CallPtr& call) { call->reads() ? call->answer(all.policies.list()) : all.policies.grant(call); }, nullptr,
         {}, About::other, Needs::systemManager},
        {"mesh/v1/policies/{}", "DELETE", [](R& all, const CallPtr& call) { all.policies.revoke(call); }, nullptr,
         {}, About::other, Needs::systemManager},
        {"mesh/v1/secrets", readOnly, [](R& all, const CallPtr& call) { call->answer(all.secrets.list()); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/secrets/{}", "GET, HEAD, POST, DELETE", [](R& all, const CallPtr& call) { all.secrets.handle(call); }, nullptr,
         {}, About::other, Needs::systemManager},
    };
    return table;
}

// For who runs the whole system.
std::span<const FacadeResources::Route> FacadeResources::adminRoutes()
{
    using R = FacadeResources;
    static constexpr Route table[] = {
        {"mesh/v1/cluster/members", withCreate,
         [](R& all, const CallPtr& call) { call->reads() ? call->answer(all.cluster.list()) : all.cluster.take(call); }, nullptr,
         {}, About::other, Needs::systemManager},
        {"mesh/v1/cluster/members/{}", "DELETE", [](R& all, const CallPtr& call) { all.cluster.remove(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/cluster/transfer", createOnly, [](R& all, const CallPtr& call) { all.cluster.transfer(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/cluster/backup", "GET", [](R& all, const CallPtr& call) { all.cluster.backup(call); }, nullptr, {}, About::other,
         Needs::systemManager, nullptr, true},
        {"mesh/v1/tenants", withCreate,
         [](R& all, const CallPtr& call) { call->reads() ? call->answer(all.registry.tenants()) : all.registry.createTenant(call); },
         nullptr, {}, About::other, Needs::systemManager},
        {"mesh/v1/tenants/{}", "PATCH, DELETE",
         [](R& all, const CallPtr& call) {
             call->request.head.method == "DELETE" ? all.registry.removeTenant(call) : all.registry.setQuota(call);
         },
         nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/tenants/{}/database", withCreate, [](R& all, const CallPtr& call) { all.databases.handle(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/connectors", withCreate,
         [](R& all, const CallPtr& call) {
             call->reads() ? call->answer(all.registry.connectors(*call)) : all.registry.putConnector(call);
         },
         nullptr, {}, About::other, Needs::systemManager},
        {"mesh/v1/connectors/{}", "DELETE", [](R& all, const CallPtr& call) { all.registry.removeConnector(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/connectors/{}/revoke", createOnly, [](R& all, const CallPtr& call) { all.registry.revoke(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/connectors/{}/rotation", "POST, DELETE",
         [](R& all, const CallPtr& call) {
             call->request.head.method == "DELETE" ? all.registry.cancelRotation(call) : all.registry.rotate(call);
         },
         nullptr, {}, About::other, Needs::systemManager},
        {"mesh/v1/enrolments", createOnly, [](R& all, const CallPtr& call) { all.registry.createEnrolment(call); }, nullptr, {},
         About::other, Needs::systemManager},
        {"mesh/v1/history/audit", readOnly, [](R& all, const CallPtr& call) { all.history.audit(call); }, nullptr, {},
         About::other, Needs::manager},
        {"mesh/v1/enrolments/{}", "DELETE", [](R& all, const CallPtr& call) { all.registry.cancelEnrolment(call); }, nullptr, {},
         About::other, Needs::systemManager},
    };
    return table;
}

const FacadeResources::Route* FacadeResources::routeOf(std::string_view path, std::string& id)
{
    for (const std::span<const Route> table : {routes(), workerRoutes(), adminRoutes()}) {
        for (const Route& route : table) {
            if (matches(route.pattern, path, id)) {
                return &route;
            }
        }
    }
    return nullptr;
}

FacadeResources::FacadeResources(cluster::StateEngine& engine, CatchUp& catchUp, MembershipPort& members,
                                 Credentials& credentials, PasswordPort& passwords, HostPort& hosts, const Satellites& satellites,
                                 const NodeView& node, Rng& rng)
    : context{engine, catchUp, members, credentials, passwords, hosts, satellites, node, rng}, services(context), accounts(context), roles(context),
      sessions(context, services), aggregation(context), sources(context, aggregation), cluster(context), managers(context), registry(context), databases(context),
      commands(context), configurations(context), policies(context), history(context), secrets(context), events(context)
{
}

bool FacadeResources::isOpen(const std::string& method, const std::string& path) const
{
    const std::string_view bare = uri::withoutTrailingSlashes(path);
    std::string id;
    const Route* route = bare.size() > 1 ? routeOf(bare.substr(1), id) : nullptr;
    return route != nullptr && allowsMethod(route->openMethods, method);
}

bool FacadeResources::ownsCollection(const std::string& collection) const
{
    return collection == aggregationSources;
}

std::vector<std::string> FacadeResources::ownMembers(const std::string& collection, const Principal& who) const
{
    if (collection == "Managers") {
        return managers.members(who);
    }
    return collection == connectionMethods ? std::vector<std::string>{aggregation.methodUri()} : std::vector<std::string>{};
}

// Of a route with an id in it, which only the state can know.
bool FacadeResources::namesWhatIsMade(std::string_view path)
{
    std::string id;
    const std::string_view bare = uri::withoutTrailingSlashes(path);
    for (const std::span<const Route> table : {routes(), workerRoutes(), adminRoutes()}) {
        for (const Route& route : table) {
            if (bare.size() > 1 && route.pattern.find("{}") != std::string_view::npos && matches(route.pattern, bare.substr(1), id)) {
                return true;
            }
        }
    }
    return false;
}

FacadeResources::Found FacadeResources::find(const Call& call) const
{
    Found found;
    const std::string_view path = call.request.path;
    if (path.size() > 1 && (found.route = routeOf(path.substr(1), found.id)) != nullptr) {
        found.allow = found.route->allowOf == nullptr ? found.route->allow : found.route->allowOf(*this, call, found.id);
        return found;
    }
    found.service = services.find(belowRoot(path), call.tenant());
    if (found.service) {
        found.allow = found.service->allow;
    }
    return found;
}

// What keeps the request from its resource, in the order in which it may be told: who asks, whether there is such a thing, its
// methods, the privilege, the query.
std::optional<Answer> FacadeResources::refuse(Call& call, const Found& found) const
{
    const std::string& method = call.request.head.method;
    const Principal* who = call.who;
    const bool open = found.route != nullptr && allowsMethod(found.route->openMethods, method);
    const About about = found.route == nullptr ? About::other : found.route->about;
    if (!open && who == nullptr) {
        return unauthorized("Authenticate with HTTP Basic or a session's X-Auth-Token.");
    }
    call.own = who != nullptr && ((about == About::account && found.id == who->accountId) ||
                                  (about == About::session && sessions.isOwn(found.id, *who)));
    const bool ownPassword = call.own && about == About::account && (call.reads() || method == "PATCH");
    if (!open && who->passwordChangeRequired && !ownPassword) {
        return passwordChangeRequired(*who);
    }
    if (!found.exists()) {
        return notFound(call.request.path);
    }
    if (!allowsMethod(found.allow, method)) {
        return methodNotAllowed(found.allow);
    }
    const Needs needs = found.route == nullptr ? Needs::registry : found.route->needs;
    tenants::Requirement requirement{{{Privilege::login}}};
    if (needs == Needs::systemManager || needs == Needs::manager) {
        requirement = {{{Privilege::configureManager}}};
    } else if (needs == Needs::componentManager) {
        requirement = {{{Privilege::configureComponents}}};
    } else if (needs == Needs::registry) {
        requirement = tenants::requiredPrivilege(tenants::Owner::facade, method, belowRoot(call.request.path));
    }
    if (ownPassword) {
        requirement.anyOf.push_back({Privilege::configureSelf});
    }
    const bool foreign = needs == Needs::systemManager && !call.tenant().empty();
    if (!open && (foreign || !tenants::allows(who->privileges, requirement, call.own))) {
        return forbidden();
    }
    const bool paged = found.route != nullptr && found.route->list != nullptr;
    return call.reads() && !paged ? refuseQuery(call.request.query) : std::nullopt;
}

void FacadeResources::readCollection(const CallPtr& call, const Route& route, std::string_view allow)
{
    const OwnCollection collection = route.list(*this, *call);
    const ParsedQuery parsed = parseCollectionQuery(call->request.query);
    const auto* wanted = std::get_if<CollectionQuery>(&parsed);
    if (wanted != nullptr && wanted->only && collection.members.size() == 1) {
        OwnRequest request = std::move(call->request);
        request.path = collection.members.front();
        request.query.clear();
        handle(std::move(request), call->now, std::move(call->done));
        return;
    }
    call->answer(ownCollectionAnswer(collection, allow, call->request));
}

// What was made through another node a moment ago must not be denied here: a 404 is given after catching up only, and where
// that fails it is 503. What no node can have made is not there in any case.
void FacadeResources::handle(OwnRequest request, Now now, Done done)
{
    if (!context.catchUp.isBehind() || !namesWhatIsMade(request.path)) {
        return handleOnce(std::move(request), now, std::move(done));
    }
    OwnRequest again = request;
    handleOnce(std::move(request), now,
               [this, again = std::move(again), done = std::move(done)](Answer answer, Now then) mutable {
                   if (answer.head.status != 404) {
                       return done(std::move(answer), then);
                   }
                   context.catchUp.run(then.mono, [this, then, again = std::move(again),
                                                   done = std::move(done)](const Result<void>& caughtUp) mutable {
                       if (!caughtUp) {
                           return done(temporarilyUnavailable("Whether it exists is not known here: " + caughtUp.error().message + "."), then);
                       }
                       handleOnce(std::move(again), then, std::move(done));
                   });
               });
}

void FacadeResources::handleOnce(OwnRequest request, Now now, Done done)
{
    const auto call = std::make_shared<Call>();
    call->request = std::move(request);
    call->now = now;
    call->done = std::move(done);
    call->who = std::get_if<Principal>(&call->request.who);
    Found found = find(*call);
    if (std::optional<Answer> refusal = refuse(*call, found)) {
        call->answer(std::move(*refusal));
        return;
    }
    call->id = std::move(found.id);
    if (found.route == nullptr) {
        call->answer(representationAnswer(call->request.head, std::move(*found.service)));
    } else if (found.route->list != nullptr && call->reads()) {
        readCollection(call, *found.route, found.allow);
    } else if ((call->reads() && !found.route->readsRecorded) || trail == nullptr) {
        found.route->handle(*this, call);
    } else {
        handleRecorded(call, *found.route);
    }
}

// The intent before, the result after. Of a login it is known afterwards only who it was, and the session is the result; that
// somebody has failed to log in is not recorded, or strangers could push everything else out.
void FacadeResources::handleRecorded(const CallPtr& call, const Route& route)
{
    const auto carryOut = route.handle;
    Deed deed{call->tenant(), call->who == nullptr ? std::string() : call->who->user, call->request.remote, call->request.head.method,
              call->request.path};
    if (route.describe != nullptr) {
        route.describe(*this, *call, deed);
    }
    if (call->who == nullptr) {
        call->done = [this, done = std::move(call->done), weak = std::weak_ptr(call), deed = std::move(deed)](Answer answer, Now now) mutable {
            const CallPtr ended = weak.lock();
            if (ended != nullptr && ended->loggedIn && answer.head.status < 300) {
                deed.tenant = ended->loggedIn->tenant;
                deed.account = ended->loggedIn->user;
                trail->note(std::move(deed), answer.head.status, now);
            }
            done(std::move(answer), now);
        };
        return carryOut(*this, call);
    }
    if (const Result<void> reserved = route.reserve == nullptr ? Result<void>{} : route.reserve(*this, *call); !reserved) {
        Answer refusal = temporarilyUnavailable(reserved.error().message);
        trail->noteRefused(std::move(deed), refusal.head.status, call->now);
        return call->answer(std::move(refusal));
    }
    trail->begin(std::move(deed), call->now, [this, call, carryOut](const Result<AuditToken>& stored, Now now) {
        call->now = now;
        if (!stored) {
            return call->answer(notRecorded());
        }
        call->recorded = trail->requestOf(*stored);
        call->done = [this, token = *stored, done = std::move(call->done)](Answer answer, Now then) {
            trail->end(token, answer.head.status, then);
            done(std::move(answer), then);
        };
        carryOut(*this, call);
    });
}

void FacadeResources::setQuotas(TenantQuotas& ofTenants)
{
    registry.setQuotas(ofTenants);
    sources.setQuotas(ofTenants);
}

void FacadeResources::setAudit(AuditTrail& deeds)
{
    trail = &deeds;
    history.setAudit(deeds);
}

}  // namespace mesh::aggregator
