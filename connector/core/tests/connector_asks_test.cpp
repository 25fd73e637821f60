#include "connector/core/tests/connector_fixture.hpp"

#include <nlohmann/json.hpp>

namespace mesh::connector {
namespace {

using nlohmann::json;

// A connector with links 0 to agg-a and 1 to agg-b, and the worker 7, which may send power.* and serves fan.speed.
struct ConnectorAsksTest : ConnectorTest {
    struct Socket : Wire {
        Code sendToWorker(WorkerId, std::string word) override
        {
            words.push_back(json::parse(word));
            return Code::ok;
        }
        std::vector<json> words;
    };
    Socket socket;
    Connector sender{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}, 0,
                      WorkerRules({{{1000}, {}, {"fan.*"}, {}, {}, {}, {"power.*", "fan.speed"}},
                                   {{1001}, {}, {}, {}, {}, {}, {"power.cycle"}},
                                   {{1002}, {}, {"fan.*"}},
                                   {{1003}, {}, {}, {}, {}, {}, {"*"}}})},
                     socket, bmc, journal, state, rng};

    void SetUp() override
    {
        sender.start(now);
        says(R"({"message":"register","protocol":1,"worker":"fan","type":"chassis","version":"1.2","commands":[)"
             R"({"name":"fan.speed","schema":{"required":["percent"]}}]})");
        socket.words.clear();
    }
    void says(const std::string& word, std::uint32_t uid = 1000, WorkerId worker = 7)
    {
        sender.onWorkerMessage(worker, {uid, 100, 4711}, word, now);
    }
    void sends(const std::string& rest, const std::string& command = "power.cycle")
    {
        says(R"({"message":"send","ref":5,"command":")" + command + "\"," + rest + "}");
    }
    void link(LinkId id, std::uint64_t capabilities = shoset::capabilityOffers)
    {
        sender.onConnected(id, now);
        sender.flush();
        socket.frames.clear();
        shoset::HelloAck ack;
        ack.major = shoset::protocolMajor;
        ack.name = socket.dialled.at(id).name;
        ack.incarnation = 70 + id;
        ack.capabilities = capabilities;
        ack.echoedClock = toMicros(now.mono);
        ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hear(id, {{}, ack.name, "", ack});
        sender.flush();
        socket.frames.clear();
    }
    void hear(LinkId id, const shoset::Message& message, const std::string& body = {})
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), body);
        sender.onFrame(id, frame, now);
    }
    struct Asked {
        LinkId way = 0;
        shoset::Message message;
        shoset::Command command;
        std::string payload;
    };
    std::vector<Asked> asked()
    {
        sender.flush();
        std::vector<Asked> all;
        for (const auto& [way, frame] : std::exchange(socket.frames, {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                const Result<shoset::Message> message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                EXPECT_TRUE(message.ok());
                if (const auto* command = std::get_if<shoset::Command>(&message->content)) {
                    EXPECT_NE((*record)->prelude.remainingMs, shoset::noDeadline);
                    all.push_back({way, *message, *command, std::string((*record)->body)});
                }
            }
        }
        return all;
    }
    std::string refusal()
    {
        EXPECT_TRUE(asked().empty());
        const json word = socket.words.back();
        EXPECT_EQ(word.value("state", ""), "FAIL") << word;
        EXPECT_EQ(word.value("executed", ""), "no") << word;
        return word.value("code", "") + ": " + word.value("text", "");
    }
};

TEST_F(ConnectorAsksTest, ACommandGoesToAnAggregatorWithItsTargetAndComesBackAnswered)
{
    link(0);
    sends(R"("target":{"name":"s2"},"version":"2.1","payload":{"system": "one"},"deadline_ms":5000)");
    const std::vector<Asked> out = asked();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].message.destination, "agg-a");
    EXPECT_EQ(out[0].message.source, "acme/s1");
    EXPECT_EQ(out[0].command.name, "power.cycle");
    EXPECT_EQ(out[0].command.to, (shoset::Target{"s2", "", false}));
    EXPECT_EQ(out[0].command.major, 2U);
    EXPECT_EQ(out[0].command.minor, 1U);
    EXPECT_EQ(out[0].command.incarnation, 70U);
    EXPECT_EQ(out[0].payload, R"({"system":"one"})");
    EXPECT_EQ(socket.words.back().at("message"), "sent");
    shoset::Reply reply;
    reply.http.status = 200;
    hear(0, {out[0].message.id, "agg-a", "acme/s1", reply}, R"({"on":true})");
    EXPECT_EQ(socket.words.back().at("payload"), json::parse(R"({"on":true})"));
    EXPECT_EQ(sender.workersAsks().running(), 0U);
}

TEST_F(ConnectorAsksTest, CommandsAreSpreadOverTheAggregatorsThatTakeThem)
{
    link(0);
    link(1);
    std::set<shoset::Address> to;
    for (int i = 0; i < 4; ++i) {
        sends(R"("target":{"type":"chassis","all":true})");
    }
    for (const Asked& one : asked()) {
        EXPECT_EQ(one.command.to, (shoset::Target{"", "chassis", true}));
        EXPECT_EQ(one.command.type, "chassis");
        to.insert(one.message.destination);
    }
    EXPECT_EQ(to, (std::set<shoset::Address>{"agg-a", "agg-b"}));
}

TEST_F(ConnectorAsksTest, AnOlderAggregatorIsNotAsked)
{
    link(0, shoset::capabilityRedfish);
    sends(R"("target":{"name":"s2"})");
    EXPECT_EQ(refusal().substr(0, 9), "not_sent:");
}

TEST_F(ConnectorAsksTest, ALostLinkIsReplacedByOneThatPassesItOn)
{
    link(0);
    sends(R"("target":{"name":"s2"})");
    link(1);
    const std::vector<Asked> first = asked();
    sender.onDisconnected(0, now);
    const std::vector<Asked> again = asked();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].way, 1U);
    EXPECT_EQ(again[0].message.destination, "agg-a");
    EXPECT_EQ(sender.workersAsks().counters().again, 1U);
}

TEST_F(ConnectorAsksTest, WhatTheRulesDoNotLetItSendStays)
{
    link(0);
    sends(R"("target":{"name":"s2"})", "fan.state");
    EXPECT_EQ(refusal(), "permission_denied: the connector's configuration (send of workers.allow) does not let user id 1000 send fan.state");
}

TEST_F(ConnectorAsksTest, WhatTheProgramsOfTheMeshAskEachOtherIsNotForWorkers)
{
    link(0);
    const auto said = [this](const std::string& command) {
        says(R"({"message":"register","protocol":1,"worker":"all","type":"t","version":"1.0","commands":[]})", 1003, 9);
        says(R"({"message":"send","ref":1,"target":{"name":"s2"},"payload":{"uri":"/redfish/v1"},"command":")" + command + "\"}", 1003, 9);
        return socket.words.back().value("code", "") + socket.words.back().value("message", "");
    };
    EXPECT_EQ(said("mesh.secret"), "permission_deniedanswer");
    EXPECT_EQ(said("mesh.command"), "permission_deniedanswer");
    EXPECT_EQ(said("redfish.request"), "permission_deniedanswer");
    EXPECT_EQ(said("redfish.get"), "sent");
    EXPECT_EQ(asked().size(), 1U);
}

TEST_F(ConnectorAsksTest, APayloadAgainstASchemaThatIsKnownHereStays)
{
    link(0);
    sends(R"("target":{"type":"chassis"},"payload":{"per":1})", "fan.speed");
    EXPECT_NE(refusal().find("'percent'"), std::string::npos);
    sends(R"("target":{"type":"chassis"},"payload":{"percent":1})", "fan.speed");
    EXPECT_EQ(asked().size(), 1U);
    sends(R"("target":{"type":"chassis"},"version":"2.0","payload":{"per":1})", "fan.speed");
    EXPECT_EQ(asked().size(), 1U) << "of another version, it is for who executes it to know";
}

TEST_F(ConnectorAsksTest, WhatIsNoCommandIsToldAndCostsNoRegistration)
{
    link(0);
    const std::vector<std::pair<std::string, std::string>> wrong{
        {R"("target":{"name":"s2","type":"x"})", "'target'"},
        {R"("target":{})", "'target'"},
        {R"("target":"s2")", "'target'"},
        {R"("target":{"name":"s2","all":true})", "'target'"},
        {R"("target":{"name":"a b"})", "'target'"},
        {R"("target":{"name":"s2"},"version":"two")", "'version'"},
        {R"("target":{"name":"s2"},"deadline_ms":0)", "'deadline_ms'"},
        {R"("target":{"name":"s2"},"deadline_ms":1e9)", "'deadline_ms'"}};
    for (const auto& [rest, part] : wrong) {
        sends(rest);
        EXPECT_NE(refusal().find(part), std::string::npos) << rest;
    }
    sends(R"("target":{"name":"s2"},"payload":")" + std::string(limits::maxPayloadBytes, 'x') + "\"");
    EXPECT_EQ(refusal().substr(0, 10), "too_large:");
    EXPECT_EQ(sender.attachedWorkers().attached(), 1U);
    says(R"({"message":"send","command":"power.cycle","target":{"name":"s2"}})");
    EXPECT_EQ(socket.words.back().at("message"), "refused") << "without a 'ref' there is nobody to be told";
}

TEST_F(ConnectorAsksTest, WhoOnlySendsServesNothingAndIsNotOffered)
{
    const std::string nothing = R"({"message":"register","protocol":1,"worker":"w","type":"watch","version":"1.0","commands":[]})";
    says(nothing, 1001, 8);
    EXPECT_EQ(socket.words.back().at("message"), "registered");
    for (const shoset::Offer& offer : sender.attachedWorkers().offers()) {
        EXPECT_NE(offer.type, "watch");
    }
    says(nothing, 1002, 9);
    EXPECT_NE(socket.words.back().value("reason", "").find("serves nothing"), std::string::npos);
}

TEST_F(ConnectorAsksTest, AWorkerThatIsGoneHearsNothingMore)
{
    link(0);
    sends(R"("target":{"name":"s2"})");
    sender.onWorkerGone(7, now);
    EXPECT_EQ(sender.workersAsks().running(), 0U);
}

}  // namespace
}  // namespace mesh::connector
