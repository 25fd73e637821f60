#include "aggregator/core/resource_schemas.hpp"

#include "aggregator/core/json_text.hpp"
#include "aggregator/core/resource_oem_schemas.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

struct Schema {
    std::string_view name;
    std::string_view version;  // empty: a collection, which has none
    bool swordfish = false;    // published by SNIA

    // As a member of JsonSchemas: "Session.v1_8_0".
    std::string id() const { return std::string(name) + (version.empty() ? "" : ".") + std::string(version); }
    std::string type() const { return "#" + id() + "." + std::string(name); }
    std::string publishedBelow() const
    {
        return swordfish ? "http://redfish.dmtf.org/schemas/swordfish/v1/" : "http://redfish.dmtf.org/schemas/v1/";
    }
};

// By name. The facade's own resources, and what its merged collections are.
constexpr std::array schemas{
    Schema{"AccountService", "v1_17_0"},
    Schema{"AggregateCollection", ""},
    Schema{"AggregationService", "v1_0_3"},
    Schema{"AggregationSource", "v1_4_3"},
    Schema{"AggregationSourceCollection", ""},
    Schema{"AutomationNodeCollection", ""},
    Schema{"CableCollection", ""},
    Schema{"CertificateCollection", ""},
    Schema{"CertificateEnrollmentCollection", ""},
    Schema{"CertificateService", "v1_2_0"},
    Schema{"ChassisCollection", ""},
    Schema{"ComponentIntegrityCollection", ""},
    Schema{"CompositionReservationCollection", ""},
    Schema{"CompositionService", "v1_2_3"},
    Schema{"ComputerSystemCollection", ""},
    Schema{"ConnectionMethod", "v1_1_1"},
    Schema{"ConnectionMethodCollection", ""},
    Schema{"CoolingLoopCollection", ""},
    Schema{"CoolingUnitCollection", ""},
    Schema{"EventDestinationCollection", ""},
    Schema{"EventService", "v1_10_3"},
    Schema{"FabricCollection", ""},
    Schema{"FacilityCollection", ""},
    Schema{"JobCollection", ""},
    Schema{"JobDocumentCollection", ""},
    Schema{"JobExecutorCollection", ""},
    Schema{"JobService", "v1_1_0"},
    Schema{"JsonSchemaFile", "v1_1_5"},
    Schema{"JsonSchemaFileCollection", ""},
    Schema{"KeyCollection", ""},
    Schema{"KeyPolicyCollection", ""},
    Schema{"KeyService", "v1_0_1"},
    Schema{"LicenseCollection", ""},
    Schema{"LicenseService", "v1_1_2"},
    Schema{"LogEntryCollection", ""},
    Schema{"LogService", "v1_7_0"},
    Schema{"Manager", "v1_20_0"},
    Schema{"ManagerAccount", "v1_13_0"},
    Schema{"ManagerAccountCollection", ""},
    Schema{"ManagerCollection", ""},
    Schema{"ManagerNetworkProtocol", "v1_11_0"},
    Schema{"Message", "v1_2_1"},
    Schema{"MessageRegistryFileCollection", ""},
    Schema{"MetricDefinitionCollection", ""},
    Schema{"MetricReportCollection", ""},
    Schema{"MetricReportDefinitionCollection", ""},
    Schema{"NVMeDomainCollection", "", true},
    Schema{"PowerDistributionCollection", ""},
    Schema{"PowerEquipment", "v1_2_2"},
    Schema{"RegisteredClientCollection", ""},
    Schema{"ResourceBlockCollection", ""},
    Schema{"Role", "v1_3_3"},
    Schema{"RoleCollection", ""},
    Schema{"ServiceConditions", "v1_0_1"},
    Schema{"ServiceRoot", "v1_19_0"},
    Schema{"Session", "v1_8_0"},
    Schema{"SessionCollection", ""},
    Schema{"SessionService", "v1_2_0"},
    Schema{"SoftwareInventoryCollection", ""},
    Schema{"StorageCollection", ""},
    Schema{"StorageServiceCollection", "", true},
    Schema{"StorageSystemCollection", "", true},
    Schema{"TaskCollection", ""},
    Schema{"TaskService", "v1_2_1"},
    Schema{"TelemetryDataCollection", ""},
    Schema{"TelemetryService", "v1_4_0"},
    Schema{"ThermalEquipment", "v1_2_0"},
    Schema{"TriggersCollection", ""},
    Schema{"UpdateService", "v1_17_0"},
    Schema{"ZoneCollection", ""},
};

constexpr std::string_view collectionUri = "/redfish/v1/JsonSchemas";

const Schema* findSchema(std::string_view name)
{
    const auto found = std::find_if(schemas.begin(), schemas.end(), [name](const Schema& schema) { return schema.name == name; });
    return found == schemas.end() ? nullptr : &*found;
}

// `publishedBelow` is empty where nobody else publishes the schema.
Answer fileAnswer(const Call& call, std::string_view name, const std::string& type, const std::string& publishedBelow)
{
    const std::string uri = std::string(collectionUri) + "/" + call.id;
    json location{{"Language", "en"}, {"Uri", uri + ".json"}};
    if (!publishedBelow.empty()) {
        location["PublicationUri"] = publishedBelow + call.id + ".json";
    }
    const json body{{"@odata.id", uri},
                    {"@odata.type", typeOf("JsonSchemaFile")},
                    {"Id", call.id},
                    {"Name", std::string(name) + " Schema File"},
                    {"Schema", type},
                    {"Languages", {"en"}},
                    {"Location", json::array({location})}};
    return representationAnswer(call.request.head, {typeOf("JsonSchemaFile"), jsonText(body), std::string(readOnly), {}});
}

// The second namespace, with a version, may be empty.
std::string reference(const std::string& uri, std::string_view name, const std::string& versioned)
{
    const std::string include = "    <edmx:Include Namespace=\"";
    return "  <edmx:Reference Uri=\"" + uri + "\">\n" + include + std::string(name) + "\"/>\n" +
           (versioned.empty() ? std::string() : include + versioned + "\"/>\n") + "  </edmx:Reference>\n";
}

Answer documentOf(const Schema& schema)
{
    const json body{{"$schema", "http://redfish.dmtf.org/schemas/v1/redfish-schema-v1.json"},
                    {"title", schema.type()},
                    {"$ref", schema.publishedBelow() + schema.id() + ".json#/definitions/" + std::string(schema.name)}};
    return documentAnswer(200, "application/json", jsonText(body));
}

}  // namespace

std::string typeOf(std::string_view schema)
{
    const Schema* found = findSchema(schema);
    return found == nullptr ? std::string() : found->type();
}

std::string schemaUri(std::string_view type)
{
    const std::size_t end = type.find_last_of('.');
    return std::string(collectionUri) + "/" + std::string(type.substr(1, end - 1)) + ".json";
}

OwnCollection schemaCollection()
{
    OwnCollection collection{std::string(collectionUri), "JsonSchemaFileCollection", "JSON Schema Collection", {}};
    for (const Schema& schema : schemas) {
        collection.members.push_back(std::string(collectionUri) + "/" + schema.id());
    }
    for (const OemSchema& schema : oemSchemas()) {
        collection.members.push_back(std::string(collectionUri) + "/" + schema.id());
    }
    return collection;
}

std::optional<Answer> schemaAnswer(const Call& call)
{
    for (const Schema& schema : schemas) {
        if (call.id == schema.id()) {
            return fileAnswer(call, schema.name, schema.type(), schema.publishedBelow());
        }
        if (call.id == schema.id() + ".json") {
            return documentOf(schema);
        }
    }
    for (const OemSchema& schema : oemSchemas()) {
        if (call.id == schema.id()) {
            return fileAnswer(call, schema.name(), schema.type(), {});
        }
        if (call.id == schema.id() + ".json") {
            return documentAnswer(200, "application/json", oemJsonSchema(schema, std::string(collectionUri) + "/" + call.id));
        }
    }
    return std::nullopt;
}

std::string metadataDocument()
{
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\n";
    for (const Schema& schema : schemas) {
        out += reference(schema.publishedBelow() + std::string(schema.name) + "_v1.xml", schema.name,
                         schema.version.empty() ? std::string() : schema.id());
    }
    for (const OemSchema& schema : oemSchemas()) {
        out += reference(schema.csdlUri(), schema.name(), schema.id());
    }
    out += "  <edmx:Reference Uri=\"http://redfish.dmtf.org/schemas/v1/RedfishExtensions_v1.xml\">\n"
           "    <edmx:Include Namespace=\"RedfishExtensions.v1_0_0\" Alias=\"Redfish\"/>\n  </edmx:Reference>\n"
           "  <edmx:DataServices>\n"
           "    <Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"Service\">\n"
           "      <EntityContainer Name=\"Service\" Extends=\"" +
           findSchema("ServiceRoot")->id() + ".ServiceContainer\"/>\n    </Schema>\n  </edmx:DataServices>\n</edmx:Edmx>\n";
    return out;
}

}  // namespace mesh::aggregator
