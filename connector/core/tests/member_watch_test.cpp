#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

struct Heard final : WatchEvents {
    void onAnnounce(const shoset::Announce& changed, Now) override { announced.push_back(changed); }
    void onRefreshed(std::uint64_t ticket, Now) override { refreshed.push_back(ticket); }
    std::vector<shoset::Announce> announced;
    std::vector<std::uint64_t> refreshed;
};

struct MemberWatchTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    FakeBmc bmc;
    Heard heard;
    MemberWatch watch{bmc, heard, rng};

    std::string asked() const { return bmc.started.at(bmc.last).head.target; }
    void answer(int status, const std::string& body, const std::string& etag = {})
    {
        Headers headers{{"Content-Type", "application/json"}};
        if (!etag.empty()) {
            headers.push_back({"ETag", etag});
        }
        const BmcExchange id = bmc.last;
        watch.onHead(id, {status, std::move(headers)}, !body.empty(), now);
        if (!body.empty()) {
            watch.onBody(id, body, true, now);
        }
    }
    void giveRootAndSystems(const std::string& etag = {})
    {
        watch.start(now);
        answer(200, R"({"UUID":"u-1","RedfishVersion":"1.9.0","Systems":{"@odata.id":"/redfish/v1/Systems"}})");
        answer(200, R"({"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]})", etag);
    }
    const shoset::AnnouncedCollection& systems() { return (all = watch.snapshot()).collections.at(0); }
    shoset::Announce all;
};

TEST_F(MemberWatchTest, FindsTheCollectionsFromTheRootAndReadsThem)
{
    giveRootAndSystems();
    EXPECT_EQ(systems().path, "Systems");
    EXPECT_EQ(systems().members, std::vector<std::string>{"/redfish/v1/Systems/1"});
    EXPECT_EQ(all.uuid, "u-1");
    EXPECT_TRUE(all.bmcReachable);
    EXPECT_EQ(all.rootLinks, std::vector<std::string>{"Systems"});
}

TEST_F(MemberWatchTest, FindsCollectionsBelowServices)
{
    watch.start(now);
    answer(200, R"({"UpdateService":{"@odata.id":"/redfish/v1/UpdateService"}})");
    EXPECT_EQ(asked(), "/redfish/v1/UpdateService");
    answer(200, R"({"FirmwareInventory":{"@odata.id":"/redfish/v1/UpdateService/FirmwareInventory"}})");
    EXPECT_EQ(asked(), "/redfish/v1/UpdateService/FirmwareInventory");
}

TEST_F(MemberWatchTest, LogEntriesAreToldToExistAndNeverRead)
{
    watch.start(now);
    answer(200, R"({"TelemetryService":{"@odata.id":"/redfish/v1/TelemetryService"}})");
    answer(200, R"({"LogService":{"@odata.id":"/redfish/v1/TelemetryService/LogService"}})");
    EXPECT_EQ(asked(), "/redfish/v1/TelemetryService/LogService");
    answer(200, R"({"Entries":{"@odata.id":"/redfish/v1/TelemetryService/LogService/Entries"}})");
    const std::size_t requests = bmc.started.size();
    ASSERT_EQ(systems().path, "TelemetryService/LogService/Entries");
    EXPECT_EQ(systems().state, shoset::CollectionState::known);
    EXPECT_TRUE(systems().members.empty());
    watch.refresh({"TelemetryService/LogService/Entries"}, 5, now);
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{5});
    EXPECT_EQ(bmc.started.size(), requests);
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    answer(200, "{}");
    answer(200, "{}");
    answer(200, "{}");
    EXPECT_EQ(asked(), "/redfish/v1/TelemetryService/LogService");
    EXPECT_GT(watch.nextDeadline(), now.mono);
}

TEST_F(MemberWatchTest, FollowsPages)
{
    watch.start(now);
    answer(200, R"({"Systems":{"@odata.id":"/redfish/v1/Systems"}})");
    answer(200, R"({"Members":[{"@odata.id":"/redfish/v1/Systems/1"}],"Members@odata.nextLink":"/redfish/v1/Systems?$skip=1"})");
    EXPECT_EQ(asked(), "/redfish/v1/Systems?$skip=1");
    answer(200, R"({"Members":[{"@odata.id":"/redfish/v1/Systems/2"}]})");
    EXPECT_EQ(systems().members.size(), 2U);
}

TEST_F(MemberWatchTest, PollsWithTheEtagAndSaysNothingWhenNothingChanged)
{
    giveRootAndSystems("\"e1\"");
    const std::size_t before = heard.announced.size();
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    answer(200, R"({"UUID":"u-1","RedfishVersion":"1.9.0","Systems":{"@odata.id":"/redfish/v1/Systems"}})");
    EXPECT_EQ(*findHeader(bmc.started.at(bmc.last).head.headers, "If-None-Match"), "\"e1\"");
    answer(304, "");
    EXPECT_EQ(heard.announced.size(), before);
    EXPECT_GT(watch.nextDeadline(), now.mono);
}

TEST_F(MemberWatchTest, ARefreshComesFirstAndAnnouncesWhatChanged)
{
    giveRootAndSystems("\"e1\"");
    watch.refresh({"Systems"}, 5, now);
    EXPECT_EQ(findHeader(bmc.started.at(bmc.last).head.headers, "If-None-Match"), nullptr);
    answer(200, R"({"Members":[]})");
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{5});
    EXPECT_TRUE(heard.announced.back().collections.at(0).members.empty());
}

TEST_F(MemberWatchTest, ManyWritesAreReadOnceAndThePollHasItsTurnBetweenThem)
{
    giveRootAndSystems();
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    EXPECT_EQ(asked(), "/redfish/v1/");
    for (std::uint64_t ticket = 1; ticket <= 100; ++ticket) {
        watch.refresh({"Systems"}, ticket, now);
    }
    answer(200, R"({"UUID":"u-1","RedfishVersion":"1.9.0","Systems":{"@odata.id":"/redfish/v1/Systems"},
                    "Chassis":{"@odata.id":"/redfish/v1/Chassis"}})");
    EXPECT_EQ(asked(), "/redfish/v1/Systems");
    watch.refresh({"Systems"}, 101, now);  // what is being read may be older than this write
    answer(200, R"({"Members":[]})");
    EXPECT_EQ(heard.refreshed.size(), 100U);
    for (const char* next : {"/redfish/v1/Chassis", "/redfish/v1/Systems"}) {
        EXPECT_EQ(asked(), next);
        answer(200, R"({"Members":[]})");
    }
    EXPECT_EQ(heard.refreshed.back(), 101U);
    const std::size_t reads = bmc.started.size();
    EXPECT_EQ(reads, 6U);
}

TEST_F(MemberWatchTest, WritesWithoutEndDoNotPutOffTheNextPoll)
{
    giveRootAndSystems();
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    for (std::uint64_t ticket = 1; ticket <= 10; ++ticket) {
        watch.refresh({"Systems"}, ticket, now);
        answer(200, asked() == "/redfish/v1/" ? R"({"UUID":"u-1","RedfishVersion":"1.9.0","Systems":{"@odata.id":"/redfish/v1/Systems"}})"
                                              : R"({"Members":[]})");
    }
    EXPECT_EQ(asked(), "/redfish/v1/Systems") << "there is always one to read";
    ASSERT_LT(watch.nextDeadline(), never);
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    answer(200, R"({"Members":[]})");
    EXPECT_EQ(asked(), "/redfish/v1/");
}

TEST_F(MemberWatchTest, AWriteThatTouchesTwoCollectionsWaitsForBoth)
{
    watch.start(now);
    answer(200, R"({"Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"}})");
    answer(200, R"({"Members":[]})");
    answer(200, R"({"Members":[]})");
    watch.refresh({"Systems", "Chassis"}, 5, now);
    answer(200, R"({"Members":[]})");
    EXPECT_TRUE(heard.refreshed.empty());
    answer(200, R"({"Members":[]})");
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{5});
}

TEST_F(MemberWatchTest, WhoWaitsWhenTheBmcIsLostIsToldAtOnce)
{
    giveRootAndSystems();
    watch.refresh({"Systems"}, 5, now);
    watch.refresh({"Systems"}, 6, now);
    watch.onFailure(bmc.last, {Code::notSent, "refused"}, now);
    EXPECT_EQ(heard.refreshed, (std::vector<std::uint64_t>{5, 6}));
    EXPECT_EQ(asked(), "/redfish/v1/");
}

TEST_F(MemberWatchTest, ABmcThatIsBusyWithOthersIsNotDown)
{
    giveRootAndSystems();
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    watch.onFailure(bmc.last, {Code::full, "no connection was free until the deadline"}, now);
    EXPECT_TRUE(watch.snapshot().bmcReachable);
    EXPECT_LT(watch.nextDeadline() - now.mono, limits::memberPollInterval);
    watch.refresh({"Systems"}, 5, now);
    watch.onFailure(bmc.last, {Code::full, "no connection was free until the deadline"}, now);
    EXPECT_EQ(systems().state, shoset::CollectionState::known);
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{5});
}

TEST_F(MemberWatchTest, PagesThatDoNotEndAreGivenUp)
{
    giveRootAndSystems();
    watch.refresh({"Systems"}, 5, now);
    answer(200, R"({"Members":[{"@odata.id":"/redfish/v1/Systems/1"}],"Members@odata.nextLink":"/redfish/v1/Systems?$skip=1"})");
    EXPECT_EQ(asked(), "/redfish/v1/Systems?$skip=1");
    answer(200, R"({"Members":[],"Members@odata.nextLink":"/redfish/v1/Systems?$skip=1"})");
    EXPECT_EQ(systems().state, shoset::CollectionState::failing);
    EXPECT_EQ(systems().reason, "a collection whose pages do not end");
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{5});
}

TEST_F(MemberWatchTest, ARefreshOfNothingKnownIsAnsweredAtOnce)
{
    watch.refresh({"Cables"}, 6, now);
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{6});
}

TEST_F(MemberWatchTest, ABmcThatIsDownIsAnnouncedWithTheReasonAndAskedAgain)
{
    giveRootAndSystems();
    now.mono = watch.nextDeadline();
    watch.onTimer(now);
    watch.onFailure(bmc.last, {Code::notSent, "refused"}, now);
    EXPECT_FALSE(heard.announced.back().bmcReachable);
    EXPECT_EQ(heard.announced.back().bmcReason, "refused");
    EXPECT_LT(watch.nextDeadline() - now.mono, limits::memberPollInterval);
    EXPECT_EQ(systems().members.size(), 1U);  // what was known stays known
}

TEST_F(MemberWatchTest, ACollectionThatFailsKeepsItsMembersAndNamesTheReason)
{
    giveRootAndSystems();
    watch.refresh({"Systems"}, 7, now);
    answer(500, "{}");
    EXPECT_EQ(systems().state, shoset::CollectionState::failing);
    EXPECT_EQ(systems().reason, "the BMC answered 500");
    EXPECT_EQ(systems().members.size(), 1U);
    EXPECT_EQ(heard.refreshed, std::vector<std::uint64_t>{7});
}

TEST_F(MemberWatchTest, ACollectionThatFailedOrWasGoneIsReadWholeSoThatItIsKnownAgainAlsoIfItDidNotChange)
{
    const std::string root = R"({"UUID":"u-1","RedfishVersion":"1.9.0","Systems":{"@odata.id":"/redfish/v1/Systems"}})";
    giveRootAndSystems("\"e1\"");
    for (const int status : {500, 404}) {
        now.mono = watch.nextDeadline();
        watch.onTimer(now);
        answer(200, root);
        answer(status, "");
        EXPECT_NE(systems().state, shoset::CollectionState::known);
        now.mono = watch.nextDeadline();
        watch.onTimer(now);
        answer(200, root);
        EXPECT_EQ(findHeader(bmc.started.at(bmc.last).head.headers, "If-None-Match"), nullptr) << status;
        answer(200, R"({"Members":[{"@odata.id":"/redfish/v1/Systems/1"}]})", "\"e1\"");
        EXPECT_EQ(systems().state, shoset::CollectionState::known);
        EXPECT_EQ(heard.announced.back().collections.at(0).state, shoset::CollectionState::known);
    }
}

TEST_F(MemberWatchTest, ACollectionThatIsGoneIsAbsent)
{
    giveRootAndSystems();
    watch.refresh({"Systems"}, 8, now);
    answer(404, "");
    EXPECT_EQ(systems().state, shoset::CollectionState::absent);
}

TEST_F(MemberWatchTest, ABodyThatIsNoJsonCountsAsFailing)
{
    giveRootAndSystems();
    watch.refresh({"Systems"}, 9, now);
    answer(200, "<html>");
    EXPECT_EQ(systems().state, shoset::CollectionState::failing);
}

TEST_F(MemberWatchTest, ABodyOverTheBoundIsGivenUp)
{
    watch.start(now);
    const BmcExchange id = bmc.last;
    watch.onHead(id, {200, {}}, true, now);
    watch.onBody(id, std::string(limits::maxMemberBodyBytes + 1, ' '), false, now);
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{id});
    EXPECT_FALSE(heard.announced.back().bmcReachable);
}

}  // namespace
}  // namespace mesh::connector
