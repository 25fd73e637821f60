#include "tenants/privileges.hpp"

#include "shoset/base/http.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace mesh::tenants {

namespace {

// What the privilege registry says of a resource, as far as it distinguishes. The last six depend on where it stands.
enum class Area : std::uint8_t {
    components,     // writes ConfigureComponents
    manager,        // writes ConfigureManager
    users,          // writes ConfigureUsers
    accounts,       // as users; one account is read by managers of users and by its owner
    sessions,       // managed by ConfigureManager or their owner
    subscriptions,  // made by either kind of configuration, changed by ConfigureManager or their owner
    aggregates,     // either kind of configuration
    parent,         // a segment that is part of its parent, as Settings
    certificates,   // reads too; components below a system, else manager
    nics,           // manager below a manager, else components
    logs,           // components below a system, chassis or component, else manager
    metrics,        // components, but for parents that `managerMetrics` names
    environment,    // components below what `componentEnvironment` names, else manager
};

enum class Kind : std::uint8_t { single, collection };

struct Row {
    Kind kind;
    Area area;
    std::string_view names;  // path segments, separated by spaces
};

// Segments that stand in DMTF's URI patterns, in their usual spelling. Those whose subtree is ConfigureManager
// throughout are left out: that is what unknown names get.
constexpr Row rows[] = {
    {Kind::collection, Area::components,
     "AccelerationFunctions AddressPools AllocatedVolumes Applications AutomationNodes BootOptions Branches CDUs "
     "CXLLogicalDevices Cables CacheMemory Chassis Connections ContainerImages Containers Controllers "
     "CoolantConnectors "
     "CoolingLoops DedicatedNetworkPorts Documents Drives ElectricalBuses EndpointGroups Endpoints Executors "
     "FabricAdapters Fabrics Facilities Feeders Filters FirmwareInventory FloorPDUs GraphicsControllers HeatExchangers "
     "ImmersionUnits LPRT LeakDetectors LocalImageStore MPRT MSDT Mains MediaControllers Memory MemoryChunks "
     "MemoryDomains MemoryRegions NetworkAdapters NetworkDeviceFunctions NetworkInterfaces NetworkPorts "
     "OperatingConfigs OutletGroups Outlets PCIeDevices PCIeFunctions Ports PowerShelves PrimaryCoolantConnectors "
     "Processors ProvidingVolumes Pumps REQ-VCAT RPUs RSP-VCAT RackPDUs Reservoirs ResourceBlocks ResourceZones "
     "RouteSet SSDT SecondaryCoolantConnectors SecureBootDatabases Sensors Signatures SimpleStorage SoftwareInventory "
     "Storage StorageControllers SubProcessors Subfeeds Switches Switchgear Systems TelemetryData TransferSwitches "
     "USBControllers USBPorts VCAT VCSs VPPBs Volumes Zones FileSystems StoragePools CapacitySources "
     "ConsistencyGroups"},
    {Kind::single, Area::components,
     "ActivePool Assembly AutomationInstrumentation Bios FreePool LeakDetection MemoryMetrics OperatingSystem "
     "PCIeSlots "
     "ProcessorMetrics ProvidingDrives SecureBoot SharedNetworkPorts SwitchMetrics UpdateService "
     "UpdateServiceCapabilities"},
    {Kind::collection, Area::manager,
     "Batteries Fans Heaters Managers PowerSupplies StorageServices TrustedComponents VirtualMedia"},
    {Kind::single, Area::manager,
     "AggregationService CertificateService CompositionService EventService JobService Log LogService NetworkProtocol "
     "Power PowerEquipment PowerSubsystem SecurityPolicy SessionService TelemetryService Thermal ThermalEquipment "
     "ThermalSubsystem"},
    {Kind::collection, Area::certificates,
     "Certificates ClientCertificates CertificateEnrollments EnrollmentCACertificates KMIPCertificates "
     "KMIPClientCertificates RemoteServerCertificates RevokedCertificates TrustedCertificates"},
    {Kind::single, Area::certificates, "CertificateLocations"},
    {Kind::single, Area::users, "AccountService RemoteAccountService"},
    {Kind::collection, Area::accounts, "Accounts"},
    {Kind::collection, Area::manager, "ExternalAccountProviders OutboundConnections"},
    // Needed for their members, which Login reads.
    {Kind::collection, Area::manager,
     "ComponentIntegrity CompositionReservations ConnectionMethods HostInterfaces Jobs JsonSchemas Licenses "
     "MetricDefinitions MetricReportDefinitions MetricReports Registries Roles SerialInterfaces Steps SubTasks Tasks "
     "Triggers"},
    {Kind::collection, Area::sessions, "Sessions"},
    {Kind::collection, Area::subscriptions, "Subscriptions RegisteredClients"},
    {Kind::collection, Area::aggregates, "Aggregates"},
    {Kind::collection, Area::nics, "EthernetInterfaces"},
    {Kind::collection, Area::logs, "LogServices Entries"},
    {Kind::single, Area::metrics, "Metrics"},
    {Kind::single, Area::environment, "EnvironmentMetrics"},
    {Kind::single, Area::parent,
     "Settings SD ActiveDirectory Boot Client ClientCertificate DeviceLog GenZ HTTPS KeyManagement LDAP MemorySummary "
     "MultiFactorAuth OAuth2 ProcessorSummary SPDM SecurID Server TLS"},
};

constexpr std::string_view managerMetrics = " batteries heaters networkadapters networkdevicefunctions powersupplies ";
constexpr std::string_view componentEnvironment =
    " controllers dedicatednetworkports drives memory pciedevices ports processors storagecontrollers usbports ";

using Index = std::unordered_map<std::string, const Row*>;

// The next piece of `text` up to `separator`, taken off its front; empty pieces are skipped, empty means the end.
std::string_view take(std::string_view& text, char separator)
{
    while (!text.empty() && text.front() == separator) {
        text.remove_prefix(1);
    }
    const std::string_view piece = text.substr(0, text.find(separator));
    text.remove_prefix(piece.size());
    return piece;
}

const Index& index()
{
    static const Index built = [] {
        Index all;
        for (const Row& row : rows) {
            std::string_view names = row.names;
            for (auto name = take(names, ' '); !name.empty(); name = take(names, ' ')) {
                all.emplace(toLower(name), &row);
            }
        }
        return all;
    }();
    return built;
}

bool lists(std::string_view names, const std::string& name)
{
    return names.find(" " + name + " ") != std::string_view::npos;
}

// What was found out about a path.
struct Place {
    Area area = Area::manager;
    bool member = false;      // of the collection that gave the area
    bool collection = false;  // the path ends with its name
    bool known = false;       // every segment was
    bool belowSystem = false;
    bool belowChassis = false;
    bool belowManager = false;
    bool belowUsers = false;
    std::string resource;  // the last collection or resource, lower case
};

Area resolve(Area area, const Place& place)
{
    switch (area) {
        case Area::parent: return place.area;
        case Area::nics: return place.belowManager ? Area::manager : Area::components;
        case Area::logs: return place.belowSystem || place.belowChassis ? Area::components : Area::manager;
        case Area::metrics: return lists(managerMetrics, place.resource) ? Area::manager : Area::components;
        case Area::environment: return lists(componentEnvironment, place.resource) ? Area::components : Area::manager;
        default: return area;
    }
}

// Walks the path: a collection's name is followed by an id, which may be anything, then by a name again.
Place locate(std::string_view path)
{
    Place place;
    for (auto name = take(path, '/'); !name.empty(); name = take(path, '/')) {
        const std::string lower = toLower(name);
        place.collection = false;
        if (lower == "actions") {
            std::string_view action = path;
            place.known = place.known && !equalsIgnoreCase(take(action, '/'), "Oem");
            place.area = place.known ? place.area : Area::manager;
            return place;
        }
        const auto found = index().find(lower);
        if (found == index().end()) {
            place.area = Area::manager;
            place.member = false;
            place.known = false;
            return place;
        }
        const Row& row = *found->second;
        place.known = true;
        place.area = resolve(row.area, place);
        place.belowSystem = place.belowSystem || lower == "systems";
        place.belowChassis = place.belowChassis || lower == "chassis";
        place.belowManager = place.belowManager || lower == "managers";
        place.belowUsers = place.belowUsers || row.area == Area::users || row.area == Area::accounts;
        if (row.area == Area::parent) {
            continue;
        }
        place.resource = lower;
        place.member = row.kind == Kind::collection && !take(path, '/').empty();
        place.collection = row.kind == Kind::collection && !place.member;
    }
    return place;
}

constexpr PrivilegeSet login{Privilege::login};
constexpr PrivilegeSet manager{Privilege::configureManager};
constexpr PrivilegeSet users{Privilege::configureUsers};
constexpr PrivilegeSet components{Privilege::configureComponents};
constexpr PrivilegeSet self{Privilege::configureSelf};
constexpr PrivilegeSet everything = PrivilegeSet::fromMask(PrivilegeSet::knownBits);

Requirement toRead(const Place& place, Expansion expansion)
{
    if (expansion == Expansion::deep || (expansion == Expansion::oneLevel && !place.collection)) {
        return {{{Privilege::configureManager, Privilege::configureComponents}}};
    }
    const bool member = place.member || expansion == Expansion::oneLevel;
    switch (place.area) {
        case Area::certificates: return {{place.belowSystem ? components : manager}};
        case Area::accounts: return member ? Requirement{{manager, users, self}} : Requirement{{login}};
        case Area::sessions: return member ? Requirement{{manager, self}} : Requirement{{login}};
        default: return {{login}};
    }
}

Requirement toWrite(const Place& place, std::string_view method)
{
    switch (place.area) {
        case Area::components: return {{components}};
        case Area::users:
        case Area::accounts: return {{users}};
        case Area::certificates: return {{place.belowSystem ? components : manager}};
        case Area::aggregates: return {{manager, components}};
        case Area::subscriptions:
            return place.member ? Requirement{{manager, self}} : Requirement{{manager, components}};
        case Area::sessions:
            if (method == "POST") {
                return {{login}};
            }
            return method == "DELETE" && place.member ? Requirement{{manager, self}} : Requirement{{manager}};
        default: return {{manager}};
    }
}

}  // namespace

std::string_view privilegeName(Privilege privilege)
{
    switch (privilege) {
        case Privilege::login: return "Login";
        case Privilege::configureManager: return "ConfigureManager";
        case Privilege::configureUsers: return "ConfigureUsers";
        case Privilege::configureComponents: return "ConfigureComponents";
        case Privilege::configureSelf: return "ConfigureSelf";
    }
    return "";
}

std::optional<Privilege> parsePrivilege(std::string_view name)
{
    for (const Privilege privilege : allPrivileges) {
        if (name == privilegeName(privilege)) {
            return privilege;
        }
    }
    return std::nullopt;
}

std::optional<PrivilegeSet> predefinedRole(std::string_view roleId)
{
    if (roleId == administratorRole) {
        return everything;
    }
    if (roleId == "Operator") {
        return PrivilegeSet{Privilege::login, Privilege::configureComponents, Privilege::configureSelf};
    }
    if (roleId == "ReadOnly") {
        return PrivilegeSet{Privilege::login, Privilege::configureSelf};
    }
    return std::nullopt;
}

Requirement requiredPrivilege(Owner owner, std::string_view method, std::string_view path, Expansion expansion)
{
    std::string_view rest = path;
    if (owner == Owner::satellite && take(rest, '/') == "-") {
        return {{manager}};
    }
    const Place place = locate(path);
    if (method == "GET" || method == "HEAD") {
        return toRead(place, expansion);
    }
    if (owner == Owner::satellite && place.belowUsers) {
        return {{everything.without(Privilege::configureSelf)}};
    }
    if (owner == Owner::satellite && place.area == Area::sessions && method == "POST") {
        return {};
    }
    return toWrite(place, method);
}

bool allows(PrivilegeSet privileges, const Requirement& requirement, bool ownResource)
{
    const PrivilegeSet counted = ownResource ? privileges : privileges.without(Privilege::configureSelf);
    return std::any_of(requirement.anyOf.begin(), requirement.anyOf.end(),
                       [counted](PrivilegeSet set) { return counted.contains(set); });
}

}  // namespace mesh::tenants
