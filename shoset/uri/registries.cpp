#include "shoset/uri/registries.hpp"

#include "shoset/base/http.hpp"
#include "shoset/uri/collections.hpp"

#include <algorithm>
#include <array>

namespace mesh::uri {

namespace {

// The message registries of DSP8011 2025.4. Its privilege registries are not: they say what one service asks for.
constexpr std::array<std::string_view, 22> names{
    "AccountSecurity", "AutomationNodeEvent", "Base",                  "Composition",   "Environmental",
    "EthernetFabric",  "Fabric",              "HeartbeatEvent",        "JobEvent",      "License",
    "LogService",      "ManagerEvent",        "NetworkDevice",         "Platform",      "Power",
    "ResourceEvent",   "SensorEvent",         "ServiceCommunications", "StorageDevice", "TaskEvent",
    "Telemetry",       "Update",
};

bool isNumber(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Major.Minor or Major.Minor.Errata
bool isVersion(std::string_view text)
{
    for (int parts = 1;; ++parts) {
        const std::string_view part = text.substr(0, text.find('.'));
        if (!isNumber(part) || parts > 3) {
            return false;
        }
        if (part.size() == text.size()) {
            return parts > 1;
        }
        text.remove_prefix(part.size() + 1);
    }
}

}  // namespace

std::span<const std::string_view> publishedRegistryNames()
{
    return names;
}

std::string_view publishedRegistry(std::string_view path)
{
    const Place place = locate(path);
    if (place.kind != PlaceKind::member || !place.direct ||
        !equalsIgnoreCase(path.substr(place.first, place.id - 1 - place.first), "Registries")) {
        return {};
    }
    const std::string_view id = path.substr(place.id, place.idEnd - place.id);
    const std::size_t dot = std::min(id.find('.'), id.size());
    const bool published = std::find(names.begin(), names.end(), id.substr(0, dot)) != names.end() && dot < id.size() &&
                           isVersion(id.substr(dot + 1));
    return published ? id : std::string_view();
}

}  // namespace mesh::uri
