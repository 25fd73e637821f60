#include "aggregator/core/satellites.hpp"

#include "aggregator/core/collection_body.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mesh::aggregator {
namespace {

using shoset::CollectionState;

struct SatellitesTest : testing::Test {
    Satellites satellites{"own-uuid"};
    tenants::Registry registry;

    void SetUp() override
    {
        ASSERT_TRUE(registry.addTenant("acme"));
        ASSERT_TRUE(registry.addTenant("zeta"));
        add("acme", "a", "A1", '1');
        add("acme", "b", "B1", '2');
        add("zeta", "z", "Z1", '3');
        satellites.setRegistry(registry);
    }
    void add(const std::string& tenant, const std::string& name, const std::string& prefix, char last)
    {
        std::string key(40, '0');
        key.back() = last;
        ASSERT_TRUE(registry.put({tenant, name, key, prefix, "", ""}));
    }
    void announce(const std::string& address, CollectionState state, std::vector<std::string> members, bool reachable = true)
    {
        satellites.setLinked(address, true);
        shoset::Announce said;
        said.complete = true;
        said.bmcReachable = reachable;
        said.bmcReason = reachable ? "" : "refused";
        said.collections.push_back({"Cables", state, std::move(members), state == CollectionState::failing ? "HTTP 500" : "", false});
        satellites.onAnnounce(address, said);
    }
    // One record of acme/a's cables; `more` of them follow.
    void announcePiece(bool complete, const std::string& cable, bool more)
    {
        satellites.setLinked("acme/a", true);
        shoset::Announce piece;
        piece.complete = complete;
        piece.bmcReachable = true;
        piece.collections.push_back({"Cables", CollectionState::known, {"/redfish/v1/Cables/" + cable}, "", more});
        satellites.onAnnounce("acme/a", piece);
    }
    void announceRegistries(const std::string& address, const std::vector<std::string>& ids, bool reachable = true)
    {
        satellites.setLinked(address, true);
        shoset::Announce said;
        said.complete = true;
        said.bmcReachable = reachable;
        said.collections.push_back({"Registries", CollectionState::known, {}, "", false});
        for (const std::string& id : ids) {
            said.collections[0].members.push_back("/redfish/v1/Registries/" + id);
        }
        satellites.onAnnounce(address, said);
    }
    MergedCollection cables(const std::string& tenant = "acme") { return satellites.merge("Cables", tenant); }
};

TEST_F(SatellitesTest, MembersAreMappedAndStandInTheSatellitesOrder)
{
    announce("acme/b", CollectionState::known, {"/redfish/v1/Cables/2", "/redfish/v1/Cables/1"});
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/9"});
    EXPECT_EQ(cables().members, (std::vector<std::string>{"/redfish/v1/Cables/A1_9", "/redfish/v1/Cables/B1_2", "/redfish/v1/Cables/B1_1"}));
    EXPECT_TRUE(cables().missing.empty());
}

TEST_F(SatellitesTest, OneHasItAndTheOtherHasNot)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"});
    announce("acme/b", CollectionState::absent, {});
    EXPECT_EQ(cables().members.size(), 1U);
    EXPECT_TRUE(cables().missing.empty());
}

TEST_F(SatellitesTest, OneThatFailsIsNamedAndItsKnownMembersStay)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"});
    announce("acme/b", CollectionState::failing, {"/redfish/v1/Cables/2"});
    const MergedCollection merged = cables();
    EXPECT_EQ(merged.members.size(), 2U);
    ASSERT_EQ(merged.missing.size(), 1U);
    EXPECT_EQ(merged.missing[0].name, "b");
    EXPECT_EQ(merged.missing[0].reason, "HTTP 500");
}

TEST_F(SatellitesTest, NobodyHasIt)
{
    announce("acme/a", CollectionState::absent, {});
    announce("acme/b", CollectionState::absent, {});
    EXPECT_FALSE(cables().exists);
}

TEST_F(SatellitesTest, NobodyIsReachableButMembersAreKnown)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"}, false);
    announce("acme/b", CollectionState::known, {"/redfish/v1/Cables/2"});
    satellites.setLinked("acme/b", false);
    const MergedCollection merged = cables();
    EXPECT_TRUE(merged.exists);
    EXPECT_EQ(merged.members.size(), 2U);
    EXPECT_EQ(merged.missing.size(), 2U);
}

TEST_F(SatellitesTest, ATenantSeesItsOwnAndTheSystemSeesAll)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"});
    announce("acme/b", CollectionState::known, {});
    announce("zeta/z", CollectionState::known, {"/redfish/v1/Cables/1"});
    EXPECT_EQ(cables("zeta").members, std::vector<std::string>{"/redfish/v1/Cables/Z1_1"});
    EXPECT_EQ(cables("").members.size(), 2U);
    EXPECT_FALSE(satellites.anyHas("Fabrics", "zeta"));
}

TEST_F(SatellitesTest, MembersThatAreNotTheSatellitesOwnAreDropped)
{
    announce("acme/a", CollectionState::known,
             {"/redfish/v1/Cables/1", "/redfish/v1/Cables", "https://elsewhere/redfish/v1/Cables/1", "/redfish/v1/Cables/B1_1", "/redfish/v1/Cables/1"});
    announce("acme/b", CollectionState::known, {});
    EXPECT_EQ(cables().members, std::vector<std::string>{"/redfish/v1/Cables/A1_1"});
}

TEST_F(SatellitesTest, PublishedRegistriesAreListedOnceAndOthersPerSatellite)
{
    announceRegistries("acme/a", {"Base.1.8.1", "OpenBMC.0.1.0"});
    announceRegistries("acme/b", {"Base.1.8.1", "Base.1.18.0", "OpenBMC.0.1.0"});
    announceRegistries("zeta/z", {"Update.1.0.0"});
    const std::string top = "/redfish/v1/Registries/";
    const MergedCollection merged = satellites.merge("Registries", "acme");
    EXPECT_EQ(merged.members, (std::vector<std::string>{top + "Base.1.8.1", top + "A1_OpenBMC.0.1.0", top + "Base.1.18.0", top + "B1_OpenBMC.0.1.0"}));
    EXPECT_EQ(satellites.merge("Registries", "").members.size(), 5U);
}

TEST_F(SatellitesTest, ARegistrysHoldersAreTheTenantsAndThoseInTroubleComeLast)
{
    announceRegistries("acme/a", {"Base.1.8.1"}, false);
    announceRegistries("acme/b", {"Base.1.8.1"});
    announceRegistries("zeta/z", {"Base.1.8.1"});
    const auto holders = satellites.registryHolders("Base.1.8.1", "acme");
    ASSERT_EQ(holders.size(), 2U);
    EXPECT_EQ(holders[0]->name, "b");
    EXPECT_EQ(holders[1]->name, "a");
    EXPECT_TRUE(satellites.registryHolders("Base.1.18.0", "acme").empty());
}

TEST_F(SatellitesTest, AMemberListInPiecesCountsWhenItIsWhole)
{
    announcePiece(true, "1", true);
    EXPECT_TRUE(cables().members.empty());
    announcePiece(false, "2", false);
    EXPECT_EQ(cables().members.size(), 2U);
}

TEST_F(SatellitesTest, WhatALaterAnnouncementHasOvertakenOnAnotherWayIsNotTaken)
{
    satellites.setLinked("acme/a", true);
    const auto said = [&](std::uint64_t incarnation, std::uint64_t sequence, bool complete, const std::string& cable) {
        shoset::Announce announce;
        announce.incarnation = incarnation;
        announce.sequence = sequence;
        announce.complete = complete;
        announce.bmcReachable = true;
        announce.collections.push_back({"Cables", CollectionState::known, {"/redfish/v1/Cables/" + cable}, "", false});
        satellites.onAnnounce("acme/a", announce);
        const std::vector<std::string> shown = cables().members;
        return shown.empty() ? std::string() : shown.front().substr(shown.front().rfind('_') + 1);
    };
    EXPECT_EQ(said(7, 1, false, "early"), "early");
    EXPECT_EQ(said(7, 3, true, "three"), "three");
    EXPECT_EQ(said(7, 2, true, "two"), "three");
    EXPECT_EQ(said(7, 2, false, "two"), "three");
    EXPECT_EQ(said(7, 3, false, "more of three"), "more of three");
    EXPECT_EQ(said(7, 4, false, "four"), "four");
    EXPECT_EQ(said(8, 1, true, "restarted"), "restarted");
    EXPECT_EQ(said(7, 9, true, "late"), "restarted");
    EXPECT_EQ(satellites.overtaken(), 3U);
}

TEST_F(SatellitesTest, ARestartedConnectorThatHasNotReadItsBmcYetTakesNothingAway)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"});
    const std::vector<std::string> known = cables().members;
    shoset::Announce early;
    early.incarnation = 2;
    satellites.onAnnounce("acme/a", early);
    EXPECT_EQ(cables().members, known);
    EXPECT_NE(satellites.find("acme/a")->trouble(), "") << "nobody knows yet whether its BMC is there";
    early.bmcReachable = true;
    early.collections.push_back({"Cables", CollectionState::failing, {}, "not read yet", false});
    satellites.onAnnounce("acme/a", early);
    EXPECT_EQ(cables().members, known);
    early.complete = true;
    early.collections.clear();
    satellites.onAnnounce("acme/a", early);
    EXPECT_TRUE(cables().members.empty()) << "it was looked for, and is gone";
}

TEST_F(SatellitesTest, ANewListDoesNotBeginWithPiecesOfAnOldOne)
{
    announcePiece(true, "1", true);
    announcePiece(true, "2", false);
    EXPECT_EQ(cables().members, std::vector<std::string>{"/redfish/v1/Cables/A1_2"});
}

TEST_F(SatellitesTest, ATargetThatIsThisServiceItselfIsRefused)
{
    satellites.setLinked("acme/a", true);
    shoset::Announce said;
    said.complete = true;
    said.bmcReachable = true;
    said.uuid = "OWN-UUID";
    satellites.onAnnounce("acme/a", said);
    EXPECT_NE(satellites.find("acme/a")->trouble(), "");
}

TEST_F(SatellitesTest, APrefixIsFoundInAnyCase)
{
    ASSERT_NE(satellites.findByPrefix("a1"), nullptr);
    EXPECT_EQ(satellites.findByPrefix("a1")->name, "a");
    EXPECT_EQ(satellites.findByPrefix("ZZ"), nullptr);
}

TEST_F(SatellitesTest, TheCollectionsAnswerNamesTheMissingAndItsEtagTellsChanges)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1"});
    announce("acme/b", CollectionState::failing, {});
    const Answer first = collectionAnswer("Cables", cables(), {"GET", "", {}}, "");
    const auto body = nlohmann::json::parse(first.body);
    EXPECT_EQ(body["Members@odata.count"], 1);
    ASSERT_EQ(body["@Message.ExtendedInfo"].size(), 1U);
    EXPECT_NE(body["@Message.ExtendedInfo"][0]["Message"].get<std::string>().find("Satellite b"), std::string::npos);
    const std::string etag = *findHeader(first.head.headers, "ETag");
    EXPECT_EQ(collectionAnswer("Cables", cables(), {"GET", "", {{"If-None-Match", etag}}}, "").head.status, 304);
    announce("acme/b", CollectionState::known, {});
    EXPECT_EQ(collectionAnswer("Cables", cables(), {"GET", "", {{"If-None-Match", etag}}}, "").head.status, 200);
}

TEST_F(SatellitesTest, QueryOptionsOfACollection)
{
    announce("acme/a", CollectionState::known, {"/redfish/v1/Cables/1", "/redfish/v1/Cables/2", "/redfish/v1/Cables/3"});
    announce("acme/b", CollectionState::known, {});
    const auto members = [&](const std::string& query) {
        return nlohmann::json::parse(collectionAnswer("Cables", cables(), {"GET", "", {}}, query).body)["Members"];
    };
    const auto status = [&](const std::string& query) { return collectionAnswer("Cables", cables(), {"GET", "", {}}, query).head.status; };
    EXPECT_EQ(members("$skip=1&$top=1")[0]["@odata.id"], "/redfish/v1/Cables/A1_2");
    EXPECT_EQ(members("%24skip=1&%24top=1")[0]["@odata.id"], "/redfish/v1/Cables/A1_2") << "as many clients write a $";
    EXPECT_EQ(status("%24nonsense"), 501);
    EXPECT_TRUE(members("$skip=99").empty());
    EXPECT_EQ(status("$skip=x"), 400);
    EXPECT_EQ(status("only=x"), 400);
    EXPECT_EQ(status("$nonsense"), 501);
    EXPECT_EQ(status("nonsense=1"), 200);
    EXPECT_EQ(status("only"), 200);
    EXPECT_EQ(status("only="), 200);
}

}  // namespace
}  // namespace mesh::aggregator
