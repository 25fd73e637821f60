#include "cluster/local/registry_file.hpp"
#include "deploy/meshctl/admin_request.hpp"
#include "deploy/meshctl/commands.hpp"
#include "shoset/base/ids.hpp"

#include <iostream>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace mesh::ctl {

namespace {

using json = nlohmann::json;

constexpr const char* tenantsUri = "/mesh/v1/tenants";
constexpr const char* connectorsUri = "/mesh/v1/connectors";
constexpr const char* enrolmentsUri = "/mesh/v1/enrolments";

// Names stand in paths as they are.
Result<std::string> pathOf(const std::string& collection, const std::string& name)
{
    if (!isValidName(name)) {
        return Error{Code::invalidArgument, "'" + name + "' is not a name"};
    }
    return collection + "/" + name;
}

// The connector's URI, from TENANT/NAME.
Result<std::string> connectorUri(const std::string& text)
{
    const std::size_t slash = text.find('/');
    const std::string tenant = text.substr(0, slash);
    const std::string name = slash == std::string::npos ? std::string() : text.substr(slash + 1);
    if (!isValidName(tenant) || !isValidName(name)) {
        return Error{Code::invalidArgument, "expected TENANT/NAME, not '" + text + "'"};
    }
    return std::string(connectorsUri) + "/" + tenant + ":" + name;
}

int change(Connection connection, const std::string& method, const Result<std::string>& uri, const json& body,
           const std::string& sentence)
{
    if (!uri) {
        return complain(uri.error());
    }
    const Result<json> changed = ask(connection, method, *uri, body);
    if (!changed) {
        return complain(changed.error());
    }
    if (connection.json) {
        std::cout << *changed << '\n';
        return exitOk;
    }
    return done({}, sentence);
}

std::string stateOf(const json& connector)
{
    if (connector.value("revoked", false)) {
        return "revoked";
    }
    const std::string linked = connector.value("linked", false) ? "linked" : "not linked";
    const std::string rotation = connector.value("rotation", "");
    if (rotation.empty()) {
        return linked;
    }
    return linked + (rotation == "wanted" ? "  asked for a new key" : "  has offered a new key, not used it yet");
}

std::string nameOf(const json& entry)
{
    return entry.value("tenant", "") + "/" + entry.value("name", "");
}

// Null where nothing is given.
json quotaBody(const QuotaOptions& quota)
{
    json body;
    const std::pair<const char*, const std::optional<std::uint64_t>&> parts[] = {{"messages_per_second", quota.messagesPerSecond},
                                                                                 {"bytes_in_flight", quota.bytesInFlight},
                                                                                 {"stored_events", quota.storedEvents},
                                                                                 {"connectors", quota.connectors}};
    for (const auto& [name, value] : parts) {
        if (value) {
            body[name] = *value;
        }
    }
    return body;
}

json tenantBody(const std::string& name, const tenants::Quota& quota)
{
    json body{{"name", name}};
    if (quota != tenants::Quota{}) {
        body["quota"] = quotaBody({quota.messagesPerSecond, quota.bytesInFlight, quota.storedEvents, quota.connectors});
    }
    return body;
}

// The name alone where there is no quota.
std::string tenantLine(const json& tenant)
{
    std::string line = tenant.value("name", "");
    const json quota = tenant.value("quota", json::object());
    const auto part = [&](const char* name, const std::string& shown, bool used) {
        const std::uint64_t most = quota.value(name, std::uint64_t{0});
        if (most != 0) {
            line += "  " + shown + " " + (used ? std::to_string(tenant.value(name, std::uint64_t{0})) + " of " : "") + std::to_string(most);
        }
    };
    part("messages_per_second", "messages a second", false);
    part("bytes_in_flight", "bytes in flight", true);
    part("stored_events", "stored events", false);
    part("connectors", "connectors", true);
    const json counts = tenant.value("refused", json::object());
    const std::uint64_t refused = counts.value("messages", std::uint64_t{0}) + counts.value("bytes", std::uint64_t{0});
    return line + (refused == 0 ? "" : "  refused here " + std::to_string(refused));
}

// Nothing where it is as it is to be.
std::string lineOfPlace(const json& here)
{
    const std::string phase = here.value("phase", "settled");
    if (phase == "settled") {
        return {};
    }
    const std::string reason = here.value("reason", "");
    return "  still in " + here.value("in_use", "") + " here (" + phase + (reason.empty() ? "" : ": " + reason) + ")";
}

// What is in the mesh already, and what an import did.
struct Import {
    std::set<std::string> tenants;
    std::map<tenants::ConnectorName, json> connectors;
    std::size_t added = 0;
    std::size_t unchanged = 0;
    std::vector<std::string> refused;
};

Result<Import> readMesh(Connection& connection)
{
    const Result<json> tenants = ask(connection, "GET", tenantsUri, nullptr);
    const Result<json> connectors = tenants ? ask(connection, "GET", connectorsUri, nullptr) : tenants;
    if (!connectors) {
        return connectors.error();
    }
    Import out;
    for (const json& tenant : tenants->value("tenants", json::array())) {
        out.tenants.insert(tenant.value("name", ""));
    }
    for (const json& connector : connectors->value("connectors", json::array())) {
        out.connectors[{connector.value("tenant", ""), connector.value("name", "")}] = connector;
    }
    return out;
}

bool isThere(const Import& import, const tenants::Connector& wanted)
{
    const auto found = import.connectors.find({wanted.tenant, wanted.name});
    if (found == import.connectors.end() || found->second.value("revoked", false)) {
        return false;
    }
    const json& known = found->second;
    return known.value("key", "") == wanted.key && (wanted.prefix.empty() || known.value("prefix", "") == wanted.prefix) &&
           known.value("product", "") == wanted.product && known.value("type", "") == wanted.type;
}

json bodyOf(const tenants::Connector& connector)
{
    json body{{"tenant", connector.tenant}, {"name", connector.name}, {"key", connector.key}};
    const std::pair<const char*, const std::string&> optional[] = {
        {"prefix", connector.prefix}, {"product", connector.product}, {"type", connector.type}};
    for (const auto& [name, value] : optional) {
        if (!value.empty()) {
            body[name] = value;
        }
    }
    return body;
}

// An error ends the import; what the mesh refuses is noted, and the rest goes on.
Result<void> put(Connection& connection, Import& import, const char* uri, const json& body, const std::string& what)
{
    const Result<json> put = ask(connection, "POST", uri, body);
    if (!put && put.error().code != Code::refused) {
        return put.error();
    }
    if (put) {
        ++import.added;
    } else {
        import.refused.push_back(what + ": " + put.error().message);
    }
    return {};
}

Result<void> putAll(Connection& connection, Import& import, const tenants::Registry& registry)
{
    for (const std::string& tenant : registry.tenants()) {
        if (import.tenants.contains(tenant)) {
            ++import.unchanged;
        } else if (Result<void> sent = put(connection, import, tenantsUri, tenantBody(tenant, registry.quotaOf(tenant)), tenant);
                   !sent) {
            return sent;
        }
    }
    for (const auto& [name, connector] : registry.connectors()) {
        if (isThere(import, connector)) {
            ++import.unchanged;
            continue;
        }
        const std::string what = name.tenant + "/" + name.name;
        if (Result<void> sent = put(connection, import, connectorsUri, bodyOf(connector), what); !sent) {
            return sent;
        }
    }
    return {};
}

}  // namespace

int tenantAdd(Connection connection, const RegistryOptions& options)
{
    json body{{"name", options.name}};
    if (json quota = quotaBody(options.quota); !quota.is_null()) {
        body["quota"] = std::move(quota);
    }
    return change(std::move(connection), "POST", std::string(tenantsUri), body, "tenant " + options.name + " is there");
}

int tenantList(Connection connection, const RegistryOptions&)
{
    const Result<json> list = ask(connection, "GET", tenantsUri, nullptr);
    if (!list) {
        return complain(list.error());
    }
    if (connection.json) {
        std::cout << *list << '\n';
        return exitOk;
    }
    for (const json& tenant : list->value("tenants", json::array())) {
        std::cout << tenantLine(tenant) << '\n';
    }
    return exitOk;
}

int tenantQuota(Connection connection, const RegistryOptions& options)
{
    if (json quota = quotaBody(options.quota); !quota.is_null()) {
        return change(std::move(connection), "PATCH", pathOf(tenantsUri, options.name), {{"quota", std::move(quota)}},
                      "tenant " + options.name + " has another quota");
    }
    const Result<json> list = ask(connection, "GET", tenantsUri, nullptr);
    if (!list) {
        return complain(list.error());
    }
    for (const json& tenant : list->value("tenants", json::array())) {
        if (tenant.value("name", "") == options.name) {
            const std::string line = tenantLine(tenant);
            return done({}, connection.json ? tenant.dump() : line == options.name ? line + "  no quota" : line);
        }
    }
    return complain({Code::notFound, "there is no tenant " + options.name});
}

int tenantDatabase(Connection connection, const RegistryOptions& options)
{
    const Result<std::string> tenant = pathOf(tenantsUri, options.name);
    const Result<std::string> uri = tenant ? Result<std::string>(*tenant + "/database") : tenant;
    if (!options.database.empty()) {
        json body{{"database", options.database}};
        if (!options.passwordSecret.empty()) {
            body["password_secret"] = options.passwordSecret;
        }
        return change(std::move(connection), "POST", uri, body,
                      "the history of " + options.name + " goes to " + options.database + " at every node; 'meshctl status' shows how far it is");
    }
    const Result<json> known = uri ? ask(connection, "GET", *uri, nullptr) : Result<json>(uri.error());
    if (!known) {
        return complain(known.error());
    }
    if (connection.json) {
        std::cout << *known << '\n';
        return exitOk;
    }
    const std::string secret = known->value("password_secret", "");
    const std::string reason = known->value("reason", "");
    const std::string sealed = secret.empty() ? std::string() : "  password in secret " + options.name + "/" + secret;
    return done({}, known->value("database", "") + (reason.empty() ? "" : "  " + reason) + sealed +
                        lineOfPlace(known->value("here", json::object())));
}

int tenantRemove(Connection connection, const RegistryOptions& options)
{
    const Result<std::string> uri = pathOf(tenantsUri, options.name);
    return change(std::move(connection), "DELETE", uri && options.force ? Result<std::string>(*uri + "?force=true") : uri, nullptr,
                  "tenant " + options.name + (options.force ? " is removed, with all that it had" : " is removed"));
}

int connectorAdd(Connection connection, const RegistryOptions& options)
{
    json body{{"tenant", options.tenant}, {"name", options.name}, {"minutes", options.minutes}};
    if (!options.prefix.empty()) {
        body["prefix"] = options.prefix;
    }
    const Result<json> made = ask(connection, "POST", enrolmentsUri, body);
    if (!made) {
        return complain(made.error());
    }
    if (connection.json) {
        std::cout << *made << '\n';
        return exitOk;
    }
    return done({}, made->value("join", ""));
}

int connectorList(Connection connection, const RegistryOptions&)
{
    const Result<json> list = ask(connection, "GET", connectorsUri, nullptr);
    if (!list) {
        return complain(list.error());
    }
    if (connection.json) {
        std::cout << *list << '\n';
        return exitOk;
    }
    for (const json& connector : list->value("connectors", json::array())) {
        const std::string prefix = connector.value("prefix", "");
        std::cout << nameOf(connector) << "  " << (prefix.empty() ? "-" : prefix) << "  " << stateOf(connector) << '\n';
    }
    for (const json& enrolment : list->value("enrolments", json::array())) {
        std::cout << nameOf(enrolment) << "  -  may enrol until " << enrolment.value("expires", "") << "  "
                  << enrolment.value("id", "") << '\n';
    }
    return exitOk;
}

int connectorCancel(Connection connection, const RegistryOptions& options)
{
    return change(std::move(connection), "DELETE", pathOf(enrolmentsUri, options.enrolment), nullptr,
                  "enrolment " + options.enrolment + " is cancelled");
}

int connectorRevoke(Connection connection, const RegistryOptions& options)
{
    const Result<std::string> uri = connectorUri(options.connector);
    return change(std::move(connection), "POST", uri ? Result<std::string>(*uri + "/revoke") : uri, nullptr,
                  options.connector + " is revoked");
}

int connectorRotate(Connection connection, const RegistryOptions& options)
{
    // As `connector add` names it, or as all others do.
    const std::string name = options.tenant.empty() ? options.connector : options.tenant + "/" + options.connector;
    const Result<std::string> uri = connectorUri(name);
    const std::string said = options.cancel ? name + " keeps its key" : name + " is asked for a new key";
    return change(std::move(connection), options.cancel ? "DELETE" : "POST",
                  uri ? Result<std::string>(*uri + "/rotation") : uri, nullptr, said);
}

int connectorRemove(Connection connection, const RegistryOptions& options)
{
    return change(std::move(connection), "DELETE", connectorUri(options.connector), nullptr,
                  options.connector + " is removed");
}

int connectorImport(Connection connection, const RegistryOptions& options)
{
    const Result<tenants::Registry> registry = cluster::readRegistryFile(options.file);
    if (!registry) {
        return complain({Code::refused, registry.error().message});
    }
    Result<Import> import = readMesh(connection);
    if (!import) {
        return complain(import.error());
    }
    const Result<void> ended = putAll(connection, *import, *registry);
    for (const std::string& refusal : import->refused) {
        std::cerr << "meshctl: " << refusal << '\n';
    }
    if (connection.json) {
        std::cout << json{{"added", import->added}, {"unchanged", import->unchanged}, {"refused", import->refused}} << '\n';
    } else {
        std::cout << import->added << " added, " << import->unchanged << " there already, " << import->refused.size()
                  << " refused\n";
    }
    if (!ended) {
        return complain(ended.error());
    }
    const bool some = import->added + import->unchanged > 0;
    return import->refused.empty() ? exitOk : some ? exitPartly : exitFailed;
}

}  // namespace mesh::ctl
