#include "aggregator/core/key_rotations.hpp"

#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

namespace mesh::aggregator {
namespace {

using shoset::KeyStatus;
using shoset::LinkId;

// A node with its state and the links of connectors that the test plays. Link 1 has the key in force of acme/sled1.
class KeyRotationsTest : public testing::Test, protected shoset::FramePort, protected MeshEvents {
protected:
    KeyRotationsTest()
    {
        propose(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        propose(cluster::PutTenant{"acme"});
        propose(cluster::PutConnector{{"acme", "sled1", keyOf('1'), "", "", ""}});
        engine.watch(engine.state().revision,
                     [this](const cluster::Change& change) { rotations.onChange(change.key); });
    }

    void propose(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [](const Result<cluster::Applied>& applied) { EXPECT_TRUE(applied && applied->ok()); });
        settle();
    }
    // Until nothing more happens at this moment.
    void settle()
    {
        do {
            rotations.onTimer(now);
        } while (engine.pump(now.mono) > 0 || rotations.nextDeadline() <= now.mono);
        mesh.flush();
    }
    void begin() { propose(cluster::BeginRotation{"acme", "sled1"}); }
    void link(LinkId id, char key, std::uint64_t capabilities = shoset::capabilityKeys,
              const std::string& who = "acme/sled1")
    {
        mesh.addAccepted(id, who, keyOf(key));
        shoset::Hello hello;
        hello.name = who;
        hello.capabilities = capabilities;
        hears(id, who, std::move(hello));
    }
    void hears(LinkId id, const std::string& from, shoset::Content content)
    {
        const shoset::Message message{{}, from, "agg-a", std::move(content)};
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), 0, 0, shoset::noDeadline, 0},
                             shoset::encodeHeader(message), {});
        mesh.onFrame(id, frame, now);
        settle();
    }
    void offer(LinkId id, char key) { hears(id, "acme/sled1", shoset::KeyOffer{keyOf(key)}); }
    // What the connector was told since it was asked last.
    std::vector<KeyStatus> told(LinkId id) { return std::exchange(statuses[id], {}); }
    const tenants::Connector& connector() const { return *engine.state().registry.find("acme", "sled1"); }
    void setRole(cluster::NodeRole role)
    {
        cluster::EngineStatus status = engine.status();
        status.role = role;
        engine.setStatus(status);
    }

    void sendFrame(LinkId id, std::string frame) override
    {
        shoset::FrameReader reader(frame);
        for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
            const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
            if (const auto* status = std::get_if<KeyStatus>(&message->content)) {
                statuses[id].push_back(*status);
            }
        }
    }
    void resetLink(LinkId) override {}
    void onReply(const shoset::Address&, const MessageId&, shoset::Reply, std::string_view, bool, Instant, Now) override
    {
    }
    void onChunk(const shoset::Address&, const MessageId&, const shoset::Chunk&, std::string_view, bool, Now) override
    {
    }
    void onCredit(const shoset::Address&, const MessageId&, std::uint64_t, Now) override {}
    void onAnnounce(const shoset::Address&, shoset::Announce, Now) override {}
    void onConnectorUp(const shoset::Address& who, const std::string& key, Now at) override
    {
        rotations.onHello(who, key, at);
    }
    void onKeyOffer(const shoset::Address& who, const std::string& linkKey, const shoset::KeyOffer& said,
                    Now at) override
    {
        rotations.onOffer(who, linkKey, said.key, at);
    }
    void onOffers(const shoset::Address&, shoset::Offers) override {}
    void onCommandAsked(const shoset::Address&, const MessageId&, shoset::Command, std::string_view, std::optional<Instant>, Now) override {}
    void onLinkLost(LinkId, Now) override {}
    void onRoutesChanged(const std::vector<shoset::Address>&, Now) override {}

    Now now{Instant{} + 100s, WallTime(std::chrono::seconds(1'714'564'800))};
    SeededRng rng{5};
    cluster::MemoryEngine engine;
    Mesh mesh{{"agg-a", 1, 0, "test"}, *this, *this};
    KeyRotations rotations{mesh, engine, rng};
    std::map<LinkId, std::vector<KeyStatus>> statuses;
};

TEST_F(KeyRotationsTest, AConnectorIsToldWhenItLinksAndWheneverItsRecordChanges)
{
    link(1, '1');
    const std::uint64_t revision = engine.state().revision;
    EXPECT_EQ(told(1), (std::vector<KeyStatus>{{1, revision, keyOf('1'), "", false}}));
    begin();
    EXPECT_EQ(told(1), (std::vector<KeyStatus>{{1, revision + 1, keyOf('1'), "", true}}));
    offer(1, '2');
    EXPECT_EQ(told(1), (std::vector<KeyStatus>{{1, revision + 2, keyOf('1'), keyOf('2'), true}}));
    propose(cluster::PutTenant{"other"});
    EXPECT_TRUE(told(1).empty());
    rotations.onChange("");
    settle();
    EXPECT_EQ(told(1).size(), 1U);
}

TEST_F(KeyRotationsTest, AnOlderConnectorIsToldNothing)
{
    link(1, '1', shoset::capabilityAggregators);
    begin();
    EXPECT_TRUE(told(1).empty());
    EXPECT_TRUE(mesh.isReachable("acme/sled1"));
}

TEST_F(KeyRotationsTest, TheHelloOfThePendingKeyCompletesTheRotation)
{
    link(1, '1');
    begin();
    offer(1, '2');
    EXPECT_EQ(connector().key, keyOf('1'));
    told(1);
    link(2, '2');
    EXPECT_EQ(connector().key, keyOf('2'));
    EXPECT_FALSE(connector().rotating);
    EXPECT_EQ(told(2).back(), (KeyStatus{1, engine.state().revision, keyOf('2'), "", false}));
    EXPECT_EQ(rotations.counters().completed, 1U);
    EXPECT_EQ(rotations.nextDeadline(), never);
}

TEST_F(KeyRotationsTest, TheHelloOfTheOldKeyCompletesNothing)
{
    link(1, '1');
    begin();
    offer(1, '2');
    link(2, '1');
    EXPECT_EQ(connector().pendingKey, keyOf('2'));
}

TEST_F(KeyRotationsTest, WithoutAPrimaryItIsCompletedWhenThereIsOne)
{
    link(1, '1');
    begin();
    offer(1, '2');
    setRole(cluster::NodeRole::follower);
    link(2, '2');
    EXPECT_EQ(connector().key, keyOf('1'));
    EXPECT_EQ(rotations.nextDeadline(), now.mono + limits::keyRetry);
    setRole(cluster::NodeRole::primary);
    now.mono += limits::keyRetry;
    settle();
    EXPECT_EQ(connector().key, keyOf('2'));
    EXPECT_EQ(rotations.counters().repeated, 1U);
}

TEST_F(KeyRotationsTest, WhatWasCancelledMeanwhileIsNotCompleted)
{
    link(1, '1');
    begin();
    offer(1, '2');
    setRole(cluster::NodeRole::follower);
    link(2, '2');
    setRole(cluster::NodeRole::primary);
    propose(cluster::CancelRotation{"acme", "sled1"});
    now.mono += limits::keyRetry;
    settle();
    EXPECT_EQ(connector().key, keyOf('1'));
    EXPECT_EQ(rotations.nextDeadline(), never);
}

TEST_F(KeyRotationsTest, AnOfferThatNobodyAskedForOrThatIsKnownIsAnsweredWithTheStatus)
{
    link(1, '1');
    told(1);
    offer(1, '2');
    EXPECT_EQ(told(1).size(), 1U);
    EXPECT_EQ(connector().pendingKey, "");
    begin();
    offer(1, '2');
    told(1);
    const cluster::Revision before = engine.state().revision;
    offer(1, '2');
    EXPECT_EQ(told(1).size(), 1U);
    EXPECT_EQ(engine.state().revision, before);
    EXPECT_EQ(rotations.counters().offered, 1U);
}

TEST_F(KeyRotationsTest, OnlyTheKeyInForceMayOffer)
{
    link(1, '1');
    begin();
    link(2, '3');
    offer(2, '2');
    EXPECT_EQ(connector().pendingKey, "");
    EXPECT_EQ(rotations.counters().refused, 1U);
}

TEST_F(KeyRotationsTest, OneOfferInAWhileIsProposed)
{
    link(1, '1');
    begin();
    offer(1, '2');
    offer(1, '3');
    EXPECT_EQ(connector().pendingKey, keyOf('2'));
    EXPECT_EQ(rotations.counters().limited, 1U);
    now.mono += limits::keyOfferPause;
    offer(1, '3');
    EXPECT_EQ(connector().pendingKey, keyOf('3'));
}

TEST_F(KeyRotationsTest, AKeyOfSomebodyElseIsRefusedByTheState)
{
    propose(cluster::PutConnector{{"acme", "sled2", keyOf('8'), "", "", ""}});
    link(1, '1');
    begin();
    offer(1, '8');
    EXPECT_EQ(connector().pendingKey, "");
    EXPECT_EQ(rotations.counters().refused, 1U);
}

TEST_F(KeyRotationsTest, NobodyOffersForAnother)
{
    propose(cluster::PutConnector{{"acme", "sled2", keyOf('8'), "", "", ""}});
    begin();
    link(1, '8', shoset::capabilityKeys, "acme/sled2");
    mesh.addAccepted(7, "agg-b");
    shoset::Hello hello;
    hello.name = "agg-b";
    hears(7, "agg-b", std::move(hello));
    hears(1, "acme/sled1", shoset::KeyOffer{keyOf('2')});
    hears(7, "acme/sled1", shoset::KeyOffer{keyOf('2')});
    EXPECT_EQ(connector().pendingKey, "");
    EXPECT_EQ(rotations.counters().offered, 0U);
}

TEST_F(KeyRotationsTest, ARevokedConnectorIsToldNothing)
{
    link(1, '1');
    told(1);
    propose(cluster::RevokeConnector{"acme", "sled1"});
    EXPECT_TRUE(told(1).empty());
}

} // namespace
} // namespace mesh::aggregator
