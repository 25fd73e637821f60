#include "aggregator/core/trace_order.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mesh::aggregator {
namespace {

TracedHop hop(const std::string& node, const std::string& kind, const std::string& what, std::int64_t at, const std::string& over = {})
{
    const bool back = kind == "reply";
    return {node, "acme", "id", kind, what, "", back ? "acme/sled07" : "agg-a", back ? "agg-a" : "acme/sled07", over, at, 0};
}

// "NODE KIND WHAT AT".
std::vector<std::string> shown(const std::vector<TracedHop>& hops)
{
    std::vector<std::string> out;
    for (const TracedHop& each : hops) {
        out.push_back(each.node + " " + each.kind + " " + each.what + " " + std::to_string(each.at));
    }
    return out;
}

using OrderLines = std::vector<std::string>;

TEST(TraceOrder, AClockThatDiffersForSureIsPutRight)
{
    std::vector<TracedHop> hops{hop("agg-a", "command", "sent", 10'000, "agg-b"), hop("agg-a", "reply", "SUCCESS", 30'000),
                                hop("agg-b", "command", "forwarded", 511'000, "acme/sled07"), hop("agg-b", "reply", "forwarded", 529'000, "agg-a")};
    hops[3].left = 528'000;
    putInOrder(hops, {{"agg-b", {500'000, 2'000}}}, "agg-a");
    EXPECT_EQ(shown(hops), (OrderLines{"agg-a command sent 10000", "agg-b command forwarded 11000", "agg-b reply forwarded 29000", "agg-a reply SUCCESS 30000"}));
    EXPECT_EQ(hops[2].left, 28'000);
}

TEST(TraceOrder, AClockThatMayBeTheSameIsTakenToBe)
{
    std::vector<TracedHop> hops{hop("agg-b", "command", "forwarded", 11'000, "acme/sled07"), hop("agg-a", "command", "sent", 10'500, "agg-b")};
    putInOrder(hops, {{"agg-b", {1'500, 2'000}}}, "agg-a");
    EXPECT_EQ(shown(hops), (OrderLines{"agg-a command sent 10500", "agg-b command forwarded 11000"}));
}

TEST(TraceOrder, NoHopIsShownBeforeTheOneThatLedToIt)
{
    std::vector<TracedHop> hops{hop("agg-b", "command", "forwarded", 9'000, "acme/sled07"), hop("agg-b", "reply", "forwarded", 14'000, "agg-a"),
                                hop("agg-a", "command", "sent", 10'000, "agg-b"), hop("agg-a", "reply", "SUCCESS", 14'500)};
    putInOrder(hops, {}, "agg-a");
    EXPECT_EQ(shown(hops), (OrderLines{"agg-a command sent 10000", "agg-b command forwarded 10000", "agg-b reply forwarded 15000", "agg-a reply SUCCESS 15000"}));
}

TEST(TraceOrder, WhatWasSentAgainLedToTheSecondOne)
{
    std::vector<TracedHop> hops{hop("agg-a", "command", "sent", 10'000, "agg-b"), hop("agg-b", "command", "forwarded", 11'000, "acme/sled07"),
                                hop("agg-a", "command", "sent again", 20'000, "agg-b"), hop("agg-b", "command", "forwarded", 21'000, "acme/sled07")};
    const OrderLines before = shown(hops);
    putInOrder(hops, {}, "agg-a");
    EXPECT_EQ(shown(hops), before);
}

TEST(TraceOrder, AtOneTimeWhatComesFirstIsFirst)
{
    std::vector<TracedHop> hops{hop("agg-a", "reply", "SUCCESS", 5), hop("agg-a", "command", "sent", 5, "acme/sled07"), hop("agg-a", "command", "taken", 5)};
    putInOrder(hops, {}, "agg-a");
    EXPECT_EQ(shown(hops), (OrderLines{"agg-a command taken 5", "agg-a command sent 5", "agg-a reply SUCCESS 5"}));
}

TEST(TraceOrder, WhatAnotherNodeTellsIsReadAndNonsenseIsNot)
{
    const nlohmann::ordered_json told{{"at_us", 7}, {"tenant", "acme"}, {"kind", "reply"}, {"what", "FAIL"}, {"from", "acme/s"}, {"to", "agg-a"},
                                      {"message", "ab"}, {"code", "full"}, {"over", "agg-b"}, {"left_us", 5}};
    const auto read = readTracedHop("agg-b", told);
    ASSERT_TRUE(read);
    const nlohmann::ordered_json again = tracedHopDocument(*read);
    for (const auto& [name, value] : told.items()) {
        EXPECT_EQ(again.at(name), value) << name;
    }
    EXPECT_EQ(again.at("node"), "agg-b");
    EXPECT_EQ(again.at("time"), "1970-01-01T00:00:00.000007Z");
    for (const char* none : {"[]", "7", "{}", R"({"at_us":7,"kind":"reply"})", R"({"at_us":"7","kind":"reply","tenant":"acme"})",
                             R"({"at_us":7,"kind":{},"tenant":"acme"})"}) {
        EXPECT_FALSE(readTracedHop("agg-b", nlohmann::ordered_json::parse(none))) << none;
    }
}

}  // namespace
}  // namespace mesh::aggregator
