#include "shoset/zmq/tests/harness.hpp"

#include <boost/asio/post.hpp>

namespace mesh::shoset::test {
namespace {

struct Heard {
    PeerId peer = 0;
    std::string user;
    std::string frame;
};

class Listener : public ZmqTest {
protected:
    ListenerHandlers recording()
    {
        return {.onMessage =
                    [this](PeerId peer, std::string_view user, std::string_view frame) {
                        heard.push_back({peer, std::string(user), std::string(frame)});
                    },
                .onPeerGone = [this](PeerId peer) { gone.push_back(peer); },
                .onPeerWritable = [this](PeerId peer) { writable.push_back(peer); }};
    }
    bool heardFrame(const std::string& frame) const { return peerOf(frame) != 0; }
    PeerId peerOf(const std::string& frame) const
    {
        for (const Heard& one : heard) {
            if (one.frame == frame) {
                return one.peer;
            }
        }
        return 0;
    }
    // Sends with a plain socket until libzmq takes it.
    void strangeSend(Socket& socket, const std::vector<std::string>& frames)
    {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const int flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
            ASSERT_TRUE(
                runUntil([&] { return zmq_send(socket.handle(), frames[i].data(), frames[i].size(), flags) >= 0; }));
        }
    }
    // What a plain socket received by now.
    static std::vector<std::string> strangeReceive(Socket& socket, std::size_t most = 1000000)
    {
        std::vector<std::string> frames;
        Part part;
        while (frames.size() < most && zmq_msg_recv(part.raw(), socket.handle(), ZMQ_DONTWAIT) >= 0) {
            frames.emplace_back(part.view());
        }
        return frames;
    }

    // Sends to a peer that does not read until kernel buffers, high-water marks and its queue are full and nothing
    // moves any more. Returns how many frames were accepted; `refused` is the frame that was not.
    std::uint64_t fillUp(MeshListener& listener, PeerId peer, std::string& refused)
    {
        std::uint64_t accepted = 0;
        auto lastAccepted = std::chrono::steady_clock::now();
        EXPECT_TRUE(runUntil([&] {
            Code code = Code::ok;
            while (code == Code::ok) {
                refused = std::string(16000, 'x');
                code = listener.send(peer, std::move(refused));
                if (code == Code::ok) {
                    ++accepted;
                    lastAccepted = std::chrono::steady_clock::now();
                }
            }
            EXPECT_EQ(code, Code::full);
            return std::chrono::steady_clock::now() - lastAccepted > std::chrono::milliseconds(300);
        }));
        writable.clear();
        return accepted;
    }

    std::vector<Heard> heard;
    std::vector<PeerId> gone;
    std::vector<PeerId> writable;
};

TEST_F(Listener, EndpointShowsTheRealPortAndATakenOneIsAnError)
{
    startZap();
    auto listener = listen({});
    EXPECT_TRUE(listener->endpoint().starts_with("tcp://127.0.0.1:"));
    EXPECT_FALSE(listener->endpoint().ends_with(":0"));
    ListenerOptions options;
    options.keys = serverKeys;
    auto second = MeshListener::bind(context, loop, listener->endpoint(), options, {});
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::unavailable);
    EXPECT_NE(second.error().message.find(listener->endpoint()), std::string::npos);
    EXPECT_EQ(MeshListener::bind(context, loop, "nonsense", options, {}).error().code, Code::invalidArgument);
    EXPECT_EQ(MeshListener::bind(context, loop, "tcp://127.0.0.1:0", {}, {}).error().code, Code::invalidArgument);
    auto other = MeshListener::bind(context, loop, "tcp://127.0.0.1:0", options, {});
    EXPECT_TRUE(other.ok());
}

TEST_F(Listener, UserIdIsThatOfTheKeyWhateverTheClientClaims)
{
    startZap();
    auto listener = listen(recording());
    const KeyPair honest = registered("acme/honest");
    const KeyPair liar = registered("acme/liar");
    Socket one = strangeDealer(honest, "acme/liar");
    Socket two = strangeDealer(liar, "acme/honest");
    ASSERT_TRUE(one.connect(listener->endpoint()).ok());
    ASSERT_TRUE(two.connect(listener->endpoint()).ok());
    strangeSend(one, {"from honest, acme/liar"});
    strangeSend(two, {"from liar, 1 acme/honest"});
    ASSERT_TRUE(runUntil([&] { return heard.size() == 2; }));
    for (const Heard& one_ : heard) {
        EXPECT_EQ(one_.user, one_.frame.starts_with("from honest") ? "acme/honest" : "acme/liar");
    }
    EXPECT_NE(heard[0].peer, heard[1].peer);
    EXPECT_EQ(listener->address(heard[0].peer), "127.0.0.1");
}

TEST_F(Listener, ClaimedRoutingIdOfAnotherIsMuteWhileThatOneIsThereAndANewPeerAfterwards)
{
    startZap();
    auto listener = listen(recording());
    auto owner = std::make_unique<Socket>(strangeDealer(registered("acme/owner"), "wanted"));
    ASSERT_TRUE(owner->connect(listener->endpoint()).ok());
    strangeSend(*owner, {"owner"});
    ASSERT_TRUE(runUntil([&] { return heardFrame("owner"); }));

    Socket thief = strangeDealer(registered("acme/thief"), "wanted");
    ASSERT_TRUE(thief.connect(listener->endpoint()).ok());
    strangeSend(thief, {"thief"});
    ASSERT_EQ(listener->send(peerOf("owner"), "secret"), Code::ok);
    std::vector<std::string> got;
    ASSERT_TRUE(runUntil([&] {
        got = strangeReceive(*owner);
        return !got.empty();
    }));
    EXPECT_EQ(got[0], "secret");
    EXPECT_TRUE(strangeReceive(thief).empty());
    EXPECT_FALSE(heardFrame("thief"));

    // The owner leaves; whoever comes under that routing id is another peer with an identity of its own.
    owner.reset();
    ASSERT_TRUE(runUntil([&] {
        Socket heir = strangeDealer(registered("acme/heir"), "wanted");
        EXPECT_TRUE(heir.connect(listener->endpoint()).ok());
        strangeSend(heir, {"heir"});
        return runUntil([&] { return heardFrame("heir"); }, std::chrono::milliseconds(500));
    }));
    EXPECT_NE(peerOf("heir"), peerOf("owner"));
    EXPECT_EQ(heard.back().user, "acme/heir");
}

TEST_F(Listener, MessagesThatAreNotOneFrameAreDroppedAndCounted)
{
    startZap();
    auto listener = listen(recording());
    Socket socket = strangeDealer(registered("acme/a"), "a");
    ASSERT_TRUE(socket.connect(listener->endpoint()).ok());
    strangeSend(socket, {"two", "frames"});
    strangeSend(socket, std::vector<std::string>(40, "many"));
    strangeSend(socket, {"", "delimited"});
    strangeSend(socket, {"good"});
    ASSERT_TRUE(runUntil([&] { return heardFrame("good"); }));
    EXPECT_EQ(heard.size(), 1u);
    EXPECT_EQ(listener->counters().droppedMalformed, 3u);
}

TEST_F(Listener, LongestFramePassesAndALongerOneEndsOnlyItsSendersConnection)
{
    startZap();
    ListenerOptions options;
    options.maxFrameBytes = 10000;
    auto listener = listen(options, recording());
    Socket good = strangeDealer(registered("acme/good"), "good");
    Socket bad = strangeDealer(registered("acme/bad"), "bad");
    ASSERT_TRUE(good.connect(listener->endpoint()).ok());
    ASSERT_TRUE(bad.connect(listener->endpoint()).ok());
    strangeSend(good, {"g1"});
    strangeSend(bad, {std::string(10000, 'x')});
    ASSERT_TRUE(runUntil([&] { return heard.size() == 2; }));
    const PeerId goodPeer = peerOf("g1");
    const PeerId badPeer = peerOf(std::string(10000, 'x'));

    strangeSend(bad, {std::string(10001, 'y')});
    strangeSend(bad, {"after"});  // over the connection that libzmq makes anew
    ASSERT_TRUE(runUntil([&] {
        strangeSend(bad, {"again"});
        return heardFrame("again");
    }));
    EXPECT_FALSE(heardFrame(std::string(10001, 'y')));
    EXPECT_NE(peerOf("again"), badPeer);
    strangeSend(good, {"g2"});
    ASSERT_TRUE(runUntil([&] { return heardFrame("g2"); }));
    EXPECT_EQ(peerOf("g2"), goodPeer);
    EXPECT_EQ(listener->send(goodPeer, std::string(10001, 'z')), Code::tooLarge);
    EXPECT_EQ(listener->counters().refusedTooLarge, 1u);
}

TEST_F(Listener, PeerThatDoesNotReadFillsItsOwnQueueAndStopsNobodyElse)
{
    startZap();
    ListenerOptions options;
    options.highWaterMark = 20;
    options.peerQueueBytes = 1024 * 1024;
    auto listener = listen(options, recording());
    Socket slow = strangeDealer(registered("acme/slow"), "slow", 20);
    ASSERT_TRUE(slow.connect(listener->endpoint()).ok());
    strangeSend(slow, {"slow"});
    std::uint64_t fastGot = 0;
    auto fast =
        dial(listener->endpoint(), registered("acme/fast"), {.onMessage = [&](std::string_view) { ++fastGot; }});
    ASSERT_EQ(fast->send("fast"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return heardFrame("slow") && heardFrame("fast"); }));
    const PeerId slowPeer = peerOf("slow");
    const PeerId fastPeer = peerOf("fast");

    std::string frame;
    const std::uint64_t accepted = fillUp(*listener, slowPeer, frame);
    EXPECT_EQ(frame.size(), 16000u) << "a refused frame stays with its sender";
    EXPECT_GE(listener->counters().refusedFull, 1u);
    EXPECT_LE(listener->queuedBytes(slowPeer), options.peerQueueBytes);
    EXPECT_GT(listener->queuedBytes(slowPeer), options.peerQueueBytes - 20000);

    for (std::uint64_t i = 0; i < 5000; ++i) {
        ASSERT_EQ(listener->send(fastPeer, "to the fast one"), Code::ok);
    }
    EXPECT_TRUE(runUntil([&] { return fastGot == 5000; })) << fastGot;
    EXPECT_TRUE(writable.empty());

    // It reads at last: all that was accepted arrives, and the sender hears that there is room.
    std::uint64_t slowGot = 0;
    EXPECT_TRUE(runUntil([&] {
        slowGot += strangeReceive(slow, 10).size();
        return slowGot == accepted;
    })) << slowGot
        << " of " << accepted;
    EXPECT_EQ(writable, std::vector<PeerId>{slowPeer});
    EXPECT_EQ(listener->queuedBytes(slowPeer), 0u);
    EXPECT_EQ(listener->counters().droppedGone, 0u);
    EXPECT_TRUE(gone.empty());
}

TEST_F(Listener, VanishedPeerIsReportedAndWhatWaitedIsCounted)
{
    startZap();
    ListenerOptions options;
    options.highWaterMark = 5;
    auto listener = listen(options, recording());
    auto socket = std::make_unique<Socket>(strangeDealer(registered("acme/a"), "a", 5));
    ASSERT_TRUE(socket->connect(listener->endpoint()).ok());
    strangeSend(*socket, {"hi"});
    ASSERT_TRUE(runUntil([&] { return heardFrame("hi"); }));
    const PeerId peer = peerOf("hi");
    std::string frame;
    fillUp(*listener, peer, frame);
    EXPECT_TRUE(gone.empty());
    socket.reset();
    ASSERT_TRUE(runUntil([&] { return !gone.empty(); }));
    EXPECT_EQ(gone, std::vector<PeerId>{peer});
    EXPECT_GE(listener->counters().droppedGone, 3u);
    EXPECT_EQ(listener->counters().peersGone, 1u);
    EXPECT_EQ(listener->peerCount(), 0u);
    const std::uint64_t refused = listener->counters().refusedGone;
    frame = "too late";
    EXPECT_EQ(listener->send(peer, std::move(frame)), Code::notSent);
    EXPECT_EQ(frame, "too late");
    EXPECT_EQ(listener->counters().refusedGone, refused + 1);
}

TEST_F(Listener, DisconnectEndsThatConnectionAloneAndTheKeyIsCheckedAgain)
{
    startZap();
    auto listener = listen(recording());
    const KeyPair revoked = registered("acme/revoked");
    int disconnects = 0;
    int kept = 0;
    MeshDialer* self = nullptr;
    auto bad = dial(
        listener->endpoint(), revoked,
        {.onConnected = [&] { EXPECT_EQ(self->send("bad"), Code::ok); }, .onDisconnected = [&] { ++disconnects; }});
    self = bad.get();
    std::vector<std::unique_ptr<MeshDialer>> others;
    for (int i = 0; i < 5; ++i) {
        others.push_back(
            dial(listener->endpoint(), registered("acme/" + std::to_string(i)),
                 {.onMessage = [&](std::string_view) { ++kept; }, .onDisconnected = [&] { ADD_FAILURE(); }}));
        ASSERT_EQ(others.back()->send("other" + std::to_string(i)), Code::ok);
    }
    ASSERT_TRUE(runUntil([&] { return heard.size() == 6; }));
    const PeerId badPeer = peerOf("bad");

    registry.erase(revoked.publicKey);
    EXPECT_TRUE(listener->disconnect(badPeer));
    EXPECT_FALSE(listener->disconnect(badPeer));
    EXPECT_EQ(listener->send(badPeer, "nothing more"), Code::notSent);
    ASSERT_TRUE(runUntil([&] { return disconnects == 1 && zap->counters().refused >= 1; }));
    EXPECT_FALSE(bad->connected());
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(listener->send(peerOf("other" + std::to_string(i)), "still here"), Code::ok);
    }
    EXPECT_TRUE(runUntil([&] { return kept == 5; }));
    EXPECT_EQ(zap->counters().admitted, 6u);
    EXPECT_EQ(listener->counters().disconnected, 1u);
    EXPECT_TRUE(gone.empty());
}

TEST_F(Listener, WhatADisconnectedPeerHadStillInThePipeIsDiscarded)
{
    startZap();
    MeshListener* server = nullptr;
    int messages = 0;
    auto listener = listen({.onMessage = [&](PeerId peer, std::string_view, std::string_view) {
        ++messages;
        EXPECT_TRUE(server->disconnect(peer));
    }});
    server = listener.get();
    auto dialer = dial(listener->endpoint(), registered("acme/a"), {});
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(dialer->send("x"), Code::ok);
    }
    ASSERT_TRUE(runUntil([&] { return dialer->counters().disconnected == 1; }));
    EXPECT_EQ(messages, 1);
    EXPECT_GT(listener->counters().droppedCut, 0u);
}

TEST_F(Listener, ForgottenPeerThatSpeaksAgainIsBackUnderItsId)
{
    startZap();
    auto listener = listen(recording());
    auto dialer = dial(listener->endpoint(), registered("acme/a"), {});
    ASSERT_EQ(dialer->send("one"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return heardFrame("one"); }));
    listener->forget(peerOf("one"));
    EXPECT_EQ(listener->peerCount(), 0u);
    EXPECT_EQ(listener->send(peerOf("one"), "x"), Code::notSent);
    ASSERT_EQ(dialer->send("two"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return heardFrame("two"); }));
    EXPECT_EQ(peerOf("two"), peerOf("one"));
    EXPECT_TRUE(gone.empty());
}

TEST_F(Listener, TableOfPeersIsBoundedAndDeadConnectionsMakeRoom)
{
    startZap();
    ListenerOptions options;
    options.maxPeers = 3;
    auto listener = listen(options, recording());
    std::vector<std::unique_ptr<MeshDialer>> dialers;
    for (int i = 0; i < 3; ++i) {
        dialers.push_back(dial(listener->endpoint(), registered("acme/" + std::to_string(i)), {}));
        ASSERT_EQ(dialers.back()->send(std::to_string(i)), Code::ok);
    }
    ASSERT_TRUE(runUntil([&] { return heard.size() == 3; }));
    auto late = dial(listener->endpoint(), registered("acme/late"), {});
    ASSERT_EQ(late->send("late"), Code::ok);
    ASSERT_TRUE(runUntil([&] { return listener->counters().droppedTooMany == 1; }));
    EXPECT_EQ(listener->peerCount(), 3u);

    const PeerId dead = peerOf("1");
    dialers[1].reset();
    ASSERT_TRUE(runUntil([&] {
        EXPECT_EQ(late->send("late again"), Code::ok);
        return heardFrame("late again");
    }));
    ASSERT_TRUE(runUntil([&] { return !gone.empty(); }));
    EXPECT_EQ(gone, std::vector<PeerId>{dead});
    EXPECT_EQ(listener->peerCount(), 3u);
}

}  // namespace
}  // namespace mesh::shoset::test
