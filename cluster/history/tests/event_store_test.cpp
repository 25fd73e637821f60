#include "cluster/history/connection.hpp"
#include "cluster/history/core/database_url.hpp"
#include "cluster/history/schema.hpp"
#include "cluster/history/tests/history_databases.hpp"

#include <soci/soci.h>

#include <vector>

namespace mesh::history {

namespace {

EventRecord happening(std::uint64_t sequence, const std::string& payload = "{}", const std::string& connector = "sled07",
                      const std::string& topic = "power")
{
    return {start, "acme", connector, 3, sequence, topic, "off", payload};
}

EventRecord loss(std::uint64_t from, std::uint64_t to)
{
    return {start, "acme", "sled07", 3, from, "", "", "", to};
}

std::vector<std::uint64_t> numbers(const std::vector<EventRecord>& records)
{
    std::vector<std::uint64_t> out;
    for (const EventRecord& record : records) {
        out.push_back(record.sequence);
    }
    return out;
}

}  // namespace

class Events : public HistoryDatabases {
protected:
    std::vector<EventRecord> found(const EventQuery& query)
    {
        std::vector<EventRecord> out;
        const Result<EventPage> page = store->events(query);
        EXPECT_TRUE(page) << page.error().message;
        for (const StoredEvent& stored : page->records) {
            out.push_back(stored.record);
        }
        return out;
    }
    std::vector<EventRecord> after(std::uint64_t sequence, std::uint64_t epoch = 3)
    {
        const Result<SourcePage> page = store->eventsOf({"acme", "sled07", epoch, sequence});
        EXPECT_TRUE(page) << page.error().message;
        return page->records;
    }
};

INSTANTIATE_TEST_SUITE_P(Databases, Events, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(Events, AnEventIsStoredOnceWithAnyBytes)
{
    const std::string bytes("\0\xff\n\xc3", 4);
    const std::vector<EventRecord> events{happening(1), happening(2, bytes), happening(3, "J\xc3\xb6rg")};
    ASSERT_TRUE(store->append(events, start + 5s));
    const auto again = store->append({happening(2, "other"), happening(4)}, start + 6s);
    ASSERT_TRUE(again) << again.error().message;
    EventQuery query;
    query.limit = 3;
    const auto first = store->events(query);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_TRUE(first->more);
    ASSERT_EQ(first->records.size(), 3U);
    EXPECT_EQ(first->records[1].record, events[1]);
    EXPECT_EQ(first->records[1].stored, start + 5s);
    query.after = first->end;
    EXPECT_EQ(found(query), std::vector{happening(4)});
    EXPECT_EQ(store->events(query)->more, false);
}

TEST_P(Events, TheyAreFoundByWhatIsAskedFor)
{
    ASSERT_TRUE(store->append({happening(1), happening(2, "{}", "sled07", "power.supply"), happening(1, "{}", "sled08", "thermal")}, start));
    ASSERT_TRUE(store->append({loss(3, 5)}, start + 60s));
    EventQuery query;
    query.tenant = "acme";
    query.connector = "sled07";
    query.topic = "power";
    EXPECT_EQ(found(query), (std::vector{happening(1), loss(3, 5)}));
    query.topic = "power*";
    EXPECT_EQ(numbers(found(query)), (std::vector<std::uint64_t>{1, 2, 3}));
    query.topic = "power.*";
    EXPECT_EQ(numbers(found(query)), (std::vector<std::uint64_t>{2, 3}));
    query.topic = "*";
    EXPECT_EQ(found(query).size(), 3U);
    query.since = start + 1s;
    EXPECT_EQ(found(query), std::vector{loss(3, 5)});
    query.tenant = "beta";
    EXPECT_TRUE(found(query).empty());
}

TEST_P(Events, TheEndIsAPlaceToGoOnFrom)
{
    EventQuery query;
    query.fromEnd = true;
    EXPECT_EQ(store->events(query)->end, 0U);
    ASSERT_TRUE(store->append({happening(1), happening(2)}, start));
    const auto end = store->events(query);
    EXPECT_TRUE(end->records.empty());
    ASSERT_TRUE(store->append({happening(3)}, start));
    query.fromEnd = false;
    query.after = end->end;
    EXPECT_EQ(found(query), std::vector{happening(3)});
}

TEST_P(Events, OneConnectorIsReadInTheOrderOfItsSequence)
{
    ASSERT_TRUE(store->append({happening(9), happening(10), happening(1, "{}", "sled08")}, start));
    EventRecord next = happening(1);
    next.epoch = 12;
    ASSERT_TRUE(store->append({happening(11), next}, start));
    EXPECT_EQ(numbers(after(0)), (std::vector<std::uint64_t>{9, 10, 11, 1}));
    EXPECT_EQ(numbers(after(10)), (std::vector<std::uint64_t>{11, 1}));
    EXPECT_EQ(after(11), std::vector{next});
    EXPECT_TRUE(after(1, 12).empty());
    const auto page = store->eventsOf({"acme", "sled07", 0, 0, 2});
    EXPECT_EQ(numbers(page->records), (std::vector<std::uint64_t>{9, 10}));
    EXPECT_TRUE(page->more);
    const auto little = store->eventsOf({"acme", "sled07", 0, 0, 100, 3});
    EXPECT_EQ(little->records.size(), 2U) << "bytes count as well";
    EXPECT_TRUE(little->more);
    EXPECT_TRUE(store->eventsOf({"beta", "sled07", 0, 0})->records.empty());
}

TEST_P(Events, ALossThatBeganBeforeAPlaceIsFound)
{
    ASSERT_TRUE(store->append({happening(1), loss(2, 9), happening(10)}, start));
    EXPECT_EQ(after(5), (std::vector{loss(2, 9), happening(10)}));
    EXPECT_EQ(after(9), std::vector{happening(10)});
    EXPECT_EQ(after(0), (std::vector{happening(1), loss(2, 9), happening(10)}));
}

TEST_P(Events, TheLastOfEachConnectorIsKnownAlsoWhenItWent)
{
    ASSERT_TRUE(store->append({happening(1), loss(2, 9), happening(4, "{}", "sled08")}, start));
    EXPECT_EQ(*store->eventHeads(), (std::vector<EventHead>{{"acme", "sled07", 3, 9}, {"acme", "sled08", 3, 4}}));
    ASSERT_TRUE(store->append({happening(5)}, start));
    EXPECT_EQ(*store->pruneEvents({1s, 0}, start + 1h), 4U);
    EXPECT_EQ(*store->eventHeads("acme", "sled07"), (std::vector<EventHead>{{"acme", "sled07", 3, 9}}));
    EventRecord next = happening(1);
    next.epoch = 12;
    ASSERT_TRUE(store->append({next}, start));
    EXPECT_EQ(*store->eventHeads("acme", "sled07"), (std::vector<EventHead>{{"acme", "sled07", 12, 1}}));
    EXPECT_TRUE(store->eventHeads("beta", "sled07")->empty());
}

TEST_P(Events, WhatEachTenantHasIsCounted)
{
    EventRecord other = happening(1);
    other.tenant = "beta";
    ASSERT_TRUE(store->append({happening(1), happening(2), other}, start));
    EXPECT_EQ(*store->eventTotals(), (std::vector<EventTotal>{{"acme", 2, 2 * storedBytes(happening(1))}, {"beta", 1, storedBytes(other)}}));
}

TEST_P(Events, TheyGoByAgeAndSize)
{
    for (std::uint64_t i = 0; i < 50; ++i) {
        ASSERT_TRUE(store->append({happening(i)}, start + std::chrono::minutes(i)));
    }
    EXPECT_EQ(*store->pruneEvents({std::chrono::minutes(10), 0}, start + std::chrono::minutes(15)), 5U);
    EXPECT_EQ(*store->pruneEvents({std::chrono::minutes(10), 0}, start + std::chrono::minutes(15)), 0U);
    const std::uint64_t most = 16 * storedBytes(happening(0));
    EXPECT_EQ(*store->pruneEvents({Duration::zero(), most}, start), 31U);
    const auto left = store->events({});
    ASSERT_EQ(left->records.size(), 14U);
    EXPECT_EQ(left->records.back().record.sequence, 49U);
}

TEST_P(Events, AConnectorsClockDoesNotMakeThemOld)
{
    EventRecord first = happening(1);
    first.time = WallTime{};
    ASSERT_TRUE(store->append({first}, start));
    EXPECT_EQ(*store->pruneEvents({std::chrono::minutes(10), 0}, start + std::chrono::minutes(1)), 0U);
    EXPECT_EQ(found({}), std::vector{first});
}

// Statements as the first version made it; what is in it stays.
TEST_P(Events, ADatabaseOfTheFirstVersionIsMigrated)
{
    const std::string id = isServer() ? "bigserial primary key" : "integer primary key autoincrement";
    for (const std::string& statement : std::vector<std::string>{
             "create table mesh_schema (version integer not null)",
             "insert into mesh_schema (version) values (1)",
             "create table mesh_chain (node text not null, tenant text not null, floor_position bigint not null, "
             "floor_hash text not null, head_position bigint not null, head_hash text not null, bytes bigint not null, "
             "primary key (node, tenant))",
             "create table mesh_audit (id " + id + ", node text not null, tenant text not null, position bigint not null, "
             "time_us bigint not null, account text not null, client text not null, method text not null, uri text not null, "
             "request text not null, phase integer not null, status integer not null, hash text not null, "
             "bytes bigint not null, unique (node, tenant, position))",
             "create index mesh_audit_time on mesh_audit (time_us)",
             "create table mesh_event (id " + id + ", tenant text not null, connector text not null, epoch bigint not null, "
             "sequence bigint not null, time_us bigint not null, topic text not null, name text not null, "
             "payload text not null, payload_hex integer not null, bytes bigint not null, "
             "unique (tenant, connector, epoch, sequence))",
             "create index mesh_event_time on mesh_event (time_us)",
             "insert into mesh_event (tenant, connector, epoch, sequence, time_us, topic, name, payload, payload_hex, bytes) values "
             "('acme', 'sled07', 2, 7, 1000000, 'power', 'off', '{}', 0, 100), ('acme', 'sled07', 3, 1, 2000000, 'power', 'on', '{}', 0, 100), "
             "('acme', 'sled07', 3, 2, 3000000, 'power', 'off', '{}', 0, 100)"}) {
        tamper(statement);
    }
    EXPECT_EQ(*store->eventHeads(), (std::vector<EventHead>{{"acme", "sled07", 3, 2}}));
    const auto page = store->events({});
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->records.size(), 3U);
    EXPECT_EQ(page->records[0].record, (EventRecord{WallTime(1s), "acme", "sled07", 2, 7, "power", "off", "{}"}));
    EXPECT_EQ(page->records[0].stored, WallTime(1s));
    int version = 0;
    *connect(url)->session << "select max(version) from mesh_schema", soci::into(version);
    EXPECT_EQ(version, newestSchema());
    ASSERT_TRUE(store->append({loss(3, 9)}, start));
    EXPECT_EQ(numbers(after(0)), (std::vector<std::uint64_t>{1, 2, 3}));
}

}  // namespace mesh::history
