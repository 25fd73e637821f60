#include "aggregator/core/secret_asks.hpp"

#include "aggregator/core/sealed_documents.hpp"
#include "aggregator/core/tests/facade_fixture.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/sealing/sealing.hpp"

namespace mesh::aggregator {
namespace {

using shoset::ReplyState;

// Secrets of acme and of zeta: acme's "db" is for s1, its "web" for s2 and its "both" for both; zeta's "db" is for s3.
struct SecretAsksTest : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        propose(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        propose(cluster::PutTenant{"acme"});
        propose(cluster::PutTenant{"zeta"});
        put("acme", "db", {"s1"});
        put("acme", "web", {"s2"});
        put("acme", "both", {"s1", "s2"});
        put("zeta", "db", {"s3"});
    }
    cluster::Applied propose(cluster::Operation operation)
    {
        cluster::Applied out;
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [&out](const Result<cluster::Applied>& applied) { out = *applied; });
        engine.pump(now.mono);
        EXPECT_TRUE(out.ok()) << out.error.message;
        return out;
    }
    void put(const std::string& tenant, const std::string& name, const std::vector<std::string>& connectors, std::uint64_t version = 3)
    {
        sealing::SecretToSeal secret{tenant, name, version, "the value", {}};
        for (const std::string& connector : connectors) {
            secret.recipients[connector] = sealing::sealingKeyOf(seedOf(connector));
        }
        const Result<sealing::Envelope> envelope = sealing::seal(secret, operatorSeed, rng);
        ASSERT_TRUE(envelope.ok());
        propose(cluster::PutDocument{secretDocument(tenant, name), cluster::anyRevision, sealing::envelopeText(*envelope)});
    }
    sealing::Seed seedOf(const std::string& connector) const { return operatorSeed.derive(connector); }
    sealing::Envelope stored(const std::string& name) const { return findSealed(engine.state(), "acme", name)->envelope; }

    struct Answer {
        shoset::Reply reply;
        std::string body;
    };
    void onCommandAsked(const shoset::Address& from, const MessageId& id, shoset::Command command, std::string_view payload,
                        std::optional<Instant>, Now when) override
    {
        ASSERT_TRUE(SecretAsks::concerns(command));
        asks.onAsked(from, id, command, payload, when);
    }
    Answer ask(shoset::LinkId link, std::string_view what, const std::string& payload)
    {
        shoset::Command said;
        said.name = what;
        const MessageId id = MessageId::make(now.wall, rng);
        sentTo(link).clear();
        say(link, {id, name(link), "agg", said}, payload, true);
        engine.pump(now.mono);
        mesh.flush();
        std::vector<Answer> out;
        for (const std::string& frame : std::exchange(sentTo(link), {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (message && message->id == id) {
                    out.push_back({std::get<shoset::Reply>(message->content), std::string((*record)->body)});
                }
            }
        }
        EXPECT_EQ(out.size(), 1U) << "one answer";
        return out.empty() ? Answer{} : out.front();
    }
    Answer get(shoset::LinkId link, const std::string& secret) { return ask(link, shoset::secretGet, R"({"name":")" + secret + "\"}"); }
    static std::string sealPayload(const std::string& secret, std::uint64_t version, const sealing::Seal& seal)
    {
        return nlohmann::json{{"name", secret}, {"version", version}, {"key", sealing::toBase64(seal.key)}, {"seal", sealing::toBase64(seal.box)}}
            .dump();
    }

    cluster::MemoryEngine engine;
    const sealing::Seed operatorSeed = sealing::Seed::make(rng);
    SecretAsks asks{mesh, engine, rng};
};

TEST_F(SecretAsksTest, ARecipientGetsTheEnvelopeAndNothingElse)
{
    const Answer answer = get(1, "db");
    EXPECT_EQ(answer.reply.state, ReplyState::success);
    EXPECT_EQ(answer.body, sealing::envelopeText(stored("db")));
    EXPECT_EQ(asks.counters().given, 1U);
}

TEST_F(SecretAsksTest, WhatIsForOthersOrOfAnotherTenantOrNotThereIsDeniedInTheSameWords)
{
    const std::string missing = get(1, "none").reply.message;
    for (const auto& [link, secret] : {std::pair{1U, "web"}, std::pair{2U, "db"}, std::pair{3U, "web"}, std::pair{3U, "both"}}) {
        const Answer answer = get(link, secret);
        EXPECT_EQ(answer.reply.state, ReplyState::fail);
        EXPECT_EQ(answer.reply.code, Code::notFound);
        EXPECT_EQ(answer.reply.message, std::string(missing).replace(missing.find("none"), 4, secret));
        EXPECT_EQ(answer.body, "");
    }
    EXPECT_NE(get(3, "db").body, sealing::envelopeText(stored("db"))) << "of the same name, and its own tenant's";
    for (const std::string payload : {"", "7", "[]", "{}", R"({"name":7})", R"({"name":"../db"})", R"({"name":""})"}) {
        EXPECT_EQ(ask(1, shoset::secretGet, payload).reply.code, Code::notFound) << payload;
    }
}

TEST_F(SecretAsksTest, WhatAWorkerSendsToOthersIsNoneWhateverItIsCalled)
{
    for (const std::string_view name : {shoset::secretGet, shoset::secretList, shoset::secretSeal}) {
        shoset::Command said;
        said.name = name;
        EXPECT_TRUE(SecretAsks::concerns(said));
        said.to.name = "s2";
        EXPECT_FALSE(SecretAsks::concerns(said));
        said.to = {{}, "chassis", true};
        EXPECT_FALSE(SecretAsks::concerns(said));
    }
}

TEST_F(SecretAsksTest, AConnectorIsToldWhatIsGrantedToIt)
{
    const nlohmann::json list = nlohmann::json::parse(ask(1, shoset::secretList, "{}").body);
    ASSERT_EQ(list["secrets"].size(), 2U);
    EXPECT_EQ(list["secrets"][0]["name"], "both");
    EXPECT_EQ(list["secrets"][1]["name"], "db");
    EXPECT_EQ(list["secrets"][1]["version"], 3);
    EXPECT_EQ(list["secrets"][1]["key"], sealing::toBase64(sealing::sealingKeyOf(seedOf("s1"))));
}

TEST_F(SecretAsksTest, AConnectorReplacesItsOwnSealAndNothingElse)
{
    const sealing::Envelope before = stored("both");
    const std::vector<sealing::Seed> seeds{seedOf("fresh"), seedOf("s1")};
    const Result<sealing::Seal> seal = sealing::reseal(before, "s1", seeds, rng);
    ASSERT_TRUE(seal.ok());
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("both", 3, *seal)).reply.state, ReplyState::success);
    sealing::Envelope expected = before;
    expected.recipients[0].seal = *seal;
    EXPECT_EQ(stored("both"), expected);
    const std::vector<std::string> trusted{sealing::keysOf(operatorSeed).signing};
    EXPECT_EQ(sealing::open(stored("both"), {"acme", "s1", trusted, {seeds.data(), 1}}, "both")->view(), "the value");
    const cluster::Revision revision = engine.state().revision;
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("both", 3, *seal)).reply.state, ReplyState::success) << "again is nothing";
    EXPECT_EQ(engine.state().revision, revision);
    EXPECT_EQ(asks.counters().resealed, 1U);
}

TEST_F(SecretAsksTest, ASealForAnOlderVersionOrOfWhatIsNotGrantedOrMalformedIsRefused)
{
    const sealing::Seal seal = stored("db").recipients[0].seal;
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("both", 2, seal)).reply.code, Code::preconditionFailed);
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("web", 3, seal)).reply.code, Code::notFound);
    EXPECT_EQ(ask(3, shoset::secretSeal, sealPayload("both", 3, seal)).reply.code, Code::notFound);
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("both", 3, {seal.key, "short"})).reply.code, Code::invalidArgument);
    EXPECT_EQ(ask(1, shoset::secretSeal, R"({"name":"both"})").reply.code, Code::invalidArgument);
    EXPECT_EQ(asks.counters().malformed, 2U);
}

TEST_F(SecretAsksTest, OneConnectorCannotFillTheLogWithSeals)
{
    sealing::Seal seal = stored("db").recipients[0].seal;
    for (std::size_t i = 0; i < limits::maxReseals; ++i) {
        seal.box[40] = static_cast<char>(i + 1);
        seal.box[41] = 'x';
        EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("db", 3, seal)).reply.state, ReplyState::success);
    }
    seal.box[41] = 'y';
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("db", 3, seal)).reply.code, Code::full);
    EXPECT_EQ(ask(2, shoset::secretSeal, sealPayload("web", 3, seal)).reply.state, ReplyState::success) << "another one may";
    now.mono += limits::resealWindow;
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("db", 3, seal)).reply.state, ReplyState::success);
}

TEST_F(SecretAsksTest, WithoutAPrimaryANewSealIsNotTaken)
{
    cluster::EngineStatus status = engine.status();
    status.role = cluster::NodeRole::follower;
    engine.setStatus(status);
    sealing::Seal seal = stored("db").recipients[0].seal;
    seal.box[40] ^= 1;
    EXPECT_EQ(ask(1, shoset::secretSeal, sealPayload("db", 3, seal)).reply.state, ReplyState::fail);
    EXPECT_EQ(get(1, "db").reply.state, ReplyState::success) << "reading goes on";
}

}  // namespace
}  // namespace mesh::aggregator
