#include "cluster/history/core/chain.hpp"
#include "cluster/history/core/database_url.hpp"
#include "cluster/history/tests/history_databases.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mesh::history {

namespace {

AuditRecord moved(int minute, const std::string& tenant = "acme", const std::string& node = "agg-a")
{
    return {start + std::chrono::minutes(minute), tenant, "admin", "10.0.0.9:4711", node, "POST", "/redfish/v1/Systems/A_1",
            std::string(32, 'b'), Phase::result, 204};
}

EventRecord movedEvent(std::uint64_t sequence, const std::string& tenant = "acme", const std::string& payload = "{}")
{
    return {start, tenant, "sled07", 3, sequence, "power", "off", payload};
}

std::vector<AuditRecord> deeds(int from, int to)
{
    std::vector<AuditRecord> out;
    for (int minute = from; minute <= to; ++minute) {
        out.push_back(moved(minute));
    }
    return out;
}

}  // namespace

// From each kind of database to the other.
class Moving : public HistoryDatabases {
protected:
    void SetUp() override
    {
        HistoryDatabases::SetUp();
        if (isServer()) {
            std::string pattern = testing::TempDir() + "mesh-moving-XXXXXX";
            ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
            directory = pattern;
            otherUrl = "sqlite:" + directory + "/history.db";
        } else {
            ASSERT_EQ(server->problem(), "");
            otherUrl = server->create("m" + std::to_string(++databases));
        }
        other = std::make_unique<HistoryStore>(otherUrl);
    }
    void TearDown() override
    {
        other.reset();
        HistoryDatabases::TearDown();
    }
    // In pages of two, both of them; what went wrong, if something did.
    static std::string copy(HistoryStore& from, HistoryStore& to, const std::string& node = {})
    {
        std::uint64_t after = 0;
        for (bool more = true; more;) {
            const Result<AuditPage> page = from.exportAudit("acme", node, after, 2);
            const auto stored = page ? to.importAudit(*page) : Result<std::uint64_t>(page.error());
            if (!stored) {
                return stored.error().message;
            }
            more = page->more;
            after = page->records.empty() ? after : page->records.back().id;
        }
        after = 0;
        for (bool more = true; more;) {
            const Result<EventExport> page = from.exportEvents("acme", after, 2, 1024);
            const Result<void> stored = page ? to.importEvents(*page) : Result<void>(page.error());
            if (!stored) {
                return stored.error().message;
            }
            more = page->page.more;
            after = page->page.end;
        }
        return {};
    }
    static AuditPage trailOf(HistoryStore& in, const std::string& tenant = "acme")
    {
        AuditQuery query;
        query.tenant = tenant;
        const Result<AuditPage> page = in.audit(query);
        EXPECT_TRUE(page) << page.error().message;
        return page ? *page : AuditPage{};
    }
    static std::string check(HistoryStore& in)
    {
        const AuditPage page = trailOf(in);
        TrailVerifier verifier(page.chains);
        for (const StoredAudit& stored : page.records) {
            if (auto broken = verifier.take(stored)) {
                return *broken;
            }
        }
        return verifier.finish().value_or("");
    }
    static std::vector<std::uint64_t> sequences(HistoryStore& in, const std::string& tenant = "acme")
    {
        EventQuery query;
        query.tenant = tenant;
        std::vector<std::uint64_t> out;
        const Result<EventPage> page = in.events(query);
        EXPECT_TRUE(page) << page.error().message;
        for (const StoredEvent& stored : page->records) {
            out.push_back(stored.record.sequence);
        }
        return out;
    }

    std::string otherUrl;
    std::unique_ptr<HistoryStore> other;
};

INSTANTIATE_TEST_SUITE_P(Databases, Moving, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return std::string("from_") + instance.param; });

TEST_P(Moving, AllOfOneTenantComesAcrossInOrderAndItsChainHoldsAndGoesOn)
{
    ASSERT_TRUE(store->append(deeds(1, 5)));
    ASSERT_TRUE(store->append({moved(6, "umbra")}));
    std::vector<EventRecord> events;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        events.push_back(movedEvent(i, "acme", std::string("\0\xff", 2) + std::to_string(i)));
    }
    ASSERT_TRUE(store->append(events, start + 5min));
    ASSERT_TRUE(store->append({movedEvent(1, "umbra")}, start));
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(trailOf(*other).records.size(), 5U);
    EXPECT_EQ(trailOf(*other).chains, trailOf(*store).chains);
    EXPECT_EQ(check(*other), "");
    EXPECT_EQ(sequences(*other), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
    const Result<SourcePage> read = other->eventsOf({"acme", "sled07", 3, 0});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->records, events);
    EXPECT_EQ(other->eventHeads()->size(), 1U);
    EXPECT_TRUE(trailOf(*other, "umbra").records.empty());
    EXPECT_TRUE(sequences(*other, "umbra").empty());
    EventQuery early;
    early.until = start + 5min;
    EXPECT_TRUE(other->events(early)->records.empty()) << "they were stored when they were, not when they moved";
    ASSERT_TRUE(other->append(deeds(7, 8)));
    EXPECT_EQ(check(*other), "");
    EXPECT_EQ(trailOf(*other).chains.front().head.position, 7U);
}

TEST_P(Moving, AgainDoesNoHarmAndBringsWhatCameMeanwhile)
{
    ASSERT_TRUE(store->append(deeds(1, 5)));
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2)}, start));
    ASSERT_EQ(copy(*store, *other), "");
    ASSERT_TRUE(store->append(deeds(6, 7)));
    ASSERT_TRUE(store->append({movedEvent(3)}, start));
    ASSERT_EQ(copy(*store, *other), "");
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(trailOf(*other).records.size(), 7U);
    EXPECT_EQ(check(*other), "");
    EXPECT_EQ(trailOf(*other).chains, trailOf(*store).chains);
    EXPECT_EQ(sequences(*other), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_P(Moving, WhereItWasBeforeItGoesOnFromThereAlsoBehindWhatRetentionTookMeanwhile)
{
    ASSERT_TRUE(store->append(deeds(1, 4)));
    ASSERT_EQ(copy(*store, *other), "");
    ASSERT_TRUE(other->append(deeds(5, 6)));
    ASSERT_EQ(copy(*other, *store), "");
    EXPECT_EQ(check(*store), "");
    EXPECT_EQ(trailOf(*store).records.size(), 6U);
    ASSERT_TRUE(store->append(deeds(7, 20)));
    ASSERT_EQ(*store->pruneAudit("agg-a", {std::chrono::minutes(5), 0}, start + 20min), 14U);
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(check(*other), "");
    EXPECT_EQ(trailOf(*other).chains.front().floor.position, 14U);
    EXPECT_EQ(trailOf(*other).records.size(), 6U);
    EXPECT_EQ(trailOf(*other).chains, trailOf(*store).chains);
}

TEST_P(Moving, WhatRetentionHasTakenAltogetherIsKnownAllTheSame)
{
    ASSERT_TRUE(store->append(deeds(1, 3)));
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2)}, start));
    ASSERT_EQ(*store->pruneAudit("agg-a", {std::chrono::minutes(1), 0}, start + 1h), 3U);
    ASSERT_EQ(*store->pruneEvents({std::chrono::minutes(1), 0}, start + 1h), 2U);
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(trailOf(*other).chains.front().head.position, 3U);
    EXPECT_EQ(other->eventHeads()->front(), (EventHead{"acme", "sled07", 3, 2}));
    ASSERT_TRUE(other->append({moved(90)}));
    EXPECT_EQ(check(*other), "");
}

TEST_P(Moving, AnotherHistoryUnderTheSameNamesIsNotMixedWithIt)
{
    ASSERT_TRUE(store->append(deeds(1, 3)));
    ASSERT_TRUE(other->append(deeds(11, 15)));
    const std::string said = copy(*store, *other);
    EXPECT_NE(said.find("another audit trail of agg-a for tenant acme"), std::string::npos) << said;
    EXPECT_EQ(said.find("secret-word"), std::string::npos) << said;
    EXPECT_EQ(trailOf(*other).records.size(), 5U);
    EXPECT_EQ(check(*other), "");
}

TEST_P(Moving, EachNodeTakesItsOwnTrailOutOfASharedDatabase)
{
    ASSERT_TRUE(store->append({moved(1), moved(2, "acme", "agg-b"), moved(3)}));
    ASSERT_EQ(copy(*store, *other, "agg-a"), "");
    ASSERT_EQ(trailOf(*other).chains.size(), 1U);
    EXPECT_EQ(trailOf(*other).chains.front().node, "agg-a");
    EXPECT_EQ(trailOf(*other).records.size(), 2U);
    EXPECT_EQ(check(*other), "");
}

TEST_P(Moving, WhatIsLeftIsRemovedInPiecesAndNothingOfOthers)
{
    ASSERT_TRUE(store->append(deeds(1, 5)));
    ASSERT_TRUE(store->append({moved(6, "umbra")}));
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2), movedEvent(3), movedEvent(1, "umbra")}, start));
    EXPECT_EQ(*store->drop("acme", 3), true);
    EXPECT_EQ(trailOf(*store).records.size(), 2U);
    EXPECT_EQ(*store->drop("acme", 3), false);
    EXPECT_TRUE(trailOf(*store).records.empty());
    EXPECT_TRUE(trailOf(*store).chains.empty());
    EXPECT_TRUE(sequences(*store).empty());
    EXPECT_EQ(*store->eventHeads(), (std::vector<EventHead>{{"umbra", "sled07", 3, 1}}));
    EXPECT_EQ(trailOf(*store, "umbra").records.size(), 1U);
    EXPECT_EQ(*store->drop("acme", 3), false);
    ASSERT_TRUE(store->append({moved(7)}));
    EXPECT_EQ(trailOf(*store).chains.front().head.position, 1U) << "nothing of it is remembered";
}

TEST_P(Moving, BackToWhereAClearingWasCutOffNothingIsLostAndTheOrderIsKept)
{
    ASSERT_TRUE(store->append(deeds(1, 7)));
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(*store->drop("acme", 3), true);
    ASSERT_TRUE(other->append(deeds(8, 9)));
    ASSERT_EQ(copy(*other, *store), "");
    ASSERT_EQ(copy(*other, *store), "") << "again does no harm";
    EXPECT_EQ(trailOf(*store).records.size(), 9U);
    EXPECT_EQ(trailOf(*store).chains, trailOf(*other).chains);
    EXPECT_EQ(check(*store), "");
    ASSERT_TRUE(store->append(deeds(10, 11)));
    EXPECT_EQ(check(*store), "");
}

TEST_P(Moving, AChainWhoseFirstRecordsWentWithoutAMoveOfItsFloorIsCopiedFromItsBegin)
{
    ASSERT_TRUE(store->append(deeds(1, 7)));
    ASSERT_EQ(copy(*store, *other), "");
    for (const std::string condition : {"position <= 3", "position > 0"}) {
        tamper("delete from mesh_audit where " + condition);
        ASSERT_EQ(copy(*other, *store), "");
        EXPECT_EQ(trailOf(*store).records.size(), 7U) << condition;
        EXPECT_EQ(trailOf(*store).chains, trailOf(*other).chains);
        EXPECT_EQ(check(*store), "");
    }
}

TEST_P(Moving, ALongerTrailStaysAsItIsAlsoWhereItsFirstRecordsAreMissing)
{
    ASSERT_TRUE(store->append(deeds(1, 4)));
    ASSERT_EQ(copy(*store, *other), "");
    ASSERT_TRUE(store->append(deeds(5, 7)));
    tamper("delete from mesh_audit where position <= 2");
    ASSERT_EQ(copy(*other, *store), "");
    EXPECT_EQ(trailOf(*store).records.size(), 5U) << "the other one does not have its end";
}

TEST_P(Moving, TheLastEventsAreFoundAgainAtTheOtherEnd)
{
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(1, "umbra"), movedEvent(2)}, start));
    ASSERT_TRUE(other->append({movedEvent(9, "umbra"), movedEvent(2)}, start));
    ASSERT_EQ(copy(*store, *other), "");
    const EventIds seen = *store->eventIds("acme");
    ASSERT_EQ(seen.recent.size(), 2U);
    EXPECT_EQ(seen.recent[0].sequence, 1U);
    const auto landing = other->landing("acme", seen);
    ASSERT_TRUE(landing) << landing.error().message;
    const auto& found = landing->recent;
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].first.sequence, 1U);
    EXPECT_GT(found[0].second, found[1].second) << "the second was there before";
    EXPECT_EQ(landing->at, found[0].second) << "nothing came behind the last that was copied";
    const auto none = other->landing("zeta", seen)->recent;
    EXPECT_EQ(none.size(), 2U);
    EXPECT_EQ(none[0].second + none[1].second, 0U);
}

TEST_P(Moving, ReadersGoOnBeforeWhatAnotherNodeHasStoredThereMeanwhile)
{
    const auto idOf = [this](std::uint64_t sequence) { return other->landing("acme", {0, {{"sled07", 3, sequence, 0}}, 0, {}})->recent.at(0).second; };
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2)}, start));
    ASSERT_TRUE(other->append({movedEvent(1), movedEvent(2)}, start));
    EXPECT_EQ(other->landing("acme", *store->eventIds("acme"))->at, idOf(2));
    ASSERT_TRUE(other->append({movedEvent(3)}, start));
    ASSERT_TRUE(other->append({movedEvent(7, "umbra"), movedEvent(4)}, start));
    ASSERT_EQ(copy(*store, *other), "");
    EXPECT_EQ(other->landing("acme", *store->eventIds("acme"))->at, idOf(3) - 1) << "the third has not been seen there";
    EXPECT_EQ(other->landing("acme", {})->at, idOf(1) - 1) << "nothing has";
    EventRecord own = movedEvent(1);
    own.connector = "@agg-b";
    const std::uint64_t before = other->landing("acme", *other->eventIds("acme"))->at;
    ASSERT_TRUE(other->append({own}, start));
    EXPECT_GT(other->landing("acme", *other->eventIds("acme"))->at, before);
    EXPECT_EQ(other->landing("acme", *store->eventIds("acme"))->at, idOf(3) - 1) << "what another node tells of itself it tells nobody";
    ASSERT_TRUE(store->append({movedEvent(3), movedEvent(4), own}, start));
    own.sequence = 2;
    ASSERT_TRUE(other->append({own}, start));
    ASSERT_TRUE(other->append({movedEvent(9, "umbra")}, start));
    EXPECT_EQ(other->landing("acme", *store->eventIds("acme"))->at, other->eventIds("acme")->last - 1) << "but who had some of it goes on there";
}

TEST_P(Moving, ADatabaseThatHasTakenAnothersPlaceIsNotGoneOnFrom)
{
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2)}, start));
    EventQuery query;
    query.limit = 10;
    query.after = store->eventIds("acme")->last;
    EXPECT_FALSE(store->events(query)->isBeyond);
    ASSERT_TRUE(store->pruneEvents({std::chrono::minutes(1), 0}, start + 1h));
    EXPECT_FALSE(store->events(query)->isBeyond) << "what was there before retention took it counts";
    EXPECT_TRUE(other->events(query)->isBeyond);
    query.after = 0;
    EXPECT_FALSE(other->events(query)->isBeyond);
}

TEST_P(Moving, HeadsComeWithEachPage)
{
    ASSERT_TRUE(other->importEvents({{{{1, movedEvent(1), start}, {2, movedEvent(2), start}}, true, 2}, {}}));
    EXPECT_EQ(*other->eventHeads("acme"), (std::vector<EventHead>{{"acme", "sled07", 3, 2}}));
}

TEST_P(Moving, IdsAreToldAlsoOfWhatRetentionHasTaken)
{
    EXPECT_EQ(store->eventIds("acme")->last, 0U);
    ASSERT_TRUE(store->append({movedEvent(1), movedEvent(2), movedEvent(1, "umbra")}, start));
    const EventIds before = *store->eventIds("acme");
    EXPECT_EQ(before.greatest, before.last + 1);
    ASSERT_TRUE(store->pruneEvents({std::chrono::minutes(1), 0}, start + 1h));
    EXPECT_EQ(store->eventIds("acme")->greatest, before.greatest);
    EXPECT_EQ(store->eventIds("acme")->last, 0U);
}

TEST_P(Moving, TheGreatestIdIsThatOfAnAuditRecordWhereThereAreMoreOfThoseThanOfEvents)
{
    const EventIds none = *store->eventIds("acme");
    EXPECT_EQ(none.greatest, 0U);
    ASSERT_TRUE(store->append({movedEvent(1)}, start));
    ASSERT_TRUE(store->append(deeds(1, 3)));
    const EventIds more = *store->eventIds("acme");
    EXPECT_EQ(more.greatest, trailOf(*store).records.back().id);
    EXPECT_GT(more.greatest, more.last);
    ASSERT_TRUE(store->append({movedEvent(2), movedEvent(3), movedEvent(4), movedEvent(5)}, start));
    EXPECT_EQ(store->eventIds("acme")->greatest, store->eventIds("acme")->last);
}

TEST_P(Moving, APasswordBesideTheUrlIsUsedAndShownNowhere)
{
    if (!isServer()) {
        return;
    }
    const std::string bare = "postgresql://mesh@" + url.substr(url.find('@') + 1);
    HistoryStore with(bare, "secret-word & more");
    EXPECT_TRUE(with.open().ok());
    HistoryStore wrong(bare.substr(0, bare.rfind('/')) + "/nothing", "secret-word & more");
    const Result<void> refused = wrong.open();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message.find("secret-word"), std::string::npos) << refused.error().message;
}

}  // namespace mesh::history
