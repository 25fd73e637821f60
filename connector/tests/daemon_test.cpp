#include "connector/daemon.hpp"
#include "connector/tests/support.hpp"
#include "shoset/zmq/listener.hpp"
#include "shoset/zmq/zap.hpp"

#include <map>
#include <optional>
#include <set>

namespace mesh::connector {
namespace {

using shoset::PeerId;

// An aggregator as the connector sees one: greets, tells lists, notes what it is told.
class PlayedAggregator final : public shoset::FramePort, public shoset::LinkEvents {
public:
    PlayedAggregator(host::Loop& ownLoop, const shoset::Context& context, std::string ownName)
        : loop(ownLoop), name(std::move(ownName)), self{name, 1, 0, "test"}
    {
        shoset::ListenerOptions options;
        options.keys = keys;
        shoset::ListenerHandlers handlers;
        handlers.onMessage = [this](PeerId peer, std::string_view, std::string_view frame) { heard(peer, frame); };
        auto bound = shoset::MeshListener::bind(context, loop.context(), "tcp://127.0.0.1:*", options, handlers);
        EXPECT_TRUE(bound.ok());
        listener = std::move(*bound);
    }

    shoset::AggregatorAddress address() const { return {name, listener->endpoint(), keys.publicKey}; }
    bool isLinked() const { return link && link->isUp(); }
    std::uint64_t capabilities() const { return link->peerCapabilities(); }
    void tell(const shoset::Aggregators& list)
    {
        link->append({{}, name, "acme/s1", list}, {}, 0, never, loop.now(), 0);
        link->flush();
    }

    // On a busy machine heartbeats come so late that the daemon dials anew, and what answers the last of them goes nowhere.
    void sendFrame(shoset::LinkId, std::string frame) override
    {
        const Code sent = listener->send(current, std::move(frame));
        EXPECT_TRUE(sent == Code::ok || sent == Code::notSent) << codeName(sent);
    }
    void resetLink(shoset::LinkId) override {}
    void onLinkUp(shoset::LinkId, Now) override { greeted.insert(link->peerIncarnation()); }
    void onLinkDown(shoset::LinkId, const std::string& reason, Now) override { lastEnd = reason; }
    void onRecord(shoset::LinkId, const shoset::Record&, Now) override {}

    std::set<std::uint64_t> greeted;  // by which daemons
    std::string lastEnd;

private:
    // Later connections have higher ids; what is left of an earlier one is not to take the place of the one that followed it.
    void heard(PeerId peer, std::string_view frame)
    {
        if (link && peer < current) {
            return;
        }
        if (!link || peer != current) {
            current = peer;
            link.emplace(1, shoset::Link::Role::listener, "acme/s1", self, *this, *this, counters);
        }
        link->onFrame(frame, loop.now());
        link->flush();
    }

    host::Loop& loop;
    const std::string name;
    const shoset::KeyPair keys = makeKeys();
    const shoset::LinkSelf self;
    shoset::LinkCounters counters;
    std::unique_ptr<shoset::MeshListener> listener;
    PeerId current = 0;
    std::optional<shoset::Link> link;
};

struct DaemonTest : testing::Test {
    TemporaryFolder folder;
    host::Loop loop;
    shoset::Context context = *shoset::Context::create();
    std::unique_ptr<shoset::Zap> zap = std::move(*shoset::Zap::start(
        context, loop.context(), [](std::string_view, std::string_view, std::string_view) { return std::string("acme/s1"); }));
    PlayedAggregator a{loop, context, "agg-a"};
    PlayedAggregator b{loop, context, "agg-b"};
    std::unique_ptr<host::Loop> daemonLoop;  // its own: it ends with the daemon, as that of a process does
    std::unique_ptr<Daemon> daemon;

    void SetUp() override { ASSERT_TRUE(shoset::writeKeyFile(folder / "s1.key", makeKeys())); }
    Result<void> start(std::vector<shoset::AggregatorAddress> configured)
    {
        Config config;
        config.name = config.settings.name = "s1";
        config.keyFile = folder / "s1.key";
        config.target.url = "http://127.0.0.1:1";
        config.settings.aggregators = std::move(configured);
        daemon.reset();
        daemonLoop = std::make_unique<host::Loop>();
        daemon = std::make_unique<Daemon>(*daemonLoop, std::move(config), *shoset::Context::create(), folder.string(),
                                          host::Notify::fromEnvironment());
        return daemon->start();
    }
    bool until(const std::function<bool()>& condition)
    {
        return runUntil(loop.context(), [&] {
            daemonLoop->context().poll();
            return condition();
        });
    }
    bool saved(const std::string& part)
    {
        return until([&] { return contentOf(folder / "s1.aggregators").find(part) != std::string::npos; });
    }
};

TEST_F(DaemonTest, FollowsTheListOfAggregatorsAlsoAfterARestart)
{
    ASSERT_TRUE(start({a.address()}).ok());
    ASSERT_TRUE(until([this] { return a.isLinked(); }));
    EXPECT_NE(a.capabilities() & shoset::capabilityAggregators, 0U);
    a.tell({1, 1, {a.address(), b.address()}});
    ASSERT_TRUE(until([this] { return b.isLinked(); }));
    EXPECT_TRUE(a.isLinked());
    ASSERT_TRUE(saved("agg-b"));
    EXPECT_TRUE(isPrivate(folder / "s1.aggregators"));

    b.tell({1, 2, {b.address()}});
    ASSERT_TRUE(until([this] { return !a.isLinked(); }));
    EXPECT_NE(a.lastEnd.find("bye"), std::string::npos) << "it hears that it was left, and not only a silence: " << a.lastEnd;
    ASSERT_TRUE(until([this] { return daemon->linksUp() == 1; }));
    ASSERT_TRUE(saved("\"revision\": 2"));

    ASSERT_TRUE(start({a.address()}).ok());
    ASSERT_TRUE(until([this] { return daemon->linksUp() == 1; }));
    EXPECT_EQ(b.greeted.size(), 2U);
    EXPECT_EQ(a.greeted.size(), 1U) << "it is forgotten, although the configuration has it";
}

TEST_F(DaemonTest, ADamagedListLeavesTheConfiguredAggregators)
{
    write(folder / "s1.aggregators", "{ torn");
    ASSERT_TRUE(start({a.address()}).ok());
    EXPECT_TRUE(until([this] { return a.isLinked(); }));
}

TEST_F(DaemonTest, ADamagedFenceIsNamedAndNothingStarts)
{
    write(folder / "s1.fence", "1\n");
    const Result<void> started = start({a.address()});
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("s1.fence"), std::string::npos) << started.error().message;
}

TEST_F(DaemonTest, AnEndpointThatIsNoneIsNamed)
{
    const Result<void> started = start({{"agg-x", "tcp://nowhere", a.address().key}});
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("agg-x"), std::string::npos) << started.error().message;
}

}  // namespace
}  // namespace mesh::connector
