#include "connector/core/tests/connector_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

using shoset::Configure;
using shoset::Configured;
using shoset::ConfiguredState;

struct ConfigurationTest : ConnectorTest {
    std::unique_ptr<Connector> own = make();

    std::unique_ptr<Connector> make()
    {
        return std::make_unique<Connector>(ConnectorSettings{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}, 0,
                                                             WorkerRules({{{1000}, {}, {"*"}}})},
                                           wire, bmc, journal, state, rng);
    }
    void SetUp() override
    {
        wire.workersTake = Code::ok;
        own->start(now);
    }
    void hear(LinkId link, const shoset::Message& message, std::string_view body = {})
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), body);
        own->onFrame(link, frame, now);
    }
    void up(LinkId link, std::uint64_t capabilities = shoset::capabilityConfig)
    {
        own->onConnected(link, now);
        own->flush();
        wire.frames.clear();
        shoset::HelloAck ack;
        ack.major = shoset::protocolMajor;
        ack.name = wire.dialled.at(link).name;
        ack.capabilities = capabilities;
        ack.echoedClock = toMicros(now.mono);
        ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hear(link, {{}, ack.name, "", ack});
    }
    static std::string body(const std::string& speed, const std::string& commands = "[]")
    {
        return R"({"type":"chassis","major":1,"values":{"speed":)" + speed + R"(},"resources":{},"contracts":[{"major":1,"commands":)" + commands + "}]}";
    }
    void told(LinkId link, std::uint64_t revision, std::uint64_t version, const std::string& text)
    {
        hear(link, {{}, wire.dialled.at(link).name, "acme/s1", Configure{1, revision, version, 100 + version}}, text);
    }
    void onDisk()
    {
        while (!state.waiting.empty()) {
            const StateFile file = state.waiting[0].first;
            state.written();
            own->onSaved(file, {}, now);
        }
    }
    void diskFull()
    {
        const StateFile file = state.waiting.at(0).first;
        state.waiting.erase(state.waiting.begin());
        own->onSaved(file, Error{Code::full, "no room"}, now);
    }
    void attach(WorkerId id, const std::string& commands = R"([{"name":"power.cycle"}])", const std::string& version = "1.0", bool takes = true)
    {
        says(id, R"({"message":"register","protocol":1,"worker":"power","type":"chassis","version":")" + version + R"(","commands":)" + commands +
                     (takes ? R"(,"configuration":true})" : "}"));
    }
    void says(WorkerId id, const std::string& frame) { own->onWorkerMessage(id, {1000, 1000, 7}, frame, now); }
    // The last word to the aggregator of that link.
    std::optional<Configured> said(LinkId link)
    {
        own->flush();
        std::optional<Configured> last;
        for (const auto& [way, frame] : std::exchange(wire.frames, {})) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                const Result<shoset::Message> message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                if (const auto* word = message ? std::get_if<Configured>(&message->content) : nullptr; word != nullptr && way == link) {
                    last = *word;
                }
            }
        }
        return last;
    }
    std::string stateSaid(LinkId link)
    {
        const auto word = said(link);
        const char* names[] = {"", "pending", "applied", "refused"};
        return word ? std::string(names[static_cast<unsigned>(word->state)]) + " " + std::to_string(word->version) +
                          (word->reason.empty() ? "" : ": " + word->reason)
                    : "nothing";
    }
    std::vector<std::string> configurationsFor(WorkerId id)
    {
        std::vector<std::string> out;
        for (const auto& [worker, word] : std::exchange(wire.workerWords, {})) {
            if (worker == id && word.find("\"configuration\"") != std::string::npos) {
                out.push_back(word);
            }
        }
        return out;
    }
};

TEST_F(ConfigurationTest, WithoutAWorkerWhatIsOnDiskIsApplied)
{
    up(0);
    up(1, shoset::capabilityOffers);
    told(0, 5, 1, body("3"));
    EXPECT_EQ(stateSaid(0), "pending 1");
    onDisk();
    EXPECT_EQ(stateSaid(0), "applied 1");
    onDisk();
    EXPECT_EQ(stateSaid(0), "nothing");
    EXPECT_EQ(stateSaid(1), "nothing") << "it does not know the record";
    told(0, 6, 1, body("3"));
    EXPECT_EQ(stateSaid(0), "applied 1") << "the same again is answered";
    told(0, 5, 2, body("4"));
    EXPECT_EQ(stateSaid(0), "nothing") << "an older one is not";
    EXPECT_EQ(own->counters().configurationsOlder, 1U);
    told(0, 7, 2, "{");
    EXPECT_EQ(own->counters().configurationsMalformed, 1U);
    hear(0, {{}, "agg-b", "acme/s1", Configure{1, 9, 3, 103}}, body("4"));
    EXPECT_EQ(own->counters().configurationsForeign, 1U) << "from the aggregator itself only";
}

TEST_F(ConfigurationTest, AWorkerIsGivenItOnceAndItsAnswerIsTold)
{
    up(0);
    attach(1);
    attach(2, R"([{"name":"power.state"}])", "1.0", false);
    told(0, 5, 1, body("3"));
    EXPECT_TRUE(configurationsFor(1).empty()) << "not before it is on disk";
    onDisk();
    EXPECT_EQ(configurationsFor(1), std::vector<std::string>{R"({"message":"configuration","version":1,"values":{"speed":3},"resources":{}})"});
    EXPECT_EQ(stateSaid(0), "pending 1");
    onDisk();
    says(1, R"({"message":"configured","version":1})");
    EXPECT_EQ(stateSaid(0), "applied 1");
    onDisk();
    told(0, 6, 1, body("3"));
    EXPECT_TRUE(configurationsFor(1).empty()) << "it has taken that";
    says(1, R"({"message":"not_configured","version":1,"reason":"late"})");
    EXPECT_EQ(stateSaid(0), "applied 1") << "only the answer to the push counts";
}

TEST_F(ConfigurationTest, ARefusalIsToldWithItsReasonAndNotTriedAgain)
{
    up(0);
    attach(1);
    told(0, 5, 1, body("3"));
    onDisk();
    onDisk();
    says(1, R"({"message":"not_configured","version":1,"reason":"the fan does not turn so fast"})");
    EXPECT_EQ(stateSaid(0), "refused 1: worker power 1.0: the fan does not turn so fast");
    onDisk();
    configurationsFor(1);
    told(0, 6, 1, body("3"));
    EXPECT_EQ(stateSaid(0), "refused 1: worker power 1.0: the fan does not turn so fast");
    own->onDisconnected(0, now);
    up(0);
    told(0, 7, 1, body("3"));
    EXPECT_TRUE(configurationsFor(1).empty());
    own->onWorkerGone(1, now);
    attach(2);
    EXPECT_EQ(configurationsFor(2).size(), 1U) << "one that has begun anew may think better of it";
    says(2, R"({"message":"configured","version":1})");
    EXPECT_EQ(stateSaid(0), "applied 1");
    onDisk();
    told(0, 8, 2, body("4"));
    onDisk();
    EXPECT_EQ(configurationsFor(2).size(), 1U) << "the next version is another matter";
}

TEST_F(ConfigurationTest, ARestartKeepsItAndItsVerdict)
{
    up(0);
    attach(1);
    told(0, 5, 3, body("3"));
    onDisk();
    onDisk();
    says(1, R"({"message":"not_configured","version":3,"reason":"no"})");
    onDisk();
    const std::string saved = state.files[StateFile::configuration];
    own = make();
    ASSERT_TRUE(own->loadConfiguration(saved).ok());
    own->start(now);
    const LinkId link = linkTo("agg-a");
    up(link);
    told(link, 5, 3, body("3"));
    EXPECT_EQ(stateSaid(link), "refused 3: worker power 1.0: no");
    wire.workerWords.clear();
    attach(1);
    EXPECT_EQ(configurationsFor(1).size(), 1U);
    own = make();
    EXPECT_FALSE(own->loadConfiguration("damaged").ok());
    EXPECT_TRUE(own->loadConfiguration("").ok());
    EXPECT_FALSE(own->loadConfiguration(R"({"generation":1,"revision":1,"body":"{","state":1})").ok());
}

TEST_F(ConfigurationTest, WhatCannotBeStoredIsRefused)
{
    up(0);
    attach(1);
    told(0, 5, 1, body("3"));
    diskFull();
    EXPECT_EQ(stateSaid(0), "refused 1: the connector could not store it: no room");
    EXPECT_TRUE(configurationsFor(1).empty());
    told(0, 6, 1, body("3"));
    onDisk();
    EXPECT_EQ(configurationsFor(1).size(), 1U) << "it is tried again when it is told again";
    EXPECT_EQ(stateSaid(0), "pending 1");
}

TEST_F(ConfigurationTest, AVersionIsOfferedOnlyWhenItServesWhatItsPivotAsksFor)
{
    up(0);
    told(0, 5, 0, body("3", R"(["power.cycle","fan.speed"])"));
    onDisk();
    attach(1, R"([{"name":"power.cycle"}])");
    ASSERT_EQ(wire.workerWords.size(), 1U);
    EXPECT_NE(wire.workerWords[0].second.find(R"("missing":["fan.speed"])"), std::string::npos);
    EXPECT_TRUE(own->attachedWorkers().offers().empty());
    shoset::Command command;
    command.name = "power.cycle";
    const auto refused = own->attachedWorkers().check(command, "{}");
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("its pivot asks for fan.speed"), std::string::npos);
    attach(2, R"([{"name":"fan.speed"}])");
    ASSERT_EQ(own->attachedWorkers().offers().size(), 1U) << "together they do";
    EXPECT_TRUE(own->attachedWorkers().check(command, "{}").ok());
    attach(3, R"([{"name":"power.cycle"}])", "1.1");
    EXPECT_EQ(own->attachedWorkers().offers().size(), 1U);
    EXPECT_EQ(own->attachedWorkers().offers()[0].minor, 0U) << "what takes nobody's place drains nobody";
    attach(4, R"([{"name":"power.cycle"}])", "2.0");
    EXPECT_EQ(own->attachedWorkers().offers().size(), 2U) << "there is no pivot of that major version";
    told(0, 6, 0, body("3"));
    onDisk();
    EXPECT_EQ(own->attachedWorkers().offers().size(), 3U) << "a pivot that asks for less";
}

}  // namespace
}  // namespace mesh::connector
