#include "connector/core/tests/connector_fixture.hpp"

namespace mesh::connector {
namespace {

struct OffersTest : ConnectorTest {
    Connector withWorkers{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}, 0,
                           WorkerRules({{{1000}, {}, {"*"}}})},
                          wire, bmc, journal, state, rng};

    void SetUp() override { withWorkers.start(now); }
    void hear(LinkId link, const shoset::Message& message)
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), {});
        withWorkers.onFrame(link, frame, now);
    }
    void up(LinkId link, std::uint64_t capabilities)
    {
        withWorkers.onConnected(link, now);
        withWorkers.flush();
        wire.frames.clear();
        shoset::HelloAck ack;
        ack.major = shoset::protocolMajor;
        ack.name = wire.dialled.at(link).name;
        ack.capabilities = capabilities;
        ack.echoedClock = toMicros(now.mono);
        ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hear(link, {{}, ack.name, "", ack});
    }
    void attach(WorkerId id, const std::string& version)
    {
        withWorkers.onWorkerMessage(id, {1000, 1000, 7},
                                    R"({"message":"register","protocol":1,"worker":"power","type":"chassis","version":")" + version +
                                        R"(","commands":[{"name":"power.cycle"}]})",
                                    now);
    }
    struct Told {
        LinkId way = 0;
        shoset::Address to;
        shoset::Offers offers;
    };
    std::vector<Told> told()
    {
        withWorkers.flush();
        std::vector<Told> all;
        for (const auto& [way, frame] : std::exchange(wire.frames, {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                const Result<shoset::Message> message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                EXPECT_TRUE(message.ok());
                if (const auto* offers = std::get_if<shoset::Offers>(&message->content)) {
                    all.push_back({way, message->destination, *offers});
                }
            }
        }
        return all;
    }
};

TEST_F(OffersTest, WhatTheConnectorDoesItselfIsToldWithoutAnyWorker)
{
    up(0, shoset::capabilityOffers);
    const std::vector<Told> said = told();
    ASSERT_EQ(said.size(), 2U) << "to agg-a, and through it to agg-b";
    ASSERT_EQ(said[0].offers.offers.size(), 1U);
    const shoset::Offer& own = said[0].offers.offers[0];
    EXPECT_EQ(own.type, "redfish");
    EXPECT_EQ(own.major, 1U);
    ASSERT_EQ(own.commands.size(), 4U);
    EXPECT_EQ(own.commands[1].name, "redfish.get");
    EXPECT_TRUE(shoset::checkOffers(said[0].offers.offers).ok());
}

TEST_F(OffersTest, EveryChangeIsToldToAllWhoKnowTheRecordAndToNoOther)
{
    up(0, shoset::capabilityOffers);
    up(1, shoset::capabilityAggregators);
    told();
    attach(1, "1.0");
    std::vector<Told> said = told();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].to, "agg-a");
    ASSERT_EQ(said[0].offers.offers.size(), 2U);
    EXPECT_EQ(said[0].offers.offers[0].type, "chassis");
    const shoset::Offers first = said[0].offers;
    withWorkers.onWorkerGone(1, now);
    said = told();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].offers.offers.size(), 1U) << "the connector's own";
    EXPECT_EQ(said[0].offers.incarnation, first.incarnation);
    EXPECT_GT(said[0].offers.sequence, first.sequence);
}

TEST_F(OffersTest, WhoLinksLaterIsToldThenAndWhoHasNoLinkThroughAnother)
{
    attach(1, "1.0");
    EXPECT_TRUE(told().empty());
    up(0, shoset::capabilityOffers);
    std::vector<Told> said = told();
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0].to, "agg-a");
    EXPECT_EQ(said[1].to, "agg-b");
    EXPECT_EQ(said[1].way, 0U);
    up(1, shoset::capabilityOffers);
    said = told();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].to, "agg-b");
    EXPECT_EQ(said[0].way, 1U);
    withWorkers.onDisconnected(1, now);
    said = told();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].to, "agg-b");
    EXPECT_EQ(said[0].way, 0U);
}

}  // namespace
}  // namespace mesh::connector
