#include "connector/core/tests/connector_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

TEST_F(ConnectorTest, SaysAllAgainWheneverTheWayToAnAggregatorChanges)
{
    up(1);
    const std::vector<Said> first = said();
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0].to, "agg-a") << "over agg-b, since its own link is not up";
    EXPECT_EQ(first[0].way, 1U);
    EXPECT_EQ(first[1].to, "agg-b");

    up(0);
    const std::vector<Said> second = said();
    ASSERT_EQ(second.size(), 1U) << "agg-b has heard it";
    EXPECT_EQ(second[0].to, "agg-a");
    EXPECT_EQ(second[0].way, 0U);

    connector.onDisconnected(0, now);
    const std::vector<Said> third = said();
    ASSERT_EQ(third.size(), 1U);
    EXPECT_EQ(third[0].to, "agg-a");
    EXPECT_EQ(third[0].way, 1U);

    for (const Said& one : {first[0], first[1], second[0], third[0]}) {
        EXPECT_TRUE(one.announce.complete);
        EXPECT_NE(one.announce.incarnation, 0U);
    }
    EXPECT_LT(first[1].announce.sequence, second[0].announce.sequence);
    EXPECT_LT(second[0].announce.sequence, third[0].announce.sequence);
}

TEST_F(ConnectorTest, RepeatsWhatMayHaveBeenLostOnAWayThatIsNotDirect)
{
    up(1);
    said();
    now.mono += limits::memberPollInterval + 1s;
    connector.onFrame(1, {}, now);  // agg-b is still heard
    connector.onTimer(now);
    const std::vector<Said> again = said();
    const auto toA = std::find_if(again.begin(), again.end(), [](const Said& one) { return one.to == "agg-a" && one.announce.complete; });
    ASSERT_NE(toA, again.end());
    EXPECT_EQ(toA->way, 1U);
    EXPECT_LE(connector.nextDeadline(), now.mono + limits::memberPollInterval);
}

TEST_F(ConnectorTest, AnAnswerStaysOnTheLinkThatItBeganOnWhileThatIsUp)
{
    up(1);
    const shoset::Message get = askedByA();
    hears(1, get);
    const BmcExchange exchange = bmc.last;
    const auto offsets = [this](LinkId link) {
        std::vector<std::uint64_t> all;
        for (const shoset::Message& message : take(link)) {
            if (const auto* chunk = std::get_if<shoset::Chunk>(&message.content)) {
                all.push_back(chunk->offset);
            }
        }
        return all;
    };
    using Offsets = std::vector<std::uint64_t>;
    const std::uint64_t first = limits::inlineBodyBytes;
    connector.onHead(exchange, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    connector.onBody(exchange, std::string(first + 1, 'x'), false, now);
    EXPECT_EQ(offsets(1), Offsets{first});

    up(0);
    connector.onBody(exchange, "y", false, now);
    EXPECT_EQ(offsets(1), Offsets{first + 1}) << "agg-a's own link would be faster than what is under way";
    EXPECT_EQ(offsets(0), Offsets{});

    connector.onDisconnected(1, now);
    connector.onBody(exchange, "z", false, now);
    EXPECT_EQ(offsets(0), Offsets{first + 2});

    up(1);
    connector.onBody(exchange, "z", false, now);
    EXPECT_EQ(offsets(0), Offsets{first + 3});
    EXPECT_EQ(offsets(1), Offsets{});
}

TEST_F(ConnectorTest, AQuietAnswerEndsWhenTheNodeThatAskedForItIsGone)
{
    up(0);
    up(1);
    const shoset::Message get = askedByA();
    hears(0, get);
    const BmcExchange exchange = bmc.last;
    connector.onHead(exchange, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
    connector.onDisconnected(0, now);
    take(1);
    EXPECT_LE(connector.nextDeadline(), now.mono + limits::linkRecovery);
    now.mono += limits::linkRecovery;
    connector.onFrame(1, {}, now);  // agg-b is still heard
    connector.onTimer(now);
    std::vector<std::string> pieces;
    for (const shoset::Message& message : take(1)) {
        if (std::holds_alternative<shoset::Chunk>(message.content)) {
            pieces.push_back(message.destination);
        }
    }
    EXPECT_EQ(pieces, std::vector<std::string>{"agg-a"});
    EXPECT_TRUE(bmc.cancelled.empty());
    hears(1, {get.id, "agg-b", "acme/s1", shoset::Cancel{}});
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{exchange});
}

TEST_F(ConnectorTest, AFenceThatWasSeenOutlivesARestart)
{
    up(0);
    shoset::Message order = askedByA();
    std::get<shoset::Command>(order.content).fence = {2, 7};
    hears(0, order);
    ASSERT_EQ(state.waiting.size(), 1U);
    state.written();
    connector.onSaved(StateFile::fence, {}, now);
    EXPECT_EQ(bmc.started[bmc.last].head.target, "/redfish/v1/Systems/1");

    FakeState later;
    Connector restarted{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0')}}, wire, bmc, journal, later, rng};
    EXPECT_TRUE(restarted.loadFence(state.files[StateFile::fence]));
    EXPECT_FALSE(restarted.loadFence("damaged"));
}

}  // namespace
}  // namespace mesh::connector
