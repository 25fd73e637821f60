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

bool isGoodPassword(std::string_view password)
{
    return !password.empty() && password.size() <= limits::maxPasswordBytes &&
           password.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// Where the password goes, and as whose: what it is sealed for.
bool goesElsewhere(const cluster::Source& one, const cluster::Source& other)
{
    return one.hostName != other.hostName || one.userName != other.userName;
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
    if (!takesNew()) {
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
    return std::nullopt;
}

// Out of the body, which has it no more: from here on it is nowhere but in `password`, to be sealed at once.
std::optional<Answer> SourceResources::takePassword(RequestBody& body, std::optional<sealing::SecretText>& password)
{
    if (!body.has("Password")) {
        return std::nullopt;
    }
    password.emplace(body.takeSecret("Password"));
    return isGoodPassword(password->view()) ? std::nullopt
                                            : std::optional<Answer>(badRequest({{"PropertyValueError", {"Password"}, "#/Password"}}));
}

std::optional<Answer> SourceResources::seal(const std::optional<sealing::SecretText>& password, cluster::Source& source) const
{
    if (!password) {
        return std::nullopt;
    }
    source.passwords.clear();
    for (const auto& [id, node] : context.engine.state().nodes) {
        if (node.witness) {
            continue;
        }
        Result<cluster::SealedPassword> sealed = context.hosts.seal(password->view(), source, node);
        if (!sealed) {
            return errorAnswer(500, {"InternalError", {}, {}}, "The password could not be sealed: " + sealed.error().message + ".");
        }
        source.passwords.push_back(std::move(*sealed));
    }
    return std::nullopt;
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
    RequestBody& body = std::get<RequestBody>(read);
    sealing::wipe(call->request.body);
    cluster::Source source;
    std::optional<sealing::SecretText> password;
    std::optional<Answer> refusal = takePassword(body, password);
    if (!refusal) {
        refusal = fill(body, source);
    }
    if (!refusal && source.userName.empty() != !password) {
        refusal = missing(source.userName.empty() ? "UserName" : "Password");
    }
    if (!refusal) {
        refusal = place(body, source);
    }
    if (!refusal) {
        refusal = seal(password, source);
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
    call->request.head.method == "PATCH" ? beginPatch(call, *source) : remove(call, *source);
}

// The password is sealed once, for where it goes by this request.
void SourceResources::beginPatch(const CallPtr& call, const cluster::Source& known) const
{
    auto read = readBody(call->request, sourcePatchRules);
    if (Answer* wrong = std::get_if<Answer>(&read)) {
        return call->answer(std::move(*wrong));
    }
    sealing::wipe(call->request.body);
    const auto wish = std::make_shared<PatchWish>();
    wish->body = std::move(std::get<RequestBody>(read));
    std::optional<sealing::SecretText> password;
    std::optional<Answer> refusal = takePassword(wish->body, password);
    wish->sealed = known;
    if (!refusal) {
        refusal = fill(wish->body, wish->sealed);
    }
    if (!refusal && password && wish->sealed.userName.empty()) {
        refusal = missing("UserName");
    }
    if (!refusal) {
        refusal = seal(password, wish->sealed);
    }
    if (refusal) {
        return call->answer(std::move(*refusal));
    }
    wish->hasPassword = password.has_value();
    patch(call, wish, isConditional(call->request.head) ? 1 : limits::maxProposalAttempts);
}

// Another change may come between: of the host, which the client cannot know. Who does not know the password sends it nowhere else.
void SourceResources::patch(const CallPtr& call, const std::shared_ptr<const PatchWish>& wish, std::size_t attemptsLeft) const
{
    const cluster::Source* known = sources.agentless(*call);
    if (known == nullptr) {
        return call->answer(notFound(call->request.path));
    }
    cluster::Source source = *known;
    if (std::optional<Answer> refusal = fill(wish->body, source)) {
        return call->answer(std::move(*refusal));
    }
    if (wish->hasPassword && goesElsewhere(source, wish->sealed)) {
        return call->answer(preconditionFailed());
    }
    if (!wish->hasPassword && !source.userName.empty() && goesElsewhere(source, *known)) {
        return call->answer(missing("Password"));
    }
    if (wish->hasPassword) {
        source.passwords = wish->sealed.passwords;
    }
    propose(context, call, cluster::PutSource{std::move(source), known->revision},
            [this, call, wish, attemptsLeft](const cluster::Applied& applied) {
                if (applied.error.code == Code::preconditionFailed && attemptsLeft > 1) {
                    patch(call, wish, attemptsLeft - 1);
                } else if (!applied.ok()) {
                    call->answer(refusedChange(applied.error, call->request.path));
                } else {
                    call->answer(sources.get(*call, wish->body.ignored));
                }
            });
}

void SourceResources::remove(const CallPtr& call, const cluster::Source& source) const
{
    const cluster::Revision seen = isConditional(call->request.head) ? source.revision : cluster::anyRevision;
    propose(context, call, cluster::RemoveSource{source.id, seen}, [call](const cluster::Applied& applied) {
        call->answer(applied.ok() ? noContent() : refusedChange(applied.error, call->request.path));
    });
}

}  // namespace mesh::aggregator
