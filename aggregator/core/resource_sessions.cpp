#include "aggregator/core/resource_sessions.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_body.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "cluster/core/sessions.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array sessionCreateRules{PropertyRule{"UserName", Takes::text, true}, PropertyRule{"Password", Takes::secret, true}};
constexpr std::array serviceRules{
    PropertyRule{"SessionTimeout", Takes::integer}, PropertyRule{"ServiceEnabled"}, PropertyRule{"Status"},
    PropertyRule{"Sessions"}, PropertyRule{"Id"}, PropertyRule{"Name"},
};

std::string sessionUri(const std::string& id)
{
    return std::string(sessionServiceUri) + "/Sessions/" + id;
}

// "192.0.2.1" of "192.0.2.1:4711", "2001:db8::1" of "[2001:db8::1]:4711".
std::string addressOf(const std::string& remote)
{
    std::string address = remote.substr(0, remote.find_last_of(':'));
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    return address;
}

bool seesAll(const Principal& who)
{
    return who.privileges.contains({tenants::Privilege::configureManager});
}

}  // namespace

void SessionResources::service(const CallPtr& call)
{
    // It is of the table's own services, so it exists.
    Representation now = *services.find("SessionService", call->tenant());
    now.etag = hashTag(now.body);
    if (call->reads()) {
        call->answer(representationAnswer(call->request.head, std::move(now)));
    } else if (!call->tenant().empty()) {
        call->answer(forbidden());
    } else if (failsIfMatch(call->request.head, now.etag)) {
        call->answer(preconditionFailed());
    } else {
        patchService(call);
    }
}

void SessionResources::patchService(const CallPtr& call)
{
    auto read = readBody(call->request, serviceRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    const std::int64_t timeout = *body.integer("SessionTimeout");
    if (timeout < cluster::minSessionTimeoutSeconds || timeout > cluster::maxSessionTimeoutSeconds) {
        call->answer(errorAnswer(400, {"PropertyValueError", {"SessionTimeout"}, "#/SessionTimeout"},
                                 "SessionTimeout is " + std::to_string(cluster::minSessionTimeoutSeconds) + " to " +
                                     std::to_string(cluster::maxSessionTimeoutSeconds) + " seconds."));
        return;
    }
    const cluster::Property* kept = cluster::findProperty(context.engine.state(), sessionServiceUri);
    cluster::PutProperty change{std::string(sessionServiceUri), cluster::anyRevision,
                                sessionServiceProperty(static_cast<std::uint32_t>(timeout))};
    if (kept != nullptr && isConditional(call->request.head)) {
        change.ifRevision = kept->revision;
    }
    propose(context, call, std::move(change), [this, call, info = body.ignored](const cluster::Applied& applied) {
        if (!applied.ok()) {
            call->answer(refusedChange(applied.error, call->request.path));
            return;
        }
        Representation after = *services.find("SessionService", call->tenant());
        after.etag = hashTag(after.body);
        if (!info.empty()) {
            json annotated = json::parse(after.body);
            for (const RedfishMessage& message : info) {
                annotated["@Message.ExtendedInfo"].push_back(json::parse(messageJson(message)));
            }
            after.body = jsonText(annotated);
        }
        call->answer(representationAnswer(call->request.head, std::move(after)));
    });
}

OwnCollection SessionResources::list(const Call& call) const
{
    OwnCollection collection{std::string(sessionServiceUri) + "/Sessions", "SessionCollection", "Session Collection", {}};
    const cluster::State& state = context.engine.state();
    for (const auto& [id, session] : state.sessions) {
        const cluster::Account* account = cluster::findAccount(state, session.accountId);
        const bool visible = account != nullptr && (session.accountId == call.who->accountId ||
                                                    (seesAll(*call.who) && tenants::mayReach(call.tenant(), account->tenant)));
        if (visible && !context.credentials.sessions().isExpired(session, call.now)) {
            collection.members.push_back(sessionUri(id));
        }
    }
    return collection;
}

bool SessionResources::isOwn(const std::string& id, const Principal& who) const
{
    const cluster::Session* session = cluster::findSession(context.engine.state(), id);
    return session != nullptr && session->accountId == who.accountId;
}

const cluster::Session* SessionResources::find(const Call& call) const
{
    const cluster::State& state = context.engine.state();
    const cluster::Session* session = cluster::findSession(state, call.id);
    const cluster::Account* account = session == nullptr ? nullptr : cluster::findAccount(state, session->accountId);
    const bool visible = account != nullptr && tenants::mayReach(call.tenant(), account->tenant) &&
                         !context.credentials.sessions().isExpired(*session, call.now);
    return visible ? session : nullptr;
}

Answer SessionResources::get(const Call& call, const cluster::Session& session, int status,
                             const std::vector<RedfishMessage>& info, Headers extra) const
{
    const cluster::Account* account = cluster::findAccount(context.engine.state(), session.accountId);
    const std::string type = typeOf("Session");
    json body{{"@odata.id", sessionUri(session.id)},
              {"@odata.type", type},
              {"Id", session.id},
              {"Name", "User Session"},
              {"UserName", account == nullptr ? std::string() : account->userName},
              {"SessionType", "Redfish"},
              {"CreatedTime", dateTime(session.createdAt)}};
    if (!session.client.empty()) {
        body["ClientOriginIPAddress"] = session.client;
    }
    if (account != nullptr) {
        body["Roles"] = {account->roleId};
    }
    for (const RedfishMessage& message : info) {
        body["@Message.ExtendedInfo"].push_back(json::parse(messageJson(message)));
    }
    return representationAnswer(call.request.head,
                                {type, jsonText(body), "GET, HEAD, DELETE", {}},
                                status, std::move(extra));
}

void SessionResources::create(const CallPtr& call)
{
    auto read = readBody(call->request, sessionCreateRules);
    if (Answer* refused = std::get_if<Answer>(&read)) {
        call->answer(std::move(*refused));
        return;
    }
    const RequestBody& body = std::get<RequestBody>(read);
    context.credentials.identify(*body.text("UserName"), *body.text("Password"), call->now,
                                 [this, call](Identified who, Now now) {
                                     call->now = now;
                                     if (const Principal* principal = std::get_if<Principal>(&who)) {
                                         open(call, *principal);
                                     } else if (Answer* refused = std::get_if<Answer>(&who)) {
                                         call->answer(std::move(*refused));
                                     }
                                 });
}

void SessionResources::open(const CallPtr& call, const Principal& who)
{
    const std::string token = cluster::makeToken(context.rng);
    cluster::CreateSession session{cluster::makeSessionId(context.rng), cluster::hashToken(token), who.accountId,
                                   addressOf(call->request.remote), sessionTimeout(context.engine.state())};
    std::vector<RedfishMessage> info;
    if (who.passwordChangeRequired) {
        info.push_back({"PasswordChangeRequired", {"/redfish/v1/AccountService/Accounts/" + who.accountId}, {}});
    }
    const std::string id = session.id;
    call->loggedIn = who;
    propose(context, call, std::move(session), [this, call, id, token, info](const cluster::Applied& applied) {
        const cluster::Session* made = cluster::findSession(context.engine.state(), id);
        if (applied.error.code == Code::full) {
            call->answer(errorAnswer(503, {"SessionLimitExceeded", {}, {}}));
        } else if (!applied.ok()) {
            call->answer(refusedChange(applied.error, sessionUri(id)));
        } else if (made == nullptr) {
            call->answer(errorAnswer(503, {"ServiceTemporarilyUnavailable", {"1"}, {}}, "The session was ended at once."));
        } else {
            call->answer(get(*call, *made, 201, info,
                             {{"Location", sessionUri(id)}, {"X-Auth-Token", cluster::issueToken(token, applied.revision)}, {"Cache-Control", "no-store"}}));
        }
    });
}

void SessionResources::handle(const CallPtr& call)
{
    const cluster::Session* session = find(*call);
    if (session == nullptr) {
        call->answer(notFound(call->request.path));
    } else if (call->reads()) {
        call->answer(get(*call, *session, 200, {}));
    } else {
        propose(context, call, cluster::EndSession{session->id}, [call](const cluster::Applied& applied) {
            call->answer(applied.ok() ? noContent() : refusedChange(applied.error, call->request.path));
        });
    }
}

}  // namespace mesh::aggregator
