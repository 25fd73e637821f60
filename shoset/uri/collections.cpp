#include "shoset/uri/collections.hpp"

#include "shoset/base/http.hpp"
#include "shoset/uri/byte_search.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace mesh::uri {

namespace {

constexpr Node collection(std::string_view name, bool listed = true)
{
    return {name, NodeKind::collection, listed, {}};
}

constexpr Node singleton(std::string_view name, std::span<const Node> children = {})
{
    return {name, NodeKind::singleton, true, children};
}

constexpr std::array aggregationService{collection("Aggregates"), collection("AggregationSources"),
                                        collection("ConnectionMethods")};
constexpr std::array certificateService{collection("CertificateEnrollments"), collection("EnrollmentCACertificates")};
constexpr std::array compositionService{collection("ActivePool"), collection("CompositionReservations"),
                                        collection("FreePool"), collection("ResourceBlocks"),
                                        collection("ResourceZones")};
constexpr std::array eventService{collection("Subscriptions")};
constexpr std::array logEntries{collection("Entries")};
constexpr std::array jobService{collection("Documents"), collection("Executors"), collection("Jobs"),
                                singleton("Log", logEntries)};
constexpr std::array keyService{collection("NVMeoFKeyPolicies"), collection("NVMeoFSecrets")};
constexpr std::array licenseService{collection("Licenses")};
constexpr std::array powerEquipment{collection("ElectricalBuses"), collection("FloorPDUs"), collection("PowerShelves"),
                                    collection("RackPDUs"),        collection("Switchgear"),
                                    collection("TransferSwitches")};
constexpr std::array taskService{collection("TaskMonitors", false), collection("Tasks")};
constexpr std::array telemetryService{singleton("LogService", logEntries),   collection("MetricDefinitions"),
                                      collection("MetricReportDefinitions"), collection("MetricReports"),
                                      collection("TelemetryData"),           collection("Triggers")};
constexpr std::array thermalEquipment{collection("CDUs"), collection("CoolingLoops"), collection("HeatExchangers"),
                                      collection("ImmersionUnits"), collection("RPUs")};
constexpr std::array updateService{collection("ClientCertificates"),       collection("FirmwareInventory"),
                                   collection("LocalImageStore"),          collection("RemoteServerCertificates"),
                                   collection("RemoteServerSSHKeys"),      collection("SoftwareInventory")};
// Sorted by the low five bits of the initial, for topNodesWith().
constexpr std::array top{
    singleton("AccountService"),
    singleton("AggregationService", aggregationService),
    collection("AutomationNodes"),
    collection("Cables"),
    singleton("CertificateService", certificateService),
    collection("Chassis"),
    collection("ComponentIntegrity"),
    singleton("CompositionService", compositionService),
    singleton("$metadata"),
    singleton("EventService", eventService),
    collection("Fabrics"),
    collection("Facilities"),
    singleton("JobService", jobService),
    singleton("JsonSchemas"),
    singleton("KeyService", keyService),
    singleton("LicenseService", licenseService),
    collection("Managers"),
    collection("NVMeDomains"),
    singleton("odata"),
    singleton("PowerEquipment", powerEquipment),
    collection("RegisteredClients"),
    collection("Registries"),
    collection("ResourceBlocks"),
    singleton("ServiceConditions"),
    singleton("SessionService"),
    collection("Storage"),
    collection("StorageServices"),
    collection("StorageSystems"),
    collection("Systems"),
    singleton("TaskService", taskService),
    singleton("TelemetryService", telemetryService),
    singleton("ThermalEquipment", thermalEquipment),
    singleton("UpdateService", updateService),
};

// The same as `top`, flattened; collections_test compares the two.
constexpr std::array flat{
    TopCollection{"AggregationService/Aggregates"},
    TopCollection{"AggregationService/AggregationSources"},
    TopCollection{"AggregationService/ConnectionMethods"},
    TopCollection{"AutomationNodes"},
    TopCollection{"Cables"},
    TopCollection{"CertificateService/CertificateEnrollments"},
    TopCollection{"CertificateService/EnrollmentCACertificates"},
    TopCollection{"Chassis"},
    TopCollection{"ComponentIntegrity"},
    TopCollection{"CompositionService/ActivePool"},
    TopCollection{"CompositionService/CompositionReservations"},
    TopCollection{"CompositionService/FreePool"},
    TopCollection{"CompositionService/ResourceBlocks"},
    TopCollection{"CompositionService/ResourceZones"},
    TopCollection{"EventService/Subscriptions"},
    TopCollection{"Fabrics"},
    TopCollection{"Facilities"},
    TopCollection{"JobService/Documents"},
    TopCollection{"JobService/Executors"},
    TopCollection{"JobService/Jobs"},
    TopCollection{"JobService/Log/Entries", true, true},
    TopCollection{"KeyService/NVMeoFKeyPolicies"},
    TopCollection{"KeyService/NVMeoFSecrets"},
    TopCollection{"LicenseService/Licenses"},
    TopCollection{"Managers"},
    TopCollection{"NVMeDomains"},
    TopCollection{"PowerEquipment/ElectricalBuses"},
    TopCollection{"PowerEquipment/FloorPDUs"},
    TopCollection{"PowerEquipment/PowerShelves"},
    TopCollection{"PowerEquipment/RackPDUs"},
    TopCollection{"PowerEquipment/Switchgear"},
    TopCollection{"PowerEquipment/TransferSwitches"},
    TopCollection{"RegisteredClients"},
    TopCollection{"Registries"},
    TopCollection{"ResourceBlocks"},
    TopCollection{"Storage"},
    TopCollection{"StorageServices"},
    TopCollection{"StorageSystems"},
    TopCollection{"Systems"},
    TopCollection{"TaskService/TaskMonitors", false},
    TopCollection{"TaskService/Tasks"},
    TopCollection{"TelemetryService/LogService/Entries", true, true},
    TopCollection{"TelemetryService/MetricDefinitions"},
    TopCollection{"TelemetryService/MetricReportDefinitions"},
    TopCollection{"TelemetryService/MetricReports"},
    TopCollection{"TelemetryService/TelemetryData"},
    TopCollection{"TelemetryService/Triggers"},
    TopCollection{"ThermalEquipment/CDUs"},
    TopCollection{"ThermalEquipment/CoolingLoops"},
    TopCollection{"ThermalEquipment/HeatExchangers"},
    TopCollection{"ThermalEquipment/ImmersionUnits"},
    TopCollection{"ThermalEquipment/RPUs"},
    TopCollection{"UpdateService/ClientCertificates"},
    TopCollection{"UpdateService/FirmwareInventory"},
    TopCollection{"UpdateService/LocalImageStore"},
    TopCollection{"UpdateService/RemoteServerCertificates"},
    TopCollection{"UpdateService/RemoteServerSSHKeys"},
    TopCollection{"UpdateService/SoftwareInventory"},
};

constexpr char fold(char c)
{
    return static_cast<char>(c | 0x20);
}

// Where the names with each initial begin in `top`, by the initial's low five bits; one more entry for the end.
constexpr std::array<std::uint8_t, 33> makeInitials()
{
    std::array<std::uint8_t, 33> begins{};
    for (std::size_t i = 0; i < begins.size(); ++i) {
        while (begins[i] < top.size() && static_cast<std::size_t>(top[begins[i]].name[0] & 31) < i) {
            ++begins[i];
        }
    }
    return begins;
}

constexpr std::array<std::uint8_t, 33> initials = makeInitials();

std::span<const Node> topNodesWith(char initial)
{
    const auto at = static_cast<std::size_t>(initial & 31);
    return std::span<const Node>(top).subspan(initials[at], initials[at + 1] - initials[at]);
}

// Nearly always they are spelled alike.
bool sameName(std::string_view a, std::string_view b)
{
    return a == b || equalsIgnoreCase(a, b);
}

// Segments are short: a call of memchr costs more.
std::size_t segmentEnd(std::string_view path, std::size_t begin)
{
    while (begin < path.size() && path[begin] != '/') {
        ++begin;
    }
    return begin;
}

bool startsWithRoot(std::string_view path)
{
    return path.size() >= redfishRoot.size() &&
           (std::memcmp(path.data(), redfishRoot.data(), redfishRoot.size()) == 0 ||
            equalsIgnoreCase(path.substr(0, redfishRoot.size()), redfishRoot)) &&
           (path.size() == redfishRoot.size() || path[redfishRoot.size()] == '/');
}

}  // namespace

std::span<const Node> topNodes()
{
    return top;
}

std::span<const TopCollection> topCollections()
{
    return flat;
}

const TopCollection* findTopCollection(std::string_view path)
{
    const auto* found =
        std::find_if(flat.begin(), flat.end(), [path](const auto& entry) { return equalsIgnoreCase(entry.path, path); });
    return found == flat.end() ? nullptr : found;
}

const Node* findNode(std::span<const Node> nodes, std::string_view name)
{
    if (name.empty()) {
        return nullptr;
    }
    const char initial = fold(name[0]);
    if (nodes.data() == top.data()) {
        nodes = topNodesWith(initial);
    }
    for (const Node& node : nodes) {
        if (node.name.size() == name.size() && fold(node.name[0]) == initial && sameName(node.name, name)) {
            return &node;
        }
    }
    return nullptr;
}

std::string_view withoutTrailingSlashes(std::string_view path)
{
    while (!path.empty() && path.back() == '/') {
        path.remove_suffix(1);
    }
    return path;
}

Place locate(std::string_view path)
{
    if (!startsWithRoot(path)) {
        return {};
    }
    const std::string_view trimmed = withoutTrailingSlashes(path);
    if (trimmed.size() <= redfishRoot.size()) {
        return {.kind = PlaceKind::root};
    }
    const char* const trimmedEnd = trimmed.data() + trimmed.size();
    if (findDoubleSlash(trimmed.data() + redfishRoot.size(), trimmedEnd) != trimmedEnd) {
        return {};
    }
    Place place{.kind = PlaceKind::other, .first = redfishRoot.size() + 1, .end = trimmed.size()};
    std::span<const Node> nodes = top;
    for (std::size_t begin = place.first;;) {
        const std::size_t end = segmentEnd(trimmed, begin);
        if (begin == place.first) {
            place.firstEnd = end;
        }
        const Node* node = findNode(nodes, trimmed.substr(begin, end - begin));
        if (node == nullptr) {
            return place;
        }
        const bool isCollection = node->kind == NodeKind::collection;
        if (end == trimmed.size()) {
            place.kind = isCollection ? PlaceKind::collection : PlaceKind::singleton;
            return place;
        }
        begin = end + 1;
        if (isCollection) {
            place.kind = PlaceKind::member;
            place.id = begin;
            place.idEnd = segmentEnd(trimmed, begin);
            place.direct = place.idEnd == trimmed.size();
            return place;
        }
        nodes = node->children;
    }
}

bool inRedfishTree(std::string_view path)
{
    for (const std::string_view name : {std::string_view("redfish"), std::string_view("v1")}) {
        if (path.empty() || path[0] != '/') {
            return false;
        }
        path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
        const std::size_t end = std::min(path.find('/'), path.size());
        if (!equalsIgnoreCase(path.substr(0, end), name)) {
            return false;
        }
        path.remove_prefix(end);
    }
    return true;
}

bool isDotSegment(std::string_view segment)
{
    for (int dots = 0;; ++dots) {
        if (segment.empty() || (dots > 0 && segment[0] == ';')) {
            return true;
        }
        if (dots == 2) {
            return false;
        }
        if (segment[0] == '.') {
            segment.remove_prefix(1);
        } else if (segment[0] == '%' && equalsIgnoreCase(segment.substr(0, 3), "%2e")) {
            segment.remove_prefix(3);
        } else {
            return false;
        }
    }
}

}  // namespace mesh::uri
