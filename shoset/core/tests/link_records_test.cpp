#include "shoset/core/tests/link_pair.hpp"

namespace mesh::shoset {
namespace {

TEST(Link, RecordsBeforeTheHelloAreDroppedAndCounted)
{
    Pair pair;
    std::string frame = frameOf(commandFor("/early"));
    frame += frameOf({{}, {}, {}, Heartbeat{1, 2, 3}});
    frame += frameOf({{}, {}, {}, Bye{"what"}});
    pair.listener.link->onFrame(frame, pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.beforeHello, 3u);
    EXPECT_EQ(pair.listener.counters.recordsIn, 3u);
    EXPECT_TRUE(pair.listener.received.empty());
    EXPECT_TRUE(pair.listener.outbox.empty());
    EXPECT_TRUE(pair.listener.log.empty());
}

TEST(Link, RecordsBehindTheHelloInOneFrameAreDelivered)
{
    Pair pair;
    std::string frame = frameOf(commandFor("/early"));
    frame += frameOf({{}, {}, {}, Hello{protocolMajor, 0, "acme/sled07", 1, 0, "", 5}});
    frame += frameOf(commandFor("/late"));
    pair.listener.link->onFrame(frame, pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.beforeHello, 1u);
    ASSERT_EQ(pair.listener.received.size(), 1u);
    EXPECT_EQ(std::get<Command>(pair.listener.received[0].message.content).http.target, "/late");
}

TEST(Link, MalformedFramesAndHeadersAreCountedAndDoNotEndIt)
{
    Pair pair;
    pair.connect();
    pair.listener.link->onFrame("garbage", pair.listener.at(pair.time));
    std::string bad;
    appendRecord(bad, {Kind::heartbeat, 0, 0, noDeadline, 0}, "\xff\xff", {});
    pair.listener.link->onFrame(bad + frameOf(commandFor("/fine")), pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.malformed, 2u);
    EXPECT_EQ(pair.listener.received.size(), 1u);
    EXPECT_TRUE(pair.listener.link->isUp());
}

TEST(Link, NothingIsQueuedWhileItIsDown)
{
    Pair pair;
    EXPECT_FALSE(say(pair, pair.dialer, "/"));
    pair.dialer.link->onConnected(pair.dialer.at(pair.time));
    EXPECT_FALSE(say(pair, pair.dialer, "/"));
    const std::string frame = frameOf(commandFor("/"), {Kind::command, 0, 2, noDeadline, 0});
    EXPECT_FALSE(pair.dialer.link->forward(**FrameReader(frame).next(), never, pair.dialer.at(pair.time)));
    EXPECT_EQ(pair.dialer.counters.sentWhileDown, 3u);
    pair.deliver();
    EXPECT_TRUE(pair.bothUp());
    EXPECT_TRUE(say(pair, pair.dialer, "/"));
    EXPECT_TRUE(pair.listener.received.empty());
}

TEST(Link, WhatIsQueuedWhenItEndsIsDroppedAndCounted)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/a");
    say(pair, pair.listener, "/b");
    pair.listener.link->onDisconnected(pair.listener.at(pair.time));
    EXPECT_EQ(pair.listener.counters.droppedQueued, 2u);
    pair.listener.link->flush();
    EXPECT_TRUE(pair.listener.outbox.empty());
}

TEST(Link, RecordsOfOneTurnShareAFrameInOrder)
{
    Pair pair;
    pair.connect();
    for (int i = 0; i < 8; ++i) {
        EXPECT_TRUE(say(pair, pair.listener, "/" + std::to_string(i), never, "body " + std::to_string(i)));
    }
    EXPECT_TRUE(pair.listener.outbox.empty());
    pair.listener.link->flush();
    ASSERT_EQ(pair.listener.outbox.size(), 1u);
    pair.listener.link->flush();
    EXPECT_EQ(pair.listener.outbox.size(), 1u);
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 8u);
    for (int i = 0; i < 8; ++i) {
        const End::Received& received = pair.dialer.received[static_cast<std::size_t>(i)];
        EXPECT_EQ(std::get<Command>(received.message.content).http.target, "/" + std::to_string(i));
        EXPECT_EQ(received.body, "body " + std::to_string(i));
        EXPECT_EQ(received.prelude.hops, 3);
    }
}

TEST(Link, AFrameIsSplitWhereItWouldGrowOverTheCoalescingLimit)
{
    Pair pair;
    pair.connect();
    const std::string body(limits::coalesceBytes / 7, 'b');
    for (int i = 0; i < 20; ++i) {
        say(pair, pair.listener, "/" + std::to_string(i), never, body);
    }
    pair.listener.link->flush();
    EXPECT_EQ(pair.listener.outbox.size(), 4u);
    for (const std::string& frame : pair.listener.outbox) {
        EXPECT_LE(frame.size(), limits::coalesceBytes);
    }
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 20u);
    EXPECT_EQ(std::get<Command>(pair.dialer.received[19].message.content).http.target, "/19");
}

TEST(Link, ARecordAsLargeAsAllowedTravelsAlone)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/small");
    const std::string body(limits::inlineBodyBytes, 'b');
    const Message large = commandFor("/large", limits::maxHeaderBytes - 200);
    EXPECT_TRUE(pair.listener.link->append(large, body, 0, never, pair.listener.at(pair.time), 1));
    say(pair, pair.listener, "/small");
    pair.listener.link->flush();
    ASSERT_EQ(pair.listener.outbox.size(), 3u);
    EXPECT_LE(pair.listener.outbox[1].size(), limits::maxFrameBytes);
    pair.deliver();
    EXPECT_EQ(pair.dialer.received.size(), 3u);
    EXPECT_EQ(pair.dialer.counters.malformed, 0u);
}

TEST(Link, ARecordOverALimitIsRefusedHereAndDoesNotTakeOthersWithIt)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/a");
    EXPECT_FALSE(pair.listener.link->append(commandFor("/", limits::maxHeaderBytes), {}, 0, never, pair.listener.at(pair.time), 1));
    EXPECT_FALSE(say(pair, pair.listener, "/", never, std::string(limits::inlineBodyBytes + 1, 'b')));
    EXPECT_EQ(pair.listener.counters.tooLarge, 2u);
    say(pair, pair.listener, "/b");
    pair.listener.link->flush();
    pair.deliver();
    EXPECT_EQ(pair.dialer.received.size(), 2u);
}

TEST(Link, ForwardingTakesAHopAndKeepsHeaderBodyAndFlags)
{
    Pair pair;
    pair.connect();
    std::string frame;
    appendRecord(frame, {Kind::command, flagLast, 3, 5000, 12345}, encodeHeader(commandFor("/through")), "the body");
    const Record record = **FrameReader(frame).next();
    const Now now = pair.listener.at(pair.time);
    EXPECT_TRUE(pair.listener.link->forward(record, now.mono + 1500ms, now));
    pair.listener.link->flush();
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 1u);
    const End::Received& got = pair.dialer.received[0];
    EXPECT_EQ(got.whole.substr(16), frame.substr(16));
    EXPECT_EQ(got.prelude.kind, Kind::command);
    EXPECT_EQ(got.prelude.flags, flagLast);
    EXPECT_EQ(got.prelude.hops, 2);
    EXPECT_EQ(got.prelude.remainingMs, 1500u);
    EXPECT_EQ(got.prelude.sentMicros, toMicros(now.mono));
}

TEST(Link, ForwardedRecordsAreCoalescedAndSplitLikeOwnOnes)
{
    Pair pair;
    pair.connect();
    std::string frame;
    appendRecord(frame, {Kind::command, 0, 3, noDeadline, 0}, encodeHeader(commandFor("/x")), std::string(limits::coalesceBytes / 2 - 1000, 'b'));
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(pair.listener.link->forward(**FrameReader(frame).next(), never, pair.listener.at(pair.time)));
    }
    pair.listener.link->flush();
    EXPECT_EQ(pair.listener.outbox.size(), 2u);
    pair.deliver();
    EXPECT_EQ(pair.dialer.received.size(), 4u);
}

TEST(Link, WithoutAHopLeftNothingIsForwardedAndNobodyHasMoreThanTheLimit)
{
    Pair pair;
    pair.connect();
    const auto forward = [&](std::uint8_t hops) {
        const std::string frame = frameOf(commandFor("/"), {Kind::command, 0, hops, noDeadline, 0});
        return pair.listener.link->forward(**FrameReader(frame).next(), never, pair.listener.at(pair.time));
    };
    EXPECT_FALSE(forward(0));
    EXPECT_EQ(pair.listener.counters.hopLimit, 1u);
    EXPECT_TRUE(forward(1));
    EXPECT_TRUE(forward(255));
    pair.listener.link->flush();
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 2u);
    EXPECT_EQ(pair.dialer.received[0].prelude.hops, 0);
    EXPECT_EQ(pair.dialer.received[1].prelude.hops, limits::maxHops - 1);
}

// Deadlines on both ends: never later than the true one, and earlier by little more than a way out.
void expectDeadline(const End& receiver, Duration trueDeadline, Duration slack)
{
    ASSERT_FALSE(receiver.received.empty());
    ASSERT_TRUE(receiver.received.back().deadline.has_value());
    const Duration deadline = receiver.received.back().deadline->time_since_epoch() - receiver.offset;
    EXPECT_LE(deadline, trueDeadline);
    EXPECT_GE(deadline, trueDeadline - slack);
}

TEST(Link, DeadlinesArriveOnTheReceiversClockAndNeverLater)
{
    Pair pair;
    pair.connect();
    for (const Duration way : {Duration(1ms), Duration(40ms), Duration(0)}) {
        pair.way = way;
        pair.run(2s);
        const Duration trueDeadline = pair.time + 700ms;
        for (End* sender : {&pair.dialer, &pair.listener}) {
            ASSERT_TRUE(say(pair, *sender, "/", sender->at(trueDeadline).mono));
            sender->link->flush();
        }
        pair.deliver();
        expectDeadline(pair.dialer, trueDeadline, 1ms + 3ms);
        expectDeadline(pair.listener, trueDeadline, 1ms + 3ms);
    }
}

TEST(Link, ADeadlineThatPassedArrivesAsPassed)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/", pair.listener.at(pair.time - 10s).mono);
    say(pair, pair.listener, "/", pair.listener.at(pair.time).mono + 999us);
    pair.listener.link->flush();
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 2u);
    EXPECT_EQ(pair.dialer.received[0].prelude.remainingMs, 0u);
    EXPECT_EQ(pair.dialer.received[1].prelude.remainingMs, 0u);
    EXPECT_LT(*pair.dialer.received[0].deadline, pair.dialer.at(pair.time).mono);
}

TEST(Link, AFarDeadlineIsNotMistakenForNone)
{
    Pair pair;
    pair.connect();
    say(pair, pair.listener, "/", pair.listener.at(pair.time).mono + 24h * 365);
    say(pair, pair.listener, "/", never);
    pair.listener.link->flush();
    pair.deliver();
    ASSERT_EQ(pair.dialer.received.size(), 2u);
    EXPECT_EQ(pair.dialer.received[0].prelude.remainingMs, noDeadline - 1);
    EXPECT_EQ(pair.dialer.received[1].prelude.remainingMs, noDeadline);
    EXPECT_EQ(pair.dialer.received[1].deadline, never);
}

TEST(Link, ADeadlineIsUnknownBeforeTheFirstRoundTrip)
{
    Pair pair;
    const Prelude withDeadline{Kind::command, 0, 0, 1000, 5};
    const Prelude without{Kind::command, 0, 0, noDeadline, 5};
    EXPECT_FALSE(pair.listener.link->deadlineOf(withDeadline, pair.listener.at(pair.time)).has_value());
    EXPECT_EQ(pair.listener.link->deadlineOf(without, pair.listener.at(pair.time)), never);
    pair.dialer.link->onConnected(pair.dialer.at(pair.time));
    EXPECT_FALSE(pair.dialer.link->deadlineOf(withDeadline, pair.dialer.at(pair.time)).has_value());
    pair.listener.link->onFrame(pair.dialer.outbox.front(), pair.listener.at(pair.time));
    pair.dialer.outbox.clear();
    EXPECT_FALSE(pair.listener.link->deadlineOf(withDeadline, pair.listener.at(pair.time)).has_value()) << "a hello alone is no round trip";
    pair.dialer.link->onFrame(pair.listener.outbox.front(), pair.dialer.at(pair.time));
    pair.listener.outbox.clear();
    EXPECT_TRUE(pair.dialer.link->deadlineOf(withDeadline, pair.dialer.at(pair.time)).has_value());
    pair.deliver();
    EXPECT_TRUE(pair.listener.link->deadlineOf(withDeadline, pair.listener.at(pair.time)).has_value());
}

}  // namespace
}  // namespace mesh::shoset
