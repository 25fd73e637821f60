#include "aggregator/core/tests/facade_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

struct Joining : FacadeRig {
    const std::string system = "/redfish/v1/Systems/A1_1";
};

TEST_F(Joining, IdenticalGetsAreSentOnceAndAllAreAnsweredWhole)
{
    const ExchangeId first = get(system), second = get(system), third = get(system);
    ASSERT_EQ(commands(1).size(), 1U);
    reply(1, take(1), 200, R"({"Id":"A1_1"})");
    for (const ExchangeId id : {first, second, third}) {
        EXPECT_EQ(given[id].status, 200);
        EXPECT_EQ(given[id].body, R"({"Id":"A1_1"})");
        EXPECT_TRUE(given[id].whole);
    }
    EXPECT_EQ(facade.joined(), 2U);
    EXPECT_EQ(facade.open(), 0U);
    get(system);
    EXPECT_EQ(commands(1).size(), 1U);
}

TEST_F(Joining, OnlyWhoMayAskAndIsOfTheSameTenantFollows)
{
    get(system);
    EXPECT_EQ(given[get(system, "nobody")].status, 403);
    EXPECT_EQ(given[get(system, "zeta")].status, 404);
    get(system, "root");
    ask("HEAD", system);
    get(system, "acme", {{"If-None-Match", "\"1\""}});
    get(system, "acme", {{"Cache-Control", "no-cache"}});
    get(system, "acme", {{"Cache-Control", "no-cache"}});
    EXPECT_EQ(commands(1).size(), 6U);
    EXPECT_EQ(*findHeader(commands(1).back().command.http.headers, "Cache-Control"), "no-cache");
    EXPECT_EQ(facade.joined(), 0U);
}

TEST_F(Joining, WhatIsAskedAfterAWriteBeganOrEndedIsNotAnsweredByWhatBeganBefore)
{
    get(system);
    ask("PATCH", system);
    const ExchangeId during = get(system);
    ASSERT_EQ(commands(1).size(), 3U);
    take(1);
    reply(1, take(1), 204, "");
    const ExchangeId after = get(system);
    ASSERT_EQ(commands(1).size(), 2U);
    reply(1, take(1), 200, "1");
    EXPECT_EQ(given[during].body, "1");
    EXPECT_FALSE(given.contains(after));
    reply(1, take(1), 200, "2");
    EXPECT_EQ(given[after].body, "2");
}

TEST_F(Joining, WhoAskedWhileAWriteMayHaveComeBetweenAsksAnewOnceAndTogether)
{
    const ExchangeId first = get(system);
    pass(1s);
    const ExchangeId second = get(system), third = get(system);
    pass(1s);
    undisturbed = false;
    reply(1, take(1), 200, "old");
    EXPECT_EQ(given[first].body, "old");
    EXPECT_FALSE(given.contains(second) || given.contains(third));
    ASSERT_EQ(commands(1).size(), 1U);
    reply(1, take(1), 200, "new");
    EXPECT_EQ(given[second].body, "new");
    EXPECT_EQ(given[third].body, "new");
    EXPECT_EQ(facade.counters().joinedAnew, 2U);
    EXPECT_EQ(facade.open(), 0U);
}

TEST_F(Joining, WhoAskedAfterTheAnswerHadLeftTheConnectorIsNotServedByIt)
{
    get(system);
    pass(1s);
    const ExchangeId early = get(system);
    pass(1s);
    const ExchangeId late = get(system);
    underWay = 500ms;
    reply(1, take(1), 200, "old");
    EXPECT_EQ(given[early].body, "old");
    EXPECT_FALSE(given.contains(late));
    reply(1, take(1), 200, "new");
    EXPECT_EQ(given[late].body, "new");
}

TEST_F(Joining, AnAnswerInPiecesIsForOneAndTheOthersAskThemselves)
{
    const ExchangeId first = get(system), second = get(system), third = get(system);
    const Sent large = take(1);
    reply(1, large, 200, "one", false);
    EXPECT_EQ(given[first].body, "one");
    ASSERT_EQ(commands(1).size(), 2U);
    EXPECT_FALSE(given.contains(second));
    reply(1, take(1), 200, "whole");
    EXPECT_EQ(given[second].body, "whole");
    EXPECT_FALSE(given.contains(third));
    reply(1, take(1), 200, "whole");
    chunk(1, large, 3, "two", true);
    EXPECT_EQ(given[first].body, "onetwo");
    EXPECT_EQ(given[third].body, "whole");
}

TEST_F(Joining, AFailureIsEverybodysButTimeIsEachOnesOwn)
{
    const ExchangeId first = get(system), second = get(system);
    fail(1, take(1), Code::permissionDenied, "policy");
    EXPECT_EQ(given[first].status, 403);
    EXPECT_EQ(given[second].status, 403);
    const ExchangeId early = get(system);
    pass(10s);
    const ExchangeId late = get(system);
    take(1);
    pass(20s);
    EXPECT_EQ(given[early].status, 504);
    EXPECT_FALSE(given.contains(late));
    commands(1).pop_front();  // the silent one's second try
    reply(1, take(1), 200, "{}");
    EXPECT_EQ(given[late].status, 200);
    const ExchangeId last = get(system), follower = get(system);
    pass(limits::defaultRequestDeadline / 3);
    pass(limits::defaultRequestDeadline);
    EXPECT_EQ(given[last].status, 504);
    EXPECT_EQ(given[follower].status, 504);
}

TEST_F(Joining, WhoGoesAwayTakesNobodyAlong)
{
    const ExchangeId first = get(system), second = get(system), third = get(system);
    const Sent sent = take(1);
    facade.onAborted(second);
    commands(1);
    EXPECT_TRUE(cancelled.empty());
    facade.onAborted(first);
    reply(1, take(1), 200, "{}");
    EXPECT_EQ(cancelled, std::vector<MessageId>{sent.id});
    EXPECT_EQ(given.size(), 1U);
    EXPECT_EQ(given[third].status, 200);
    EXPECT_EQ(facade.open(), 0U);
}

TEST_F(Joining, FollowersOfARegistryAreServedByTheNextSatelliteToo)
{
    announce(1, {{"Registries", {"Base.1.8.1"}}});
    announce(2, {{"Registries", {"Base.1.8.1"}}});
    const ExchangeId first = get("/redfish/v1/Registries/Base.1.8.1"), second = get("/redfish/v1/Registries/Base.1.8.1");
    reply(1, take(1), 500, "{}");
    ASSERT_EQ(commands(2).size(), 1U);
    reply(2, take(2), 200, "{}");
    EXPECT_EQ(given[first].status, 200);
    EXPECT_EQ(given[second].status, 200);
}

}  // namespace
}  // namespace mesh::aggregator
