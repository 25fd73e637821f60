#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

using shoset::LinkId;

struct Wire final : shoset::FramePort {
    void sendFrame(LinkId link, std::string frame) override { frames.emplace_back(link, std::move(frame)); }
    void resetLink(LinkId) override {}
    std::vector<std::pair<LinkId, std::string>> frames;
};

// A connector with links 0 to agg-a and 1 to agg-b; the test plays the aggregators.
struct ConnectorTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    Wire wire;
    FakeBmc bmc;
    FakeJournal journal;
    Connector connector{{"s1", {}, LocalPolicy{}}, wire, bmc, journal, rng};

    struct Said {
        LinkId way = 0;
        shoset::Address to;
        shoset::Announce announce;
    };

    void SetUp() override
    {
        connector.addAggregator(0, "agg-a");
        connector.addAggregator(1, "agg-b");
        connector.start(now);
        connector.onHead(bmc.last, {200, {{"Content-Type", "application/json"}}}, true, now);
        connector.onBody(bmc.last, R"({"UUID":"u-1"})", true, now);
    }
    void up(LinkId link)
    {
        connector.onConnected(link, now);
        shoset::HelloAck ack;
        for (const shoset::Message& message : take(link)) {
            if (const auto* hello = std::get_if<shoset::Hello>(&message.content)) {
                ack.echoedClock = hello->clock;
            }
        }
        ack.major = shoset::protocolMajor;
        ack.name = link == 0 ? "agg-a" : "agg-b";
        ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        std::string frame;
        shoset::appendRecord(frame, {shoset::Kind::helloAck, shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader({{}, ack.name, "", ack}), {});
        connector.onFrame(link, frame, now);
    }
    std::vector<shoset::Message> take(LinkId link)
    {
        connector.flush();
        std::vector<shoset::Message> messages;
        for (const auto& [way, frame] : wire.frames) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                if (way == link) {
                    messages.push_back(*shoset::decodeHeader((*record)->prelude.kind, (*record)->header));
                }
            }
        }
        std::erase_if(wire.frames, [link](const auto& entry) { return entry.first == link; });
        return messages;
    }
    std::vector<Said> said()
    {
        std::vector<Said> all;
        for (const LinkId link : {0U, 1U}) {
            for (shoset::Message& message : take(link)) {
                if (auto* announce = std::get_if<shoset::Announce>(&message.content)) {
                    all.push_back({link, message.destination, std::move(*announce)});
                }
            }
        }
        return all;
    }
};

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

}  // namespace
}  // namespace mesh::connector
