#include "connector/core/redfish_body.hpp"

#include "shoset/base/http.hpp"

#include <nlohmann/json.hpp>

namespace mesh::connector {

namespace {

using nlohmann::json;

std::string text(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

constexpr int maxLinkDepth = 32;

void collectLinks(const json& value, std::vector<std::string>& out, int depth)
{
    if (depth > maxLinkDepth) {
        return;
    }
    for (const auto& item : value.items()) {
        if (item.value().is_structured()) {
            collectLinks(item.value(), out, depth + 1);
        } else if (depth > 0 && item.value().is_string() && value.is_object() && item.key() == "@odata.id") {
            out.push_back(item.value().get<std::string>());
        }
    }
}

std::optional<json> parseObject(std::string_view body)
{
    json parsed = json::parse(body, nullptr, false);
    if (!parsed.is_object()) {
        return std::nullopt;
    }
    return parsed;
}

}  // namespace

std::optional<RootFacts> rootFactsIn(std::string_view body)
{
    const std::optional<json> root = parseObject(body);
    if (!root) {
        return std::nullopt;
    }
    RootFacts facts{text(*root, "UUID"), text(*root, "RedfishVersion"), {}};
    collectLinks(*root, facts.links, 0);
    return facts;
}

std::optional<CollectionFacts> collectionFactsIn(std::string_view body)
{
    const std::optional<json> collection = parseObject(body);
    if (!collection) {
        return std::nullopt;
    }
    CollectionFacts facts{{}, text(*collection, "Members@odata.nextLink")};
    const auto members = collection->find("Members");
    if (members != collection->end() && members->is_array()) {
        for (const json& member : *members) {
            if (std::string uri = member.is_object() ? text(member, "@odata.id") : std::string(); !uri.empty()) {
                facts.members.push_back(std::move(uri));
            }
        }
    }
    return facts;
}

std::optional<std::vector<std::string>> linksIn(std::string_view body)
{
    const std::optional<json> object = parseObject(body);
    if (!object) {
        return std::nullopt;
    }
    std::vector<std::string> links;
    collectLinks(*object, links, 0);
    return links;
}

std::string_view relativePath(std::string_view uri)
{
    constexpr std::string_view tree = "/redfish/v1/";
    uri = uri.substr(0, uri.find_first_of("?#"));
    if (uri.size() < tree.size() || !equalsIgnoreCase(uri.substr(0, tree.size()), tree)) {
        return {};
    }
    uri.remove_prefix(tree.size());
    while (!uri.empty() && uri.back() == '/') {
        uri.remove_suffix(1);
    }
    return uri;
}

}  // namespace mesh::connector
