#include "aggregator/core/resource_aggregation.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_oem_schemas.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/uri_map.hpp"
#include "tenants/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view methodId = "Connector";

// Until it has a prefix, a satellite is told from those of other tenants by its full name.
std::string idOf(const Satellite& satellite)
{
    return satellite.prefix.empty() ? satellite.tenant + "." + satellite.name : satellite.prefix;
}

std::string sourceUri(std::string_view id)
{
    return "/redfish/v1/" + std::string(aggregationSources) + "/" + std::string(id);
}

// What a satellite calls a segment becomes part of a URI of ours only if it is one.
bool isPath(std::string_view text)
{
    static constexpr std::string_view marks = "-._~!$&'()*+,;=:@/";
    return !text.empty() && text.size() <= limits::maxUriBytes && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
    });
}

json status(const std::string& trouble)
{
    return trouble.empty() ? json{{"State", "Enabled"}, {"Health", "OK"}}
                           : json{{"State", "UnavailableOffline"}, {"Health", "Critical"}};
}

constexpr const char* passwordNeeded = "password needed: no node can read the password of its BMC any more; PATCH Password";

// How a BMC without an agent is reached, and by whom.
void describeSource(json& body, const cluster::Source& source, const cluster::State& state)
{
    json& oem = body["Oem"]["Bmcmesh"];
    body["HostName"] = source.hostName;
    body["UserName"] = source.userName;
    body["Password"] = nullptr;
    const std::string judged = source.insecure ? "Unchecked" : "Authority";
    oem["Certificate"] = source.fingerprint.empty() ? judged : source.fingerprint;
    const tenants::Connector* connector = state.registry.find(source.tenant, source.connector);
    const cluster::Node* host = connector == nullptr ? nullptr : cluster::findNode(state, connector->host);
    if (host != nullptr) {
        oem["Host"] = host->name;
    }
}

}  // namespace

std::vector<const Satellite*> AggregationResources::visible(const std::string& tenant) const
{
    std::vector<const Satellite*> out;
    for (const auto& [address, satellite] : context.satellites.all()) {
        if (tenants::mayReach(tenant, satellite.tenant)) {
            out.push_back(&satellite);
        }
    }
    return out;
}

OwnCollection AggregationResources::list(const Call& call) const
{
    OwnCollection collection{"/redfish/v1/" + std::string(aggregationSources), "AggregationSourceCollection",
                             "Aggregation Source Collection", context.satellites.merge(aggregationSources, call.tenant()).members};
    std::set<std::string> seen;
    for (const Satellite* satellite : visible(call.tenant())) {
        if (seen.insert(idOf(*satellite)).second) {
            collection.members.push_back(sourceUri(idOf(*satellite)));
        }
    }
    return collection;
}

const Satellite* AggregationResources::find(const std::string& tenant, const std::string& id) const
{
    const Satellite* byPrefix = context.satellites.findByPrefix(id);
    if (byPrefix != nullptr && tenants::mayReach(tenant, byPrefix->tenant)) {
        return byPrefix;
    }
    for (const Satellite* satellite : visible(tenant)) {
        if (satellite->prefix.empty() && idOf(*satellite) == id) {
            return satellite;
        }
    }
    return nullptr;
}

const cluster::Source* AggregationResources::agentless(const Call& call) const
{
    const Satellite* satellite = find(call.tenant(), call.id);
    return satellite == nullptr ? nullptr : cluster::findSourceOf(context.engine.state(), satellite->tenant, satellite->name);
}

std::string_view AggregationResources::allowed(const Call& call, const std::string& id) const
{
    const Satellite* satellite = find(call.tenant(), id);
    const bool hasAgent = satellite != nullptr &&
                          cluster::findSourceOf(context.engine.state(), satellite->tenant, satellite->name) == nullptr;
    return hasAgent ? readOnly : agentlessAllow;
}

Answer AggregationResources::get(const Call& call, const std::vector<RedfishMessage>& info) const
{
    const Satellite* satellite = find(call.tenant(), call.id);
    if (satellite == nullptr) {
        return notFound(call.request.path);
    }
    const cluster::Source* source = cluster::findSourceOf(context.engine.state(), satellite->tenant, satellite->name);
    const bool stuck = source != nullptr && cluster::needsPassword(context.engine.state(), *source);
    const std::string trouble = stuck ? passwordNeeded : satellite->trouble();
    json resources = json::array();
    const uri::UriMap map(satellite->prefix);
    for (const std::string& link : satellite->rootLinks) {
        const std::string path = "/redfish/v1/" + link;
        const uri::Mapping mapping = map.forward(path).owner == uri::Owner::shared ? map.own(path) : map.forward(path);
        if (!satellite->prefix.empty() && isPath(link) && mapping.owner == uri::Owner::satellite) {
            resources.push_back({{"@odata.id", uri::applyMapping(mapping, path)}});
        }
    }
    json oem{{"@odata.type", oemTypeOf("AggregationSource")},
             {"Tenant", satellite->tenant},
             {"Connector", satellite->name},
             {"Resources", std::move(resources)}};
    if (!trouble.empty()) {
        oem["Trouble"] = trouble;
    }
    const std::string type = typeOf("AggregationSource");
    json body{{"@odata.id", sourceUri(idOf(*satellite))},
                    {"@odata.type", type},
                    {"Id", idOf(*satellite)},
                    {"Name", satellite->name},
                    {"HostName", satellite->name},
                    {"AggregationType", "Full"},
                    {"Status", status(trouble)},
                    {"Links", {{"ConnectionMethod", {{"@odata.id", methodUri()}}}}},
                    {"Oem", {{"Bmcmesh", std::move(oem)}}}};
    if (source != nullptr) {
        describeSource(body, *source, context.engine.state());
    }
    const std::string etag = hashTag(jsonText(body));
    for (const RedfishMessage& message : info) {
        body["@Message.ExtendedInfo"].push_back(json::parse(messageJson(message)));
    }
    const std::string_view allow = source == nullptr ? readOnly : agentlessAllow;
    return representationAnswer(call.request.head, {type, jsonText(body), std::string(allow), etag});
}

std::string AggregationResources::methodUri() const
{
    return "/redfish/v1/" + std::string(connectionMethods) + "/" + std::string(methodId);
}

Answer AggregationResources::method(const Call& call) const
{
    if (call.id != methodId) {
        return notFound(call.request.path);
    }
    json sources = json::array();
    for (const Satellite* satellite : visible(call.tenant())) {
        sources.push_back({{"@odata.id", sourceUri(idOf(*satellite))}});
    }
    const std::string type = typeOf("ConnectionMethod");
    const json body{{"@odata.id", methodUri()},
                    {"@odata.type", type},
                    {"Id", methodId},
                    {"Name", "Connector"},
                    {"ConnectionMethodType", "Redfish"},
                    {"ConnectionMethodVariant", "Connector"},
                    {"Links", {{"AggregationSources@odata.count", sources.size()}, {"AggregationSources", sources}}}};
    return representationAnswer(call.request.head, {type, jsonText(body), std::string(readOnly), {}});
}

}  // namespace mesh::aggregator
