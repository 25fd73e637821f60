#include "aggregator/core/tests/facade_fixture.hpp"

namespace mesh::aggregator {
namespace {

struct Registries : FacadeRig {
    const std::string base = "/redfish/v1/Registries/Base.1.8.1";
    void haveBase(shoset::LinkId link, bool reachable = true) { announce(link, {{"Registries", {"Base.1.8.1"}}}, reachable); }
};

TEST_F(Registries, APublishedOneIsServedByASatelliteThatHasIt)
{
    announce(1, {{"Registries", {"OpenBMC.0.1.0"}}});
    haveBase(2);
    const ExchangeId id = get(base);
    const Sent sent = take(2);
    EXPECT_EQ(sent.command.http.target, base);
    EXPECT_EQ(sent.command.prefix, "B1");
    reply(2, sent, 200, "{}");
    EXPECT_EQ(given[id].status, 200);
    EXPECT_TRUE(commands(1).empty());
}

TEST_F(Registries, OneInTroubleIsNotAskedWhileAnotherCanAnswer)
{
    haveBase(1, false);
    haveBase(2);
    get(base);
    EXPECT_EQ(commands(1).size(), 0U);
    EXPECT_EQ(commands(2).size(), 1U);
}

TEST_F(Registries, WhereOneFailsTheNextIsAsked)
{
    haveBase(1);
    haveBase(2);
    const ExchangeId failing = get(base);
    fail(1, take(1), Code::ioError, "cut");
    reply(2, take(2), 200, "{}");
    EXPECT_EQ(given[failing].status, 200);
    const ExchangeId broken = get(base);
    reply(1, take(1), 500, "{}");
    reply(2, take(2), 200, "{}");
    EXPECT_EQ(given[broken].status, 200);
    const ExchangeId silent = get(base);
    take(1);
    pass(1s);
    pass(2s);
    reply(2, take(2), 200, "{}");
    EXPECT_EQ(given[silent].status, 200);
    commands(1).clear();  // it was asked again over the same way
    const ExchangeId both = get(base);
    reply(1, take(1), 500, "{}");
    reply(2, take(2), 500, "{}");
    EXPECT_EQ(given[both].status, 500);
}

TEST_F(Registries, ItIsReadOnlyAndNobodyElsesTenantsIsShown)
{
    haveBase(3);
    EXPECT_EQ(given[get(base)].status, 404);
    EXPECT_EQ(given[get("/redfish/v1/Registries/Base.1.99.0", "zeta")].status, 404);
    const ExchangeId written = ask("DELETE", base, "zeta");
    EXPECT_EQ(given[written].status, 405);
    EXPECT_EQ(*findHeader(given[written].headers, "Allow"), "GET, HEAD");
    haveBase(1);
    EXPECT_EQ(given[get(base, "nobody")].status, 403);
    EXPECT_TRUE(commands(1).empty());
    EXPECT_TRUE(commands(3).empty());
}

TEST_F(Registries, PrefixedAddressesReachTheirOwnSatelliteOnly)
{
    haveBase(1);
    haveBase(2);
    const ExchangeId id = get("/redfish/v1/Registries/A1_Base.1.8.1");
    reply(1, take(1), 500, "{}");
    EXPECT_EQ(given[id].status, 500);
    EXPECT_TRUE(commands(2).empty());
}

using BrokenRequest = FacadeRig;

TEST_F(BrokenRequest, IsToldWhyInASentence)
{
    const ExchangeId id = get("/redfish/v1/../x");
    EXPECT_EQ(given[id].status, 400);
    EXPECT_EQ(given[id].json()["error"]["message"], "The path has a dot segment.");
}

struct OnlyMember : FacadeRig {};

TEST_F(OnlyMember, IsServedInPlaceOfItsCollection)
{
    announce(1, {{"Systems", {"one"}}});
    const ExchangeId id = get("/redfish/v1/Systems?only", "acme", {{"If-None-Match", "\"x\""}});
    const Sent sent = take(1);
    EXPECT_EQ(sent.command.http.target, "/redfish/v1/Systems/A1_one");
    EXPECT_EQ(*findHeader(sent.command.http.headers, "If-None-Match"), "\"x\"");
    reply(1, sent, 200, "{}");
    EXPECT_EQ(given[id].status, 200);
    EXPECT_EQ(given[id].body, "{}");
}

TEST_F(OnlyMember, OfTwoOrNoneTheCollectionIsServed)
{
    announce(1, {{"Systems", {"one"}}, {"Cables", {}}});
    announce(2, {{"Systems", {"two"}}});
    EXPECT_EQ(given[get("/redfish/v1/Systems?only")].json()["Members@odata.count"], 2);
    EXPECT_EQ(given[get("/redfish/v1/Cables?only")].json()["Members@odata.count"], 0);
    EXPECT_EQ(given[get("/redfish/v1/Systems?only&$nonsense")].status, 501);
}

TEST_F(OnlyMember, NeedsThePrivilegeOfTheMember)
{
    announce(1, {{"Systems", {"one"}}});
    EXPECT_EQ(given[get("/redfish/v1/Systems?only", "nobody")].status, 403);
    EXPECT_TRUE(commands(1).empty());
}

struct Accept : FacadeRig {
    int status(const std::string& accept) { return given[get("/redfish/v1/Cables", "acme", {{"Accept", accept}})].status; }
};

TEST_F(Accept, WhatIsNotJsonIs406)
{
    announce(1, {{"Cables", {}}});
    for (const char* range : {"application/json", "application/*", "*/*", "Application/JSON;charset=utf-8", "",
                              "text/html, application/xhtml+xml, */*;q=0.8", "application/json;odata.metadata=minimal",
                              "*/*;q=0, application/json", "application/json ; q=0.5"}) {
        EXPECT_EQ(status(range), 200) << range;
    }
    for (const char* range : {"text/html", "application/xml", "application/jsonx", "*/*;q=0", "text/*, image/png",
                              "*/*, application/json;q=0", "application/*;q=0.0"}) {
        EXPECT_EQ(status(range), 406) << range;
    }
    const ExchangeId id = get("/redfish/v1/Cables", "acme", {{"Accept", "text/html"}, {"Accept", "*/*"}});
    EXPECT_EQ(given[id].status, 200);
}

TEST_F(Accept, ErrorsAreJsonWhateverTheClientWants)
{
    const ExchangeId id = get("/redfish/v1/Nothing", "acme", {{"Accept", "text/html"}});
    EXPECT_EQ(given[id].status, 404);
}

}  // namespace
}  // namespace mesh::aggregator
