#include "shoset/zmq/tests/harness.hpp"

#include <boost/asio/post.hpp>
#include <utility>

// A pump that trusts the descriptor's edges loses messages or hangs, at some concurrencies only.
namespace mesh::shoset::test {
namespace {

class Stall : public ZmqTest, public ::testing::WithParamInterface<int> {};
class Burst : public ZmqTest {};

INSTANTIATE_TEST_SUITE_P(InFlight, Stall, ::testing::Values(1, 2, 8, 16, 64, 200), ::testing::PrintToStringParamName());

// Every answer leads to the next request, until `total` are done.
struct RequestLoop {
    int total;
    int sent = 0;
    int answered = 0;
    bool inOrder = true;
    void request(MeshDialer& dialer)
    {
        if (sent < total) {
            EXPECT_EQ(dialer.send(std::to_string(sent++)), Code::ok);
        }
    }
};

TEST_P(Stall, EveryRequestIsAnsweredWithThisManyInFlight)
{
    constexpr int total = 20000;
    startZap();
    MeshListener* server = nullptr;
    auto listener = listen({.onMessage = [&](PeerId peer, std::string_view, std::string_view frame) {
        EXPECT_EQ(server->send(peer, std::string(frame)), Code::ok);
    }});
    server = listener.get();
    RequestLoop requests{total};
    MeshDialer* client = nullptr;
    auto dialer = dial(listener->endpoint(), registered("acme/a"),
                       {.onMessage =
                            [&](std::string_view frame) {
                                requests.inOrder &= frame == std::to_string(requests.answered++);
                                requests.request(*client);
                            },
                        .onConnected =
                            [&] {
                                for (int i = 0; i < GetParam(); ++i) {
                                    requests.request(*client);
                                }
                            }});
    client = dialer.get();
    EXPECT_TRUE(runUntil([&] { return requests.answered == total; }, std::chrono::seconds(60)))
        << requests.answered << " of " << requests.sent << " answered";
    EXPECT_TRUE(requests.inOrder);
}

TEST_P(Stall, EveryRequestIsAnsweredWhenAnswersLeaveAtTheEndOfEachBatch)
{
    constexpr int total = 20000;
    startZap();
    MeshListener* server = nullptr;
    std::vector<std::pair<PeerId, std::string>> answers;
    auto listener = listen(
        {.onMessage = [&](PeerId peer, std::string_view, std::string_view frame) { answers.emplace_back(peer, frame); },
         .onBatchEnd =
             [&] {
                 for (auto& [peer, frame] : std::exchange(answers, {})) {
                     EXPECT_EQ(server->send(peer, std::move(frame)), Code::ok);
                 }
             }});
    server = listener.get();
    RequestLoop requests{total};
    MeshDialer* client = nullptr;
    int owed = GetParam();
    const auto flush = [&] {
        for (; owed > 0; --owed) {
            requests.request(*client);
        }
    };
    auto dialer = dial(listener->endpoint(), registered("acme/a"),
                       {.onMessage =
                            [&](std::string_view) {
                                ++requests.answered;
                                ++owed;
                            },
                        .onBatchEnd = flush,
                        .onConnected = flush});
    client = dialer.get();
    EXPECT_TRUE(runUntil([&] { return requests.answered == total; }, std::chrono::seconds(60)))
        << requests.answered << " of " << requests.sent << " answered";
}

// The sends come from other handlers of the loop, while the pump waits for its descriptor.
TEST_P(Stall, EveryRequestIsAnsweredWhenItIsSentFromOutsideTheTurn)
{
    constexpr int total = 20000;
    startZap();
    MeshListener* server = nullptr;
    auto listener = listen({.onMessage = [&](PeerId peer, std::string_view, std::string_view frame) {
        boost::asio::post(loop, [&server, peer, copy = std::string(frame)]() mutable {
            EXPECT_EQ(server->send(peer, std::move(copy)), Code::ok);
        });
    }});
    server = listener.get();
    RequestLoop requests{total};
    MeshDialer* client = nullptr;
    const auto later = [&] { boost::asio::post(loop, [&] { requests.request(*client); }); };
    auto dialer = dial(listener->endpoint(), registered("acme/a"),
                       {.onMessage =
                            [&](std::string_view) {
                                ++requests.answered;
                                later();
                            },
                        .onConnected =
                            [&] {
                                for (int i = 0; i < GetParam(); ++i) {
                                    later();
                                }
                            }});
    client = dialer.get();
    EXPECT_TRUE(runUntil([&] { return requests.answered == total; }, std::chrono::seconds(60)))
        << requests.answered << " of " << requests.sent << " answered";
}

// Every few messages one side or the other runs into its high-water mark and its queue.
TEST_P(Stall, EveryRequestIsAnsweredAcrossTinyHighWaterMarks)
{
    constexpr int total = 20000;
    startZap();
    MeshListener* server = nullptr;
    ListenerOptions options;
    options.highWaterMark = 2;
    auto listener = listen(options, {.onMessage = [&](PeerId peer, std::string_view, std::string_view frame) {
                               EXPECT_EQ(server->send(peer, std::string(frame)), Code::ok);
                           }});
    server = listener.get();
    DialerOptions dialling = dialTo(listener->endpoint(), registered("acme/a"));
    dialling.highWaterMark = 2;
    RequestLoop requests{total};
    MeshDialer* client = nullptr;
    auto dialer = dial(dialling, {.onMessage =
                                      [&](std::string_view frame) {
                                          requests.inOrder &= frame == std::to_string(requests.answered++);
                                          requests.request(*client);
                                      },
                                  .onConnected =
                                      [&] {
                                          for (int i = 0; i < GetParam(); ++i) {
                                              requests.request(*client);
                                          }
                                      }});
    client = dialer.get();
    EXPECT_TRUE(runUntil([&] { return requests.answered == total; }, std::chrono::seconds(60)))
        << requests.answered << " of " << requests.sent << " answered";
    EXPECT_TRUE(requests.inOrder);
}

TEST_F(Burst, AllOfAOneWayBurstArrivesInOrder)
{
    constexpr std::uint64_t total = 10000;
    startZap();
    std::uint64_t next = 0;
    bool inOrder = true;
    auto listener = listen({.onMessage = [&](PeerId, std::string_view, std::string_view frame) {
        inOrder &= frame == std::to_string(next++);
    }});
    auto dialer = dial(listener->endpoint(), registered("acme/a"), {});
    for (std::uint64_t i = 0; i < total; ++i) {
        ASSERT_EQ(dialer->send(std::to_string(i)), Code::ok);
    }
    EXPECT_TRUE(runUntil([&] { return next == total; })) << next;
    EXPECT_TRUE(inOrder);
    EXPECT_EQ(dialer->counters().sent, total);
    EXPECT_GT(dialer->counters().queued, 0u);
    EXPECT_EQ(dialer->queuedBytes(), 0u);
}

TEST_F(Burst, BothDirectionsAtOnceLoseNothing)
{
    constexpr std::uint64_t total = 30000;
    startZap();
    PeerId peer = 0;
    std::uint64_t atServer = 0;
    std::uint64_t atClient = 0;
    auto listener = listen({.onMessage = [&](PeerId from, std::string_view, std::string_view) {
        peer = from;
        ++atServer;
    }});
    auto dialer =
        dial(listener->endpoint(), registered("acme/a"), {.onMessage = [&](std::string_view) { ++atClient; }});
    ASSERT_EQ(dialer->send(""), Code::ok);
    ASSERT_TRUE(runUntil([&] { return peer != 0; }));
    for (std::uint64_t i = 1; i < total; ++i) {
        ASSERT_EQ(dialer->send(std::string(i % 700, 'c')), Code::ok);
        ASSERT_EQ(listener->send(peer, std::string(i % 700, 's')), Code::ok);
        if (i % 1000 == 0) {
            ASSERT_TRUE(
                runUntil([&] { return dialer->queuedBytes() < 2000000 && listener->queuedBytes(peer) < 2000000; }));
        }
    }
    ASSERT_EQ(listener->send(peer, "last"), Code::ok);
    EXPECT_TRUE(runUntil([&] { return atServer == total && atClient == total; })) << atServer << " " << atClient;
}

TEST_F(Burst, ManyPeersAtOnceAreAllServed)
{
    constexpr int dialers = 40;
    constexpr int each = 500;
    startZap();
    MeshListener* server = nullptr;
    std::map<std::string, int> perUser;
    auto listener = listen({.onMessage = [&](PeerId peer, std::string_view user, std::string_view frame) {
        ++perUser[std::string(user)];
        EXPECT_EQ(server->send(peer, std::string(frame)), Code::ok);
    }});
    server = listener.get();
    int answers = 0;
    std::vector<std::unique_ptr<MeshDialer>> all;
    for (int i = 0; i < dialers; ++i) {
        all.push_back(dial(listener->endpoint(), registered("acme/" + std::to_string(i)),
                           {.onMessage = [&](std::string_view) { ++answers; }}));
    }
    for (int i = 0; i < each; ++i) {
        for (auto& dialer : all) {
            ASSERT_EQ(dialer->send("x"), Code::ok);
        }
    }
    EXPECT_TRUE(runUntil([&] { return answers == dialers * each; }, std::chrono::seconds(40))) << answers;
    EXPECT_EQ(perUser.size(), static_cast<std::size_t>(dialers));
    for (const auto& [user, count] : perUser) {
        EXPECT_EQ(count, each) << user;
    }
}

}  // namespace
}  // namespace mesh::shoset::test
