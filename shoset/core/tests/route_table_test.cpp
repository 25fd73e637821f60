#include "shoset/core/route_table.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

using Links = std::vector<LinkId>;
using Changed = RouteTable::Changed;

std::uint32_t toldDistance(const RouteTable& table, LinkId to, const Address& address)
{
    const std::vector<Route> routes = table.advertise(to, {address});
    EXPECT_EQ(routes.size(), 1u);
    EXPECT_EQ(routes.front().address, address);
    return routes.front().distance;
}

TEST(RouteTable, KnowsNothingAtFirst)
{
    const RouteTable table;
    EXPECT_TRUE(table.nextHops("agg-b").empty());
    EXPECT_FALSE(table.best("agg-b").has_value());
    EXPECT_TRUE(table.addresses().empty());
    EXPECT_TRUE(table.advertiseAll(1).empty());
    EXPECT_EQ(toldDistance(table, 1, "agg-b"), 0u);
}

TEST(RouteTable, ANeighbourIsOneHopAway)
{
    RouteTable table;
    EXPECT_EQ(table.addNeighbour(1, "agg-b"), Changed{"agg-b"});
    EXPECT_EQ(table.nextHops("agg-b"), Links{1});
    EXPECT_EQ(table.best("agg-b"), 1u);
    EXPECT_EQ(toldDistance(table, 2, "agg-b"), 1u);
}

TEST(RouteTable, ALearnedRouteIsOneHopFartherThanItsTellerSaid)
{
    RouteTable table;
    EXPECT_EQ(table.learn(1, {{"acme/sled07", 1}, {"agg-c", 2}}), (Changed{"acme/sled07", "agg-c"}));
    EXPECT_EQ(toldDistance(table, 2, "acme/sled07"), 2u);
    EXPECT_EQ(toldDistance(table, 2, "agg-c"), 3u);
    EXPECT_EQ(table.addresses(), (std::vector<Address>{"acme/sled07", "agg-c"}));
}

TEST(RouteTable, NextHopsAreSortedNearestFirst)
{
    RouteTable table;
    table.learn(1, {{"x", 3}});
    table.learn(2, {{"x", 1}});
    table.addNeighbour(3, "x");
    table.learn(4, {{"x", 2}});
    EXPECT_EQ(table.nextHops("x"), (Links{3, 2, 4, 1}));
    EXPECT_EQ(table.best("x"), 3u);
}

TEST(RouteTable, OfEqualDistanceTheOldestComesFirst)
{
    RouteTable table;
    table.learn(5, {{"x", 1}});
    table.learn(2, {{"x", 1}});
    table.learn(9, {{"x", 1}});
    EXPECT_EQ(table.nextHops("x"), (Links{5, 2, 9}));
}

TEST(RouteTable, HearingTheSameAgainChangesNothingNotEvenTheOrder)
{
    RouteTable table;
    table.learn(5, {{"x", 1}});
    table.learn(2, {{"x", 1}});
    EXPECT_TRUE(table.learn(5, {{"x", 1}}).empty());
    EXPECT_EQ(table.nextHops("x"), (Links{5, 2}));
}

TEST(RouteTable, OnlyABetterBestWayIsAChange)
{
    RouteTable table;
    table.learn(1, {{"x", 1}});
    EXPECT_TRUE(table.learn(2, {{"x", 2}}).empty());
    EXPECT_TRUE(table.learn(2, {{"x", 0}}).empty());
    EXPECT_EQ(table.addNeighbour(3, "x"), Changed{"x"});
    EXPECT_TRUE(table.learn(1, {{"x", 0}}).empty());
    EXPECT_EQ(table.nextHops("x"), Links{3});
}

TEST(RouteTable, WithdrawalFallsBackToTheNextNearest)
{
    RouteTable table;
    table.learn(1, {{"x", 1}});
    table.learn(2, {{"x", 2}});
    EXPECT_EQ(table.learn(1, {{"x", 0}}), Changed{"x"});
    EXPECT_EQ(table.nextHops("x"), Links{2});
    EXPECT_EQ(toldDistance(table, 1, "x"), 3u);
    EXPECT_EQ(table.learn(2, {{"x", 0}}), Changed{"x"});
    EXPECT_TRUE(table.nextHops("x").empty());
    EXPECT_EQ(toldDistance(table, 1, "x"), 0u);
    EXPECT_TRUE(table.learn(2, {{"x", 0}}).empty());
}

TEST(RouteTable, ALinkThatEndsTakesAllItsRoutesAndNoOthers)
{
    RouteTable table;
    table.addNeighbour(1, "agg-b");
    table.learn(1, {{"x", 1}, {"y", 1}});
    table.learn(2, {{"y", 2}, {"z", 1}});
    EXPECT_EQ(table.removeLink(1), (Changed{"agg-b", "x", "y"}));
    EXPECT_EQ(table.addresses(), (std::vector<Address>{"y", "z"}));
    EXPECT_EQ(table.nextHops("y"), Links{2});
    EXPECT_TRUE(table.removeLink(1).empty());
}

TEST(RouteTable, TheLastWordOfALinkCounts)
{
    RouteTable table;
    table.learn(1, {{"x", 1}});
    EXPECT_EQ(table.learn(1, {{"x", 3}}), Changed{"x"});
    EXPECT_EQ(toldDistance(table, 2, "x"), 4u);
    EXPECT_EQ(table.learn(1, {{"x", 0}, {"x", 2}}).size(), 2u);
    EXPECT_EQ(toldDistance(table, 2, "x"), 3u);
}

TEST(RouteTable, SplitHorizonTellsTheBestNextHopNothing)
{
    RouteTable table;
    table.learn(1, {{"x", 1}});
    table.learn(2, {{"x", 2}});
    EXPECT_EQ(toldDistance(table, 1, "x"), 0u);
    EXPECT_EQ(toldDistance(table, 2, "x"), 2u);
    EXPECT_EQ(toldDistance(table, 3, "x"), 2u);
    EXPECT_TRUE(table.advertiseAll(1).empty());
    ASSERT_EQ(table.advertiseAll(2).size(), 1u);
    EXPECT_EQ(table.advertiseAll(2)[0].distance, 2u);
}

TEST(RouteTable, AChangeOfTheBestLinkAloneIsAChangeSinceTwoNeighboursHearAnother)
{
    RouteTable table;
    table.learn(1, {{"x", 1}});
    table.learn(2, {{"x", 1}});
    EXPECT_EQ(table.learn(1, {{"x", 0}}), Changed{"x"});
    EXPECT_EQ(toldDistance(table, 2, "x"), 0u);
    EXPECT_EQ(toldDistance(table, 1, "x"), 2u);
}

TEST(RouteTable, RoutesOverTheHopLimitAreWithdrawals)
{
    constexpr auto limit = static_cast<std::uint32_t>(limits::maxHops);
    RouteTable table;
    EXPECT_EQ(table.learn(1, {{"x", limit - 1}}), Changed{"x"});
    EXPECT_EQ(toldDistance(table, 2, "x"), limit);
    EXPECT_EQ(table.learn(1, {{"x", limit}}), Changed{"x"});
    EXPECT_TRUE(table.nextHops("x").empty());
    EXPECT_TRUE(table.learn(1, {{"x", limit + 1}, {"y", UINT32_MAX}}).empty());
    EXPECT_TRUE(table.addresses().empty());
}

TEST(RouteTable, RefusesAndCountsAddressesOverItsBound)
{
    RouteTable table;
    for (std::size_t i = 0; i < limits::maxRoutes; ++i) {
        ASSERT_EQ(table.learn(1, {{"x" + std::to_string(i), 1}}).size(), 1u);
    }
    EXPECT_EQ(table.refused(), 0u);
    EXPECT_TRUE(table.learn(1, {{"one too many", 1}}).empty());
    EXPECT_EQ(table.refused(), 1u);
    EXPECT_EQ(table.learn(2, {{"x0", 0}}).size() + table.learn(1, {{"x0", 0}}).size(), 1u);
    EXPECT_EQ(table.learn(1, {{"fits now", 1}}).size(), 1u);
}

}  // namespace
}  // namespace mesh::shoset
