#include "aggregator/core/collection_body.hpp"
#include "aggregator/core/tests/facade_resources_fixture.hpp"
#include "shoset/uri/collections.hpp"

#include <algorithm>

namespace mesh::aggregator {

namespace {

using Strings = std::vector<std::string>;
using FacadeResourcesTest = Resources;

TEST_F(FacadeResourcesTest, VersionDocumentIsExactlyWhatTheSpecificationSays)
{
    EXPECT_EQ(get("", "/redfish").text, R"({"v1":"/redfish/v1/"})");
}

TEST_F(FacadeResourcesTest, OnlyWhatMustBeOpenIsOpen)
{
    for (const char* path : {"/redfish", "/redfish/", "/redfish/v1", "/redfish/v1/", "/redfish/v1/odata",
                             "/redfish/v1/$metadata", "/healthz"}) {
        EXPECT_TRUE(resources.isOpen("GET", path)) << path;
        EXPECT_TRUE(resources.isOpen("HEAD", path)) << path;
        EXPECT_FALSE(resources.isOpen("POST", path)) << path;
    }
    for (const char* path : {"/redfish/v1/SessionService/Sessions", "/redfish/v1/SessionService/Sessions/",
                             "/redfish/v1/SessionService/Sessions/Members"}) {
        EXPECT_TRUE(resources.isOpen("POST", path)) << path;
        EXPECT_FALSE(resources.isOpen("GET", path)) << path;
        EXPECT_FALSE(resources.isOpen("DELETE", path)) << path;
    }
    for (const char* path : {"/", "/metrics", "/mesh/v1/status", "/redfish/v1/Systems", "/redfish/v1/AccountService",
                             "/redfish/v1/JsonSchemas", "/redfish/v1/SessionService", "/redfish/v1/SessionService/Sessions/1"}) {
        EXPECT_FALSE(resources.isOpen("GET", path)) << path;
    }
}

TEST_F(FacadeResourcesTest, WhatIsNotOpenIsRefusedToNobody)
{
    for (const char* path : {"/metrics", "/redfish/v1/AccountService", "/redfish/v1/Nothing"}) {
        const Asked answer = get("", path);
        EXPECT_EQ(answer.status, 401) << path;
        EXPECT_NE(answer.header("WWW-Authenticate"), "") << path;
    }
}

TEST_F(FacadeResourcesTest, RootHasIdentityAndLinksOfItsOwnServices)
{
    const Asked root = get("", "/redfish/v1");
    EXPECT_EQ(root.status, 200);
    EXPECT_EQ(root.body["@odata.id"], "/redfish/v1/");
    EXPECT_EQ(root.body["@odata.type"], "#ServiceRoot.v1_19_0.ServiceRoot");
    EXPECT_EQ(root.body["UUID"], node.serviceUuid());
    EXPECT_EQ(root.body["Links"]["Sessions"]["@odata.id"], sessionsUri);
    for (const char* name : {"Systems", "Chassis", "Managers", "AccountService", "SessionService", "AggregationService",
                             "EventService", "UpdateService", "JsonSchemas"}) {
        EXPECT_EQ(root.body[name]["@odata.id"], std::string("/redfish/v1/") + name);
    }
    EXPECT_EQ(root.body["Tasks"]["@odata.id"], "/redfish/v1/TaskService");
    EXPECT_FALSE(root.body.contains("Fabrics"));
    EXPECT_FALSE(root.body.contains("TelemetryService"));
    EXPECT_FALSE(root.body.contains("Registries"));
    EXPECT_TRUE(root.body["ProtocolFeaturesSupported"]["OnlyMemberQuery"]);
    EXPECT_FALSE(root.body["ProtocolFeaturesSupported"]["SelectQuery"]);
    EXPECT_FALSE(root.body["ProtocolFeaturesSupported"]["ExcerptQuery"]);
}

TEST_F(FacadeResourcesTest, RootLinksWhatAnySatelliteOfTheAskersTenantHas)
{
    announce("acme", "sled1", {"Systems", "TelemetryService"}, {{"Fabrics", shoset::CollectionState::known, {}, "", false}});
    announce("beta", "sled2", {"KeyService"}, {{"Cables", shoset::CollectionState::known, {}, "", false}});
    const Asked acme = get("boss", "/redfish/v1");
    EXPECT_TRUE(acme.body.contains("Fabrics"));
    EXPECT_TRUE(acme.body.contains("TelemetryService"));
    EXPECT_FALSE(acme.body.contains("Cables"));
    EXPECT_FALSE(acme.body.contains("KeyService"));
    const Asked all = get("root", "/redfish/v1");
    EXPECT_TRUE(all.body.contains("Cables"));
    EXPECT_TRUE(all.body.contains("KeyService"));
    EXPECT_EQ(all.body, get("", "/redfish/v1").body) << "who has not logged in yet goes on with these links";
}

TEST_F(FacadeResourcesTest, AnswersCarryTheHeadersOfTheSpecification)
{
    const Asked root = get("", "/redfish/v1");
    EXPECT_EQ(root.header("OData-Version"), "4.0");
    EXPECT_EQ(root.header("Allow"), "GET, HEAD");
    EXPECT_EQ(root.header("Content-Type"), "application/json");
    EXPECT_NE(root.header("Cache-Control"), "");
    EXPECT_NE(root.header("ETag"), "");
    EXPECT_EQ(root.header("Link"), "</redfish/v1/JsonSchemas/ServiceRoot.v1_19_0.json>; rel=describedby");
}

TEST_F(FacadeResourcesTest, KnownEtagIsAnsweredWith304)
{
    const std::string etag = get("", "/redfish/v1").header("ETag");
    for (const std::string& tag : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
        const Asked answer = ask("", "GET", "/redfish/v1", {}, {{"If-None-Match", tag}});
        EXPECT_EQ(answer.status, 304) << tag;
        EXPECT_EQ(answer.text, "");
        EXPECT_EQ(answer.header("ETag"), etag);
    }
    EXPECT_EQ(ask("", "GET", "/redfish/v1", {}, {{"If-None-Match", "\"x\""}}).status, 200);
}

TEST_F(FacadeResourcesTest, WrongMethodsAre405WithAllowBeforeTheBodyIsLookedAt)
{
    struct Case {
        const char* path;
        const char* allow;
    };
    for (const Case& one : {Case{"/redfish/v1", "GET, HEAD"}, Case{"/redfish/v1/EventService", "GET, HEAD"},
                            Case{"/redfish/v1/JsonSchemas", "GET, HEAD"}, Case{"/healthz", "GET, HEAD"},
                            Case{"/redfish/v1/AggregationService/ConnectionMethods/Connector", "GET, HEAD"}}) {
        for (const char* method : {"POST", "PATCH", "DELETE", "PUT"}) {
            const Asked answer = ask("root", method, one.path, "{not json");
            EXPECT_EQ(answer.status, 405) << method << " " << one.path;
            EXPECT_EQ(answer.header("Allow"), one.allow);
        }
    }
    EXPECT_EQ(ask("root", "PUT", accountsUri + "/1", "{}").header("Allow"), "GET, HEAD, PATCH, DELETE");
    EXPECT_EQ(ask("root", "PATCH", sessionsUri + "/1", "{}").status, 405);
    EXPECT_EQ(ask("root", "POST", "/redfish/v1/Nothing", "{}").status, 404);
}

TEST_F(FacadeResourcesTest, QueryOptionsAreRefusedAsTheSpecificationAsks)
{
    EXPECT_EQ(get("", "/redfish/v1?rpvunknown").status, 200);
    EXPECT_EQ(get("", "/redfish/v1?$rpvunknown").status, 501);
    EXPECT_EQ(get("", "/redfish/v1?excerpt=foo").status, 400);
    EXPECT_EQ(get("root", sessionsUri + "?only=foo").status, 400);
    EXPECT_EQ(get("root", "/redfish/v1/AccountService?only").status, 400);
    EXPECT_EQ(get("root", rolesUri + "?$filter=x").status, 501);
}

TEST_F(FacadeResourcesTest, AWrongQueryOptionIsNamedWithItsValue)
{
    const Asked wrong = get("root", rolesUri + "?$top=1&$skip=x%20y&$top=z");
    EXPECT_EQ(wrong.messages(), Strings{"QueryParameterValueFormatError"});
    EXPECT_EQ(wrong.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"], (Strings{"x%20y", "$skip"}));
    EXPECT_EQ(wrong.body["error"]["message"], "The value 'x%20y' for the parameter $skip is not a format that the parameter can accept.");
    const Asked bare = get("root", "/redfish/v1/AccountService?only");
    EXPECT_EQ(bare.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"], (Strings{"", "only"}));
    const Asked unsupported = get("root", rolesUri + "?$filter=x");
    EXPECT_EQ(unsupported.messages(), Strings{"QueryNotSupported"});
    EXPECT_NE(unsupported.text.find("$filter"), std::string::npos);
}

TEST_F(FacadeResourcesTest, CollectionsArePagedAndOnlyGivesTheOneMember)
{
    const Asked page = get("root", rolesUri + "?$skip=1&$top=1");
    EXPECT_EQ(page.members(), Strings{rolesUri + "/Operator"});
    EXPECT_EQ(page.body["Members@odata.count"], 3);
    EXPECT_EQ(get("root", rolesUri + "?only").members().size(), 3U);
    const Asked one = get("reader", accountsUri + "?only");
    EXPECT_EQ(one.status, 200);
    EXPECT_EQ(one.body["UserName"], "reader");
}

TEST_F(FacadeResourcesTest, OwnServicesAreMinimalButValid)
{
    for (const char* name : {"AccountService", "SessionService", "AggregationService", "EventService", "TaskService",
                             "UpdateService"}) {
        const std::string uri = std::string("/redfish/v1/") + name;
        const Asked service = get("reader", uri);
        EXPECT_EQ(service.status, 200) << name;
        EXPECT_EQ(service.body["@odata.id"], uri);
        EXPECT_EQ(service.body["Id"], name);
        EXPECT_NE(service.body.value("Name", ""), "");
        const std::string type = service.body["@odata.type"];
        EXPECT_EQ(type.rfind(std::string("#") + name + ".v", 0), 0U) << type;
        EXPECT_EQ(ask("reader", "HEAD", uri).status, 200);
    }
    EXPECT_EQ(get("reader", "/redfish/v1/accountservice").body["@odata.id"], "/redfish/v1/AccountService");
}

TEST_F(FacadeResourcesTest, OtherServicesExistWhereASatelliteOfTheTenantHasThem)
{
    const Strings names{"TelemetryService", "TelemetryService/LogService", "JobService", "JobService/Log",   "KeyService",
                        "LicenseService",   "CertificateService",          "PowerEquipment", "ThermalEquipment",
                        "ServiceConditions", "CompositionService"};
    for (const std::string& name : names) {
        EXPECT_EQ(get("root", "/redfish/v1/" + name).status, 404) << name;
    }
    announce("beta", "sled2",
             {"TelemetryService", "JobService", "KeyService", "LicenseService", "CertificateService", "PowerEquipment",
              "ThermalEquipment", "ServiceConditions", "CompositionService"},
             {{"TelemetryService/LogService/Entries", shoset::CollectionState::known, {}, "", false},
              {"JobService/Log/Entries", shoset::CollectionState::known, {}, "", false},
              {"JobService/Documents", shoset::CollectionState::known, {}, "", false},
              {"TaskService/Tasks", shoset::CollectionState::known, {}, "", false},
              {"TaskService/TaskMonitors", shoset::CollectionState::known, {}, "", false}});
    for (const std::string& name : names) {
        const Asked service = get("root", "/redfish/v1/" + name);
        EXPECT_EQ(service.status, 200) << name;
        EXPECT_EQ(service.body["@odata.id"], "/redfish/v1/" + name);
        EXPECT_EQ(get("boss", "/redfish/v1/" + name).status, 404) << name;
    }
    const Asked log = get("root", "/redfish/v1/TelemetryService/LogService");
    EXPECT_EQ(log.body["Id"], "LogService");
    EXPECT_EQ(log.body["Entries"]["@odata.id"], "/redfish/v1/TelemetryService/LogService/Entries");
    EXPECT_EQ(get("root", "/redfish/v1/TelemetryService").body["LogService"]["@odata.id"],
              "/redfish/v1/TelemetryService/LogService");
    EXPECT_FALSE(get("root", "/redfish/v1/TelemetryService").body.contains("Triggers"));
    EXPECT_EQ(get("root", "/redfish/v1/JobService").body["JobDocuments"]["@odata.id"], "/redfish/v1/JobService/Documents");
    const Asked tasks = get("root", "/redfish/v1/TaskService");
    EXPECT_EQ(tasks.body["Tasks"]["@odata.id"], "/redfish/v1/TaskService/Tasks");
    EXPECT_FALSE(tasks.body.contains("TaskMonitors"));
    EXPECT_FALSE(get("boss", "/redfish/v1/TaskService").body.contains("Tasks"));
}

TEST_F(FacadeResourcesTest, WhatNobodyHasIs404WithARedfishError)
{
    for (const char* path : {"", "/redfish/v2", "/redfish/v1/Nothing", "/redfish/v1/AccountService/Nothing",
                             "/redfish/v1/AccountService/Accounts/99", "/redfish/v1/SessionService/Sessions/feed",
                             "/redfish/v1/AggregationService/AggregationSources/CCC", "/redfish/v1/EventService/Nothing",
                             "/redfish/v1/AccountService/Roles/Nobody", "/redfish/v1/JsonSchemas/Nothing", "/healthz/x",
                             "/redfish/v1/AggregationService/ConnectionMethods/Other"}) {
        const Asked answer = get("root", path);
        EXPECT_EQ(answer.status, 404) << path;
        EXPECT_EQ(answer.messages(), Strings{"ResourceMissingAtURI"}) << path;
        EXPECT_NE(answer.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"], Strings{""}) << path;
    }
}

TEST_F(FacadeResourcesTest, ServiceDocumentListsTheRootAndItsChildren)
{
    const Asked odata = get("", "/redfish/v1/odata");
    EXPECT_EQ(odata.body["@odata.context"], "/redfish/v1/$metadata");
    Strings urls;
    for (const auto& entry : odata.body["value"]) {
        EXPECT_EQ(entry["kind"], "Singleton");
        urls.push_back(entry["url"]);
    }
    const Asked root = get("", "/redfish/v1");
    for (const auto& [name, value] : root.body.items()) {
        if (value.is_object() && value.contains("@odata.id")) {
            EXPECT_EQ(std::count(urls.begin(), urls.end(), std::string(value["@odata.id"])), 1) << name;
        }
    }
    EXPECT_EQ(urls.front(), "/redfish/v1/");
}

TEST_F(FacadeResourcesTest, MetadataIncludesEveryTypeAndTheContainer)
{
    const Asked metadata = get("", "/redfish/v1/$metadata");
    EXPECT_EQ(metadata.status, 200);
    EXPECT_EQ(metadata.header("Content-Type"), "application/xml");
    for (const char* part : {"<edmx:Include Namespace=\"ManagerAccount.v1_13_0\"/>", "SessionCollection_v1.xml",
                             "<EntityContainer Name=\"Service\" Extends=\"ServiceRoot.v1_19_0.ServiceContainer\"/>"}) {
        EXPECT_NE(metadata.text.find(part), std::string::npos) << part;
    }
}

TEST_F(FacadeResourcesTest, EveryDescribedbyLinkLeadsToASchemaThatIsListed)
{
    announce("beta", "sled2",
             {"TelemetryService", "JobService", "KeyService", "LicenseService", "CertificateService", "PowerEquipment",
              "ThermalEquipment", "ServiceConditions", "CompositionService"},
             {{"JobService/Log/Entries", shoset::CollectionState::known, {}, "", false}});
    const Strings listed = get("root", "/redfish/v1/JsonSchemas").members();
    for (const std::string& path :
         Strings{"/redfish/v1", accountsUri, accountsUri + "/1", rolesUri, rolesUri + "/ReadOnly", sessionsUri,
                 "/redfish/v1/JsonSchemas", "/redfish/v1/JsonSchemas/Role.v1_3_3", "/redfish/v1/AccountService",
                 "/redfish/v1/SessionService", "/redfish/v1/EventService", "/redfish/v1/TaskService",
                 "/redfish/v1/UpdateService", "/redfish/v1/AggregationService", "/redfish/v1/TelemetryService",
                 "/redfish/v1/JobService", "/redfish/v1/JobService/Log", "/redfish/v1/KeyService", "/redfish/v1/LicenseService",
                 "/redfish/v1/CertificateService", "/redfish/v1/PowerEquipment", "/redfish/v1/ThermalEquipment",
                 "/redfish/v1/ServiceConditions", "/redfish/v1/CompositionService",
                 "/redfish/v1/AggregationService/AggregationSources", "/redfish/v1/AggregationService/AggregationSources/AAA",
                 "/redfish/v1/AggregationService/ConnectionMethods/Connector"}) {
        const Asked answer = get("root", path);
        ASSERT_EQ(answer.status, 200) << path;
        const std::string link = answer.header("Link");
        const std::string schema = link.substr(1, link.find('>') - 1);
        const std::string type = answer.body["@odata.type"];
        EXPECT_EQ(get("root", schema).body["title"], type) << path;
        const std::string file = schema.substr(0, schema.size() - 5);
        EXPECT_EQ(get("root", file).body["Schema"], type) << path;
        EXPECT_EQ(std::count(listed.begin(), listed.end(), file), 1) << file;
    }
}

TEST_F(FacadeResourcesTest, MergedCollectionsAreDescribedByTheirSchemaToo)
{
    for (const uri::TopCollection& collection : uri::topCollections()) {
        if (!collection.listed) {
            continue;
        }
        MergedCollection merged;
        merged.exists = true;
        const Answer answer = collectionAnswer(collection.path, merged, {"GET", "", {}}, "");
        const std::string link = *findHeader(answer.head.headers, "Link");
        const Asked schema = get("root", link.substr(1, link.find('>') - 1));
        EXPECT_EQ(schema.body["title"], nlohmann::json::parse(answer.body)["@odata.type"]) << collection.path << " " << link;
    }
}

TEST_F(FacadeResourcesTest, WhatStandsBelowOemIsInSchemasOfItsOwn)
{
    for (const std::string& path : Strings{"/redfish/v1/AggregationService/AggregationSources/AAA", accountsUri + "/2"}) {
        const nlohmann::json oem = get("root", path).body["Oem"]["Bmcmesh"];
        const std::string type = oem["@odata.type"];
        const std::string id = type.substr(1, type.find_last_of('.') - 1);
        const Asked file = get("root", "/redfish/v1/JsonSchemas/" + id);
        EXPECT_EQ(file.body["Schema"], type);
        EXPECT_FALSE(file.body["Location"][0].contains("PublicationUri"));
        const Asked schema = get("root", file.body["Location"][0]["Uri"]);
        EXPECT_EQ(schema.body["title"], type);
        EXPECT_EQ(schema.body["$id"], file.body["Location"][0]["Uri"]);
        const std::string csdlUri = "/redfish/v1/schema/" + id.substr(0, id.find('.')) + "_v1.xml";
        EXPECT_NE(get("", "/redfish/v1/$metadata").text.find("Uri=\"" + csdlUri + "\""), std::string::npos);
        const Asked csdl = get("root", csdlUri);
        EXPECT_EQ(csdl.header("Content-Type"), "application/xml");
        EXPECT_NE(csdl.text.find("Namespace=\"" + id + "\""), std::string::npos);
        const std::string name = type.substr(type.find_last_of('.') + 1);
        for (const auto& [property, value] : oem.items()) {
            EXPECT_TRUE(schema.body["definitions"][name]["properties"].contains(property)) << path << " " << property;
            EXPECT_EQ(csdl.text.find("Property Name=\"" + property + "\"") == std::string::npos, property == "@odata.type");
        }
    }
    EXPECT_EQ(get("root", "/redfish/v1/schema/BmcmeshNothing_v1.xml").status, 404);
    EXPECT_EQ(get("", "/redfish/v1/schema/BmcmeshManagerAccount_v1.xml").status, 401);
}

TEST_F(FacadeResourcesTest, EverySchemaFileIsValid)
{
    for (const std::string& uri : get("root", "/redfish/v1/JsonSchemas").members()) {
        const Asked file = get("root", uri);
        EXPECT_EQ(file.body["@odata.id"], uri);
        EXPECT_EQ("/redfish/v1/JsonSchemas/" + std::string(file.body["Id"]), uri);
        EXPECT_EQ(file.body["Languages"], nlohmann::json::array({"en"}));
        EXPECT_EQ(file.body["Location"][0]["Uri"], uri + ".json");
    }
}

TEST_F(FacadeResourcesTest, AggregationSourcesAreTheSatellitesThatTheAskerSees)
{
    const std::string sources = "/redfish/v1/AggregationService/AggregationSources";
    EXPECT_EQ(get("root", sources).members(), (Strings{sources + "/AAA", sources + "/beta.fresh", sources + "/BBB"}));
    EXPECT_EQ(get("boss", sources).members(), Strings{sources + "/AAA"});
    EXPECT_EQ(get("boss", sources + "/BBB").status, 404);
    EXPECT_EQ(get("root", sources + "/beta.fresh").body["Name"], "fresh");
    EXPECT_TRUE(resources.ownsCollection("AggregationService/AggregationSources"));
    EXPECT_FALSE(resources.ownsCollection("Systems"));
}

TEST_F(FacadeResourcesTest, AggregationSourceLinksEveryAddressOfItsSatelliteAndTellsItsTrouble)
{
    const std::string uri = "/redfish/v1/AggregationService/AggregationSources/AAA";
    const Asked lost = get("reader", uri);
    EXPECT_EQ(lost.body["Status"]["Health"], "Critical");
    EXPECT_EQ(lost.body["Oem"]["Bmcmesh"]["Trouble"], "its connector is not linked");
    announce("acme", "sled1", {"Systems", "JsonSchemas", "UpdateService", "bad segment", "x\"y"});
    const Asked source = get("reader", uri);
    EXPECT_EQ(source.body["Id"], "AAA");
    EXPECT_EQ(source.body["Status"], (nlohmann::json{{"State", "Enabled"}, {"Health", "OK"}}));
    EXPECT_FALSE(source.body["Oem"]["Bmcmesh"].contains("Trouble"));
    EXPECT_EQ(source.body["Oem"]["Bmcmesh"]["Resources"],
              (nlohmann::json{{{"@odata.id", "/redfish/v1/AAA_Systems"}},
                              {{"@odata.id", "/redfish/v1/AAA_JsonSchemas"}},
                              {{"@odata.id", "/redfish/v1/AAA_UpdateService"}}}));
    EXPECT_EQ(get("reader", "/redfish/v1/AggregationService/AggregationSources/aaa").body["@odata.id"], uri);
    const std::string method = source.body["Links"]["ConnectionMethod"]["@odata.id"];
    EXPECT_EQ(resources.ownMembers("AggregationService/ConnectionMethods", std::get<Principal>(as("reader"))), Strings{method});
    EXPECT_EQ(get("reader", method).body["Links"]["AggregationSources"], (nlohmann::json{{{"@odata.id", uri}}}));
    EXPECT_TRUE(resources.ownMembers("Systems", std::get<Principal>(as("reader"))).empty());
}

TEST_F(FacadeResourcesTest, HealthIsOpenAndNamesTheReason)
{
    EXPECT_EQ(get("", "/healthz").text, R"({"ready":true,"reason":"","primary":true})");
    node.reason = "no disk";
    const Asked answer = get("", "/healthz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.text, R"({"ready":false,"reason":"no disk","primary":true})");
}

TEST_F(FacadeResourcesTest, MetricsAreForManagersOfTheSystem)
{
    const Asked answer = get("root", "/metrics");
    EXPECT_EQ(answer.text, "# HELP bmcmesh_links_up Links\\nthat are up\n# TYPE bmcmesh_links_up gauge\nbmcmesh_links_up 3\n"
                           "# HELP bmcmesh_http_requests_total Requests\n# TYPE bmcmesh_http_requests_total counter\n"
                           "bmcmesh_http_requests_total 7\n");
    EXPECT_EQ(answer.header("Content-Type").rfind("text/plain; version=0.0.4", 0), 0U);
    EXPECT_EQ(get("reader", "/metrics").status, 403);
    EXPECT_EQ(get("boss", "/metrics").status, 403);
    make("system-reader", "ReadOnly", "");
    EXPECT_EQ(get("system-reader", "/metrics").status, 403);
}

TEST_F(FacadeResourcesTest, StatusShowsTheAskersSatellites)
{
    announce("acme", "sled1", {});
    const Asked status = get("root", "/mesh/v1/status");
    EXPECT_EQ(status.body["node"], "agg-a");
    EXPECT_EQ(status.body["software"], "bmcmesh 0.1.0");
    EXPECT_EQ(status.body["not_ready"], "");
    EXPECT_EQ(status.body["service_uuid"], node.serviceUuid());
    EXPECT_EQ(status.body["peers"], (nlohmann::json{{{"name", "agg-b"}, {"linked", true}}}));
    EXPECT_EQ(status.body["satellites"].size(), 3U);
    const Asked acme = get("reader", "/mesh/v1/status");
    ASSERT_EQ(acme.body["satellites"].size(), 1U);
    EXPECT_EQ(acme.body["satellites"][0], (nlohmann::json{{"tenant", "acme"}, {"name", "sled1"}, {"prefix", "AAA"},
                                                          {"uuid", "11111111-2222-3333-4444-555555555555"},
                                                          {"trouble", ""}, {"linked", true}}));
}

}  // namespace

}  // namespace mesh::aggregator
