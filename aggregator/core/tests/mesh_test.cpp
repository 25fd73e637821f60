#include "aggregator/core/mesh.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <utility>

namespace mesh::aggregator {
namespace {

using shoset::LinkId;

// Carries frames between two ends of links, at once, in order.
struct Wire final : shoset::FramePort {
    void sendFrame(LinkId link, std::string frame) override { sent[link].push_back(std::move(frame)); }
    void resetLink(LinkId link) override { reset.push_back(link); }
    std::map<LinkId, std::deque<std::string>> sent;
    std::vector<LinkId> reset;
};

struct Heard final : MeshEvents {
    void onReply(const shoset::Address& from, const MessageId&, shoset::Reply, std::string_view, bool, Instant left, Now) override
    {
        replies.push_back(from);
        sent.push_back(left);
    }
    void onChunk(const shoset::Address&, const MessageId&, const shoset::Chunk&, std::string_view, bool, Now) override { ++chunks; }
    void onCredit(const shoset::Address&, const MessageId&, std::uint64_t, Now) override { ++credits; }
    void onAnnounce(const shoset::Address& from, shoset::Announce, Now) override { announces.push_back(from); }
    void onConnectorUp(const shoset::Address& connector, const std::string& key, Now) override { connectors.emplace_back(connector, key); }
    void onKeyOffer(const shoset::Address& connector, const std::string& linkKey, const shoset::KeyOffer& offer, Now) override
    {
        offers.emplace_back(connector + " " + linkKey, offer.key);
    }
    void onOffers(const shoset::Address& from, shoset::Offers) override { offerers.push_back(from); }
    void onCommandAsked(const shoset::Address& from, const MessageId&, shoset::Command, std::string_view, std::optional<Instant>, Now) override
    {
        askers.push_back(from);
    }
    void onLinkLost(LinkId link, Now) override { lost.push_back(link); }
    void onRoutesChanged(const std::vector<shoset::Address>& addresses, Now) override
    {
        changed.insert(changed.end(), addresses.begin(), addresses.end());
    }
    void onEventRecord(const shoset::Address& peer, shoset::Message message, std::string_view, Now) override
    {
        eventRecords.push_back(peer + " " + shoset::kindName(shoset::kindOf(message.content)) + " of " + message.source);
    }
    void onConnectorDown(const shoset::Address& connector, Now) override { down.push_back(connector); }
    void onRefusedRecord(const shoset::Address& peer, std::string_view why, Now) override { refused.push_back(peer + " " + std::string(why)); }
    std::vector<std::string> eventRecords, refused;
    std::vector<shoset::Address> down;
    std::vector<shoset::Address> replies, announces, changed, offerers, askers;
    std::vector<Instant> sent;  // of the replies
    std::vector<LinkId> lost;
    std::vector<std::pair<std::string, std::string>> connectors, offers;
    int chunks = 0, credits = 0;
};

shoset::Reply answered()
{
    shoset::Reply reply;
    reply.http.status = 204;
    return reply;
}

// One node with links to somebody played by the test: `say` makes the other side's records.
struct MeshTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{3};
    Wire wire;
    Heard heard;
    Mesh mesh{{"agg-b", 1, 0, "test"}, wire, heard};

    static std::string frameOf(const shoset::Message& message, std::uint32_t remaining = shoset::noDeadline, std::uint8_t hops = 3,
                               std::uint8_t flags = shoset::flagLast)
    {
        std::string frame;
        const Now stamp{Instant{} + 1h, {}};
        shoset::appendRecord(frame, {shoset::kindOf(message.content), flags, hops, remaining, toMicros(stamp.mono)},
                             shoset::encodeHeader(message), {});
        return frame;
    }
    void greet(LinkId link, const shoset::Address& identity, std::uint64_t incarnation = 5, std::uint64_t capabilities = 0)
    {
        mesh.addAccepted(link, identity);
        shoset::Hello hello;
        hello.name = identity;
        hello.incarnation = incarnation;
        hello.capabilities = capabilities;
        hello.clock = toMicros(now.mono);
        mesh.onFrame(link, frameOf({{}, identity, "", hello}), now);
        // A heartbeat that tells this side's clock back, so that deadlines can be judged.
        mesh.onFrame(link, frameOf({{}, identity, "", shoset::Heartbeat{toMicros(now.mono), toMicros(now.mono), toMicros(now.mono)}}), now);
        greeting[link] = std::exchange(wire.sent[link], {});
    }
    // Lists of aggregators in these frames.
    static std::vector<shoset::Aggregators> listsIn(const std::deque<std::string>& frames)
    {
        std::vector<shoset::Aggregators> lists;
        for (const std::string& frame : frames) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (const auto* list = std::get_if<shoset::Aggregators>(&message->content)) {
                    lists.push_back(*list);
                }
            }
        }
        return lists;
    }
    std::size_t offersTo(LinkId link)
    {
        mesh.flush();
        std::size_t out = 0;
        for (const std::string& frame : wire.sent[link]) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                out += (*record)->prelude.kind == shoset::Kind::offers ? 1 : 0;
            }
        }
        return out;
    }
    std::map<LinkId, std::deque<std::string>> greeting;  // what was said to each link up to the first echo
    MessageId id() { return MessageId::make(now.wall, rng); }
    std::size_t framesTo(LinkId link)
    {
        mesh.flush();
        return wire.sent[link].size();
    }
};

TEST_F(MeshTest, AConnectorThatGreetedIsReachable)
{
    greet(1, "acme/s1");
    EXPECT_TRUE(mesh.isReachable("acme/s1"));
    EXPECT_EQ(heard.changed, std::vector<shoset::Address>{"acme/s1"});
    EXPECT_EQ(mesh.linksUp(), 1U);
}

TEST_F(MeshTest, ANodeHasLeftFromItsByeUntilItComesBack)
{
    greet(1, "agg-a");
    EXPECT_FALSE(mesh.hasLeft("agg-a"));
    mesh.onFrame(1, frameOf({{}, "agg-a", "", shoset::Bye{"stopping"}}), now);
    EXPECT_TRUE(mesh.hasLeft("agg-a"));
    mesh.removeLink(1, now);
    EXPECT_TRUE(mesh.hasLeft("agg-a"));
    greet(2, "agg-a");
    EXPECT_FALSE(mesh.hasLeft("agg-a"));
    mesh.removeLink(2, now);
    EXPECT_FALSE(mesh.hasLeft("agg-a")) << "it was cut off";
}

TEST_F(MeshTest, ANodeThatGreetedAnewHasNotLeftByTheByeOfItsOldLink)
{
    greet(1, "agg-a");
    greet(2, "agg-a", 6);
    mesh.onFrame(1, frameOf({{}, "agg-a", "", shoset::Bye{"stopping"}}), now);
    EXPECT_FALSE(mesh.hasLeft("agg-a"));
}

TEST_F(MeshTest, AConnectorMayAnswerUnderItsOwnNameOnly)
{
    greet(1, "acme/s1");
    mesh.onFrame(1, frameOf({id(), "acme/s1", "agg-b", answered()}), now);
    mesh.onFrame(1, frameOf({id(), "zeta/s9", "agg-b", answered()}), now);
    EXPECT_EQ(heard.replies, std::vector<shoset::Address>{"acme/s1"});
    EXPECT_EQ(mesh.counters().wrongSource, 1U);
}

TEST_F(MeshTest, WhenAReplyLeftIsKnownOfItsSourcesOwnLinkOnceTheClocksWereCompared)
{
    const Instant stamp = now.mono;
    greet(1, "acme/s1");
    greet(2, "agg-a");
    mesh.addAccepted(3, "acme/s3");
    mesh.onFrame(3, frameOf({{}, "acme/s3", "", shoset::Hello{shoset::protocolMajor, 0, "acme/s3", 5, 0, "", 1}}), now);
    now.mono += 1s;
    mesh.onFrame(1, frameOf({id(), "acme/s1", "agg-b", answered()}), now);
    mesh.onFrame(2, frameOf({id(), "acme/s7", "agg-b", answered()}), now);
    mesh.onFrame(3, frameOf({id(), "acme/s3", "agg-b", answered()}), now);
    ASSERT_EQ(heard.sent.size(), 3U);
    EXPECT_LE(heard.sent[0], stamp);
    EXPECT_GT(heard.sent[0], stamp - 1ms);
    EXPECT_EQ(heard.sent[1], Instant::min());
    EXPECT_EQ(heard.sent[2], Instant::min());
}

TEST_F(MeshTest, AConnectorOffersToAggregatorsThatKnowSuchRecordsAndAsksThemForCommands)
{
    greet(1, "acme/s1");
    greet(2, "agg-a");
    greet(3, "agg-c", 5, shoset::capabilityOffers);
    const shoset::Offers said{5, 1, {{"power-controller", 1, 0, {{"power.cycle", ""}}}}};
    for (const char* aggregator : {"agg-b", "agg-a", "agg-c"}) {
        mesh.onFrame(1, frameOf({{}, "acme/s1", aggregator, said}), now);
    }
    EXPECT_EQ(heard.offerers, std::vector<shoset::Address>{"acme/s1"});
    EXPECT_EQ(offersTo(2), 0U) << "it would give up the frame";
    EXPECT_EQ(offersTo(3), 1U);
    mesh.onFrame(1, frameOf({id(), "acme/s1", "agg-b", shoset::Command{}}, 1000), now);
    mesh.onFrame(2, frameOf({id(), "agg-a", "agg-b", shoset::Command{}}, 1000), now);
    mesh.onFrame(2, frameOf({{}, "agg-a", "agg-b", said}), now);
    EXPECT_EQ(heard.askers, std::vector<shoset::Address>{"acme/s1"});
    EXPECT_EQ(heard.offerers.size(), 1U);
    EXPECT_EQ(mesh.counters().notAllowed, 2U);
}

TEST_F(MeshTest, AConnectorMayNotCommandCancelOrTeachRoutes)
{
    greet(1, "acme/s1");
    greet(2, "acme/s2");
    mesh.onFrame(1, frameOf({id(), "acme/s1", "acme/s2", shoset::Command{}}, 1000), now);
    mesh.onFrame(1, frameOf({id(), "acme/s1", "acme/s2", shoset::Cancel{}}), now);
    mesh.onFrame(1, frameOf({id(), "acme/s1", "agg-b", shoset::Routes{{{"zeta/s1", 1}}}}), now);
    EXPECT_EQ(mesh.counters().notAllowed, 3U);
    EXPECT_EQ(framesTo(2), 0U);
    EXPECT_FALSE(mesh.isReachable("zeta/s1"));
}

TEST_F(MeshTest, AConnectorOffersAKeyOverItsOwnLinkOnly)
{
    mesh.addAccepted(1, "acme/s1", "k1");
    mesh.onFrame(1, frameOf({{}, "acme/s1", "", shoset::Hello{shoset::protocolMajor, 0, "acme/s1", 5, 0, "", 1}}), now);
    greet(2, "agg-a");
    EXPECT_EQ(heard.connectors, (std::vector<std::pair<std::string, std::string>>{{"acme/s1", "k1"}}));
    const shoset::KeyOffer offer{std::string(40, '2')};
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-b", offer}), now);
    mesh.onFrame(2, frameOf({{}, "acme/s1", "agg-b", offer}), now);
    mesh.onFrame(2, frameOf({{}, "agg-a", "agg-b", offer}), now);
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-a", offer}), now);
    EXPECT_EQ(heard.offers, (std::vector<std::pair<std::string, std::string>>{{"acme/s1 k1", offer.key}}));
    EXPECT_EQ(mesh.counters().notAllowed, 3U);
    EXPECT_EQ(framesTo(2), 0U) << "it is passed on by nobody";
}

TEST_F(MeshTest, AConnectorIsToldOfItsKeyIfItKnowsSuchRecords)
{
    greet(1, "acme/s1", 5, shoset::capabilityKeys);
    greet(2, "acme/s2");
    greet(3, "acme/s3", 5, shoset::capabilityKeys);
    mesh.tellKey("acme/s1", {1, 2, std::string(40, '1'), "", true}, now);
    mesh.tellKey("acme/s2", {1, 2, std::string(40, '2'), "", true}, now);
    EXPECT_EQ(framesTo(1), 1U);
    EXPECT_EQ(framesTo(2), 0U);
    EXPECT_EQ(framesTo(3), 0U);
}

TEST_F(MeshTest, AConnectorsReplyIsNeverPassedOnToAnotherConnector)
{
    greet(1, "acme/s1");
    greet(2, "zeta/s1");
    mesh.onFrame(1, frameOf({id(), "acme/s1", "zeta/s1", answered()}), now);
    EXPECT_EQ(framesTo(2), 0U);
    EXPECT_EQ(mesh.counters().notAllowed, 1U);
}

TEST_F(MeshTest, APeersCommandIsPassedOnWithOneHopLess)
{
    greet(1, "acme/s1");
    greet(2, "agg-a");
    mesh.onFrame(2, frameOf({id(), "agg-a", "acme/s1", shoset::Command{}}, 1000, 3), now);
    ASSERT_EQ(framesTo(1), 1U);
    shoset::FrameReader reader(wire.sent[1][0]);
    const auto record = reader.next();
    ASSERT_TRUE(record && record->has_value());
    EXPECT_EQ((*record)->prelude.hops, 2);
    EXPECT_LE((*record)->prelude.remainingMs, 1000U);
    EXPECT_EQ(mesh.counters().forwarded, 1U);
}

TEST_F(MeshTest, WhoseAnswerHasNoWayIsToldToEndIt)
{
    greet(1, "acme/s1");
    const MessageId stream = id();
    mesh.onFrame(1, frameOf({stream, "acme/s1", "agg-c", shoset::Chunk{}}, shoset::noDeadline, 3, 0), now);
    ASSERT_EQ(framesTo(1), 1U);
    shoset::FrameReader reader(wire.sent[1][0]);
    const auto record = reader.next();
    const auto said = shoset::decodeHeader(shoset::Kind::cancel, (*record)->header);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->id, stream);
    mesh.onFrame(1, frameOf({stream, "acme/s1", "agg-c", shoset::Chunk{}}), now);
    EXPECT_EQ(framesTo(1), 1U) << "it has ended by itself";
    EXPECT_EQ(mesh.counters().noRoute, 2U);
}

TEST_F(MeshTest, ACommandWithoutAWayIsRefusedAsNotSent)
{
    greet(2, "agg-a");
    mesh.onFrame(2, frameOf({id(), "agg-a", "acme/s1", shoset::Command{}}, 1000), now);
    ASSERT_EQ(framesTo(2), 1U);
    shoset::FrameReader reader(wire.sent[2][0]);
    const auto record = reader.next();
    const auto reply = shoset::decodeHeader(shoset::Kind::reply, (*record)->header);
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<shoset::Reply>(reply->content).code, Code::notSent);
    EXPECT_EQ(mesh.counters().noRoute, 1U);
}

TEST_F(MeshTest, WhatIsLateOrHasNoHopsLeftIsNotPassedOn)
{
    greet(1, "acme/s1");
    greet(2, "agg-a");
    mesh.onFrame(2, frameOf({id(), "agg-a", "acme/s1", shoset::Command{}}, 0), now);
    mesh.onFrame(2, frameOf({id(), "agg-a", "acme/s1", shoset::Command{}}, 1000, 0), now);
    EXPECT_EQ(framesTo(1), 0U);
    EXPECT_EQ(mesh.counters().expired, 1U);
    EXPECT_EQ(mesh.counters().hopLimit, 1U);
}

TEST_F(MeshTest, ANewConnectionOfAPeerReplacesItsOldOne)
{
    greet(1, "acme/s1", 5);
    greet(3, "acme/s1", 6);
    EXPECT_EQ(mesh.linksUp(), 1U);
    EXPECT_EQ(wire.reset, std::vector<LinkId>{1});
    EXPECT_EQ(heard.lost, std::vector<LinkId>{1});
    EXPECT_TRUE(mesh.isReachable("acme/s1"));
}

TEST_F(MeshTest, WhatAPeerReachesIsReachableThroughItAndGoneWithIt)
{
    greet(2, "agg-a");
    mesh.onFrame(2, frameOf({{}, "agg-a", "agg-b", shoset::Routes{{{"acme/s7", 1}}}}), now);
    EXPECT_TRUE(mesh.isReachable("acme/s7"));
    EXPECT_TRUE(mesh.send("acme/s7", id(), shoset::Cancel{}, {}, true, never, now));
    mesh.onDisconnected(2, now);
    EXPECT_FALSE(mesh.isReachable("acme/s7"));
    EXPECT_FALSE(mesh.send("acme/s7", id(), shoset::Cancel{}, {}, true, never, now));
}

TEST_F(MeshTest, ConnectorsThatKnowListsAreToldTheAggregatorsAtOnceAndWhenTheyLink)
{
    const shoset::Aggregators first{1, 5, {{"agg-b", "tcp://10.0.0.2:5670", std::string(40, '0')}}};
    greet(1, "acme/s1", 5, shoset::capabilityAggregators);
    EXPECT_TRUE(listsIn(greeting[1]).empty()) << "nothing is known yet";
    mesh.tellConnectors(first, now);
    mesh.flush();
    EXPECT_EQ(listsIn(wire.sent[1]), std::vector<shoset::Aggregators>{first});

    greet(2, "acme/s2", 6, shoset::capabilityAggregators | shoset::capabilityStreams);
    EXPECT_EQ(listsIn(greeting[2]), std::vector<shoset::Aggregators>{first});
    greet(3, "acme/old", 7, shoset::capabilityStreams);
    greet(4, "agg-a", 8, shoset::capabilityAggregators);
    EXPECT_TRUE(listsIn(greeting[3]).empty());
    EXPECT_TRUE(listsIn(greeting[4]).empty());

    wire.sent.clear();
    shoset::Aggregators second = first;
    second.revision = 6;
    mesh.tellConnectors(second, now);
    mesh.flush();
    EXPECT_EQ(listsIn(wire.sent[1]), std::vector<shoset::Aggregators>{second});
    EXPECT_EQ(listsIn(wire.sent[2]), std::vector<shoset::Aggregators>{second});
    EXPECT_TRUE(listsIn(wire.sent[3]).empty());
    EXPECT_TRUE(listsIn(wire.sent[4]).empty());
}

TEST_F(MeshTest, NobodyPassesAListOfAggregatorsOnAndNoConnectorMakesOne)
{
    const shoset::Aggregators list{9, 9, {{"evil", "tcp://10.6.6.6:5670", std::string(40, '1')}}};
    greet(1, "acme/s1", 5, shoset::capabilityAggregators);
    greet(2, "agg-a");
    mesh.onFrame(2, frameOf({{}, "agg-a", "acme/s1", list}, 1000), now);
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-b", list}), now);
    mesh.onFrame(2, frameOf({{}, "agg-a", "agg-b", list}), now);
    mesh.flush();
    EXPECT_TRUE(listsIn(wire.sent[1]).empty());
    EXPECT_EQ(mesh.counters().notAllowed, 3U);
}

TEST_F(MeshTest, AConnectorTellsItsOwnEventsAndAPeerThoseOfOthers)
{
    shoset::Event event;
    event.epoch = event.sequence = 1;
    event.topic = event.name = "power";
    greet(1, "acme/s1");
    greet(2, "agg-a");
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-b", event}), now);
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-b", shoset::Subscribe{1, {"*"}, {}, false, 9}}, shoset::noDeadline, 0, 0), now);
    mesh.onFrame(2, frameOf({{}, "acme/s1", "agg-b", event}), now);
    EXPECT_EQ(heard.eventRecords, (std::vector<std::string>{"acme/s1 event of acme/s1", "acme/s1 subscribe of acme/s1", "agg-a event of acme/s1"}));
    mesh.onFrame(1, frameOf({{}, "beta/s1", "agg-b", event}), now);
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-b", shoset::EventsWanted{"beta/s1", 1, 1, 9, false}}), now);
    mesh.onFrame(1, frameOf({{}, "acme/s1", "agg-a", event}), now);
    EXPECT_EQ(heard.eventRecords.size(), 3U);
    EXPECT_EQ(heard.refused, (std::vector<std::string>{"acme/s1 wrong_source", "acme/s1 not_allowed"}));
}

TEST_F(MeshTest, WhatAConnectorSendsAndNobodyPassesOnIsToldOf)
{
    greet(1, "acme/s1");
    greet(2, "acme/s2");
    const MessageId id = MessageId::make(now.wall, rng);
    mesh.onFrame(1, frameOf({id, "acme/s1", "agg-x", shoset::Command{}}), now);
    mesh.onFrame(1, frameOf({id, "acme/s1", "acme/s2", shoset::Command{}}), now);
    mesh.onFrame(1, frameOf({id, "acme/s1", "agg-x", shoset::Command{}}, 0), now);
    EXPECT_EQ(heard.refused, (std::vector<std::string>{"acme/s1 unknown_destination", "acme/s1 not_allowed", "acme/s1 expired"}));
}

TEST_F(MeshTest, EventsGoOverADirectLinkToWhoKnowsThem)
{
    shoset::EventsStored stored{1, 5};
    greet(1, "acme/s1", 5, shoset::capabilityEvents);
    greet(2, "acme/s2");
    EXPECT_TRUE(mesh.takesEvents("acme/s1"));
    EXPECT_TRUE(mesh.tellEvents("acme/s1", {}, stored, {}, now));
    EXPECT_FALSE(mesh.tellEvents("acme/s2", {}, stored, {}, now)) << "an older one";
    EXPECT_FALSE(mesh.tellEvents("acme/s3", {}, stored, {}, now));
    EXPECT_FALSE(mesh.creditsLosses("acme/s1"));
    greet(4, "acme/s4", 7, shoset::capabilityEvents | shoset::capabilityEventCredit);
    EXPECT_TRUE(mesh.creditsLosses("acme/s4"));
    EXPECT_EQ(framesTo(1), 1U);
    EXPECT_EQ(framesTo(2), 0U);
    greet(3, "acme/s1", 6, shoset::capabilityEvents);
    EXPECT_TRUE(heard.down.empty()) << "it has another one";
    mesh.removeLink(3, now);
    EXPECT_EQ(heard.down, std::vector<shoset::Address>{"acme/s1"});
    EXPECT_FALSE(mesh.takesEvents("acme/s1"));
}

TEST_F(MeshTest, AManyRoutesAreToldInSeveralRecords)
{
    for (LinkId link = 100; link < 100 + 2 * limits::routesPerRecord; ++link) {
        greet(link, "acme/" + std::string(60, 'n') + std::to_string(link));
    }
    greet(2, "agg-a");
    wire.sent.clear();
    mesh.addAccepted(50, "agg-c");
    shoset::Hello hello;
    hello.name = "agg-c";
    hello.incarnation = 9;
    mesh.onFrame(50, frameOf({{}, "agg-c", "", hello}), now);
    mesh.flush();
    std::size_t told = 0;
    for (const std::string& frame : wire.sent[50]) {
        shoset::FrameReader reader(frame);
        for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
            if ((*record)->prelude.kind == shoset::Kind::routes) {
                const auto message = shoset::decodeHeader(shoset::Kind::routes, (*record)->header);
                for (const shoset::Route& route : std::get<shoset::Routes>(message->content).routes) {
                    told += route.distance != 0 ? 1 : 0;  // 0 withdraws
                }
            }
        }
    }
    EXPECT_EQ(told, 2 * limits::routesPerRecord + 1);
}

}  // namespace
}  // namespace mesh::aggregator
