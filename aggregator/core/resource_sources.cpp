#include "aggregator/core/resource_sources.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/prefix.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace mesh::aggregator {

namespace {

constexpr std::string_view ownerProperty = "Oem/Bmcmesh/Tenant";
constexpr std::string_view certificateProperty = "Oem/Bmcmesh/Certificate";

constexpr std::array sourceCreateRules{
    PropertyRule{"HostName", Takes::text, true}, PropertyRule{"UserName", Takes::text}, PropertyRule{"Password", Takes::secret},
    PropertyRule{"Name", Takes::text},           PropertyRule{"Id", Takes::text},       PropertyRule{ownerProperty, Takes::text},
    PropertyRule{certificateProperty, Takes::text}, PropertyRule{"AggregationType"},    PropertyRule{"Links"},
    PropertyRule{"SNMP"},
};
constexpr std::array sourcePatchRules{
    PropertyRule{"HostName", Takes::text},          PropertyRule{"UserName", Takes::text},
    PropertyRule{"Password", Takes::secret},        PropertyRule{certificateProperty, Takes::text},
    PropertyRule{"Name"},                           PropertyRule{"Id"},
    PropertyRule{ownerProperty},                   PropertyRule{"AggregationType"},
    PropertyRule{"Links"},                          PropertyRule{"SNMP"},
};

Answer malformed(const std::string& value, const std::string& name)
{
    return badRequest({{"PropertyValueFormatError", {value, name}, "#/" + name}});
}

Answer missing(const std::string& name)
{
    return badRequest({{"PropertyMissing", {name}, "#/" + name}});
}

Answer alreadyExists(const std::string& property, const std::string& value)
{
    return errorAnswer(400, {"ResourceAlreadyExists", {"AggregationSource", property, value}, "#/" + property});
}

bool isHostCharacter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view(".-_:[]").find(c) != std::string_view::npos;
}

// "https://10.0.0.5", in one spelling; empty: it is no address of a Redfish service.
std::string urlOf(const std::string& hostName)
{
    const std::string lower = toLower(hostName);
    const std::size_t mark = lower.find("://");
    const std::string scheme = mark == std::string::npos ? "https" : lower.substr(0, mark);
    std::string authority = mark == std::string::npos ? lower : lower.substr(mark + 3);
    if (authority.ends_with('/')) {
        authority.pop_back();
    }
    const std::string usual = scheme == "https" ? ":443" : ":80";
    if (authority.ends_with(usual) && (authority.front() == '[' || authority.find(':') == authority.size() - usual.size())) {
        authority.resize(authority.size() - usual.size());
    }
    const std::string url = scheme + "://" + authority;
    const bool good = (scheme == "https" || scheme == "http") && !authority.empty() && url.size() <= limits::maxHostNameBytes &&
                      std::all_of(authority.begin(), authority.end(), isHostCharacter) && authority.front() != ':';
    return good ? url : std::string();
}

// "10.0.0.5-8443".
std::string nameFrom(const std::string& url)
{
    std::string name = url.substr(url.find("://") + 3);
    std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
    std::replace(name.begin(), name.end(), ':', '-');
    return name;
}

bool isGoodPassword(const std::string& password)
{
    return !password.empty() && password.size() <= limits::maxPasswordBytes &&
           password.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
}

bool isFingerprint(const std::string& text)
{
    const auto digits = std::count_if(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    const auto colons = std::count(text.begin(), text.end(), ':');
    return digits == 64 && digits + colons == static_cast<std::ptrdiff_t>(text.size()) && text.size() <= limits::maxFingerprintBytes;
}

}  // namespace

bool SourceResources::maySetUp(const CallPtr& call) const
{
    if (!call->tenant().empty()) {
        call->answer(forbidden());
        return false;
    }
    if (!context.node.registryInCluster()) {
        call->answer(methodNotAllowed(readOnly));
        return false;
    }
    return true;
}

// Nothing: it has to be said.
std::optional<std::string> SourceResources::tenantFor(const RequestBody& body) const
{
    const std::set<std::string>& tenants = context.engine.state().registry.tenants();
    if (const std::string* given = body.text(ownerProperty)) {
        return *given;
    }
    return tenants.size() == 1 ? std::optional<std::string>(*tenants.begin()) : std::nullopt;
}

// Where a new one belongs, and what it is called.
std::optional<Answer> SourceResources::place(const RequestBody& body, cluster::Source& source) const
{
    const cluster::State& state = context.engine.state();
    const std::optional<std::string> tenant = tenantFor(body);
    if (!tenant) {
        return missing(std::string(ownerProperty));
    }
    if (!state.registry.hasTenant(*tenant)) {
        return badRequest({{"PropertyValueNotInList", {*tenant, "Tenant"}, "#/" + std::string(ownerProperty)}});
    }
    source.tenant = *tenant;
    source.connector = body.textOr("Name", nameFrom(source.hostName));
    if (!isValidName(source.connector)) {
        return malformed(source.connector, "Name");
    }
    const std::string* id = body.text("Id");
    if (id != nullptr && !isValidPrefix(*id)) {
        return malformed(*id, "Id");
    }
    const auto taken = [&](std::string_view prefix) { return context.satellites.findByPrefix(prefix) != nullptr ||
                                                             state.connectorByLowerPrefix.contains(toLower(prefix)); };
    const Result<std::string> prefix = tenants::choosePrefix(
        {id == nullptr ? "" : *id, "", source.tenant + "/" + source.hostName}, taken, [](std::string_view) { return false; });
    if (!prefix) {
        return alreadyExists("Id", id == nullptr ? source.hostName : *id);
    }
    source.id = *prefix;
    for (const auto& [otherId, other] : state.sources) {
        if (other.hostName == source.hostName) {
            return alreadyExists("HostName", source.hostName);
        }
    }
    return std::nullopt;
}

// How the BMC is reached, as far as it is given.
std::optional<Answer> SourceResources::fill(const RequestBody& body, cluster::Source& source) const
{
    if (const std::string* hostName = body.text("HostName")) {
        source.hostName = urlOf(*hostName);
        if (source.hostName.empty()) {
            return malformed(*hostName, "HostName");
        }
    }
    if (const std::string* user = body.text("UserName")) {
        const bool plain = std::all_of(user->begin(), user->end(), [](char c) { return c > ' ' && c <= '~'; });
        if (user->empty() || user->size() > 64 || !plain) {
            return malformed(*user, "UserName");
        }
        source.userName = *user;
    }
    if (const std::string* certificate = body.text(certificateProperty)) {
        source.insecure = *certificate == "Unchecked";
        source.fingerprint = source.insecure || *certificate == "Authority" ? std::string() : *certificate;
        if (!source.fingerprint.empty() && !isFingerprint(source.fingerprint)) {
            return malformed(*certificate, std::string(certificateProperty));
        }
    }
    const std::string* password = body.text("Password");
    if (password != nullptr && !isGoodPassword(*password)) {
        return badRequest({{"PropertyValueError", {"Password"}, "#/Password"}});
    }
    if (password != nullptr) {
        Result<std::vector<cluster::SealedPassword>> sealed = seal(*password);
        if (!sealed) {
            return errorAnswer(500, {"InternalError", {}, {}}, "The password could not be sealed: " + sealed.error().message + ".");
        }
        source.passwords = std::move(*sealed);
    }
    if (source.userName.empty() != source.passwords.empty()) {
        return missing(source.userName.empty() ? "UserName" : "Password");
    }
    return std::nullopt;
}

Result<std::vector<cluster::SealedPassword>> SourceResources::seal(const std::string& password) const
{
    std::vector<cluster::SealedPassword> out;
    for (const auto& [id, node] : context.engine.state().nodes) {
        if (node.witness) {
            continue;
        }
        Result<std::string> box = context.hosts.seal(password, node.key);
        if (!box) {
            return box.error();
        }
        out.push_back({id, std::move(*box)});
    }
    return out;
}

void SourceResources::create(const CallPtr& call) const
{
    if (!maySetUp(call)) {
        return;
    }
    auto read = readBody(call->request, sourceCreateRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    cluster::Source source;
    std::optional<Answer> refusal = fill(body, source);
    if (!refusal) {
        refusal = place(body, source);
    }
    if (refusal) {
        return call->answer(std::move(*refusal));
    }
    propose(context, call, cluster::PutSource{source, cluster::anyRevision},
            [this, call, source, info = body.ignored](const cluster::Applied& applied) { answerCreated(call, source, info, applied); });
}

void SourceResources::answerCreated(const CallPtr& call, const cluster::Source& source, const std::vector<RedfishMessage>& info,
                                    const cluster::Applied& applied) const
{
    if (applied.error.code == Code::alreadyExists) {
        return call->answer(alreadyExists("Name", source.connector));
    }
    if (!applied.ok()) {
        if (quotas != nullptr) {
            quotas->connectorRefused(applied.error, context.engine.state().registry, source.tenant);
        }
        return call->answer(refusedChange(applied.error, call->request.path));
    }
    call->id = source.id;
    Answer made = sources.get(*call, info);
    if (made.head.status == 200) {
        made.head.status = 201;
        made.head.headers.push_back({"Location", "/redfish/v1/" + std::string(aggregationSources) + "/" + source.id});
    }
    call->answer(std::move(made));
}

void SourceResources::handle(const CallPtr& call) const
{
    Answer current = sources.get(*call);
    if (call->reads() || current.head.status != 200) {
        return call->answer(std::move(current));
    }
    const cluster::Source* source = sources.agentless(*call);
    if (source == nullptr) {
        return call->answer(methodNotAllowed(readOnly));
    }
    if (!maySetUp(call)) {
        return;
    }
    const std::string* tag = findHeader(current.head.headers, "ETag");
    if (failsIfMatch(call->request.head, tag == nullptr ? std::string_view() : std::string_view(*tag))) {
        return call->answer(preconditionFailed());
    }
    call->request.head.method == "PATCH" ? patch(call, limits::maxProposalAttempts) : remove(call, *source);
}

// Another change may come between: of the host, which the client cannot know.
void SourceResources::patch(const CallPtr& call, std::size_t attemptsLeft) const
{
    const cluster::Source* known = sources.agentless(*call);
    if (known == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    auto read = readBody(call->request, sourcePatchRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    const RequestBody& body = std::get<RequestBody>(read);
    cluster::Source source = *known;
    if (std::optional<Answer> refusal = fill(body, source)) {
        return call->answer(std::move(*refusal));
    }
    propose(context, call, cluster::PutSource{std::move(source), known->revision},
            [this, call, attemptsLeft, info = body.ignored](const cluster::Applied& applied) {
                if (applied.error.code == Code::preconditionFailed && attemptsLeft > 1) {
                    patch(call, attemptsLeft - 1);
                } else if (!applied.ok()) {
                    call->answer(refusedChange(applied.error, call->request.path));
                } else {
                    call->answer(sources.get(*call, info));
                }
            });
}

void SourceResources::remove(const CallPtr& call, const cluster::Source& source) const
{
    propose(context, call, cluster::RemoveSource{source.id, cluster::anyRevision}, [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : refusedChange(applied.error, call->request.path));
    });
}

}  // namespace mesh::aggregator
