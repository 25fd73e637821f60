#include "shoset/uri/registries.hpp"

#include "shoset/uri/headers.hpp"
#include "shoset/uri/localiser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace mesh::uri {
namespace {

TEST(Registries, WhatDmtfPublishesIsKnownByNameAndVersion)
{
    EXPECT_EQ(publishedRegistry("/redfish/v1/Registries/Base.1.8.1"), "Base.1.8.1");
    EXPECT_EQ(publishedRegistry("/redfish/v1/registries/TaskEvent.1.0/"), "TaskEvent.1.0");
}

// From the publication, not from the product.
std::vector<std::string> namesOfThePublication()
{
    std::vector<std::string> names;
    std::ifstream file(MESH_SOURCE_DIR "/tests/walk/registries.txt");
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line.front() != '#') {
            names.push_back(line);
        }
    }
    return names;
}

TEST(Registries, TheNamesAreThoseOfThePublication)
{
    std::vector<std::string> known(publishedRegistryNames().begin(), publishedRegistryNames().end());
    std::sort(known.begin(), known.end());
    EXPECT_EQ(known, namesOfThePublication());
    for (const std::string& name : known) {
        EXPECT_EQ(publishedRegistry("/redfish/v1/Registries/" + name + ".1.0.0"), name + ".1.0.0");
    }
}

TEST(Registries, EverythingElseIsTheSatellitesOwn)
{
    for (const char* path :
         {"Base", "Base.", "Base.1", "Base.1.", "Base.1.8.1.0", "Base.v1_8_1", "Base.1.x", "Base.1..1", "base.1.8.1", "BaseX.1.8",
          "OpenBMC.0.1.0", "iLO.2.13.0", "Redfish_1.5.0_PrivilegeRegistry", "5B247A_Base.1.8.1", "Base.1.8.1/Base.1.8.1.json",
          ""}) {
        EXPECT_EQ(publishedRegistry("/redfish/v1/Registries/" + std::string(path)), "") << path;
    }
    EXPECT_EQ(publishedRegistry("/redfish/v1/Cables/Base.1.8.1"), "");
    EXPECT_EQ(publishedRegistry("/redfish/v1/Registries"), "");
}

const UriMap registriesMap("5B247A", {"bmc"});
const std::string bare = "/redfish/v1/Registries/Base.1.8.1";
const std::string prefixed = "/redfish/v1/Registries/5B247A_Base.1.8.1";
const std::string body = R"({"@odata.id":"/redfish/v1/Registries/Base.1.8.1","Id":"Base.1.8.1",)"
                         R"("Location":[{"Uri":"/redfish/v1/Registries/Base.1.8.1/en"}],"o":"https://bmc/redfish/v1/Registries/Base.1.8.1",)"
                         R"("other":"/redfish/v1/Registries/Update.1.0.0"})";

TEST(Registries, NamesItselfWithoutPrefixWhereItWasAskedForWithoutAndElseNothingChanges)
{
    EXPECT_EQ(*localise(registriesMap, Direction::toFacade, Format::json, body, {bare, bare}),
              R"({"@odata.id":"/redfish/v1/Registries/Base.1.8.1","Id":"Base.1.8.1",)"
              R"("Location":[{"Uri":"/redfish/v1/Registries/5B247A_Base.1.8.1/en"}],"o":"/redfish/v1/Registries/Base.1.8.1",)"
              R"("other":"/redfish/v1/Registries/5B247A_Update.1.0.0"})");
}

TEST(Registries, NamesItselfWithThePrefixWhereItWasAskedForWithIt)
{
    EXPECT_EQ(*localise(registriesMap, Direction::toFacade, Format::json, body, {bare, prefixed}),
              R"({"@odata.id":"/redfish/v1/Registries/5B247A_Base.1.8.1","Id":"5B247A_Base.1.8.1",)"
              R"("Location":[{"Uri":"/redfish/v1/Registries/5B247A_Base.1.8.1/en"}],"o":"/redfish/v1/Registries/5B247A_Base.1.8.1",)"
              R"("other":"/redfish/v1/Registries/5B247A_Update.1.0.0"})");
}

TEST(Registries, ContentLocationFollowsWhatWasAskedFor)
{
    for (const std::string& asked : {bare, prefixed}) {
        Headers headers{{"Content-Location", bare}};
        localiseHeaders(registriesMap, Direction::toFacade, Format::json, headers, {bare, asked});
        EXPECT_EQ(headers[0].value, asked);
    }
}

}  // namespace
}  // namespace mesh::uri
