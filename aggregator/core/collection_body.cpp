#include "aggregator/core/collection_body.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/query.hpp"
#include "aggregator/core/resource_schemas.hpp"
#include "shoset/base/ids.hpp"

#include <nlohmann/json.hpp>
#include <sodium.h>

#include <algorithm>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

// The schema of a collection by the last segment of its path; those that do not follow the rule "plural without s".
std::string schemaOf(std::string_view path)
{
    struct Named {
        std::string_view segment;
        std::string_view type;
    };
    static constexpr Named named[] = {
        {"Systems", "ComputerSystem"},       {"FirmwareInventory", "SoftwareInventory"},
        {"SoftwareInventory", "SoftwareInventory"}, {"LocalImageStore", "SoftwareInventory"},
        {"Subscriptions", "EventDestination"}, {"Registries", "MessageRegistryFile"},
        {"Entries", "LogEntry"},             {"ResourceBlocks", "ResourceBlock"},
        {"ResourceZones", "Zone"},           {"Facilities", "Facility"},
        {"Chassis", "Chassis"},              {"ComponentIntegrity", "ComponentIntegrity"},
        {"TelemetryData", "TelemetryData"},  {"FloorPDUs", "PowerDistribution"},
        {"RackPDUs", "PowerDistribution"},   {"PowerShelves", "PowerDistribution"},
        {"Switchgear", "PowerDistribution"}, {"TransferSwitches", "PowerDistribution"},
        {"ElectricalBuses", "PowerDistribution"}, {"CDUs", "CoolingUnit"},
        {"HeatExchangers", "CoolingUnit"},   {"ImmersionUnits", "CoolingUnit"},
        {"RPUs", "CoolingUnit"},             {"RemoteServerCertificates", "Certificate"},
        {"ClientCertificates", "Certificate"}, {"RemoteServerSSHKeys", "Key"},
        {"NVMeoFSecrets", "Key"},            {"NVMeoFKeyPolicies", "KeyPolicy"},
        {"Documents", "JobDocument"},        {"Executors", "JobExecutor"},
        {"NVMeDomains", "NVMeDomain"},       {"EnrollmentCACertificates", "Certificate"},
        {"StorageSystems", "StorageSystem"}, {"StorageServices", "StorageService"},
        {"Triggers", "Triggers"},            {"ActivePool", "ResourceBlock"},
        {"FreePool", "ResourceBlock"},
    };
    const std::string_view segment = path.substr(path.find_last_of('/') + 1);
    for (const Named& entry : named) {
        if (entry.segment == segment) {
            return std::string(entry.type) + "Collection";
        }
    }
    std::string singular(segment);
    if (singular.ends_with('s')) {
        singular.pop_back();
    }
    return singular + "Collection";
}

std::string collectionEtag(std::string_view path, const MergedCollection& collection)
{
    std::string text(path);
    for (const std::string& member : collection.members) {
        text += '\n' + member;
    }
    for (const MissingSatellite& missing : collection.missing) {
        text += "\n!" + missing.prefix;
    }
    std::string hash(crypto_generichash_BYTES_MIN, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
    return '"' + toHex(hash) + '"';
}

json missingInfo(const MergedCollection& collection)
{
    json list = json::array();
    for (const MissingSatellite& missing : collection.missing) {
        json entry = json::parse(messageJson({"CouldNotEstablishConnection", {"/redfish/v1/AggregationService/AggregationSources/" + missing.prefix}, {}}));
        entry["Message"] = "Satellite " + missing.name + " is missing: " + missing.reason + ".";
        list.push_back(std::move(entry));
    }
    return list;
}

std::string memberText(const MergedCollection& collection, std::size_t index)
{
    const std::string& member = collection.members[index];
    return collection.inlined ? member : jsonText({{"@odata.id", member}});
}

Headers collectionHeaders(std::string_view type, const std::string& etag)
{
    return {{"Content-Type", "application/json"},
            {"OData-Version", "4.0"},
            {"Allow", "GET, HEAD"},
            {"Cache-Control", "no-cache"},
            {"ETag", etag},
            {"Link", "<" + schemaUri(type) + ">; rel=describedby"}};
}

}  // namespace

Answer collectionAnswer(std::string_view path, const MergedCollection& collection, const RequestHead& request,
                        std::string_view query)
{
    ParsedQuery parsed = parseCollectionQuery(query);
    if (Answer* refusal = std::get_if<Answer>(&parsed)) {
        return std::move(*refusal);
    }
    const CollectionQuery& wanted = std::get<CollectionQuery>(parsed);
    const std::string type = typeOf(schemaOf(path));
    const std::string etag = collectionEtag(path, collection);
    Headers headers = collectionHeaders(type, etag);
    const std::string* known = findHeader(request.headers, "If-None-Match");
    if (known != nullptr && (known->find(etag) != std::string::npos || *known == "*") && query.empty()) {
        return {{304, std::move(headers)}, {}};
    }
    const std::string uri = "/redfish/v1/" + std::string(path);
    json body{{"@odata.id", uri}, {"@odata.type", type}, {"Name", std::string(path.substr(path.find_last_of('/') + 1)) + " Collection"}};
    const std::size_t first = std::min(wanted.skip, collection.members.size());
    const std::size_t end = first + std::min(wanted.top, collection.members.size() - first);
    body["Members@odata.count"] = collection.members.size();
    if (!collection.missing.empty()) {
        body["@Message.ExtendedInfo"] = missingInfo(collection);
    }
    // Members that stand in it whole keep their bytes, so the text is put together by hand.
    std::string text = jsonText(body);
    text.pop_back();
    text += ",\"Members\":[";
    for (std::size_t i = first; i < end; ++i) {
        text.append(i == first ? "" : ",").append(memberText(collection, i));
    }
    text += "]}";
    return {{200, std::move(headers)}, std::move(text)};
}

}  // namespace mesh::aggregator
