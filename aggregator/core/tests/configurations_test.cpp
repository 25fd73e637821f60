#include "aggregator/core/configurations.hpp"

#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/core/frame.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace mesh::aggregator {
namespace {

using shoset::Configured;
using shoset::ConfiguredState;
using shoset::LinkId;

constexpr const char* pivotText = R"({"kind":"pivot","type":"chassis","commands":["power.cycle"]})";

// A node with its state, and links of connectors that the test plays.
class ConfigurationsTest : public testing::Test, protected shoset::FramePort, protected MeshEvents {
protected:
    ConfigurationsTest()
    {
        propose(cluster::RaiseFeatureLevel{cluster::newestFeatureLevel});
        propose(cluster::PutTenant{"acme"});
        propose(cluster::PutTenant{"beta"});
        propose(cluster::PutConnector{{"acme", "sled1", keyOf('1'), "", "", "chassis"}});
        propose(cluster::PutConnector{{"beta", "sled1", keyOf('2'), "", "", ""}});
        engine.watch(engine.state().revision, [this](const cluster::Change& change) {
            if (change.kind == cluster::ChangeKind::document) {
                layers.onChange(change.key);
            }
        });
    }
    void propose(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [](const Result<cluster::Applied>& applied) { EXPECT_TRUE(applied && applied->ok()); });
        settle();
    }
    void settle()
    {
        do {
            layers.onTimer(now);
        } while (engine.pump(now.mono) > 0 || layers.nextDeadline() <= now.mono);
        mesh.flush();
    }
    void put(cluster::DocumentKind kind, const std::string& tenant, const std::string& name, const std::string& content, std::uint64_t follows = 0)
    {
        propose(cluster::PutVersion{{kind, tenant, name}, follows, content, "boss"});
    }
    void link(LinkId id, const std::string& who, std::uint64_t capabilities = shoset::capabilityConfig)
    {
        mesh.addAccepted(id, who, keyOf('1'));
        shoset::Hello hello;
        hello.name = who;
        hello.capabilities = capabilities;
        hears(id, who, std::move(hello));
    }
    void hears(LinkId id, const std::string& from, shoset::Content content)
    {
        const shoset::Message message{{}, from, "agg-a", std::move(content)};
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), 0, 0, shoset::noDeadline, 0}, shoset::encodeHeader(message), {});
        mesh.onFrame(id, frame, now);
        settle();
    }
    struct Told {
        shoset::Configure what;
        std::string body;
    };
    std::vector<Told> told(LinkId id) { return std::exchange(words[id], {}); }

    void sendFrame(LinkId id, std::string frame) override
    {
        shoset::FrameReader reader(frame);
        for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
            const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
            if (const auto* what = std::get_if<shoset::Configure>(&message->content)) {
                words[id].push_back({*what, std::string((*record)->body)});
            }
        }
    }
    void resetLink(LinkId) override {}
    void onReply(const shoset::Address&, const MessageId&, shoset::Reply, std::string_view, bool, Instant, Now) override {}
    void onChunk(const shoset::Address&, const MessageId&, const shoset::Chunk&, std::string_view, bool, Now) override {}
    void onCredit(const shoset::Address&, const MessageId&, std::uint64_t, Now) override {}
    void onAnnounce(const shoset::Address&, shoset::Announce, Now) override {}
    void onConnectorUp(const shoset::Address& who, const std::string&, Now at) override { layers.onHello(who, at); }
    void onKeyOffer(const shoset::Address&, const std::string&, const shoset::KeyOffer&, Now) override {}
    void onOffers(const shoset::Address&, shoset::Offers) override {}
    void onConfigured(const shoset::Address& who, Configured said) override { layers.onConfigured(who, std::move(said)); }
    void onCommandAsked(const shoset::Address&, const MessageId&, shoset::Command, std::string_view, std::optional<Instant>, Now) override {}
    void onLinkLost(LinkId, Now) override {}
    void onRoutesChanged(const std::vector<shoset::Address>&, Now) override {}

    Now now{Instant{} + 100s, WallTime(std::chrono::seconds(1'714'564'800))};
    SeededRng rng{1};
    cluster::MemoryEngine engine;
    Mesh mesh{{"agg-a", 1, shoset::capabilityConfig, "test"}, *this, *this};
    Configurations layers{mesh, engine, [this](const shoset::Address& address) {
                              return engine.state().registry.find(shoset::tenantOf(address), shoset::nameOf(address));
                          }};
    std::map<LinkId, std::vector<Told>> words;
};

TEST_F(ConfigurationsTest, AConnectorIsToldWhenItLinksAndWhenItsDocumentsChange)
{
    link(1, "acme/sled1");
    link(2, "beta/sled1");
    link(3, "acme/sled1", shoset::capabilityAggregators);
    ASSERT_EQ(told(1).size(), 1U) << "that it has none, too";
    told(2);
    put(cluster::DocumentKind::pivot, "acme", "1.chassis", pivotText);
    std::vector<Told> said = told(1);
    ASSERT_EQ(said.size(), 0U) << "the newer link of the same connector has taken its place, and knows no such record";
    EXPECT_TRUE(told(3).empty());
    EXPECT_TRUE(told(2).empty()) << "another tenant's";
    link(4, "acme/sled1");
    said = told(4);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].what.version, 0U);
    EXPECT_NE(said[0].body.find("power.cycle"), std::string::npos);
    put(cluster::DocumentKind::component, "acme", "sled1", R"({"kind":"component","connector":"sled1","type":"chassis","values":{}})");
    said = told(4);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].what.version, 1U);
    EXPECT_EQ(said[0].what.document, engine.state().revision);
    propose(cluster::PutDocument{{cluster::DocumentKind::policy, "acme", "commands"}, cluster::anyRevision, "a b c\n"});
    EXPECT_TRUE(told(4).empty()) << "that is no configuration";
}

TEST_F(ConfigurationsTest, ItsWordIsKeptInItsOrderAndUnderItsName)
{
    link(1, "acme/sled1");
    EXPECT_EQ(layers.of("acme/sled1"), nullptr);
    hears(1, "acme/sled1", Configured{7, 2, 1, 9, ConfiguredState::refused, "no such fan"});
    hears(1, "acme/sled1", Configured{7, 1, 1, 9, ConfiguredState::pending, ""});
    ASSERT_NE(layers.of("acme/sled1"), nullptr);
    EXPECT_EQ(layers.of("acme/sled1")->reason, "no such fan") << "the other one was overtaken";
    hears(1, "beta/sled1", Configured{7, 3, 1, 9, ConfiguredState::applied, ""});
    EXPECT_EQ(layers.of("beta/sled1"), nullptr) << "nobody speaks for another one";
    layers.onIncarnation("acme/sled1", 8);
    EXPECT_EQ(layers.of("acme/sled1"), nullptr) << "the process that said so is gone";
    hears(1, "acme/sled1", Configured{7, 9, 1, 9, ConfiguredState::applied, ""});
    EXPECT_EQ(layers.of("acme/sled1"), nullptr) << "and what of it comes late does not count";
    hears(1, "acme/sled1", Configured{8, 1, 1, 9, ConfiguredState::applied, ""});
    EXPECT_NE(layers.of("acme/sled1"), nullptr);
    layers.onConfigured("acme/unknown", {1, 1, 1, 1, ConfiguredState::applied, ""});
    EXPECT_EQ(layers.of("acme/unknown"), nullptr);
}

}  // namespace
}  // namespace mesh::aggregator
