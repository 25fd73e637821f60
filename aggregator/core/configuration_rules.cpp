#include "aggregator/core/configuration_rules.hpp"

#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/json_schema.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace mesh::aggregator {

namespace {

using cluster::DocumentKind;
using cluster::DocumentName;
using Json = nlohmann::json;

constexpr std::array<std::pair<DocumentKind, std::string_view>, 3> configurationLayers{
    {{DocumentKind::pivot, "pivot"}, {DocumentKind::product, "product"}, {DocumentKind::component, "component"}}};

constexpr std::size_t maxEventBytes = 127;
constexpr std::size_t commandBytes = 2 * limits::maxWorkerCommands * 66;  // of one contract, a pivot's and a product's, as they are told
static_assert(limits::maxConfigurationBytes + limits::maxContractVersions * (commandBytes + 64) + 256 <= limits::maxPayloadBytes,
              "whatever is uploaded can be told to a connector");

Error wrongAt(const std::string& where, const std::string& what)
{
    return Error{Code::invalidArgument, "at " + where + ": " + what};
}

Json nameList(std::size_t most, std::size_t bytes)
{
    return {{"type", "array"}, {"maxItems", most}, {"items", {{"type", "string"}, {"minLength", 1}, {"maxLength", bytes}}}};
}

// The form of a document of that kind.
Json formOf(DocumentKind kind)
{
    const Json name{{"type", "string"}};
    Json properties{{"kind", name}, {"type", name}, {"major", {{"type", "integer"}, {"minimum", 1}, {"maximum", limits::maxContractMajor}}}};
    Json required{"type"};
    if (kind == DocumentKind::component) {
        properties["connector"] = properties["product"] = name;
        properties["values"] = {{"type", "object"}};
        properties["resources"] = {{"type", "object"}, {"additionalProperties", nameList(limits::maxConfiguredResources, 63)}};
        required.push_back("connector");
    } else {
        properties["commands"] = nameList(limits::maxWorkerCommands, 63);
        properties["events"] = nameList(limits::maxContractNames, maxEventBytes);
        properties["resources"] = nameList(limits::maxContractNames, 63);
        properties["keys"] = {{"type", "object"}, {"maxProperties", limits::maxContractNames}};
        properties["required"] = nameList(limits::maxContractNames, 63);
    }
    if (kind == DocumentKind::product) {
        properties["product"] = name;
        required.push_back("product");
    }
    return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}, {"additionalProperties", false}};
}

// "the payload, at /x: …" without its beginning, which speaks of a command.
Error asDocument(const Error& error)
{
    const std::size_t at = error.message.find(", at ");
    return at == std::string::npos ? error : Error{error.code, error.message.substr(at + 2)};
}

// What the schema says of the text; the text is JSON then, and no larger than a configuration may be.
Result<Json> checkedBy(const Json& schema, std::string_view text)
{
    const Result<shoset::JsonSchema> compiled = shoset::JsonSchema::compile(schema.dump());
    if (!compiled) {
        return compiled.error();
    }
    const Result<std::string> taken = compiled->check(text);
    return taken ? Result<Json>(Json::parse(*taken)) : asDocument(taken.error());
}

Result<void> areNames(const Json& document, const char* member)
{
    const Json list = document.value(member, Json::array());
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!isValidName(list[i].get_ref<const std::string&>())) {
            return wrongAt("/" + std::string(member) + "/" + std::to_string(i), "expected a name: letters, digits, '.', '_' and '-'");
        }
    }
    return {};
}

// Of a pivot or product: names that are some, keys whose schemas can be checked.
Result<void> checkContract(const Json& contract)
{
    for (const char* member : {"commands", "resources"}) {
        if (Result<void> fine = areNames(contract, member); !fine) {
            return fine;
        }
    }
    const Json keys = contract.value("keys", Json::object());
    for (const auto& [name, schema] : keys.items()) {
        if (!isValidName(name)) {
            return wrongAt("/keys", "expected names of keys: letters, digits, '.', '_' and '-'");
        }
        if (const auto compiled = shoset::JsonSchema::compile(schema.dump()); !compiled) {
            return wrongAt("/keys/" + name, compiled.error().message);
        }
    }
    const Json required = contract.value("required", Json::array());
    for (std::size_t i = 0; i < required.size(); ++i) {
        if (!keys.contains(required[i].get_ref<const std::string&>())) {
            return wrongAt("/required/" + std::to_string(i), "expected one of the keys");
        }
    }
    return {};
}

std::uint32_t majorOf(const Json& document)
{
    return document.value("major", std::uint32_t{1});
}

std::string pivotName(const std::string& type, std::uint32_t major)
{
    return std::to_string(major) + "." + type;
}

Json contentOf(const cluster::State& state, const DocumentName& name)
{
    const cluster::Document* document = cluster::findDocument(state, name);
    return document == nullptr ? Json() : Json::parse(document->content, nullptr, false);
}

bool areOfOneContract(const Json& a, const Json& b)
{
    return a.value("type", "") == b.value("type", "") && majorOf(a) == majorOf(b);
}

// Of that kind and tenant, those that `chosen` takes, by name.
template <class Chosen>
std::vector<std::pair<std::string, Json>> documentsOf(const cluster::State& state, DocumentKind kind, const std::string& tenant,
                                                      Chosen chosen)
{
    std::vector<std::pair<std::string, Json>> out;
    for (auto at = state.documents.lower_bound({kind, tenant, ""});
         at != state.documents.end() && at->first.kind == kind && at->first.tenant == tenant; ++at) {
        Json content = Json::parse(at->second.content, nullptr, false);
        if (content.is_object() && chosen(content)) {
            out.emplace_back(at->first.name, std::move(content));
        }
    }
    return out;
}

// What a component of this pivot, and of this product unless it is null, has to keep to.
Json rulesFor(const Json& pivot, const Json& product)
{
    Json keys = pivot.value("keys", Json::object());
    Json required = pivot.value("required", Json::array());
    Json resources = Json::object();
    const auto take = [&resources](const Json& contract) {
        for (const Json& type : contract.value("resources", Json::array())) {
            resources[type.get<std::string>()] = Json::object();
        }
    };
    take(pivot);
    if (product.is_object()) {
        const Json added = product.value("keys", Json::object());
        for (const auto& [name, schema] : added.items()) {
            keys[name] = keys.contains(name) ? Json{{"allOf", {keys[name], schema}}} : schema;
        }
        for (const Json& name : product.value("required", Json::array())) {
            required.push_back(name);
        }
        take(product);
    }
    Json needed = required.empty() ? Json::array() : Json::array({"values"});
    return {{"type", "object"},
            {"required", std::move(needed)},
            {"properties",
             {{"values", {{"type", "object"}, {"additionalProperties", false}, {"properties", keys}, {"required", required}}},
              {"resources", {{"type", "object"}, {"additionalProperties", false}, {"properties", resources}}}}}};
}

Result<void> keepsTo(const Json& component, const Json& pivot, const Json& product)
{
    const Result<Json> fine = checkedBy(rulesFor(pivot, product), component.dump());
    return fine ? Result<void>() : fine.error();
}

std::string describePivot(const Json& document)
{
    return "pivot " + document.value("type", "") + " " + std::to_string(majorOf(document));
}

// With this pivot or product in place of the one that is there.
Result<void> keepsComponents(const cluster::State& state, const DocumentName& name, const Json& contract)
{
    const bool isPivot = name.kind == DocumentKind::pivot;
    const auto concerned = documentsOf(state, DocumentKind::component, name.tenant, [&](const Json& component) {
        return isPivot ? areOfOneContract(component, contract) : component.value("product", "") == name.name;
    });
    for (const auto& [connector, component] : concerned) {
        if (!areOfOneContract(component, contract)) {
            return Error{Code::preconditionFailed, "component " + connector + " names this product, and is of " + describePivot(component)};
        }
        const Json pivot =
            isPivot ? contract : contentOf(state, {DocumentKind::pivot, name.tenant, pivotName(component.value("type", ""), majorOf(component))});
        const Json product = isPivot ? contentOf(state, {DocumentKind::product, name.tenant, component.value("product", "")}) : contract;
        if (Result<void> kept = keepsTo(component, pivot, product); !kept) {
            return Error{Code::preconditionFailed, "component " + connector + " would not keep to it, " + kept.error().message};
        }
    }
    return {};
}

Result<void> fitsPivot(const cluster::State& state, const DocumentName& name, const Json& document, std::string_view connectorType)
{
    const std::string type = document.value("type", "");
    const Json pivot = contentOf(state, {DocumentKind::pivot, name.tenant, pivotName(type, majorOf(document))});
    if (!pivot.is_object()) {
        return Error{Code::notFound, "there is no " + describePivot(document) + "; upload that first"};
    }
    if (name.kind == DocumentKind::product) {
        return keepsComponents(state, name, document);
    }
    if (!connectorType.empty() && connectorType != type) {
        return wrongAt("/type", "expected " + std::string(connectorType) + ", as the connector is registered");
    }
    const std::string productName = document.value("product", "");
    const Json product = contentOf(state, {DocumentKind::product, name.tenant, productName});
    if (!productName.empty() && (!product.is_object() || !areOfOneContract(product, document))) {
        return wrongAt("/product", "expected a product of " + describePivot(document) + " that was uploaded");
    }
    return keepsTo(document, pivot, product);
}

std::string nameIn(DocumentKind kind, const Json& document)
{
    switch (kind) {
        case DocumentKind::pivot: return pivotName(document.value("type", ""), majorOf(document));
        case DocumentKind::product: return document.value("product", "");
        default: return document.value("connector", "");
    }
}

}  // namespace

std::optional<DocumentKind> configurationKind(std::string_view word)
{
    const auto layer = std::find_if(configurationLayers.begin(), configurationLayers.end(), [word](const auto& each) { return each.second == word; });
    return layer == configurationLayers.end() ? std::nullopt : std::optional(layer->first);
}

std::string_view configurationWord(DocumentKind kind)
{
    const auto layer = std::find_if(configurationLayers.begin(), configurationLayers.end(), [kind](const auto& each) { return each.first == kind; });
    return layer == configurationLayers.end() ? std::string_view() : layer->second;
}

Result<ConfigurationDocument> readConfiguration(const std::string& tenant, std::string_view text)
{
    if (text.size() > limits::maxConfigurationBytes) {
        return Error{Code::invalidArgument, "expected at most " + std::to_string(limits::maxConfigurationBytes) + " bytes of JSON"};
    }
    const Result<Json> any = checkedBy({{"type", "object"}, {"required", {"kind"}}, {"properties", {{"kind", {{"enum", {"pivot", "product", "component"}}}}}}}, text);
    if (!any) {
        return any.error();
    }
    const DocumentKind kind = *configurationKind((*any)["kind"].get_ref<const std::string&>());
    const Result<Json> document = checkedBy(formOf(kind), text);
    if (!document) {
        return document.error();
    }
    for (const char* member : {"type", "product", "connector"}) {
        if (document->contains(member) && !isValidName((*document)[member].get_ref<const std::string&>())) {
            return wrongAt("/" + std::string(member), "expected a name: letters, digits, '.', '_' and '-'");
        }
    }
    if (Result<void> fine = kind == DocumentKind::component ? Result<void>() : checkContract(*document); !fine) {
        return fine.error();
    }
    ConfigurationDocument out{{kind, tenant, nameIn(kind, *document)}, document->dump()};
    if (!isValidName(out.name.name)) {
        return wrongAt("/type", "expected a shorter name");
    }
    return out;
}

Result<void> fitsOthers(const cluster::State& state, const ConfigurationDocument& document, std::string_view connectorType)
{
    const Json content = Json::parse(document.content);
    if (document.name.kind != DocumentKind::pivot) {
        return fitsPivot(state, document.name, content, connectorType);
    }
    const std::string type = content.value("type", "");
    const auto versions = documentsOf(state, DocumentKind::pivot, document.name.tenant,
                                      [&type](const Json& pivot) { return pivot.value("type", "") == type; });
    const bool isThere = cluster::findDocument(state, document.name) != nullptr;
    if (!isThere && versions.size() >= limits::maxContractVersions) {
        return Error{Code::full, "there are " + std::to_string(limits::maxContractVersions) + " major versions of " + type +
                                     " already, the most there can be; remove one"};
    }
    return keepsComponents(state, document.name, content);
}

Result<void> isUnused(const cluster::State& state, const DocumentName& name)
{
    if (name.kind == DocumentKind::component) {
        return {};
    }
    const Json contract = contentOf(state, name);
    const auto uses = [&](const Json& document) {
        return name.kind == DocumentKind::pivot ? areOfOneContract(document, contract) : document.value("product", "") == name.name;
    };
    for (const DocumentKind kind : {DocumentKind::product, DocumentKind::component}) {
        const auto users = kind == name.kind ? std::vector<std::pair<std::string, Json>>() : documentsOf(state, kind, name.tenant, uses);
        if (!users.empty()) {
            return Error{Code::preconditionFailed, std::string(configurationWord(kind)) + " " + users.front().first + " needs it; remove that first"};
        }
    }
    return {};
}

ConnectorConfiguration configurationFor(const cluster::State& state, const std::string& tenant, const std::string& connector,
                                        std::string_view connectorType)
{
    ConnectorConfiguration out;
    Json body;
    Json product;
    std::string type(connectorType);
    const DocumentName name{DocumentKind::component, tenant, connector};
    if (const Json component = contentOf(state, name); component.is_object()) {
        const cluster::Document* document = cluster::findDocument(state, name);
        out.version = document->version;
        out.document = document->revision;
        type = component.value("type", "");
        product = contentOf(state, {DocumentKind::product, tenant, component.value("product", "")});
        body = {{"major", majorOf(component)},
                {"values", component.value("values", Json::object())},
                {"resources", component.value("resources", Json::object())}};
    }
    body["type"] = type;
    body["contracts"] = Json::array();
    for (const auto& [ignored, pivot] : documentsOf(state, DocumentKind::pivot, tenant,
                                                    [&type](const Json& each) { return each.value("type", "") == type; })) {
        Json commands = pivot.value("commands", Json::array());
        if (product.is_object() && areOfOneContract(product, pivot)) {
            for (const Json& command : product.value("commands", Json::array())) {
                commands.push_back(command);
            }
        }
        body["contracts"].push_back({{"major", majorOf(pivot)}, {"commands", std::move(commands)}});
    }
    out.body = body.dump();
    return out;
}

}  // namespace mesh::aggregator
