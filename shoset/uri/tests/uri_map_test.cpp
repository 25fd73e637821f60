#include "shoset/uri/uri_map.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mesh::uri {
namespace {

struct Row {
    const char* satellite;
    const char* facade;
};

// The rows of conformance/aggregation-cases.md, "From the satellite to the facade", that are about one URI.
const std::vector<Row> mappedRows{
    {"Systems/system", "Systems/5B247A_system"},
    {"Chassis/Extra_Test/Sensors/power_sensor/", "Chassis/5B247A_Extra_Test/Sensors/power_sensor/"},
    {"Chassis/Extra_Test/Sensors/power_sensor//", "Chassis/5B247A_Extra_Test/Sensors/power_sensor//"},
    {"Chassis/c1/Power#/PowerControl/0", "Chassis/5B247A_c1/Power#/PowerControl/0"},
    {"Systems/1/LogServices/SEL/Entries?$skip=50", "Systems/5B247A_1/LogServices/SEL/Entries?$skip=50"},
    {"systems/1/bios", "systems/5B247A_1/bios"},
    {"TelemetryService/LogService/Entries/1", "TelemetryService/LogService/Entries/5B247A_1"},
    {"Chassis/{ChassisId}/Sensors/{SensorId}#/Reading", "Chassis/5B247A_{ChassisId}/Sensors/{SensorId}#/Reading"},
    {"Systems/5B247A_x", "Systems/5B247A_5B247A_x"},
    {"UpdateService/Actions/UpdateService.SimpleUpdate", "5B247A_UpdateService/Actions/UpdateService.SimpleUpdate"},
    {"AccountService/Accounts/1", "5B247A_AccountService/Accounts/1"},
    {"JsonSchemas/Foo", "5B247A_JsonSchemas/Foo"},
    {"Dell/Systems/x", "5B247A_Dell/Systems/x"},
    {"TaskService/TaskMonitors/7", "TaskService/TaskMonitors/5B247A_7"},
    {"JobService/Log/Entries/1/Foo", "JobService/Log/Entries/5B247A_1/Foo"},
    {"JobService/Log/Other", "5B247A_JobService/Log/Other"},
    {"CompositionService/ResourceBlocks/1", "CompositionService/ResourceBlocks/5B247A_1"},
    {"UpdateService/FirmwareInventory/bmc", "UpdateService/FirmwareInventory/5B247A_bmc"},
    {"5B247A_Systems/1", "5B247A_5B247A_Systems/1"},
    {"5B247A_-/x", "5B247A_5B247A_-/x"},
    {"$metadata/x", "5B247A_$metadata/x"},
};

const std::vector<const char*> sharedRows{
    "",
    "/",
    "//",
    "?$expand=.",
    "#/Name",
    "/Systems",
    "/Systems/",
    "/systems",
    "/Systems?$skip=5",
    "/UpdateService",
    "/UPDATESERVICE",
    "/$metadata",
    "/$metadata#ComputerSystem.ComputerSystem",
    "/$metadata#Foo/Bar",
    "/odata",
    "/JsonSchemas",
    "/TaskService/Tasks",
    "/TaskService/TaskMonitors",
    "/TelemetryService/LogService",
    "/TelemetryService/LogService/Entries",
    "/JobService/Log",
    "/ServiceConditions",
};

const std::vector<const char*> nobodysRows{
    "//Systems/1",
    "/redfish/v1//Systems/1",
    "/redfish/v1/Systems//1",
    "/redfish/v1/Systems/1//Bios",
    "/redfish/v11/Systems/1",
    "/redfish/v2/Systems/1",
    "/redfish",
    "/xredfish/v1/Systems/1",
    "https://elsewhere/redfish/v1/Systems/1",
    "redfish/v1/Systems/1",
    "",
};

const std::string base = "/redfish/v1/";

TEST(UriMap, MapsEveryRowOfTheCasesThereAndBack)
{
    const UriMap map("5B247A", {"bmc.local"});
    for (const Row& row : mappedRows) {
        const std::string satellite = base + row.satellite;
        EXPECT_EQ(map.toFacade(satellite), base + row.facade);
        EXPECT_EQ(map.toSatellite(base + row.facade), satellite);
        EXPECT_EQ(map.ownerOf(base + row.facade), Owner::satellite);
    }
}

TEST(UriMap, LeavesTheRootSingletonsAndTopLevelCollectionsAsTheyAre)
{
    const UriMap map("5B247A");
    for (const char* row : sharedRows) {
        const std::string uri = "/redfish/v1" + std::string(row);
        EXPECT_EQ(map.toFacade(uri), uri);
        EXPECT_EQ(map.toSatellite(uri), uri);
        EXPECT_EQ(map.ownerOf(uri), Owner::shared) << uri;
    }
}

TEST(UriMap, DoesNotMapWhatIsNotItsOwn)
{
    const UriMap map("5B247A", {"bmc.local"});
    for (const char* row : nobodysRows) {
        EXPECT_EQ(map.toFacade(row), std::nullopt) << row;
        EXPECT_EQ(map.toSatellite(row), std::nullopt) << row;
        EXPECT_EQ(map.ownerOf(row), Owner::nobody) << row;
    }
}

TEST(UriMap, TakesTheOwnHostsAbsoluteUrlsAsPaths)
{
    const UriMap map("5B247A", {"bmc.local", "10.0.0.5:8443", "[fe80::1]"});
    const std::string mapped = "/redfish/v1/Systems/5B247A_1";
    for (const char* host : {"https://bmc.local", "http://bmc.local", "HTTPS://BMC.local", "https://bmc.local:443",
                             "http://bmc.local:80", "https://10.0.0.5:8443", "http://10.0.0.5:8443",
                             "https://[fe80::1]", "https://[FE80::1]:443"}) {
        EXPECT_EQ(map.toFacade(std::string(host) + "/redfish/v1/Systems/1"), mapped) << host;
    }
    for (const char* host : {"https://bmc.local:8080", "http://bmc.local:443", "https://10.0.0.5", "https://bmc.local.x",
                             "ftp://bmc.local", "https://user@bmc.local", "https:/bmc.local", "https://[fe80::1"}) {
        EXPECT_EQ(map.toFacade(std::string(host) + "/redfish/v1/Systems/1"), std::nullopt) << host;
    }
    EXPECT_EQ(map.toFacade("https://bmc.local/redfish/v1/Systems"), "/redfish/v1/Systems");
    EXPECT_EQ(map.toFacade("https://bmc.local/redfish/v1/Systems/1?x#/y"), mapped + "?x#/y");
    EXPECT_EQ(map.toFacade("https://bmc.local"), std::nullopt);
}

TEST(UriMap, MapsPathsOutsideTheTreeOnlyWhereTheyAreKnownToBeUris)
{
    const UriMap map("5B247A", {"bmc.local"});
    const std::vector<Row> rows{{"/FWUpdate", "5B247A_-/FWUpdate"},
                                {"/", "5B247A_-/"},
                                {"/a/b//?x=1//y", "5B247A_-/a/b//?x=1//y"},
                                {"/redfish", "5B247A_-/redfish"},
                                {"/redfish/43B99TcSauuMgik.IKVM", "5B247A_-/redfish/43B99TcSauuMgik.IKVM"}};
    for (const Row& row : rows) {
        EXPECT_EQ(map.toFacade(row.satellite), std::nullopt);
        EXPECT_EQ(map.toFacade(row.satellite, Outside::map), base + row.facade);
        EXPECT_EQ(map.toSatellite(base + row.facade), row.satellite);
    }
    EXPECT_EQ(map.toFacade("https://bmc.local/FWUpdate", Outside::map), "/redfish/v1/5B247A_-/FWUpdate");
    for (const char* uri : {"//elsewhere/x", "FWUpdate", "https://elsewhere/FWUpdate", "/redfish/v1//Systems/1",
                            "/redfish//v1/Systems/1", "/a//b", ""}) {
        EXPECT_EQ(map.toFacade(uri, Outside::map), std::nullopt) << uri;
    }
}

TEST(UriMap, SaysWhoseAUriOfTheFacadeIs)
{
    const UriMap map("5B247A");
    const std::vector<std::pair<const char*, Owner>> rows{
        {"Systems/ABC_1", Owner::otherSatellite},
        {"Systems/5b247a_1", Owner::satellite},
        {"ABC_UpdateService", Owner::otherSatellite},
        {"ABC_-/FWUpdate", Owner::otherSatellite},
        {"Managers/agg-a", Owner::facade},
        {"Systems/1", Owner::facade},
        {"SessionService/Sessions/1", Owner::facade},
        {"Systems/not-a.prefix_1", Owner::facade},
        {"Systems/ABCDEFGHIJKLMNOPQ_1", Owner::facade},  // 17 characters
        {"5B247A_UpdateService", Owner::satellite},
        {"5B247A_Systems", Owner::satellite},
        {"Systems", Owner::shared},
    };
    for (const auto& [path, owner] : rows) {
        EXPECT_EQ(map.ownerOf(base + path), owner) << path;
        EXPECT_EQ(map.toSatellite(base + path).has_value(), owner == Owner::satellite || owner == Owner::shared);
    }
}

TEST(UriMap, KnowsItsPrefixInAnyCase)
{
    const UriMap map("5B247A");
    EXPECT_EQ(map.toSatellite("/redfish/v1/systems/5b247a_1"), "/redfish/v1/systems/1");
    EXPECT_EQ(map.toFacade("/redfish/v1/Systems/5b247a_1"), "/redfish/v1/Systems/5B247A_5b247a_1");
}

TEST(UriMap, GivesSharedResourcesOfTheSatelliteAnAddressOfTheirOwn)
{
    const UriMap map("5B247A");
    EXPECT_EQ(map.toSatellite("/redfish/v1/5B247A_UpdateService"), "/redfish/v1/UpdateService");
    EXPECT_EQ(map.toSatellite("/redfish/v1/5B247A_Systems"), "/redfish/v1/Systems");
    EXPECT_EQ(map.toSatellite("/redfish/v1/5B247A_TaskService/Tasks?x"), "/redfish/v1/TaskService/Tasks?x");
}

TEST(UriMap, NeverMakesADotSegmentOrAWayAroundTheTree)
{
    const UriMap map("5B247A");
    for (const char* path :
         {"Systems/5B247A_..", "Systems/5B247A_../x", "Systems/5B247A_.", "Systems/5B247A_", "Systems/5B247A_%2e%2E/x",
          "Systems/5B247A_.%2e", "Systems/5B247A_..;a/x", "5B247A_..", "5B247A_../x", "5B247A_/x", "5B247A_",
          "5B247A_-", "5B247A_-//", "5B247A_-/redfish/v1/Systems/1", "5B247A_-/Redfish/V1",
          "5B247A_-/REDFISH/v1/SessionService/Sessions"}) {
        EXPECT_EQ(map.toSatellite(base + path), std::nullopt) << path;
        EXPECT_EQ(map.ownerOf(base + path), Owner::facade) << path;
    }
    EXPECT_EQ(map.toSatellite("/redfish/v1/5B247A_-/redfish//v1/SessionService/Sessions"), std::nullopt);
    for (const char* path : {"Systems/..", "Systems/../x", "../x", "-/x", "-"}) {
        EXPECT_EQ(map.toFacade(base + path), std::nullopt) << path;
        EXPECT_EQ(map.ownerOf(base + path), Owner::nobody) << path;
    }
    EXPECT_EQ(map.toSatellite("/redfish/v1/Systems/5B247A_..."), "/redfish/v1/Systems/...");
}

TEST(UriMap, MapsNothingWithAnInvalidPrefix)
{
    for (const char* prefix : {"", "a_b", "ABCDEFGHIJKLMNOPQ", "a-b"}) {
        const UriMap map(prefix);
        EXPECT_EQ(map.toFacade("/redfish/v1/Systems/1"), std::nullopt);
        EXPECT_EQ(map.toSatellite("/redfish/v1/Systems/a_b_1"), std::nullopt);
        EXPECT_EQ(map.toFacade("/x", Outside::map), std::nullopt);
    }
}

TEST(UriMap, PrefixIsTheTextBeforeTheFirstUnderscore)
{
    EXPECT_EQ(prefixOf("5B247A_Extra_Test"), "5B247A");
    EXPECT_EQ(prefixOf("system"), "");
    EXPECT_EQ(prefixOf("_x"), "");
    EXPECT_EQ(prefixOf("a-b_x"), "");
}

TEST(UriMap, ComparesIdsWithSegmentsPercentEncodingAside)
{
    EXPECT_TRUE(sameId("a b", "a%20b"));
    EXPECT_TRUE(sameId("a%20b", "a%20b"));
    EXPECT_TRUE(sameId("100%", "100%"));
    EXPECT_FALSE(sameId("a", "a%20b"));
    EXPECT_FALSE(sameId("A", "a"));
}

}  // namespace
}  // namespace mesh::uri
