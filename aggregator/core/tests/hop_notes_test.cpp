#include "aggregator/core/hop_notes.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

using shoset::Kind;

struct HopNotesTest : testing::Test {
    void add(const MessageId& id, HopFate fate, const std::string& tenant = "acme", const MessageId& about = {}, HopRing ring = HopRing::messages)
    {
        now.wall += 1ms;
        notes.add(ring, tenant, {.fate = fate, .id = id, .about = about, .from = "agg-a", .to = tenant + "/sled07", .over = "agg-b"}, now);
    }
    void addEvents(EventPlace first, EventPlace last, const std::string& source = "acme/sled07")
    {
        notes.add(HopRing::events, shoset::tenantOf(source),
                  {.kind = Kind::event, .fate = HopFate::stored, .id = idOfPlace(first.epoch, first.sequence), .about = idOfPlace(last.epoch, last.sequence),
                   .from = source, .to = "agg-a"},
                  now);
    }
    MessageId fresh() { return MessageId::make(now.wall, rng); }
    std::vector<HopFate> fates(const TraceKey& key, const std::string& tenant = {}) const
    {
        std::vector<HopFate> out;
        for (const Hop& hop : notes.find(key, tenant).hops) {
            out.push_back(hop.fate);
        }
        return out;
    }
    std::vector<HopFate> fates(const MessageId& id, const std::string& tenant = {}) const { return fates(TraceKey{{id}}, tenant); }
    std::uint64_t metric(const std::string& name) const
    {
        std::vector<Counter> all;
        notes.addMetrics(all);
        for (const Counter& each : all) {
            if (each.name == "bmcmesh_hop_" + name) {
                return each.value;
            }
        }
        ADD_FAILURE() << name;
        return 0;
    }

    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{3};
    HopNotes notes;
};

using Fates = std::vector<HopFate>;

TEST_F(HopNotesTest, AMessageIsFoundWithAllThatWasNotedOfItTheOldestFirst)
{
    const MessageId id = fresh();
    add(id, HopFate::taken);
    add(fresh(), HopFate::sent);
    add(id, HopFate::sent);
    add(id, HopFate::forwarded, "acme", {}, HopRing::requests);
    EXPECT_EQ(fates(id), (Fates{HopFate::taken, HopFate::sent, HopFate::forwarded}));
    const Hop hop = notes.find(TraceKey{{id}}, "acme").hops.at(1);
    EXPECT_EQ(std::tie(hop.tenant, hop.from, hop.to, hop.over), std::make_tuple("acme", "agg-a", "acme/sled07", "agg-b"));
    EXPECT_EQ(hop.at, WallTime{} + 24h * 20000 + 3ms);
    EXPECT_TRUE(fates(fresh()).empty());
}

TEST_F(HopNotesTest, AnotherTenantsMessageIsAsIfItWereNotThere)
{
    const MessageId id = fresh();
    add(id, HopFate::sent, "beta");
    EXPECT_TRUE(fates(id, "acme").empty());
    EXPECT_EQ(fates(id, "beta").size(), 1U);
    EXPECT_EQ(fates(id, "").size(), 1U) << "who belongs to no tenant sees all";
    add(id, HopFate::sent, "");
    EXPECT_EQ(fates(id, "").size(), 1U) << "of the system's own nothing is kept";
}

TEST_F(HopNotesTest, WhatBelongsToAMessageIsFoundWithItAlsoOverSeveralIds)
{
    const MessageId recorded = fresh(), asked = fresh(), command = fresh(), part = fresh();
    add(asked, HopFate::recorded, "acme", recorded);
    add(command, HopFate::taken, "acme", asked);
    add(part, HopFate::sent, "acme", command);
    const FoundHops found = notes.find(TraceKey{{recorded}}, "acme");
    EXPECT_EQ(found.others, (std::vector<MessageId>{asked, command, part}));
    EXPECT_EQ(found.hops.size(), 3U);
    EXPECT_EQ(fates(part).size(), 1U) << "what it belongs to is another message";
    const MessageId foreign = fresh();
    add(foreign, HopFate::sent, "beta", command);
    EXPECT_EQ(notes.find(TraceKey{{recorded}}, "acme").hops.size(), 3U);
}

TEST_F(HopNotesTest, ACommandToAllIsTracedWithinALimitThatIsTold)
{
    const MessageId command = fresh();
    for (std::size_t i = 0; i < limits::maxTracedIds + 5; ++i) {
        add(fresh(), HopFate::sent, "acme", command);
    }
    const FoundHops found = notes.find(TraceKey{{command}}, "acme");
    EXPECT_EQ(found.others.size(), limits::maxTracedIds - 1);
    EXPECT_TRUE(found.more);
}

TEST_F(HopNotesTest, TheNewestAreKeptAndABusyTenantOverwritesItsOwn)
{
    const MessageId first = fresh(), quiet = fresh();
    add(first, HopFate::sent);
    add(quiet, HopFate::sent, "beta");
    for (std::size_t i = 1; i < limits::hopNotesOfMessages; ++i) {
        add(fresh(), HopFate::sent);
    }
    EXPECT_EQ(fates(first).size(), 1U);
    const MessageId last = fresh();
    add(last, HopFate::sent);
    EXPECT_TRUE(fates(first).empty());
    EXPECT_EQ(fates(last).size(), 1U);
    EXPECT_EQ(fates(quiet).size(), 1U);
    EXPECT_EQ(metric("notes_overwritten_total"), 1U);
}

TEST_F(HopNotesTest, RedfishRequestsDoNotPushOutCommands)
{
    const MessageId command = fresh();
    add(command, HopFate::sent);
    for (std::size_t i = 0; i < 3 * limits::hopNotesOfRequests; ++i) {
        add(fresh(), HopFate::sent, "acme", {}, HopRing::requests);
    }
    EXPECT_EQ(fates(command).size(), 1U);
}

TEST_F(HopNotesTest, AnEventIsFoundInTheRunThatItWasStoredWith)
{
    addEvents({4, 7}, {4, 9});
    addEvents({4, 12}, {5, 2});
    const auto count = [this](std::uint64_t epoch, std::uint64_t sequence, const std::string& connector = "acme/sled07") {
        return fates({{}, connector, {epoch, sequence}, 0}).size();
    };
    EXPECT_EQ(count(4, 6), 0U);
    EXPECT_EQ(count(4, 7), 1U);
    EXPECT_EQ(count(4, 9), 1U);
    EXPECT_EQ(count(4, 10), 0U);
    EXPECT_EQ(count(5, 1), 1U);
    EXPECT_EQ(count(4, 8, "acme/sled08"), 0U);
}

TEST_F(HopNotesTest, AConnectorsConfigurationIsFoundByItsVersion)
{
    notes.add(HopRing::messages, "acme", {.kind = Kind::configure, .id = idOfPlace(900, 3), .from = "agg-a", .to = "acme/sled07"}, now);
    notes.add(HopRing::messages, "acme", {.kind = Kind::configured, .fate = HopFate::failed, .id = idOfPlace(900, 3), .from = "acme/sled07", .to = "agg-a"}, now);
    EXPECT_EQ(fates({{}, "acme/sled07", {}, 3}), (Fates{HopFate::sent, HopFate::failed}));
    EXPECT_TRUE(fates({{}, "acme/sled07", {}, 4}).empty());
    EXPECT_TRUE(fates({{}, "acme/sled08", {}, 3}).empty());
}

TEST_F(HopNotesTest, TenantsAndNamesAreBounded)
{
    const MessageId first = fresh(), second = fresh();
    add(first, HopFate::sent, "t0");
    add(second, HopFate::sent, "t1");
    add(first, HopFate::sentAgain, "t0");
    for (std::size_t i = 2; i <= limits::maxHopTenants; ++i) {
        add(fresh(), HopFate::sent, "t" + std::to_string(i));
    }
    EXPECT_TRUE(fates(second).empty()) << "the one with the oldest notes has lost them";
    EXPECT_EQ(fates(first).size(), 2U);
    EXPECT_EQ(metric("tenants_forgotten_total"), 1U);
    for (std::size_t i = 0; i < limits::maxHopNames; ++i) {
        notes.add(HopRing::messages, "t0", {.id = second, .from = "agg-a", .to = "t0/s" + std::to_string(i)}, now);
    }
    EXPECT_EQ(metric("names_forgotten_total"), 1U);
    EXPECT_TRUE(fates(first).empty());
    const MessageId last = fresh();
    add(last, HopFate::sent, "t0");
    EXPECT_EQ(notes.find(TraceKey{{last}}, "t0").hops.at(0).to, "t0/sled07") << "names are their own again";
}

TEST(TraceKeys, AreOfMessagesEventsAndConfigurations)
{
    const auto message = readTraceKey("0123456789ABCDEF0123456789abcdef");
    ASSERT_TRUE(message && message->isOfMessages());
    EXPECT_EQ(message->ids.at(0).hex(), "0123456789abcdef0123456789abcdef");
    const auto event = readTraceKey(eventId("acme", "@agg-a", {7, 12}));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->connector, "acme/@agg-a");
    EXPECT_EQ(event->event, (EventPlace{7, 12}));
    const auto version = readTraceKey("acme:sled07:v3");
    ASSERT_TRUE(version);
    EXPECT_EQ(std::tie(version->connector, version->version), std::make_tuple("acme/sled07", 3U));
    for (const char* none : {"", "abc", "00000000000000000000000000000000", "acme:sled07", "acme:sled07:3", "acme:sled07:v0", "acme:sled07:v", ":sled07:1:2",
                             "acme::1:2", "acme:sled07:0:2", "acme:sled07:1:0", "acme:sled07:1:x", "acme:sled07:1:2:3", "a/b:sled07:1:2",
                             "acme:@:1:2", "acme:sled07:99999999999999999999:1"}) {
        EXPECT_FALSE(readTraceKey(none)) << none;
    }
}

}  // namespace
}  // namespace mesh::aggregator
