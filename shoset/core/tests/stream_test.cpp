#include "shoset/core/stream.hpp"

#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

constexpr std::uint64_t window = limits::streamWindowBytes;

TEST(Stream, ASenderMayFillTheWindowAndThenWaitsForCredit)
{
    SendWindow send;
    EXPECT_EQ(send.room(), window);
    send.sent = window;
    EXPECT_EQ(send.room(), 0u);
    send.grant(window + 100);
    EXPECT_EQ(send.room(), 100u);
    send.grant(window + 100);
    send.grant(5);
    EXPECT_EQ(send.room(), 100u) << "repeated and late credits do no harm";
}

TEST(Stream, AReceiverTakesOnlyTheNextPieceWithinItsGrant)
{
    ReceiveWindow receive;
    EXPECT_TRUE(receive.accepts(0, window));
    EXPECT_FALSE(receive.accepts(0, window + 1));
    EXPECT_FALSE(receive.accepts(1, 10));
    receive.received = 100;
    EXPECT_TRUE(receive.accepts(100, window - 100));
    EXPECT_FALSE(receive.accepts(99, 1));
    EXPECT_FALSE(receive.accepts(101, 1));
    EXPECT_FALSE(receive.accepts(100, window - 99));
}

TEST(Stream, CreditIsGrantedInStepsWorthAMessage)
{
    ReceiveWindow receive;
    EXPECT_EQ(receive.dueGrant(), 0u);
    receive.consumed = window / 2 - 1;
    EXPECT_EQ(receive.dueGrant(), 0u);
    receive.consumed = window / 2;
    EXPECT_EQ(receive.dueGrant(), window + window / 2);
    EXPECT_EQ(receive.dueGrant(), 0u);
}

TEST(Stream, AnyConsumerKeepsTheSenderGoingAndNeverMoreThanAWindowWaits)
{
    SeededRng rng(3);
    for (int run = 0; run < 20; ++run) {
        SendWindow send;
        ReceiveWindow receive;
        const std::uint64_t total = 20 * window + rng.below(window);
        for (int steps = 0; receive.consumed < total; ++steps) {
            ASSERT_LT(steps, 100000) << "the stream is stuck";
            const std::uint64_t piece = std::min({send.room(), std::uint64_t{limits::chunkBytes}, total - send.sent});
            ASSERT_TRUE(receive.accepts(send.sent, piece));
            send.sent += piece;
            receive.received += piece;
            receive.consumed += std::min<std::uint64_t>(rng.below(2 * limits::chunkBytes), receive.received - receive.consumed);
            ASSERT_LE(receive.received - receive.consumed, window);
            if (const std::uint64_t grant = receive.dueGrant(); grant != 0) {
                send.grant(grant);
            }
        }
    }
}

}  // namespace
}  // namespace mesh::shoset
