#include "tenants/privileges.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mesh::tenants {
namespace {

constexpr PrivilegeSet login{Privilege::login};
constexpr PrivilegeSet manager{Privilege::configureManager};
constexpr PrivilegeSet users{Privilege::configureUsers};
constexpr PrivilegeSet components{Privilege::configureComponents};
constexpr PrivilegeSet self{Privilege::configureSelf};
constexpr PrivilegeSet everything = PrivilegeSet::fromMask(PrivilegeSet::knownBits);

// "GET|PATCH path" -> what it needs, as a sum of names for readable failures.
std::string need(std::string_view method, std::string_view path, Owner owner = Owner::satellite)
{
    std::string text;
    for (const PrivilegeSet set : requiredPrivilege(owner, method, path).anyOf) {
        text += text.empty() ? "" : " or ";
        if (set == everything.without(Privilege::configureSelf)) {
            text += "everything";
            continue;
        }
        for (const Privilege privilege : allPrivileges) {
            if (set.contains({privilege})) {
                text += privilegeName(privilege);
            }
        }
    }
    return text.empty() ? "nobody" : text;
}

TEST(Privileges, OfThePredefinedRolesAreThoseOfTheSpecification)
{
    EXPECT_EQ(*predefinedRole("Administrator"), everything);
    EXPECT_EQ(*predefinedRole("Operator"),
              (PrivilegeSet{Privilege::login, Privilege::configureComponents, Privilege::configureSelf}));
    EXPECT_EQ(*predefinedRole("ReadOnly"), (PrivilegeSet{Privilege::login, Privilege::configureSelf}));
    EXPECT_FALSE(predefinedRole("administrator").has_value());
    EXPECT_EQ(*parsePrivilege("ConfigureUsers"), Privilege::configureUsers);
    EXPECT_FALSE(parsePrivilege("NoAuth").has_value());
}

TEST(Privileges, ReadingNeedsLogin)
{
    for (const char* path : {"", "Systems", "Systems/1", "Chassis/1/Power", "Managers/bmc/EthernetInterfaces/eth0",
                             "Systems/1/LogServices/SEL/Entries/1", "Systems/1/Oem/Vendor/Thing", "Vendor/Anything",
                             "AccountService/Accounts", "SessionService/Sessions"}) {
        EXPECT_EQ(need("GET", path), "Login") << path;
        EXPECT_EQ(need("HEAD", path), "Login") << path;
    }
}

TEST(Privileges, WritesToComponentsNeedConfigureComponents)
{
    for (const char* path : {"Systems/1",
                             "Systems/1/Actions/ComputerSystem.Reset",
                             "Systems/1/Bios",
                             "Systems/1/Bios/Settings",
                             "Systems/1/Bios/Actions/Bios.ResetBios",
                             "systems/1/bios/settings/",
                             "Chassis/1",
                             "Chassis/1/Actions/Chassis.Reset",
                             "Chassis/1/Sensors/fan0",
                             "Systems/1/Storage/RAID.1/Volumes",
                             "Systems/1/Storage/RAID.1/Volumes/0",
                             "Systems/1/EthernetInterfaces/nic1",
                             "Systems/1/LogServices/SEL/Actions/LogService.ClearLog",
                             "Chassis/1/LogServices/X/Entries/1",
                             "Systems/1/SecureBoot",
                             "Systems/1/Processors/CPU0/EnvironmentMetrics",
                             "UpdateService",
                             "UpdateService/Actions/UpdateService.SimpleUpdate",
                             "UpdateService/FirmwareInventory/BMC",
                             "Fabrics/F/Switches/S/Ports/1",
                             "Systems/1/Boot/Certificates/1",
                             "Chassis/1/Drives/0/Metrics",
                             "PowerEquipment/RackPDUs/1/Outlets/A1/Actions/Outlet.PowerControl"}) {
        EXPECT_EQ(need("PATCH", path), "ConfigureComponents") << path;
        EXPECT_EQ(need("POST", path), "ConfigureComponents") << path;
        EXPECT_EQ(need("DELETE", path), "ConfigureComponents") << path;
        EXPECT_EQ(need("BREW", path), "ConfigureComponents") << path;
    }
}

TEST(Privileges, WritesToTheManagerItsServicesAndTheUnknownNeedConfigureManager)
{
    for (const char* path : {"",
                             "Managers/bmc",
                             "Managers/bmc/Actions/Manager.Reset",
                             "Managers/bmc/NetworkProtocol",
                             "Managers/bmc/EthernetInterfaces/eth0",
                             "Managers/bmc/LogServices/L/Actions/LogService.ClearLog",
                             "Managers/bmc/VirtualMedia/0/Actions/VirtualMedia.InsertMedia",
                             "Chassis/1/Power",
                             "Chassis/1/Thermal",
                             "Chassis/1/PowerSubsystem/PowerSupplies/0",
                             "Chassis/1/EnvironmentMetrics",
                             "Chassis/1/NetworkAdapters/N/Metrics",
                             "EventService",
                             "TaskService/Tasks/1",
                             "Registries/Base",
                             "TelemetryService/MetricReports/1",
                             "CertificateService/Actions/CertificateService.ReplaceCertificate",
                             "Vendor/Anything",
                             "Systems/1/Oem/Vendor/Thing",
                             "Systems/1/Vendor/Processors/1",
                             "Systems/1/Actions/Oem/Vendor.Erase",
                             "UpdateService/upload",
                             "Actions/X"}) {
        EXPECT_EQ(need("PATCH", path), "ConfigureManager") << path;
        EXPECT_EQ(need("POST", path), "ConfigureManager") << path;
    }
}

TEST(Privileges, AnIdMayBeSpelledLikeAName)
{
    EXPECT_EQ(need("PATCH", "Systems/Managers"), "ConfigureComponents");
    EXPECT_EQ(need("PATCH", "Systems/Oem/Bios"), "ConfigureComponents");
    EXPECT_EQ(need("PATCH", "Managers/Systems"), "ConfigureManager");
    EXPECT_EQ(need("POST", "Systems/Actions/Actions/ComputerSystem.Reset"), "ConfigureComponents");
    EXPECT_EQ(need("GET", "Systems/Certificates"), "Login");
}

TEST(Privileges, CertificatesAreNotForEveryReader)
{
    EXPECT_EQ(need("GET", "Managers/bmc/NetworkProtocol/HTTPS/Certificates/1"), "ConfigureManager");
    EXPECT_EQ(need("GET", "CertificateService/CertificateLocations"), "ConfigureManager");
    EXPECT_EQ(need("GET", "Systems/1/SecureBoot/SecureBootDatabases/db/Certificates/1"), "ConfigureComponents");
}

TEST(Privileges, AnExpandedCollectionIsReadAsItsMembersAre)
{
    const auto readers = [](std::string_view path, Expansion expansion) {
        std::string names;
        for (const std::string_view role : predefinedRoles) {
            if (allows(*predefinedRole(role), requiredPrivilege(Owner::satellite, "GET", path, expansion))) {
                names += std::string(role) + " ";
            }
        }
        return names;
    };
    const std::string all = "Administrator Operator ReadOnly ";
    for (const char* path : {"AccountService/Accounts", "SessionService/Sessions", "Managers/bmc/Accounts/"}) {
        EXPECT_EQ(readers(path, Expansion::none), all) << path;
        EXPECT_EQ(readers(path, Expansion::oneLevel), "Administrator ") << path;
    }
    for (const char* path : {"Chassis/1/Sensors", "Managers/1/LogServices/Log/Entries", "UpdateService/FirmwareInventory",
                             "TelemetryService/MetricReports", "AccountService/Roles"}) {
        EXPECT_EQ(readers(path, Expansion::oneLevel), all) << path;
        EXPECT_EQ(readers(path, Expansion::deep), "Administrator ") << path;
    }
    for (const char* path : {"ComponentIntegrity/TPM", "Managers/1/NetworkProtocol", "AccountService", "Chassis/1", "Unknown", ""}) {
        EXPECT_EQ(readers(path, Expansion::none), all) << path;
        EXPECT_EQ(readers(path, Expansion::oneLevel), "Administrator ") << path;
    }
    EXPECT_EQ(readers("-/FWUpdate", Expansion::none), "Administrator ");
}

TEST(Privileges, ASatellitesAccountsAreWrittenByWhoeverMayDoEverything)
{
    for (const char* path :
         {"AccountService", "AccountService/Accounts", "AccountService/Accounts/2", "accountservice/ACCOUNTS/2",
          "AccountService/Roles/Operator", "AccountService/Oem/X", "AccountService/LDAP/Certificates",
          "Managers/1/RemoteAccountService/Accounts/1", "Managers/1/Accounts/3", "AccountService/Actions/Oem/X.Y"}) {
        EXPECT_EQ(need("PATCH", path), "everything") << path;
        EXPECT_EQ(need("POST", path), "everything") << path;
    }
    EXPECT_EQ(need("GET", "AccountService/Accounts/2"), "ConfigureManager or ConfigureUsers or ConfigureSelf");
    const Requirement write = requiredPrivilege(Owner::satellite, "POST", "AccountService/Accounts");
    EXPECT_FALSE(allows({Privilege::login, Privilege::configureUsers, Privilege::configureManager}, write));
    EXPECT_TRUE(allows(*predefinedRole("Administrator"), write));
}

TEST(Privileges, NobodyMakesASessionOnASatellite)
{
    EXPECT_EQ(need("POST", "SessionService/Sessions"), "nobody");
    EXPECT_EQ(need("POST", "sessionservice//sessions/"), "nobody");
    EXPECT_EQ(need("POST", "SessionService/Sessions/Members"), "nobody");
    EXPECT_FALSE(allows(everything, requiredPrivilege(Owner::satellite, "POST", "SessionService/Sessions"), true));
    EXPECT_EQ(need("DELETE", "SessionService/Sessions/1"), "ConfigureManager or ConfigureSelf");
    EXPECT_EQ(need("POST", "SessionService/Sessions", Owner::facade), "Login");
}

TEST(Privileges, OutsideTheRedfishTreeEverythingNeedsConfigureManager)
{
    EXPECT_EQ(need("GET", "-/FWUpdate"), "ConfigureManager");
    EXPECT_EQ(need("GET", "/-/FWUpdate"), "ConfigureManager");
    EXPECT_EQ(need("POST", "-"), "ConfigureManager");
}

TEST(Privileges, TheFacadesOwnResourcesFollowTheRegistry)
{
    EXPECT_EQ(need("PATCH", "AccountService/Accounts/2", Owner::facade), "ConfigureUsers");
    EXPECT_EQ(need("POST", "AccountService/Accounts", Owner::facade), "ConfigureUsers");
    EXPECT_EQ(need("PATCH", "AccountService", Owner::facade), "ConfigureUsers");
    EXPECT_EQ(need("PATCH", "AccountService/Roles/X", Owner::facade), "ConfigureManager");
    EXPECT_EQ(need("POST", "EventService/Subscriptions", Owner::facade), "ConfigureManager or ConfigureComponents");
    EXPECT_EQ(need("DELETE", "EventService/Subscriptions/1", Owner::facade), "ConfigureManager or ConfigureSelf");
    EXPECT_EQ(need("POST", "AggregationService/Aggregates", Owner::facade), "ConfigureManager or ConfigureComponents");
    EXPECT_EQ(need("POST", "AggregationService/AggregationSources", Owner::facade), "ConfigureManager");
}

TEST(Privileges, ConfigureSelfCountsForOnesOwnOnly)
{
    const Requirement end = requiredPrivilege(Owner::facade, "DELETE", "SessionService/Sessions/1");
    EXPECT_FALSE(allows(*predefinedRole("ReadOnly"), end));
    EXPECT_TRUE(allows(*predefinedRole("ReadOnly"), end, true));
    EXPECT_TRUE(allows(manager, end));
    EXPECT_FALSE(allows({}, end, true));
    EXPECT_FALSE(allows(login, Requirement{{users}}));
    EXPECT_TRUE(allows(self, Requirement{{self}}, true));
    EXPECT_TRUE(allows(components, Requirement{{manager, components}}));
}

}  // namespace
}  // namespace mesh::tenants
