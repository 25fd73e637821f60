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
    EXPECT_EQ(facade.counters().forbidden, 1u);
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

struct Reader : FacadeRig {
    int status(const std::string& target) { return given[get(target, "reader")].status; }
    bool passes(const std::string& target)
    {
        return status(target) == 0 && take(1).command.http.target.find("expand") != std::string::npos;
    }
};

TEST_F(Reader, GetsNothingByExpandingItThatItMayNotRead)
{
    announce(1, {{"Systems", {"one"}}});
    for (const char* expand : {"?$expand=.", "?%24expand=*", "?%2524EXPAND=.", "?$select=Id&$e%78pand=.($levels=1)",
                               "?only", "?%6Fnly", "?x=1&only="}) {
        EXPECT_EQ(status(std::string("/redfish/v1/A1_AccountService/Accounts") + expand), 403) << expand;
    }
    for (const char* levels : {"($levels=2)", "(%24levels%3D2)", "($levels=10)", "($levels=1;$levels=3)", "($levels=x)", "($expand=*)", "&$levels=2"}) {
        EXPECT_EQ(status(std::string("/redfish/v1/Chassis/A1_one/Sensors?$expand=.") + levels), 403) << levels;
    }
    EXPECT_TRUE(commands(1).empty());
    EXPECT_TRUE(passes("/redfish/v1/Chassis/A1_one/Sensors?$expand=."));
    EXPECT_TRUE(passes("/redfish/v1/Chassis/A1_one/Sensors?$expand=.($levels=1)"));
    EXPECT_EQ(status("/redfish/v1/Systems?$expand=."), 501) << "a merged collection expands nothing for anybody";
    get("/redfish/v1/A1_AccountService/Accounts?$expand=.($levels=2)");
    take(1);  // for an administrator
    announce(1, {{"CompositionService/ActivePool", {"1"}}});
    get("/redfish/v1/CompositionService/ActivePool?only", "reader");
    EXPECT_EQ(take(1).command.http.target, "/redfish/v1/CompositionService/ActivePool/A1_1") << "by its member";
}

TEST_F(Reader, IsShownNoCollectionThatItMayNotReadAtASatellite)
{
    announce(1, {{"UpdateService/ClientCertificates", {"1"}}, {"Cables", {}}});
    EXPECT_EQ(status("/redfish/v1/UpdateService/ClientCertificates"), 403);
    EXPECT_EQ(given[get("/redfish/v1/UpdateService/ClientCertificates")].status, 200);
    EXPECT_EQ(status("/redfish/v1/Cables"), 200);
    EXPECT_EQ(given[get("/redfish/v1/Cables", "nobody")].status, 403);
}

struct Locations : FacadeRig {
    // What the client gets of it.
    std::string pass(const std::string& location)
    {
        const ExchangeId id = ask("POST", "/redfish/v1/Systems/A1_one/Actions/ComputerSystem.Reset");
        shoset::Reply said;
        said.http = {202, {{"Location", location}}};
        const Sent asked = take(1);
        say(1, {asked.id, name(1), "agg", said}, {}, true);
        EXPECT_EQ(given[id].status, 202);
        const std::string* found = findHeader(given[id].headers, "Location");
        return found == nullptr ? "" : *found;
    }
};

TEST_F(Locations, LeadToTheSatelliteThatSaidThemOnly)
{
    for (const char* own : {"/redfish/v1/TaskService/Tasks/A1_5", "/redfish/v1/TaskService/TaskMonitors/A1_5"}) {
        EXPECT_EQ(pass(own), own);
    }
    for (const char* other : {"/redfish/v1/TaskService/Tasks/B1_5", "https://elsewhere.example/redfish/v1/TaskService/Tasks/A1_5",
                              "//elsewhere.example/redfish/v1/TaskService/Tasks/A1_5", "../Tasks/B1_5", "/redfish/v1/AccountService"}) {
        EXPECT_EQ(pass(other), "") << other;
    }
}

struct Overrides : FacadeRig {};

TEST_F(Overrides, OfTheMethodAndOfTheUriReachNoSatellite)
{
    announce(1, {{"Systems", {"one"}}});
    ask("POST", "/redfish/v1/Systems/A1_one/Actions/ComputerSystem.Reset", "acme",
        {{"x-http-method-override", "DELETE"}, {"X-Original-URL", "/redfish/v1/AccountService"}, {"X-Custom", "1"}});
    const Headers sent = take(1).command.http.headers;
    EXPECT_EQ(findHeader(sent, "X-HTTP-Method-Override"), nullptr);
    EXPECT_EQ(findHeader(sent, "X-Original-URL"), nullptr);
    EXPECT_NE(findHeader(sent, "X-Custom"), nullptr);
}

struct Strays : FacadeRig {};

TEST_F(Strays, APieceThatNobodyWaitsForEndsTheStreamThatItIsOf)
{
    const ExchangeId id = get("/redfish/v1/A1_EventService/SSE");
    const Sent asked = take(1);
    reply(1, asked, 200, ": hello\n\n", false, "text/event-stream");
    facade.onAborted(id);
    commands(1);
    EXPECT_EQ(cancelled, std::vector<MessageId>{asked.id});
    chunk(1, asked, 9, "data: {}\n\n", false);  // that was lost
    commands(1);
    EXPECT_EQ(cancelled.size(), 2U);
    reply(1, asked, 200, ": hello\n\n", false, "text/event-stream");
    commands(1);
    EXPECT_EQ(cancelled.size(), 3U);
    chunk(1, asked, 19, "", true);
    commands(1);
    EXPECT_EQ(cancelled.size(), 3U) << "it has ended by itself";
}

struct Browser : FacadeRig {
    int status(const std::string& method, Headers headers)
    {
        headers.push_back({"Host", "facade.example:8443"});
        return given[ask(method, "/redfish/v1/Systems/A1_one/Actions/ComputerSystem.Reset", "acme", std::move(headers))].status;
    }
};

TEST_F(Browser, APageOfAnotherSiteChangesNothingWithTheLoginThatTheBrowserKeeps)
{
    for (const char* origin : {"https://elsewhere.example", "null", "https://facade.example:8444", "https://facade.example:8443.evil"}) {
        EXPECT_EQ(status("POST", {{"Origin", origin}}), 403) << origin;
    }
    EXPECT_TRUE(commands(1).empty());
    for (const Headers& headers : {Headers{}, Headers{{"Origin", "https://facade.example:8443"}},
                                   Headers{{"Origin", "https://elsewhere.example"}, {"X-Auth-Token", "its own"}}}) {
        EXPECT_EQ(status("POST", headers), 0);
        take(1);
    }
    EXPECT_EQ(status("GET", {{"Origin", "https://elsewhere.example"}}), 0) << "whose answer the browser keeps from it";
}

struct Expelled : FacadeRig {};

TEST_F(Expelled, WhoHasNoAccountAnyMoreGetsNoMoreOfAStream)
{
    const ExchangeId stays = get("/redfish/v1/A1_EventService/SSE"), goes = get("/redfish/v1/A1_EventService/SSE", "reader", {{"Cache-Control", "no-cache"}});
    const Sent first = take(1), second = take(1);
    for (const Sent& asked : {first, second}) {
        reply(1, asked, 200, ": hello\n\n", false, "text/event-stream");
    }
    facade.endStreamsOfExpelled();
    EXPECT_FALSE(given[goes].aborted);
    expelled.insert("reader");
    facade.endStreamsOfExpelled();
    EXPECT_TRUE(given[goes].aborted);
    EXPECT_FALSE(given[stays].aborted);
    commands(1);
    EXPECT_EQ(cancelled, std::vector<MessageId>{second.id});
    chunk(1, first, 9, "data: {}\n\n", false);
    EXPECT_EQ(given[stays].body, ": hello\n\ndata: {}\n\n");
}

TEST_F(Expelled, WhoseAccountGoesWhileAStreamIsAskedForDoesNotGetIt)
{
    const ExchangeId id = get("/redfish/v1/A1_EventService/SSE", "reader");
    const Sent asked = take(1);
    expelled.insert("reader");
    facade.endStreamsOfExpelled();
    reply(1, asked, 200, ": hello\n\n", false, "text/event-stream");
    EXPECT_EQ(given[id].status, 403);
    commands(1);
    EXPECT_EQ(cancelled, std::vector<MessageId>{asked.id});
    EXPECT_EQ(facade.open(), 0U);
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

struct OwnOnes : FacadeRig {};

TEST_F(OwnOnes, AnOwnResourcesBodyThatIsTooLongIsSeenToBeOne)
{
    const ExchangeId tooLong = post("/redfish/v1/Nothing", "root");
    EXPECT_GT(grantedBytes, limits::maxOwnBodyBytes) << "or nobody would read what shows it";
    facade.onRequestBody(tooLong, std::string(limits::maxOwnBodyBytes, 'x'), false);
    EXPECT_FALSE(given.contains(tooLong));
    facade.onRequestBody(tooLong, "x", false);
    EXPECT_EQ(given[tooLong].status, 413);
    const ExchangeId exact = post("/redfish/v1/Nothing", "root");
    facade.onRequestBody(exact, std::string(limits::maxOwnBodyBytes, 'x'), false);
    facade.onRequestBody(exact, "", true);
    EXPECT_EQ(given[exact].status, 404);
}

TEST_F(OwnOnes, RefusalsAreCountedWhoeverRefuses)
{
    const std::uint64_t badForms = facade.counters().badPath;
    ask("PATCH", "/redfish/v1/Systems/A1_one", "acme", {{"Origin", "https://elsewhere"}, {"Host", "here"}});
    EXPECT_EQ(facade.counters().forbidden, 1u);
    EXPECT_EQ(facade.counters().badPath, badForms);
    refusal = errorAnswer(401, {"AccessDenied", {}, {}});
    EXPECT_EQ(given[ask("POST", "/redfish/v1/SessionService/Sessions", "root")].status, 401);
    refusal = errorAnswer(403, {"InsufficientPrivilege", {}, {}});
    EXPECT_EQ(given[get("/redfish/v1/AccountService/Accounts", "root")].status, 403);
    EXPECT_EQ(facade.counters().unauthenticated, 1u);
    EXPECT_EQ(facade.counters().forbidden, 2u);
}

}  // namespace
}  // namespace mesh::aggregator
