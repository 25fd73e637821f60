#include "aggregator/core/commands.hpp"

#include "aggregator/core/tests/facade_fixture.hpp"
#include "aggregator/core/tests/fake_history.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

// What quotas of tenants let through to satellites and workers: s1 and s2 are acme's, s3 is zeta's.
struct FacadeQuota : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        for (const char* tenant : {"acme", "zeta"}) {
            ASSERT_TRUE(tenantsOf.addTenant(tenant).ok());
        }
        facade.setQuotas(quotas);
        carried.setQuotas(quotas);
        for (shoset::LinkId link = 1; link <= names.size(); ++link) {
            announce(link, {{"Systems", {"one"}}});
            book.onOffers(name(link), {5, link, {{"power-controller", 1, 0, {{"power.cycle", ""}}}}});
        }
    }
    void allow(const std::string& tenant, const tenants::Quota& quota)
    {
        ASSERT_TRUE(tenantsOf.setQuota(tenant, quota).ok());
        quotas.setRegistry(tenantsOf);
    }
    std::uint64_t inFlight(const std::string& tenant) const { return quotas.find(tenant)->inFlight; }
    CommandAsk command(const std::string& connector, const std::string& tenant = "acme", const std::string& payload = "{}") const
    {
        CommandAsk ask;
        ask.tenant = tenant;
        ask.to.name = connector;
        ask.wanted.command = "power.cycle";
        ask.payload = payload;
        ask.deadline = now.mono + 30s;
        return ask;
    }
    CommandAsk toAll() const
    {
        CommandAsk ask = command("");
        ask.to = {"", "power-controller", true};
        return ask;
    }
    ExchangeId write(const std::string& body)
    {
        facade.setNow(now);
        const ExchangeId id = 1000 + ++writes;
        facade.onRequest(id, {{"PATCH", system, {{"Authorization", "acme"}}}, "client", false, body, body.size()});
        return id;
    }

    const std::string system = "/redfish/v1/Systems/A1_one";
    tenants::Registry tenantsOf;
    TenantQuotas quotas;
    OfferBook book;
    tenants::Policy grants;
    Commands carried{mesh, broker, satellites, book, grants, [](Now) { return Result<void>(); }, rng};
    ExchangeId writes = 0;
};

TEST_F(FacadeQuota, RequestsBeyondItAreRefusedAndNotSentAndAnotherTenantsAreNot)
{
    allow("acme", {2, 0, 0, 0});
    get(system);
    get("/redfish/v1/Systems/B1_one");
    const ExchangeId third = get("/redfish/v1/Systems/A1_one/Bios");
    EXPECT_EQ(given[third].status, 503);
    EXPECT_EQ(*findHeader(given[third].headers, "Retry-After"), "1");
    EXPECT_EQ(given[third].json()["error"]["code"], "Base.1.18.ServiceTemporarilyUnavailable");
    EXPECT_EQ(given[third].json()["error"]["message"], "Tenant acme has reached its quota of 2 messages a second; nothing was sent.");
    EXPECT_EQ(commands(1).size(), 1U);
    EXPECT_EQ(commands(2).size(), 1U);
    EXPECT_EQ(given[get("/redfish/v1/Systems/A1_one/Bios", "root")].status, 503) << "the connector's tenant counts, not who asks";
    for (int i = 0; i < 10; ++i) {
        const ExchangeId others = get("/redfish/v1/Systems/C1_one/x" + std::to_string(i), "zeta");
        EXPECT_FALSE(given.contains(others));
    }
    EXPECT_EQ(commands(3).size(), 10U);
    pass(500ms);
    const ExchangeId later = get("/redfish/v1/Systems/A1_one/Bios");
    EXPECT_FALSE(given.contains(later));
    EXPECT_EQ(facade.open(), 13U) << "who was refused is not remembered";
}

TEST_F(FacadeQuota, ManyRefusalsComeALittleLaterAndAreForgottenWithTheirClients)
{
    allow("acme", {1, 0, 0, 0});
    get(system);
    std::vector<ExchangeId> refused;
    for (std::size_t i = 0; i < PacedRefusals::atOnce + 3; ++i) {
        refused.push_back(write("{}"));
    }
    EXPECT_EQ(given.size(), PacedRefusals::atOnce);
    facade.onAborted(refused.back());
    facade.onRequestBody(refused[PacedRefusals::atOnce], "more", true);
    pass(3 * PacedRefusals::each);
    EXPECT_EQ(given.size(), PacedRefusals::atOnce + 2);
    EXPECT_EQ(given[refused[PacedRefusals::atOnce]].status, 503);
    EXPECT_EQ(facade.open(), 1U);
    EXPECT_EQ(commands(1).size(), 1U) << "nothing of it was sent";
}

TEST_F(FacadeQuota, ATenantThatFloodsHasAFewRequestsInATurnOnceAnotherOneAsks)
{
    get("/redfish/v1/Systems/C1_one", "zeta");
    for (std::size_t i = 0; i < 3 * TenantTurns::share; ++i) {
        get(system + "/x" + std::to_string(i));
    }
    get("/redfish/v1/Systems/C1_one/Bios", "zeta");
    EXPECT_EQ(broker.inFlight(), TenantTurns::share + 2) << "the others wait";
    facade.onTimer(now);
    EXPECT_EQ(broker.inFlight(), 2 * TenantTurns::share + 2);
    EXPECT_EQ(commands(1).size(), 3 * TenantTurns::share);
    EXPECT_EQ(commands(3).size(), 2U);
}

TEST_F(FacadeQuota, WhoseClientGoesWhileItWaitsTakesNobodysTurn)
{
    get("/redfish/v1/Systems/C1_one", "zeta");
    std::vector<ExchangeId> asked;
    for (std::size_t i = 0; i < 3 * TenantTurns::share; ++i) {
        asked.push_back(get(system + "/x" + std::to_string(i)));
    }
    EXPECT_EQ(broker.inFlight(), TenantTurns::share + 1);
    for (std::size_t i = TenantTurns::share; i < 2 * TenantTurns::share; ++i) {
        facade.onAborted(asked[i]);
    }
    facade.onTimer(now);
    EXPECT_EQ(broker.inFlight(), 2 * TenantTurns::share + 1);
}

TEST_F(FacadeQuota, WhatTheNodeAnswersItselfTakesATurnOfTheAskersTenant)
{
    get("/redfish/v1/Systems/C1_one", "zeta");
    std::vector<ExchangeId> asked;
    for (std::size_t i = 0; i < TenantTurns::share; ++i) {
        asked.push_back(get("/mesh/v1/commands/" + std::to_string(i)));
    }
    asked.push_back(get("/redfish/v1/Systems"));
    const ExchangeId left = get("/mesh/v1/commands"), posted = post("/mesh/v1/commands");
    EXPECT_EQ(given.size(), TenantTurns::share) << "the others wait";
    const ExchangeId unknown = get("/redfish/v1/Registries/Base.1.99.0");
    facade.onAborted(left);
    EXPECT_TRUE(given.contains(get("/mesh/v1/commands", "root"))) << "the system's own do not wait,";
    EXPECT_TRUE(given.contains(get("/mesh/v1/commands", "zeta"))) << "nor do those of who asks for little";
    EXPECT_FALSE(given.contains(asked.back()));
    EXPECT_FALSE(granted.contains(posted));
    EXPECT_LE(facade.nextDeadline(), now.mono);
    facade.onTimer(now);
    EXPECT_EQ(given[asked.back()].json()["Members@odata.count"], 2);
    EXPECT_EQ(given[unknown].status, 404);
    EXPECT_FALSE(given.contains(left));
    EXPECT_TRUE(granted.contains(posted)) << "the body is asked for when it is its turn,";
    get("/mesh/v1/commands");
    facade.onRequestBody(posted, "{}", true);
    EXPECT_FALSE(given.contains(posted)) << "and has another when it has come";
    facade.onTimer(now);
    EXPECT_TRUE(given.contains(posted));
    EXPECT_EQ(facade.open(), 1U);
}

TEST_F(FacadeQuota, WhoAsksTheNodeForTheSystemMakesNobodyWait)
{
    for (std::size_t i = 0; i < 2 * TenantTurns::share; ++i) {
        get("/mesh/v1/commands", "root");
        get("/mesh/v1/commands");
    }
    EXPECT_EQ(given.size(), 4 * TenantTurns::share);
}

TEST_F(FacadeQuota, AnswersToAnotherOnesGetCostNothingAndNobodyFollowsARefusedOne)
{
    allow("acme", {1, 0, 0, 0});
    const ExchangeId first = get(system);
    const ExchangeId follower = get(system);
    EXPECT_FALSE(given.contains(follower));
    EXPECT_EQ(given[get("/redfish/v1/Systems/B1_one")].status, 503);
    reply(1, take(1), 200, "1");
    EXPECT_EQ(given[first].status, 200);
    EXPECT_EQ(given[follower].status, 200);
    pass(1s);
    const ExchangeId again = get("/redfish/v1/Systems/B1_one");
    EXPECT_FALSE(given.contains(again)) << "it does not wait for the one that was refused";
    reply(2, take(2), 200, "2");
    EXPECT_EQ(given[again].body, "2");
}

TEST_F(FacadeQuota, BytesOfARequestCountUntilItHasEndedHoweverItEnds)
{
    allow("acme", {0, 100, 0, 0});
    const std::string body = "{\"a\":\"" + std::string(60, 'x') + "\"}";
    write(body);
    EXPECT_EQ(inFlight("acme"), body.size());
    EXPECT_EQ(given[write(body)].status, 503);
    EXPECT_EQ(commands(1).size(), 1U);
    reply(1, take(1), 204, "");
    EXPECT_EQ(inFlight("acme"), 0U) << "answered";
    write(body);
    fail(1, take(1), Code::permissionDenied, "no");
    EXPECT_EQ(inFlight("acme"), 0U) << "refused";
    facade.onAborted(write(body));
    EXPECT_EQ(inFlight("acme"), 0U) << "the client left";
    const ExchangeId late = write(body);
    pass(31s);
    EXPECT_EQ(given[late].status, 504);
    EXPECT_EQ(inFlight("acme"), 0U) << "not answered in time";
    const ExchangeId cut = write(body);
    take(1);
    take(1);
    reply(1, take(1), 200, "half", false);
    EXPECT_EQ(inFlight("acme"), body.size()) << "its answer is still coming";
    facade.onAborted(cut);
    EXPECT_EQ(inFlight("acme"), 0U);
}

TEST_F(FacadeQuota, WhatIsAskedOfTheNextSatelliteIsStillOneMessage)
{
    announce(1, {{"Registries", {"Base.1.8.1"}}});
    announce(2, {{"Registries", {"Base.1.8.1"}}});
    allow("acme", {1, 0, 0, 0});
    const ExchangeId id = get("/redfish/v1/Registries/Base.1.8.1");
    const shoset::LinkId first = commands(1).empty() ? 2 : 1;
    fail(first, take(first), Code::notSent, "gone");
    ASSERT_FALSE(given.contains(id)) << "it was let in";
    reply(3 - first, take(3 - first), 200, "{}");
    EXPECT_EQ(given[id].status, 200);
    EXPECT_EQ(given[get(system)].status, 503) << "and was counted";
}

TEST_F(FacadeQuota, AMessageOfAnotherTenantIsOneOfItsOwn)
{
    announce(1, {{"Registries", {"Base.1.8.1"}}});
    announce(3, {{"Registries", {"Base.1.8.1"}}});
    allow("acme", {1, 0, 0, 0});
    allow("zeta", {1, 0, 0, 0});
    const ExchangeId id = get("/redfish/v1/Registries/Base.1.8.1", "root");
    const shoset::LinkId first = commands(1).empty() ? 3 : 1;
    fail(first, take(first), Code::notSent, "gone");
    take(4 - first);
    EXPECT_FALSE(given.contains(id));
    EXPECT_EQ(given[get(system)].status, 503);
    EXPECT_EQ(given[get("/redfish/v1/Systems/C1_one", "zeta")].status, 503);
}

TEST_F(FacadeQuota, OfABodyThatStreamsCountsWhatIsHeldOfIt)
{
    allow("acme", {0, limits::streamWindowBytes, 0, 0});
    facade.onRequest(500, {{"POST", system, {{"Authorization", "acme"}}}, "client", true, {}, 1ull << 30});
    EXPECT_EQ(inFlight("acme"), limits::streamWindowBytes);
    EXPECT_EQ(given[write("{}")].status, 503);
    facade.onAborted(500);
    EXPECT_EQ(inFlight("acme"), 0U);
    facade.onRequest(501, {{"POST", system, {{"Authorization", "acme"}}}, "client", true, {}, 0});
    EXPECT_EQ(inFlight("acme"), limits::streamWindowBytes) << "nobody knows how long it is";
}

TEST_F(FacadeQuota, ARefusedWriteIsInTheAuditAsThat)
{
    allow("acme", {1, 0, 0, 0});
    FakeHistory history;
    AuditTrail trail{AuditMode::required, "agg", history, rng};
    facade.setAudit(trail);
    get(system);
    const ExchangeId id = write("{}");
    EXPECT_EQ(given[id].status, 503);
    ASSERT_TRUE(history.finish(now));
    ASSERT_EQ(history.stored.size(), 1U);
    EXPECT_EQ(history.stored.at(0).phase, history::Phase::result);
    EXPECT_EQ(history.stored.at(0).status, 503);
}

TEST_F(FacadeQuota, WhoIsOverItIsMissingInACollectionThatIsGathered)
{
    const std::string path = "TelemetryService/LogService/Entries";
    for (shoset::LinkId link = 1; link <= names.size(); ++link) {
        announce(link, {{path, {}}});
    }
    allow("acme", {1, 0, 0, 0});
    const ExchangeId id = get("/redfish/v1/" + path, "root");
    EXPECT_EQ(commands(1).size() + commands(2).size(), 1U);
    const std::string page = R"({"Members":[]})";
    const shoset::LinkId asked = commands(1).empty() ? 2 : 1;
    reply(asked, take(asked), 200, page);
    reply(3, take(3), 200, page);
    EXPECT_EQ(given[id].status, 200);
    EXPECT_NE(given[id].body.find("quota of 1 messages a second"), std::string::npos) << given[id].body;
}

TEST_F(FacadeQuota, EachConnectorThatGetsACommandIsAMessage)
{
    allow("acme", {3, 0, 0, 0});
    EXPECT_TRUE(carried.start(toAll(), now).ok());
    const Result<MessageId> refused = carried.start(toAll(), now);
    EXPECT_EQ(refused.error().code, Code::full);
    EXPECT_NE(refused.error().message.find("quota of 3 messages a second"), std::string::npos);
    EXPECT_EQ(carried.counters().refused, 1U);
    EXPECT_EQ(commands(1).size() + commands(2).size(), 2U) << "nothing of what was refused was sent";
    EXPECT_TRUE(carried.start(command("s1"), now).ok());
    EXPECT_EQ(carried.start(command("s1"), now).error().code, Code::full);
    EXPECT_EQ(given[get(system)].status, 503) << "requests and commands are counted together";
    EXPECT_TRUE(carried.start(command("s3", "zeta"), now).ok());
}

TEST_F(FacadeQuota, APayloadIsInFlightForEachConnectorUntilTheLastHasEnded)
{
    allow("acme", {0, 1000, 0, 0});
    const std::string payload = "\"" + std::string(298, 'x') + "\"";
    CommandAsk both = toAll();
    both.payload = payload;
    ASSERT_TRUE(carried.start(both, now).ok());
    EXPECT_EQ(inFlight("acme"), 600U);
    EXPECT_EQ(carried.start(both, now).error().code, Code::full);
    shoset::Reply done{shoset::ReplyState::success, Code::ok, {}, {200, {}}};
    say(1, {take(1).id, name(1), "agg", done}, {}, true);
    EXPECT_EQ(inFlight("acme"), 600U);
    say(2, {take(2).id, name(2), "agg", done}, {}, true);
    EXPECT_EQ(inFlight("acme"), 0U);
    EXPECT_TRUE(carried.start(both, now).ok());
    pass(31s);
    EXPECT_EQ(inFlight("acme"), 0U) << "not answered in time";
}

TEST_F(FacadeQuota, WhatCannotBeSentIsNotCounted)
{
    allow("acme", {1, 1000, 0, 0});
    EXPECT_EQ(carried.start(command("nobody"), now).error().code, Code::notFound);
    EXPECT_EQ(given[get(system, "nobody")].status, 403);
    EXPECT_EQ(given[get(system, "zeta")].status, 404);
    EXPECT_TRUE(carried.start(command("s1"), now).ok());
}

}  // namespace
}  // namespace mesh::aggregator
