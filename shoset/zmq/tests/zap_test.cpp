#include "shoset/zmq/tests/harness.hpp"

namespace mesh::shoset::test {
namespace {

class ZapTest : public ZmqTest {
protected:
    // What the handler answers to a raw request: status code, then User-Id.
    std::vector<std::string> ask(const std::vector<std::string>& frames)
    {
        Socket asker = std::move(Socket::open(context, ZMQ_REQ).value());
        EXPECT_TRUE(asker.connect("inproc://zeromq.zap.01").ok());
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
            EXPECT_GE(zmq_send(asker.handle(), frames[i].data(), frames[i].size(), more), 0);
        }
        std::vector<std::string> reply;
        Part part;
        EXPECT_TRUE(runUntil([&] { return zmq_msg_recv(part.raw(), asker.handle(), ZMQ_DONTWAIT) >= 0; }));
        reply.emplace_back(part.view());
        while (part.more() && zmq_msg_recv(part.raw(), asker.handle(), ZMQ_DONTWAIT) >= 0) {
            reply.emplace_back(part.view());
        }
        return reply;
    }
};

TEST_F(ZapTest, UnknownKeyIsRefusedEvenWhenThereIsNoHandler)
{
    bool connected = false;
    std::uint64_t messages = 0;
    auto listener = listen({.onMessage = [&](PeerId, std::string_view, std::string_view) { ++messages; }});
    auto dialer = dial(listener->endpoint(), makeKeys(), {.onConnected = [&] { connected = true; }});
    ASSERT_EQ(dialer->send("let me in"), Code::ok);
    EXPECT_TRUE(runUntil([&] { return dialer->counters().handshakesFailed >= 1; }));
    runFor(std::chrono::milliseconds(300));
    EXPECT_FALSE(connected);
    EXPECT_EQ(messages, 0u);
    EXPECT_EQ(listener->counters().received, 0u);
}

TEST_F(ZapTest, UnknownKeyIsRefusedAndReported)
{
    startZap();
    auto listener = listen({});
    const KeyPair stranger = makeKeys();
    std::string reason;
    auto dialer =
        dial(listener->endpoint(), stranger, {.onHandshakeFailed = [&](const std::string& why) { reason = why; }});
    ASSERT_EQ(dialer->send("let me in"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return !reason.empty() && !refusals.empty(); }));
    EXPECT_NE(reason.find("refused our key (status 400)"), std::string::npos) << reason;
    EXPECT_EQ(refusals[0].key, stranger.publicKey);
    EXPECT_EQ(refusals[0].address, "127.0.0.1");
    EXPECT_EQ(refusals[0].domain, "mesh");
    EXPECT_FALSE(dialer->connected());
    EXPECT_EQ(listener->counters().received, 0u);
}

TEST_F(ZapTest, RefusedKeyGetsInSoonAfterItIsRegistered)
{
    startZap();
    std::string user;
    std::string first;
    auto listener = listen({.onMessage = [&](PeerId, std::string_view id, std::string_view frame) {
        user = id;
        first = frame;
    }});
    const KeyPair late = makeKeys();
    auto dialer = dial(listener->endpoint(), late, {});
    ASSERT_EQ(dialer->send("waited"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return zap->counters().refused >= 2; })) << "the dialer gave up";
    registry[late.publicKey] = "acme/late";
    ASSERT_TRUE(runUntil([&] { return user == "acme/late"; }, std::chrono::seconds(5)));
    EXPECT_EQ(first, "waited");
    EXPECT_EQ(dialer->counters().droppedReset, 0u);
}

TEST_F(ZapTest, ReportsOfRefusalsAreRateLimitedAndCountAll)
{
    startZap();
    const std::string key(32, 'k');
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "CURVE", key})[2], "400");
    }
    EXPECT_EQ(zap->counters().refused, 50u);
    ASSERT_EQ(refusals.size(), 1u);
    EXPECT_EQ(refusals[0].count, 1u);
    runFor(std::chrono::milliseconds(1100));
    ask({"1.0", "1", "mesh", "127.0.0.1", "", "CURVE", key});
    ASSERT_EQ(refusals.size(), 2u);
    EXPECT_EQ(refusals[1].count, 50u);
}

TEST_F(ZapTest, OnlyWellFormedCurveRequestsAreConsidered)
{
    startZap();
    const KeyPair known = registered("acme/sled07");
    std::string raw(32, '\0');
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(raw.data()), known.publicKey.c_str());

    const auto good = ask({"1.0", "42", "mesh", "127.0.0.1", "", "CURVE", raw});
    ASSERT_EQ(good.size(), 6u);
    EXPECT_EQ(good[0], "1.0");
    EXPECT_EQ(good[1], "42");
    EXPECT_EQ(good[2], "200");
    EXPECT_TRUE(good[4].ends_with(" acme/sled07")) << good[4];

    EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "NULL"})[2], "400");
    EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "PLAIN", "user", "password"})[2], "400");
    EXPECT_EQ(ask({"2.0", "1", "mesh", "127.0.0.1", "", "CURVE", raw})[2], "500");
    EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "CURVE"})[2], "500");
    EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "CURVE", raw.substr(1)})[2], "500");
    EXPECT_EQ(ask({"1.0", "1", "mesh", "127.0.0.1", "", "CURVE", raw, "more"})[2], "500");
    EXPECT_EQ(ask({"junk"})[2], "500");
    EXPECT_EQ(ask(std::vector<std::string>(20, "1.0"))[2], "500");
    EXPECT_EQ(zap->counters().admitted, 1u);
    EXPECT_EQ(zap->counters().refusedOther, 2u);
    EXPECT_EQ(zap->counters().malformed, 6u);
}

TEST_F(ZapTest, AProcessOfThisMachineIsJudgedByWhatTheKernelSaysOfIt)
{
    std::vector<std::string> asked;
    const auto nobody = [](auto, auto, auto) { return std::optional<std::string>(); };
    const auto local = [&asked](std::string_view domain, std::string_view peer) -> std::optional<std::string> {
        asked.push_back(std::string(domain) + " " + std::string(peer));
        return peer == "1:2:3" ? std::optional<std::string>("one") : std::nullopt;
    };
    zap = std::move(*Zap::start(context, loop, nobody, [this](const ZapRefusal& refusal) { refusals.push_back(refusal); }, local));
    EXPECT_EQ(ask({"1.0", "1", "worker", "127.0.0.1", "", "NULL"})[2], "400") << "nothing is proved of it";
    EXPECT_TRUE(asked.empty());
    const auto good = ask({"1.0", "1", "worker", "localhost:1:2:3", "", "NULL"});
    EXPECT_EQ(good[2], "200");
    EXPECT_TRUE(good[4].ends_with(" one")) << good[4];
    EXPECT_EQ(ask({"1.0", "1", "worker", "localhost:9:2:3", "", "NULL"})[2], "400");
    EXPECT_EQ(ask({"1.0", "1", "worker", "localhost:1:2:3", "", "PLAIN", "user", "password"})[2], "400");
    EXPECT_EQ(asked, (std::vector<std::string>{"worker 1:2:3", "worker 9:2:3"}));
    EXPECT_EQ(refusals.at(0).address, "127.0.0.1");
}

TEST_F(ZapTest, SecondHandlerOfAContextIsRefused)
{
    startZap();
    auto second = Zap::start(context, loop, [](auto, auto, auto) { return std::nullopt; });
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::unavailable);
}

}  // namespace
}  // namespace mesh::shoset::test
