#include "shoset/core/tests/link_pair.hpp"

namespace mesh::shoset {
namespace {

TEST(Link, HelloAndItsAcknowledgementBringBothEndsUp)
{
    Pair pair;
    EXPECT_FALSE(pair.dialer.link->isUp());
    EXPECT_EQ(pair.dialer.link->nextDeadline(), never);
    pair.connect();
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.dialer.log, Log{"up"});
    EXPECT_EQ(pair.listener.log, Log{"up"});
    EXPECT_EQ(pair.dialer.link->peer(), "agg-a");
    EXPECT_EQ(pair.listener.link->peer(), "acme/sled07");
    EXPECT_EQ(pair.dialer.link->assignedName(), "acme/sled07");
    EXPECT_EQ(pair.dialer.link->peerIncarnation(), 22u);
    EXPECT_EQ(pair.listener.link->peerIncarnation(), 11u);
    EXPECT_EQ(pair.dialer.link->downReason(), "");
}

TEST(Link, TheDialerMayGreetWithItsNameAloneAndLearnsItsAddress)
{
    Pair pair("sled07");
    pair.connect();
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.dialer.link->assignedName(), "acme/sled07");
}

TEST(Link, AListenerWaitsToBeGreeted)
{
    Pair pair;
    pair.listener.link->onConnected(pair.listener.at(pair.time));
    EXPECT_TRUE(pair.listener.outbox.empty());
    EXPECT_EQ(pair.listener.link->nextDeadline(), never);
}

TEST(Link, AnotherMajorVersionIsRefusedAndAnotherMinorIsNot)
{
    Pair pair;
    Hello hello{protocolMajor + 1, 0, "acme/sled07", 1, 0, "newer", 5};
    pair.listener.link->onFrame(frameOf({{}, "acme/sled07", {}, hello}), pair.listener.at(pair.time));
    EXPECT_FALSE(pair.listener.link->isUp());
    ASSERT_EQ(pair.listener.outbox.size(), 1u);
    const std::vector<Message> answer = messagesIn(pair.listener.outbox.front());
    ASSERT_EQ(answer.size(), 1u);
    EXPECT_EQ(std::get<HelloAck>(answer[0].content).refusal, "protocol version 2 is not 1");
    EXPECT_EQ(pair.listener.counters.refusals, 1u);
    EXPECT_TRUE(pair.listener.log.empty());
    hello = {protocolMajor, protocolMinor + 7, "acme/sled07", 1, 0, "newer", 5};
    pair.listener.link->onFrame(frameOf({{}, "acme/sled07", {}, hello}), pair.listener.at(pair.time));
    EXPECT_TRUE(pair.listener.link->isUp());
}

TEST(Link, ANameThatTheKeyDoesNotProveIsRefused)
{
    for (const char* claimed : {"acme/sled08", "globex/sled07", "sled08", "", "acme", "/sled07"}) {
        Pair pair(claimed);
        pair.connect();
        EXPECT_FALSE(pair.listener.link->isUp()) << claimed;
        EXPECT_FALSE(pair.dialer.link->isUp()) << claimed;
        EXPECT_EQ(pair.dialer.link->downReason(), "refused: the key belongs to another name") << claimed;
        EXPECT_EQ(pair.dialer.counters.refusals, 1u);
        EXPECT_FALSE(say(pair, pair.dialer, "/"));
        EXPECT_TRUE(pair.listener.log.empty());
    }
}

TEST(Link, ARefusedDialerTriesAgainAfterTheHandshakeTimeout)
{
    Pair pair("sled08");
    pair.connect();
    pair.run(limits::handshakeTimeout - 100ms);
    EXPECT_EQ(pair.dialer.resets, 0);
    pair.run(200ms);
    EXPECT_EQ(pair.dialer.resets, 1);
    EXPECT_EQ(pair.dialer.link->nextDeadline(), never);
    EXPECT_EQ(pair.dialer.link->downReason(), "refused: the key belongs to another name");
    pair.dialer.self.name = "sled07";
    pair.connect();
    EXPECT_TRUE(pair.bothUp());
}

TEST(Link, AListenerOfAnotherNameOrVersionIsRefusedByTheDialer)
{
    Pair pair("acme/sled07", "agg-b");
    pair.connect();
    EXPECT_FALSE(pair.dialer.link->isUp());
    EXPECT_EQ(pair.dialer.counters.refusals, 1u);
    EXPECT_TRUE(pair.dialer.log.empty());
    pair.run(limits::handshakeTimeout);
    EXPECT_EQ(pair.dialer.resets, 1);
}

TEST(Link, AnAcknowledgementOfAnotherHelloIsNotTaken)
{
    Pair pair;
    pair.dialer.link->onConnected(pair.dialer.at(pair.time));
    const std::int64_t greeted = toMicros(pair.dialer.at(pair.time).mono);
    HelloAck ack;
    ack.name = "agg-a";
    ack.echoedClock = greeted - 1;
    pair.dialer.link->onFrame(frameOf({{}, "agg-a", {}, ack}), pair.dialer.at(pair.time + 1ms));
    EXPECT_FALSE(pair.dialer.link->isUp());
    EXPECT_EQ(pair.dialer.counters.malformed, 1u);
    ack.echoedClock = greeted;
    pair.dialer.link->onFrame(frameOf({{}, "agg-a", {}, ack}), pair.dialer.at(pair.time + 1ms));
    EXPECT_TRUE(pair.dialer.link->isUp());
}

TEST(Link, AGreetingWithoutAnAnswerEndsInAReset)
{
    Pair pair;
    pair.cut = true;
    pair.connect();
    pair.run(limits::handshakeTimeout);
    EXPECT_EQ(pair.dialer.resets, 1);
    EXPECT_EQ(pair.dialer.counters.timeouts, 1u);
    EXPECT_EQ(pair.dialer.link->downReason(), "no answer to the greeting");
    EXPECT_TRUE(pair.dialer.log.empty());
}

TEST(Link, NoiseDoesNotKeepAGreetingAlive)
{
    Pair pair;
    pair.dialer.link->onConnected(pair.dialer.at(pair.time));
    for (int i = 0; i < 10; ++i) {
        pair.time += 1s;
        pair.dialer.link->onFrame("noise", pair.dialer.at(pair.time));
        pair.dialer.link->onTimer(pair.dialer.at(pair.time));
    }
    EXPECT_EQ(pair.dialer.resets, 1);
}

TEST(Link, HeartbeatsKeepItUpAndOnlyTheDialerSendsThem)
{
    Pair pair;
    pair.connect();
    const std::uint64_t before = pair.dialer.counters.framesOut;
    pair.run(10s);
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.dialer.log, Log{"up"});
    EXPECT_EQ(pair.listener.log, Log{"up"});
    EXPECT_NEAR(static_cast<double>(pair.dialer.counters.framesOut - before), 10s / limits::heartbeatInterval, 5);
    EXPECT_EQ(pair.dialer.counters.framesOut, pair.listener.counters.framesOut) << "one answer each";
}

TEST(Link, ThreeMissedHeartbeatsEndBothSides)
{
    Pair pair;
    pair.connect();
    pair.run(1s);
    pair.cut = true;
    const Duration cutAt = pair.time;
    const Log ended{"up", "down: three heartbeats missed"};
    for (; pair.dialer.log != ended || pair.listener.log != ended; pair.run(1ms)) {
        ASSERT_LE(pair.time - cutAt, 3 * limits::heartbeatInterval + 1ms);
    }
    EXPECT_GE(pair.time - cutAt, 2 * limits::heartbeatInterval);
    EXPECT_EQ(pair.dialer.resets, 1);
    EXPECT_EQ(pair.listener.resets, 1);
    EXPECT_EQ(pair.dialer.counters.timeouts, 1u);
    EXPECT_EQ(pair.dialer.link->nextDeadline(), never);
    EXPECT_EQ(pair.listener.link->nextDeadline(), never);
    pair.run(10s);
    EXPECT_EQ(pair.dialer.resets, 1);
}

TEST(Link, TwoMissedHeartbeatsDoNot)
{
    Pair pair;
    pair.connect();
    pair.run(1s);
    pair.cut = true;
    pair.run(2 * limits::heartbeatInterval - 10ms);
    pair.cut = false;
    pair.run(1s);
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.dialer.log, Log{"up"});
}

TEST(Link, AnyRecordProvesThatThePeerLives)
{
    Pair pair;
    pair.connect();
    pair.dialer.outbox.clear();
    for (int i = 0; i < 20; ++i) {  // the listener's own words reach the dialler, whose heartbeats are lost
        pair.time += limits::heartbeatInterval;
        say(pair, pair.listener, "/");
        pair.listener.link->flush();
        pair.dialer.link->onFrame(pair.listener.outbox.back(), pair.dialer.at(pair.time));
        pair.dialer.link->onTimer(pair.dialer.at(pair.time));
        pair.dialer.outbox.clear();
    }
    EXPECT_TRUE(pair.dialer.link->isUp());
}

TEST(Link, TheListenerSetsThePaceAndALongerOneHolds)
{
    Pair pair;
    pair.connect();
    pair.run(1s);
    pair.listener.link->setHeartbeatInterval(5s);
    pair.run(1s);
    const std::uint64_t before = pair.dialer.counters.framesOut;
    pair.run(60s);
    EXPECT_TRUE(pair.bothUp());
    EXPECT_NEAR(static_cast<double>(pair.dialer.counters.framesOut - before), 12, 1);
    EXPECT_EQ(pair.dialer.log, Log{"up"});
    EXPECT_EQ(pair.listener.log, Log{"up"});
}

TEST(Link, AMuchShorterPaceDoesNotEndALinkThatWasNotYetToldOfIt)
{
    Pair pair;
    pair.listener.link->setHeartbeatInterval(5s);
    pair.connect();
    pair.run(20s);
    pair.listener.link->setHeartbeatInterval(100ms);
    pair.run(20s);
    EXPECT_EQ(pair.listener.log, Log{"up"});
    EXPECT_EQ(pair.dialer.log, Log{"up"});
    pair.cut = true;
    pair.run(301ms);
    EXPECT_FALSE(pair.dialer.link->isUp());
    EXPECT_FALSE(pair.listener.link->isUp());
}

TEST(Link, ADialerObeysItsPeersPaceAndNotItsOwner)
{
    Pair pair;
    pair.connect();
    pair.dialer.link->setHeartbeatInterval(60s);
    pair.run(5s);
    EXPECT_EQ(pair.listener.log, Log{"up"});
    pair.cut = true;
    pair.run(301ms);
    EXPECT_FALSE(pair.dialer.link->isUp());
}

TEST(Link, HeartbeatsAndEchoesInTheWrongDirectionAreMalformed)
{
    Pair pair;
    pair.connect();
    pair.listener.link->onFrame(frameOf({{}, {}, {}, HeartbeatEcho{1, 2, UINT32_MAX}}), pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.malformed, 1u);
    pair.dialer.link->onFrame(frameOf({{}, {}, {}, Heartbeat{1, 2, 3}}), pair.dialer.at(pair.time));
    EXPECT_EQ(pair.dialer.counters.malformed, 1u);
    EXPECT_TRUE(pair.dialer.outbox.empty());
    pair.dialer.link->onFrame(frameOf({{}, {}, {}, Hello{}}), pair.dialer.at(pair.time));
    EXPECT_EQ(pair.dialer.counters.malformed, 2u);
    pair.listener.link->onFrame(frameOf({{}, {}, {}, HelloAck{}}), pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.malformed, 2u);
    pair.cut = true;
    pair.run(400ms);
    EXPECT_FALSE(pair.listener.link->isUp()) << "a peer must not choose how long it may be silent";
}

TEST(Link, ByeEndsThePeersSideAtOnceWithItsReason)
{
    Pair pair;
    pair.connect();
    pair.listener.link->bye("maintenance", pair.listener.at(pair.time));
    EXPECT_FALSE(pair.listener.link->isUp());
    EXPECT_EQ(pair.listener.link->nextDeadline(), never);
    pair.deliver();
    EXPECT_EQ(pair.dialer.log, (Log{"up", "down: the peer said bye: maintenance"}));
    EXPECT_EQ(pair.dialer.link->downReason(), "the peer said bye: maintenance");
    EXPECT_EQ(pair.listener.log, Log{"up"});
    EXPECT_EQ(pair.dialer.resets + pair.listener.resets, 0);
    pair.listener.link->bye("again", pair.listener.at(pair.time));
    EXPECT_TRUE(pair.listener.outbox.empty());
}

TEST(Link, ByeLeavesAfterWhatWasQueued)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/last");
    pair.listener.link->bye("done", pair.listener.at(pair.time));
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 1u);
    EXPECT_FALSE(pair.dialer.link->isUp());
}

TEST(Link, AConnectionThatEndsAndComesBackIsGreetedAnew)
{
    Pair pair;
    pair.connect();
    pair.dialer.link->onDisconnected(pair.dialer.at(pair.time));
    pair.dialer.link->onDisconnected(pair.dialer.at(pair.time));
    EXPECT_EQ(pair.dialer.log, (Log{"up", "down: the connection ended"}));
    pair.connect();
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.listener.log, (Log{"up", "down: the peer greeted again", "up"}));
}

TEST(Link, AConnectionThatComesBackUnseenEndsTheOldSession)
{
    Pair pair;
    pair.connect();
    pair.connect();
    EXPECT_TRUE(pair.bothUp());
    EXPECT_EQ(pair.dialer.log, (Log{"up", "down: the connection was made anew", "up"}));
}

TEST(Link, ANewIncarnationReplacesTheOldOneWithItsClock)
{
    Pair pair;
    pair.connect();
    pair.run(5s);
    // The peer restarts on another machine, whose clock is far ahead; the old bound would call old records fresh.
    pair.dialer.offset += 24h;
    pair.dialer.self.incarnation = 12;
    pair.dialer.link = std::make_unique<Link>(dialerId, Link::Role::dialer, "agg-a", pair.dialer.self, pair.dialer, pair.dialer, pair.dialer.counters);
    pair.connect();
    EXPECT_EQ(pair.listener.link->peerIncarnation(), 12u);
    EXPECT_EQ(pair.listener.log, (Log{"up", "down: the peer greeted again", "up"}));
    pair.run(1s);
    const Instant deadline = pair.dialer.at(pair.time).mono + 2s;
    say(pair, pair.dialer, "/slow", deadline);
    pair.dialer.link->flush();
    pair.way = 10s;
    pair.deliver();
    ASSERT_EQ(pair.listener.received.size(), 1u);
    ASSERT_TRUE(pair.listener.received[0].deadline.has_value());
    EXPECT_LT(*pair.listener.received[0].deadline, pair.listener.at(pair.time).mono);
}

TEST(Link, ARefusedHelloEndsTheSessionThatWasUp)
{
    Pair pair;
    pair.connect();
    pair.listener.link->onFrame(frameOf({{}, {}, {}, Hello{protocolMajor, 0, "acme/other", 9, 0, "", 1}}), pair.listener.at(pair.time));
    EXPECT_FALSE(pair.listener.link->isUp());
    EXPECT_EQ(pair.listener.log, (Log{"up", "down: the peer greeted again"}));
}

}  // namespace
}  // namespace mesh::shoset
