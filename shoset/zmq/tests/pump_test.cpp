#include "shoset/zmq/pump.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/zmq/tests/harness.hpp"

#include <boost/asio/post.hpp>
#include <utility>

// The moments at which a descriptor's edge gets lost, produced one by one: both ends are on this thread.
namespace mesh::shoset::test {
namespace {

class Pumped : public ZmqTest, public PumpClient {
protected:
    Pumped()
    {
        Socket served = std::move(Socket::open(context, ZMQ_PAIR).value());
        EXPECT_TRUE(served.bind("inproc://pumped").ok());
        EXPECT_TRUE(other.connect("inproc://pumped").ok());
        pump = std::move(Pump::start(loop, std::move(served), *this).value());
        runFor(std::chrono::milliseconds(20));  // now it waits for its descriptor
    }
    ~Pumped() override { pump->close(); }

    void onParts(std::span<const Part> parts, std::size_t) override { received.emplace_back(parts[0].view()); }
    void onBatchEnd() override { ++batches; }
    void onDrained() override
    {
        if (atDrained) {
            std::exchange(atDrained, nullptr)();
        }
    }
    bool wantsWritable() const override { return pending; }
    void onWritable() override { pending = false; }

    void otherSends(const std::string& text)
    {
        ASSERT_GE(zmq_send(other.handle(), text.data(), text.size(), ZMQ_DONTWAIT), 0);
    }
    // A send that processes the socket's commands, and with them the edge. libzmq does that when it has not for a
    // millisecond or so.
    void sendAndEatTheEdge()
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
        while (std::chrono::steady_clock::now() < end) {
        }
        ASSERT_EQ(pump->send({}, "eats"), SendStatus::sent);
    }
    bool getsIt(const std::string& text)
    {
        return runUntil([&] { return !received.empty() && received.back() == text; }, std::chrono::seconds(2));
    }

    Socket other = std::move(Socket::open(context, ZMQ_PAIR).value());
    std::shared_ptr<Pump> pump;
    std::vector<std::string> received;
    std::function<void()> atDrained;
    int batches = 0;
    bool pending = false;
};

TEST_F(Pumped, MessageWhoseEdgeWasEatenByASendFromOutsideIsDelivered)
{
    otherSends("one");
    sendAndEatTheEdge();
    EXPECT_TRUE(getsIt("one"));
}

TEST_F(Pumped, MessageWhoseEdgeWasEatenByASendWithinTheTurnIsDelivered)
{
    atDrained = [&] {
        otherSends("late");
        sendAndEatTheEdge();
    };
    otherSends("first");
    EXPECT_TRUE(getsIt("late"));
}

TEST_F(Pumped, MessageWhoseEdgeWasEatenByTheReadingOfEventsIsDelivered)
{
    atDrained = [&] {
        pending = true;
        otherSends("late");
    };
    otherSends("first");
    EXPECT_TRUE(getsIt("late"));
    EXPECT_FALSE(pending);
}

TEST_F(Pumped, LongInputIsCutIntoBatchesBetweenWhichOtherHandlersRun)
{
    constexpr std::size_t total = 5 * limits::messagesPerTurn / 2;
    for (std::size_t i = 0; i < total; ++i) {
        otherSends("x");
    }
    std::size_t seenByOthers = 0;
    atDrained = [&] { boost::asio::post(loop, [&] { seenByOthers = received.size(); }); };
    EXPECT_TRUE(runUntil([&] { return received.size() == total; }));
    EXPECT_EQ(batches, 3);
    EXPECT_GT(seenByOthers, 0u);
    EXPECT_LE(seenByOthers, 2 * limits::messagesPerTurn);
}

TEST_F(Pumped, LongMessagesAreFewerInABatch)
{
    const std::string text(limits::bytesPerTurn / 4, 'x');
    for (int i = 0; i < 9; ++i) {
        otherSends(text);
    }
    EXPECT_TRUE(runUntil([&] { return received.size() == 9; }));
    EXPECT_EQ(batches, 3);
}

TEST_F(Pumped, MessageOfManyFramesIsCountedWholeAndLeavesNothingBehind)
{
    for (int i = 0; i < 30; ++i) {
        ASSERT_GE(zmq_send(other.handle(), "part", 4, i < 29 ? ZMQ_SNDMORE : 0), 0);
    }
    otherSends("next");
    EXPECT_TRUE(getsIt("next"));
    EXPECT_EQ(received, (std::vector<std::string>{"part", "next"}));
}

TEST_F(Pumped, FrameThatCannotBeSentStaysWithItsSender)
{
    // Longer than limits::zeroCopyBytes, so that libzmq had borrowed it.
    const std::string text(limits::zeroCopyBytes * 2, 'x');
    for (std::string frame = text; pump->send({}, std::move(frame)) == SendStatus::sent; frame = text) {
    }
    std::string frame = text;
    EXPECT_EQ(pump->send({}, std::move(frame)), SendStatus::wouldBlock);
    EXPECT_EQ(frame, text);
    pump->close();
    EXPECT_EQ(pump->send({}, std::move(frame)), SendStatus::failed);
    EXPECT_EQ(frame, text);
}

}  // namespace
}  // namespace mesh::shoset::test
