#include "aggregator/core/resource_services.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "cluster/core/accounts.hpp"
#include "cluster/core/sessions.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/collections.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::uint32_t defaultSessionTimeoutSeconds = 1800;
constexpr std::string_view base = "/redfish/v1/";

json link(std::string_view uri)
{
    return {{"@odata.id", std::string(uri)}};
}

json healthy()
{
    return {{"State", "Enabled"}, {"Health", "OK"}};
}

void fillAccountService(json& body, const cluster::State&)
{
    body["Status"] = healthy();
    body["ServiceEnabled"] = true;
    body["MinPasswordLength"] = cluster::minPasswordBytes;
    body["MaxPasswordLength"] = limits::maxPasswordBytes;
    body["AccountLockoutThreshold"] = cluster::lockoutThreshold;
    body["AccountLockoutCounterResetAfter"] = cluster::lockoutCounterReset.count();
    body["AccountLockoutDuration"] = cluster::lockoutDuration.count();
    body["HTTPBasicAuth"] = "Enabled";
    body["SupportedAccountTypes"] = {"Redfish"};
    body["Accounts"] = link("/redfish/v1/AccountService/Accounts");
    body["Roles"] = link("/redfish/v1/AccountService/Roles");
}

void fillSessionService(json& body, const cluster::State& state)
{
    body["Status"] = healthy();
    body["ServiceEnabled"] = true;
    body["SessionTimeout"] = sessionTimeout(state);
    body["Sessions"] = link("/redfish/v1/SessionService/Sessions");
}

void fillAggregationService(json& body, const cluster::State&)
{
    body["Status"] = healthy();
    body["ServiceEnabled"] = true;
    body["AggregationSources"] = link("/redfish/v1/AggregationService/AggregationSources");
    body["ConnectionMethods"] = link("/redfish/v1/AggregationService/ConnectionMethods");
}

void fillStatus(json& body, const cluster::State&)
{
    body["Status"] = healthy();
}

// CertificateLocations, KeyService and the like have no Status.
void fillNothing(json&, const cluster::State&) {}

struct Service {
    std::string_view path;
    std::string_view schema;
    std::string_view name;
    bool own = false;  // there is one without any satellite
    void (*fill)(json& body, const cluster::State& state) = fillStatus;
    std::string_view allow = readOnly;
};

// Every singleton of the tree of top-level collections but the root, JsonSchemas, odata and $metadata.
constexpr Service services[] = {
    {"AccountService", "AccountService", "Account Service", true, fillAccountService},
    {"AggregationService", "AggregationService", "Aggregation Service", true, fillAggregationService},
    {"CertificateService", "CertificateService", "Certificate Service", false, fillNothing},
    {"CompositionService", "CompositionService", "Composition Service"},
    {"EventService", "EventService", "Event Service", true},
    {"JobService", "JobService", "Job Service"},
    {"JobService/Log", "LogService", "Job Service Log"},
    {"KeyService", "KeyService", "Key Service", false, fillNothing},
    {"LicenseService", "LicenseService", "License Service", false, fillNothing},
    {"PowerEquipment", "PowerEquipment", "Power Equipment"},
    {"ServiceConditions", "ServiceConditions", "Service Conditions", false, fillNothing},
    {"SessionService", "SessionService", "Session Service", true, fillSessionService, "GET, HEAD, PATCH"},
    {"TaskService", "TaskService", "Task Service", true},
    {"TelemetryService", "TelemetryService", "Telemetry Service"},
    {"TelemetryService/LogService", "LogService", "Telemetry Service Log"},
    {"ThermalEquipment", "ThermalEquipment", "Thermal Equipment"},
    {"UpdateService", "UpdateService", "Update Service", true},
};

const Service* findService(std::string_view path)
{
    const auto found = std::find_if(std::begin(services), std::end(services),
                                    [path](const Service& service) { return equalsIgnoreCase(service.path, path); });
    return found == std::end(services) ? nullptr : found;
}

// What links a child of the root or of a service, where the property is not called like the child.
std::string propertyOf(std::string_view path)
{
    constexpr std::pair<std::string_view, std::string_view> others[] = {
        {"TaskService", "Tasks"}, {"JobService/Documents", "JobDocuments"}, {"JobService/Executors", "JobExecutors"}};
    for (const auto& [child, property] : others) {
        if (path == child) {
            return std::string(property);
        }
    }
    return std::string(path.substr(path.find_last_of('/') + 1));
}

const uri::Node* nodeAt(std::string_view path)
{
    const uri::Node* node = nullptr;
    while (!path.empty()) {
        const std::string_view name = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), name.size() + 1));
        node = uri::findNode(node == nullptr ? uri::topNodes() : node->children, name);
        if (node == nullptr) {
            return nullptr;
        }
    }
    return node;
}

bool hasBelow(const Satellites& satellites, const uri::Node& node, const std::string& path, const std::string& tenant)
{
    if (node.kind == uri::NodeKind::collection) {
        return node.listed && satellites.anyHas(path, tenant);
    }
    return std::any_of(node.children.begin(), node.children.end(), [&](const uri::Node& child) {
        return hasBelow(satellites, child, path + "/" + std::string(child.name), tenant);
    });
}

bool exists(const Satellites& satellites, const uri::Node& node, const std::string& path, const std::string& tenant)
{
    if (const Service* service = findService(path)) {
        const bool linked = path.find('/') == std::string::npos && satellites.anyHasService(path, tenant);
        return service->own || linked || hasBelow(satellites, node, path, tenant);
    }
    const bool ownMembers = path == "JsonSchemas" || (path == "Managers" && tenant.empty());
    return ownMembers || hasBelow(satellites, node, path, tenant);
}

}  // namespace

std::uint32_t sessionTimeout(const cluster::State& state)
{
    const cluster::Property* property = cluster::findProperty(state, sessionServiceUri);
    const json kept = property == nullptr ? json() : json::parse(property->json, nullptr, false);
    const auto found = kept.is_object() ? kept.find("SessionTimeout") : kept.end();
    return kept.is_object() && found != kept.end() && found->is_number_unsigned() ? found->get<std::uint32_t>()
                                                                                  : defaultSessionTimeoutSeconds;
}

std::string sessionServiceProperty(std::uint32_t timeoutSeconds)
{
    return json{{"SessionTimeout", timeoutSeconds}}.dump();
}

std::optional<Representation> ServiceResources::find(std::string_view path, const std::string& tenant) const
{
    const Service* service = findService(path);
    const uri::Node* node = service == nullptr ? nullptr : nodeAt(service->path);
    if (node == nullptr || !exists(context.satellites, *node, std::string(service->path), tenant)) {
        return std::nullopt;
    }
    const std::string type = typeOf(service->schema);
    json body{{"@odata.id", std::string(base) + std::string(service->path)},
              {"@odata.type", type},
              {"Id", std::string(node->name)},
              {"Name", std::string(service->name)}};
    service->fill(body, context.engine.state());
    for (const uri::Node& child : node->children) {
        const std::string below = std::string(service->path) + "/" + std::string(child.name);
        if (exists(context.satellites, child, below, tenant)) {
            body[propertyOf(below)] = link(std::string(base) + below);
        }
    }
    return Representation{type, jsonText(body), std::string(service->allow), {}};
}

std::vector<ServiceResources::Link> ServiceResources::rootLinks(const std::string& tenant) const
{
    std::vector<Link> links;
    for (const uri::Node& node : uri::topNodes()) {
        const std::string path(node.name);
        if (exists(context.satellites, node, path, tenant)) {
            links.push_back({propertyOf(path), std::string(base) + path});
        }
    }
    return links;
}

Answer ServiceResources::root(const Call& call) const
{
    const std::string type = typeOf("ServiceRoot");
    json body{{"@odata.id", "/redfish/v1/"},
              {"@odata.type", type},
              {"Id", "RootService"},
              {"Name", "Root Service"},
              {"Product", "bmcmesh"},
              {"RedfishVersion", "1.18.0"}};
    if (const std::string uuid = context.node.serviceUuid(); !uuid.empty()) {
        body["UUID"] = uuid;
    }
    body["ProtocolFeaturesSupported"] = {
        {"ExpandQuery", {{"ExpandAll", false}, {"Levels", false}, {"Links", false}, {"NoLinks", false}}},
        {"FilterQuery", false},
        {"SelectQuery", false},
        {"ExcerptQuery", false},
        {"OnlyMemberQuery", true},
        {"TopSkipQuery", true},
        {"MultipleHTTPRequests", true},
        {"DeepOperations", {{"DeepPATCH", false}, {"DeepPOST", false}}}};
    for (const Link& child : rootLinks(call.tenant())) {
        body[child.property] = link(child.uri);
    }
    body["Links"] = {{"Sessions", link("/redfish/v1/SessionService/Sessions")}};
    return representationAnswer(call.request.head, {type, jsonText(body), std::string(readOnly), {}});
}

Answer ServiceResources::odata(const Call& call) const
{
    json value = json::array({{{"name", "Service"}, {"kind", "Singleton"}, {"url", "/redfish/v1/"}}});
    for (const Link& child : rootLinks(call.tenant())) {
        value.push_back({{"name", child.property}, {"kind", "Singleton"}, {"url", child.uri}});
    }
    value.push_back({{"name", "Sessions"}, {"kind", "Singleton"}, {"url", "/redfish/v1/SessionService/Sessions"}});
    return documentAnswer(200, "application/json",
                          jsonText({{"@odata.context", "/redfish/v1/$metadata"}, {"value", std::move(value)}}));
}

}  // namespace mesh::aggregator
