#include "aggregator/core/resource_oem_schemas.hpp"

#include "aggregator/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view version = "v1_0_0";
constexpr const char* linkSchema = "http://redfish.dmtf.org/schemas/v1/odata-v4.json#/definitions/idRef";
constexpr std::string_view folder = "/redfish/v1/schema/";

constexpr std::array accountProperties{
    OemProperty{"Tenant", "The tenant whose satellites the account sees; missing: all."},
};
constexpr std::array sourceProperties{
    OemProperty{"Tenant", "The tenant that the satellite belongs to."},
    OemProperty{"Connector", "The name of the connector in front of the satellite."},
    OemProperty{"Resources", "The children of the satellite's own service root, where they stand on this service.", true},
    OemProperty{"Trouble", "Why the satellite cannot be asked; missing: it can."},
    OemProperty{"Certificate", "Of a BMC without an agent, how its certificate is judged: Authority, Unchecked, or its SHA-256 fingerprint.", false, true},
    OemProperty{"Host", "The aggregator that fronts a BMC without an agent; missing: none does."},
};
constexpr std::array managerProperties{
    OemProperty{"Role", "The part of the aggregator in the cluster: primary, standby, candidate or stopped."},
    OemProperty{"Generation", "The generation of the cluster's state that it has; recovery and restore raise it.", false, false, true},
    OemProperty{"Term", "The term of the primary that it knows.", false, false, true},
    OemProperty{"Applied", "The number of changes of the cluster's state that it has applied.", false, false, true},
    OemProperty{"NotReady", "Why it is not ready; empty: it is."},
    OemProperty{"Peers", "The aggregators that it is linked with.", true},
};
constexpr std::array schemasOfOem{
    OemSchema{"AggregationSource", "What an aggregator of bmcmesh knows of a satellite.", sourceProperties},
    OemSchema{"Manager", "What an aggregator of bmcmesh says of itself.", managerProperties},
    OemSchema{"ManagerAccount", "What an account of bmcmesh has beyond the schema.", accountProperties},
};

std::string fileOf(const OemSchema& schema)
{
    return schema.name() + "_v1.xml";
}

std::string oemReference(std::string_view uri, std::string_view include)
{
    return "  <edmx:Reference Uri=\"" + std::string(uri) + "\">\n    <edmx:Include " + std::string(include) +
           "/>\n  </edmx:Reference>\n";
}

std::string description(std::string_view text, std::string_view indent)
{
    return std::string(indent) + "<Annotation Term=\"OData.Description\" String=\"" + std::string(text) + "\"/>\n";
}

std::string propertyElement(const OemProperty& property)
{
    const std::string element = property.links ? "NavigationProperty" : "Property";
    const std::string type = property.links ? "Collection(Resource.Item)" : property.number ? "Edm.Int64" : "Edm.String";
    return "        <" + element + " Name=\"" + std::string(property.name) + "\" Type=\"" + type + "\" Nullable=\"false\">\n" +
           "          <Annotation Term=\"OData.Permissions\" EnumMember=\"OData.Permission/" +
           (property.writable ? "ReadWrite" : "Read") + "\"/>\n" +
           description(property.description, "          ") + "        </" + element + ">\n";
}

std::string namespaceElement(const std::string& name, const std::string& content)
{
    return "    <Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"" + name +
           "\">\n      <Annotation Term=\"Redfish.OwningEntity\" String=\"bmcmesh\"/>\n" + content + "    </Schema>\n";
}

// The unversioned type that all versions share, and this version with its properties.
std::string dataServices(const OemSchema& schema)
{
    const std::string name(schema.extends);
    std::string properties = description(schema.description, "        ");
    for (const OemProperty& property : schema.properties) {
        properties += propertyElement(property);
    }
    const std::string open = "      <ComplexType Name=\"" + name + "\" BaseType=\"";
    const std::string closed = "        <Annotation Term=\"OData.AdditionalProperties\" Bool=\"false\"/>\n";
    const std::string end = "      </ComplexType>\n";
    return namespaceElement(schema.name(), open + "Resource.OemObject\" Abstract=\"true\">\n" + closed + end) +
           namespaceElement(schema.id(), open + schema.name() + "." + name + "\">\n" + closed + properties + end);
}

}  // namespace

std::string OemSchema::name() const
{
    return "Bmcmesh" + std::string(extends);
}

std::string OemSchema::id() const
{
    return name() + "." + std::string(version);
}

std::string OemSchema::type() const
{
    return "#" + id() + "." + std::string(extends);
}

std::string OemSchema::csdlUri() const
{
    return std::string(folder) + fileOf(*this);
}

std::span<const OemSchema> oemSchemas()
{
    return schemasOfOem;
}

std::string oemTypeOf(std::string_view extends)
{
    const auto found = std::find_if(schemasOfOem.begin(), schemasOfOem.end(), [&](const OemSchema& schema) { return schema.extends == extends; });
    return found == schemasOfOem.end() ? std::string() : found->type();
}

std::string oemCsdl(std::string_view file)
{
    const auto found = std::find_if(schemasOfOem.begin(), schemasOfOem.end(), [&](const OemSchema& schema) { return fileOf(schema) == file; });
    if (found == schemasOfOem.end()) {
        return {};
    }
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\n" +
           oemReference("http://docs.oasis-open.org/odata/odata/v4.0/errata03/csd01/complete/vocabularies/Org.OData.Core.V1.xml",
                     "Namespace=\"Org.OData.Core.V1\" Alias=\"OData\"") +
           oemReference("http://redfish.dmtf.org/schemas/v1/RedfishExtensions_v1.xml",
                     "Namespace=\"RedfishExtensions.v1_0_0\" Alias=\"Redfish\"") +
           oemReference("http://redfish.dmtf.org/schemas/v1/Resource_v1.xml", "Namespace=\"Resource\"") + "  <edmx:DataServices>\n" +
           dataServices(*found) + "  </edmx:DataServices>\n</edmx:Edmx>\n";
}

std::string oemJsonSchema(const OemSchema& schema, const std::string& uri)
{
    const std::string name(schema.extends);
    json properties{{"@odata.type", {{"type", "string"}, {"const", schema.type()}}}};
    for (const OemProperty& property : schema.properties) {
        json one = property.links ? json{{"type", "array"}, {"items", {{"$ref", linkSchema}}}}
                                  : json{{"type", property.number ? "integer" : "string"}};
        one["readonly"] = !property.writable;
        one["description"] = property.description;
        properties[std::string(property.name)] = std::move(one);
    }
    const json body{{"$id", uri},
                    {"$schema", "http://redfish.dmtf.org/schemas/v1/redfish-schema-v1.json"},
                    {"title", schema.type()},
                    {"owningEntity", "bmcmesh"},
                    {"$ref", "#/definitions/" + name},
                    {"definitions",
                     {{name,
                       {{"type", "object"},
                        {"additionalProperties", false},
                        {"description", schema.description},
                        {"properties", std::move(properties)}}}}}};
    return jsonText(body);
}

}  // namespace mesh::aggregator
