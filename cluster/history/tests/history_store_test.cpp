#include "cluster/history/history_store.hpp"

#include "cluster/history/core/chain.hpp"
#include "cluster/history/core/database_url.hpp"
#include "cluster/history/schema.hpp"
#include "cluster/history/tests/history_databases.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace mesh::history {

namespace {

AuditRecord deed(int minute, const std::string& tenant = "acme", const std::string& uri = "/redfish/v1/Systems/A_1",
                 const std::string& node = "agg-a")
{
    return {start + std::chrono::minutes(minute), tenant, "admin", "10.0.0.9:4711", node, "POST", uri, std::string(32, 'a'),
            Phase::result, 204};
}

// What there is, in pages of two, checked against its chains.
std::string verify(HistoryStore& store)
{
    AuditQuery query;
    query.limit = 2;
    std::optional<TrailVerifier> verifier;
    while (true) {
        const Result<AuditPage> page = store.audit(query);
        if (!page) {
            return page.error().message;
        }
        if (!verifier) {
            verifier.emplace(page->chains);
        }
        for (const StoredAudit& stored : page->records) {
            if (auto broken = verifier->take(stored)) {
                return *broken;
            }
            query.after = stored.id;
        }
        if (!page->more) {
            return verifier->finish().value_or("");
        }
    }
}

}  // namespace

class History : public HistoryDatabases {
protected:
    std::vector<AuditRecord> all(AuditQuery query = {})
    {
        std::vector<AuditRecord> out;
        const Result<AuditPage> page = store->audit(query);
        EXPECT_TRUE(page) << page.error().message;
        for (const StoredAudit& stored : page->records) {
            out.push_back(stored.record);
        }
        return out;
    }
};

INSTANTIATE_TEST_SUITE_P(Databases, History, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(History, WhatWasStoredIsReadBack)
{
    AuditRecord intent = deed(0);
    intent.phase = Phase::intent;
    intent.status = 0;
    intent.time += 123456us;
    const std::vector<AuditRecord> records{intent, deed(1), deed(2, "")};
    const auto stored = store->append(records);
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ(stored->at(1).link.position, 2U);
    EXPECT_EQ(stored->at(2).link.position, 1U);
    EXPECT_EQ(all(), records);
    EXPECT_EQ(verify(*store), "");
}

TEST_P(History, AChainGoesOnAfterARestart)
{
    ASSERT_TRUE(store->append({deed(0), deed(1)}));
    store = std::make_unique<HistoryStore>(url);
    const auto stored = store->append({deed(2)});
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ(stored->front().link.position, 3U);
    EXPECT_EQ(verify(*store), "");
}

TEST_P(History, AClosedDatabaseIsOpenedByTheNextCall)
{
    ASSERT_TRUE(store->append({deed(0)}));
    store->close();
    store->close();
    ASSERT_TRUE(store->append({deed(1)}));
    store->close();
    EXPECT_EQ(all(), (std::vector{deed(0), deed(1)}));
    EXPECT_EQ(verify(*store), "");
}

TEST_P(History, NodesHaveChainsOfTheirOwn)
{
    HistoryStore other(url);
    ASSERT_TRUE(store->append({deed(0)}));
    ASSERT_TRUE(other.append({deed(1, "acme", "/redfish/v1/Chassis/A_1", "agg-b")}));
    ASSERT_TRUE(store->append({deed(2)}));
    EXPECT_EQ(all().size(), 3U);
    EXPECT_EQ(verify(*store), "");
    EXPECT_EQ(verify(other), "");
}

TEST_P(History, RecordsAreFoundByTenantTimeAndResource)
{
    ASSERT_TRUE(store->append({deed(0), deed(1, "beta"), deed(2, ""), deed(3, "acme", "/redfish/v1/Systems/A_1/Actions/Reset"),
                               deed(4, "acme", "/redfish/v1/Systems/A_10")}));
    AuditQuery query;
    query.tenant = "acme";
    EXPECT_EQ(all(query).size(), 3U);
    query.resource = "/redfish/v1/Systems/A_1";
    EXPECT_EQ(all(query), (std::vector{deed(0), deed(3, "acme", "/redfish/v1/Systems/A_1/Actions/Reset")}));
    query.tenant = "";
    EXPECT_EQ(all(query), std::vector{deed(2, "")});
    query = {};
    query.since = start + std::chrono::minutes(1);
    query.until = start + std::chrono::minutes(3);
    EXPECT_EQ(all(query), (std::vector{deed(1, "beta"), deed(2, "")}));
}

TEST_P(History, PagesFollowEachOther)
{
    ASSERT_TRUE(store->append({deed(0), deed(1), deed(2)}));
    AuditQuery query;
    query.limit = 2;
    const auto first = store->audit(query);
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->more);
    ASSERT_EQ(first->records.size(), 2U);
    ASSERT_EQ(first->chains.size(), 1U);
    EXPECT_EQ(first->chains[0].head.position, 3U);
    query.after = first->records[1].id;
    const auto second = store->audit(query);
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->more);
    EXPECT_EQ(second->records.size(), 1U);
}

TEST_P(History, WhatSomebodyChangesShows)
{
    ASSERT_TRUE(store->append({deed(0), deed(1), deed(2)}));
    tamper("update mesh_audit set account = 'nobody' where position = 2");
    EXPECT_EQ(verify(*store), "record 2 of agg-a for tenant acme is not as it was stored");
    tamper("update mesh_audit set account = 'admin' where position = 2");
    EXPECT_EQ(verify(*store), "");
    tamper("delete from mesh_audit where position = 3");
    EXPECT_EQ(verify(*store), "record 3 of agg-a for tenant acme is missing, and all behind it");
}

TEST_P(History, NothingOfAFailedBatchIsStored)
{
    ASSERT_TRUE(store->append({deed(0)}));
    tamper("insert into mesh_audit (node, tenant, position, time_us, account, client, method, uri, request, phase, status, hash, "
           "bytes) values ('agg-a', 'acme', 3, 0, '', '', '', '', '', 1, 0, '', 0)");
    const auto refused = store->append({deed(1), deed(2, "beta"), deed(2)});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.starts_with(shownUrl(url) + ": ")) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("secret-word"), std::string::npos) << refused.error().message;
    tamper("delete from mesh_audit where position = 3");
    EXPECT_EQ(all(), std::vector{deed(0)});
    ASSERT_TRUE(store->append({deed(3), deed(4, "beta")}));
    EXPECT_EQ(all().size(), 3U);
    EXPECT_EQ(verify(*store), "");
}

TEST_P(History, WhatIsTooOldGoesAndTheChainStaysWhole)
{
    ASSERT_TRUE(store->append({deed(0), deed(10), deed(5), deed(20), deed(0, "beta")}));
    const RetentionPolicy policy{std::chrono::minutes(10), 0};
    const auto removed = store->pruneAudit("agg-a", policy, start + std::chrono::minutes(18));
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(*removed, 2U);
    EXPECT_EQ(all(), (std::vector{deed(10), deed(5), deed(20)}));
    EXPECT_EQ(verify(*store), "");
    ASSERT_TRUE(store->append({deed(21, "beta")}));
    EXPECT_EQ(verify(*store), "");
    EXPECT_EQ(*store->pruneAudit("agg-a", policy, start + std::chrono::minutes(18)), 0U);
    EXPECT_EQ(*store->pruneAudit("agg-b", policy, start + std::chrono::hours(18)), 0U);
    EXPECT_EQ(*store->pruneAudit("agg-a", policy, start + std::chrono::hours(18)), 4U);
    EXPECT_EQ(verify(*store), "");
    ASSERT_TRUE(store->append({deed(40)}));
    EXPECT_EQ(verify(*store), "");
}

TEST_P(History, OfATenantWithAQuotaTheNewestEventsStay)
{
    std::vector<EventRecord> events;
    for (std::uint64_t i = 0; i < 20; ++i) {
        events.push_back({start, i % 2 == 0 ? "acme" : "globex", "sled07", 3, i, "power", "off", "{}"});
    }
    ASSERT_TRUE(store->append(events, start));
    RetentionPolicy policy;
    policy.maxEvents = {{"acme", 3}, {"nobody", 1}, {"globex", 0}};
    EXPECT_EQ(*store->pruneEvents(policy, start), 7U);
    EXPECT_EQ(*store->pruneEvents(policy, start), 0U);
    EventQuery query;
    query.tenant = "acme";
    const auto left = store->events(query);
    ASSERT_EQ(left->records.size(), 3U);
    EXPECT_EQ(left->records.front().record.sequence, 14U);
    query.tenant = "globex";
    EXPECT_EQ(store->events(query)->records.size(), 10U);
}

TEST_P(History, ABusyTenantDoesNotPushOutAQuietOne)
{
    std::vector<AuditRecord> many(100, deed(0));
    many.insert(many.begin(), {deed(0, "beta"), deed(0, "beta")});
    ASSERT_TRUE(store->append(many));
    const std::uint64_t most = 20 * storedBytes(deed(0));
    const auto removed = store->pruneAudit("agg-a", {Duration::zero(), most}, start);
    ASSERT_TRUE(removed) << removed.error().message;
    std::uint64_t bytes = 0;
    std::size_t quiet = 0;
    for (const AuditRecord& record : all()) {
        bytes += storedBytes(record);
        quiet += record.tenant == "beta" ? 1 : 0;
    }
    EXPECT_LE(bytes, most);
    EXPECT_GE(bytes, most * 3 / 4);
    EXPECT_EQ(quiet, 2U);
    EXPECT_EQ(verify(*store), "");
    EXPECT_EQ(*store->pruneAudit("agg-a", {Duration::zero(), most}, start), 0U);
}

TEST_P(History, ADatabaseOfANewerProgramIsLeftAlone)
{
    ASSERT_TRUE(store->append({deed(0)}));
    tamper("update mesh_schema set version = 99");
    store = std::make_unique<HistoryStore>(url);
    const auto refused = store->append({deed(1)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_NE(refused.error().message.find("made by a newer one"), std::string::npos) << refused.error().message;
    tamper("update mesh_schema set version = " + std::to_string(newestSchema()));
    EXPECT_EQ(all(), std::vector{deed(0)});
}

TEST_P(History, AServerThatComesBackIsUsedAgain)
{
    if (!isServer()) {
        return;  // a file has no server
    }
    HistoryStore calm(url);
    ASSERT_TRUE(store->append({deed(0)}));
    ASSERT_TRUE(calm.append({deed(0, "acme", "/redfish/v1/Systems/A_1", "agg-b")}));
    server->kill();
    const auto refused = store->append({deed(1)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message.find("secret-word"), std::string::npos) << refused.error().message;
    ASSERT_FALSE(store->audit({}));
    server->start();
    ASSERT_EQ(server->problem(), "");
    const auto stored = store->append({deed(2)});
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_TRUE(calm.append({deed(3, "acme", "/redfish/v1/Systems/A_1", "agg-b")})) << "it was not there when it was away";
    EXPECT_EQ(all().size(), 4U);
    EXPECT_EQ(verify(*store), "");
}

}  // namespace mesh::history
