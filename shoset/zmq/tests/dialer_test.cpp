#include "shoset/zmq/connection.hpp"
#include "shoset/zmq/tests/harness.hpp"

#include <arpa/inet.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mesh::shoset::test {
namespace {

// A port of loopback that nobody listens on and nobody else gets. Free as soon as it ends, which a listener's is not.
class ReservedPort {
public:
    std::string endpoint() const { return "tcp://127.0.0.1:" + std::to_string(socket.local_endpoint().port()); }

private:
    boost::asio::io_context loop;
    boost::asio::ip::tcp::socket socket{
        loop, boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)};
};

class Dialer : public ZmqTest {
protected:
    ListenerHandlers recording()
    {
        return {.onMessage = [this](PeerId peer, std::string_view user, std::string_view frame) {
            heard.emplace_back(frame);
            users.emplace_back(user);
            lastPeer = peer;
        }};
    }
    std::vector<std::string> heard;
    std::vector<std::string> users;
    PeerId lastPeer = 0;
};

TEST_F(Dialer, ComesBackAfterTheListenerWasRestartedOnTheSamePort)
{
    startZap();
    auto listener = listen(recording());
    const std::string endpoint = listener->endpoint();
    int connects = 0;
    int disconnects = 0;
    MeshDialer* self = nullptr;
    auto dialer = dial(endpoint, registered("acme/a"),
                       {.onConnected = [&] { EXPECT_EQ(self->send("hello " + std::to_string(++connects)), Code::ok); },
                        .onDisconnected =
                            [&] {
                                ++disconnects;
                                self->reset();
                            }});
    self = dialer.get();
    for (int round = 1; round <= 3; ++round) {
        ASSERT_TRUE(runUntil([&] { return !heard.empty() && heard.back() == "hello " + std::to_string(round); }));
        EXPECT_TRUE(dialer->connected());
        const PeerId before = lastPeer;
        listener.reset();
        ASSERT_TRUE(runUntil([&] { return disconnects == round; }));
        EXPECT_FALSE(dialer->connected());
        listener = listen(recording(), endpoint);
        ASSERT_TRUE(runUntil([&] { return connects == round + 1 && lastPeer != before; }));
    }
}

TEST_F(Dialer, ConnectsWhenTheListenerComesLater)
{
    startZap();
    auto port = std::make_unique<ReservedPort>();
    const std::string endpoint = port->endpoint();
    auto dialer = dial(endpoint, registered("acme/a"), {});
    ASSERT_EQ(dialer->send("queued"), Code::ok);
    runFor(std::chrono::milliseconds(250));
    EXPECT_FALSE(dialer->connected());
    EXPECT_EQ(dialer->counters().sent, 0u);
    port.reset();
    auto listener = listen(recording(), endpoint);
    ASSERT_TRUE(runUntil([&] { return heard == std::vector<std::string>{"queued"}; }));
    EXPECT_TRUE(runUntil([&] { return dialer->connected(); }));
}

TEST_F(Dialer, QueueIsBoundedWhileThereIsNoLinkAndReportsRoomAfterwards)
{
    startZap();
    auto port = std::make_unique<ReservedPort>();
    const std::string endpoint = port->endpoint();
    DialerOptions options = dialTo(endpoint, registered("acme/a"));
    options.queueBytes = 10000;
    int writable = 0;
    auto dialer = dial(options, {.onWritable = [&] { ++writable; }});
    std::size_t accepted = 0;
    std::string frame;
    do {
        frame = std::string(900, 'x');
    } while (dialer->send(std::move(frame)) == Code::ok && ++accepted < 100);
    EXPECT_EQ(accepted, 10u);
    EXPECT_EQ(frame.size(), 900u);
    EXPECT_EQ(dialer->counters().refusedFull, 1u);
    EXPECT_EQ(dialer->send(std::string(options.maxFrameBytes + 1, 'x')), Code::tooLarge);
    port.reset();
    auto listener = listen(recording(), endpoint);
    ASSERT_TRUE(runUntil([&] { return heard.size() == accepted && writable == 1; }))
        << heard.size() << " heard, " << writable << " writable, " << dialer->counters().sent << " sent, "
        << dialer->counters().connected << " connected, " << dialer->counters().disconnected << " disconnected";
    EXPECT_EQ(dialer->queuedBytes(), 0u);
}

TEST_F(Dialer, ResetDropsTheQueueAndComesBackAsANewPeer)
{
    startZap();
    auto listener = listen(recording());
    auto dialer = dial(listener->endpoint(), registered("acme/a"), {});
    ASSERT_EQ(dialer->send("one"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return heard.size() == 1; }));
    const PeerId before = lastPeer;
    dialer->reset();
    ASSERT_EQ(dialer->send("dropped"), Code::ok);
    dialer->reset();
    EXPECT_EQ(dialer->counters().droppedReset, 1u);
    ASSERT_EQ(dialer->send("two"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return heard.size() == 2; }));
    EXPECT_EQ(heard.back(), "two");
    EXPECT_NE(lastPeer, before);
    EXPECT_EQ(users.back(), "acme/a");
}

TEST_F(Dialer, ResetFromInsideEveryHandlerIsSafe)
{
    startZap();
    MeshListener* server = nullptr;
    auto listener = listen({.onMessage = [&](PeerId peer, std::string_view, std::string_view) {
        for (int i = 0; i < 10; ++i) {
            EXPECT_EQ(server->send(peer, "answer"), Code::ok);
        }
    }});
    server = listener.get();
    MeshDialer* self = nullptr;
    int step = 0;
    auto dialer = dial(listener->endpoint(), registered("acme/a"),
                       {.onMessage =
                            [&](std::string_view frame) {
                                EXPECT_EQ(frame, "answer");
                                if (step % 3 == 0) {
                                    ++step;
                                    self->reset();
                                    EXPECT_EQ(frame, "answer");
                                }
                            },
                        .onBatchEnd =
                            [&] {
                                if (step % 3 == 1) {
                                    ++step;
                                    self->reset();
                                }
                            },
                        .onConnected =
                            [&] {
                                if (step % 3 == 2) {
                                    ++step;
                                    self->reset();
                                    return;
                                }
                                EXPECT_EQ(self->send("ask"), Code::ok);
                            }});
    self = dialer.get();
    EXPECT_TRUE(runUntil([&] { return step >= 30; })) << step;
}

TEST_F(Dialer, WrongServerKeyIsNeverConnected)
{
    startZap();
    auto listener = listen(recording());
    DialerOptions options = dialTo(listener->endpoint(), registered("acme/a"));
    options.serverKey = makeKeys().publicKey;
    auto dialer = dial(options, {.onConnected = [] { ADD_FAILURE(); }});
    ASSERT_EQ(dialer->send("to somebody else"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return dialer->counters().handshakesFailed >= 3; })) << "it does not go on trying";
    EXPECT_FALSE(dialer->connected());
    EXPECT_TRUE(heard.empty());
    EXPECT_EQ(zap->counters().admitted, 0u);
}

TEST_F(Dialer, BadKeysAndEndpointsAreErrorsAtOnce)
{
    DialerOptions options = dialTo("tcp://127.0.0.1:1", makeKeys());
    options.serverKey = "short";
    EXPECT_EQ(MeshDialer::connect(context, loop, options, {}).error().code, Code::invalidArgument);
    EXPECT_EQ(MeshDialer::connect(context, loop, dialTo("tcp://127.0.0.1:1", {}), {}).error().code,
              Code::invalidArgument);
    EXPECT_EQ(MeshDialer::connect(context, loop, dialTo("nonsense", makeKeys()), {}).error().code,
              Code::invalidArgument);
}

TEST_F(Dialer, EveryOrderOfShutdownEnds)
{
    alarm(60);  // a hang would be inside libzmq, out of reach of any other deadline
    for (int order = 0; order < 6; ++order) {
        boost::asio::io_context ownLoop;
        {
            Context own = std::move(Context::create().value());
            auto gate = std::move(Zap::start(own, ownLoop, [](auto, auto, auto) { return "acme/a"; }).value());
            std::uint64_t received = 0;
            ListenerOptions options;
            options.keys = serverKeys;
            auto listener = std::move(MeshListener::bind(own, ownLoop, "tcp://127.0.0.1:*", options,
                                                         {.onMessage = [&](auto, auto, auto) { ++received; }})
                                          .value());
            auto dialer =
                std::move(MeshDialer::connect(own, ownLoop, dialTo(listener->endpoint(), makeKeys()), {}).value());
            for (int i = 0; i < 5000; ++i) {
                ASSERT_EQ(dialer->send(std::string(600, 'x')), Code::ok);
            }
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
            while (received < 100 && std::chrono::steady_clock::now() < end) {
                ownLoop.run_one_until(end);
            }
            ASSERT_GE(received, 100u);
            const std::vector<std::function<void()>> steps{[&] { gate.reset(); }, [&] { listener.reset(); },
                                                           [&] { dialer.reset(); }};
            const int first = order % 3;
            steps[static_cast<std::size_t>(first)]();
            steps[static_cast<std::size_t>((first + 1 + order / 3) % 3)]();
            ownLoop.poll();
            steps[static_cast<std::size_t>((first + 2 - order / 3) % 3)]();
        }
        ownLoop.poll();
    }
    alarm(0);
}

TEST_F(Dialer, LoopMayEndBeforeTheObjectsThatItServes)
{
    alarm(60);
    Context own = std::move(Context::create().value());
    auto ownLoop = std::make_unique<boost::asio::io_context>();
    auto dialer = std::move(MeshDialer::connect(own, *ownLoop, dialTo("tcp://127.0.0.1:1", makeKeys()), {}).value());
    ASSERT_EQ(dialer->send("x"), Code::ok);
    ownLoop->poll();
    dialer.reset();
    ownLoop.reset();
    alarm(0);
}

TEST(DescriptorLimit, IsRaisedAsFarAsTheHardLimitAndNeverLowered)
{
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = 256;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_EQ(*raiseDescriptorLimit(300), 300u);
    EXPECT_EQ(*raiseDescriptorLimit(100), 300u);
    EXPECT_EQ(*raiseDescriptorLimit(SIZE_MAX / 2), before.rlim_max);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Origin, OnlyItsOwnFormIsRead)
{
    const std::string text = formatOrigin(17, "acme/a b");
    const auto origin = parseOrigin(text.c_str());
    ASSERT_TRUE(origin.has_value());
    EXPECT_EQ(origin->serial, 17u);
    EXPECT_EQ(origin->userId, "acme/a b");
    for (const char* bad : {"", "17", "17 ", " a", "x a", "-1 a", "99999999999999999999999 a", "17a b"}) {
        EXPECT_FALSE(parseOrigin(bad).has_value()) << bad;
    }
    EXPECT_FALSE(parseOrigin(nullptr).has_value());
}

TEST(ConnectionIdentity, ReusedDescriptorIsNotMistakenForItsPredecessor)
{
    using boost::asio::ip::tcp;
    boost::asio::io_context loop;
    tcp::acceptor acceptor(loop, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
    const std::string local = "tcp://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
    tcp::socket firstClient(loop);
    firstClient.connect(acceptor.local_endpoint());
    tcp::socket first = acceptor.accept();
    const int number = first.native_handle();
    const Connection connection = identifyConnection(number, local, "127.0.0.1");
    ASSERT_TRUE(connection.known());
    EXPECT_TRUE(isOpen(connection));
    EXPECT_FALSE(identifyConnection(number, local, "127.0.0.2").known());
    EXPECT_FALSE(identifyConnection(number, "tcp://127.0.0.1:1", "127.0.0.1").known());
    EXPECT_FALSE(identifyConnection(0, local, "127.0.0.1").known());
    EXPECT_FALSE(identifyConnection(-1, local, "127.0.0.1").known());

    tcp::socket secondClient(loop);
    secondClient.connect(acceptor.local_endpoint());
    tcp::socket second = acceptor.accept();
    first.close();
    ASSERT_EQ(dup2(second.native_handle(), number), number);
    EXPECT_FALSE(isOpen(connection));
    EXPECT_FALSE(shutDown(connection));
    EXPECT_EQ(boost::asio::write(secondClient, boost::asio::buffer("x", 1)), 1u);
    char byte = 0;
    EXPECT_EQ(recv(number, &byte, 1, 0), 1) << "the successor was shut";
    const Connection successor = identifyConnection(number, local, "127.0.0.1");
    EXPECT_TRUE(shutDown(successor));
    EXPECT_EQ(recv(number, &byte, 1, 0), 0);
    close(number);
}

}  // namespace
}  // namespace mesh::shoset::test
