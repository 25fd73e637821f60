#include "connector/core/tests/connector_fixture.hpp"

namespace mesh::connector {
namespace {

using shoset::Event;
using shoset::EventsStored;

// The wire of ConnectorTest, with workers and a disk.
struct EventWire final : ConnectorPort {
    void sendFrame(LinkId link, std::string frame) override { frames.emplace_back(link, std::move(frame)); }
    void resetLink(LinkId) override {}
    void dial(LinkId link, const shoset::AggregatorAddress& address, const std::string&) override { dialled[link] = address; }
    void hangUp(LinkId link) override { dialled.erase(link); }
    Code sendToWorker(WorkerId, std::string word) override
    {
        if (verdict == Code::ok) {
            words.push_back(std::move(word));
        }
        return verdict;
    }
    void writeOutbox(std::uint64_t segment, std::string bytes, bool) override
    {
        files[segment] += bytes;
        ordered = true;
    }
    void removeOutbox(std::uint64_t segment) override { files.erase(segment); }

    std::vector<std::pair<LinkId, std::string>> frames;
    std::map<LinkId, shoset::AggregatorAddress> dialled;
    std::vector<std::string> words;
    std::map<std::uint64_t, std::string> files;
    bool ordered = false;
    Code verdict = Code::ok;
};

struct EventsTest : testing::Test {
    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    SeededRng rng{1};
    EventWire wire;
    FakeBmc bmc;
    FakeJournal journal;
    FakeState state;
    Connector connector{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}, 0,
                         WorkerRules({{{1000}, {}, {"power.*"}, {}, {"sensor.*", "mesh.*"}, {"sensor.*", "mesh.bmc"}}})},
                        wire, bmc, journal, state, rng};

    void SetUp() override
    {
        ASSERT_TRUE(connector.loadOutbox({}, now).ok());
        connector.start(now);
        says(R"({"message":"register","protocol":1,"worker":"w","type":"chassis","version":"1.0","commands":[]})");
        wire.words.clear();
    }
    void says(const std::string& word) { connector.onWorkerMessage(1, {1000, 1000, 7}, word, now); }
    void emits(int ref, const std::string& topic = "sensor.fan", const std::string& payload = "{}")
    {
        says(R"({"message":"event","ref":)" + std::to_string(ref) + R"(,"topic":")" + topic + R"(","name":"low","payload":)" + payload + "}");
    }
    void hears(LinkId link, const shoset::Message& message, std::string_view body = {})
    {
        std::string frame;
        shoset::appendRecord(frame, {shoset::kindOf(message.content), shoset::flagLast, 0, shoset::noDeadline, toMicros(now.mono)},
                             shoset::encodeHeader(message), body);
        connector.onFrame(link, frame, now);
    }
    void up(LinkId link, std::uint64_t capabilities = shoset::capabilityEvents)
    {
        connector.onConnected(link, now);
        connector.flush();
        wire.frames.clear();
        shoset::HelloAck ack;
        ack.major = shoset::protocolMajor;
        ack.name = wire.dialled.at(link).name;
        ack.capabilities = capabilities;
        ack.echoedClock = ack.clock = toMicros(now.mono);
        ack.heartbeatMs = 100;
        ack.you = "acme/s1";
        hears(link, {{}, ack.name, "", ack});
    }
    void stored(LinkId link, EventsStored told) { hears(link, {{}, wire.dialled.at(link).name, "acme/s1", told}); }
    // Whatever is ordered from the disk is done.
    void settle()
    {
        while (std::exchange(wire.ordered, false)) {
            connector.onOutboxWritten({}, now);
            now.mono += 20ms;
            connector.onTimer(now);
        }
    }
    template <class Content>
    std::vector<std::pair<Content, std::string>> sent(LinkId link)
    {
        connector.flush();
        std::vector<std::pair<Content, std::string>> all;
        for (const auto& [way, frame] : wire.frames) {
            shoset::FrameReader reader(frame);
            for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
                const auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
                const Content* content = message.ok() ? std::get_if<Content>(&message->content) : nullptr;
                if (way == link && content != nullptr) {
                    all.emplace_back(*content, std::string((*record)->body));
                }
            }
        }
        std::erase_if(wire.frames, [link](const auto& entry) { return entry.first == link; });
        return all;
    }
    std::string word() { return wire.words.empty() ? "" : std::exchange(wire.words, {}).back(); }
};

TEST_F(EventsTest, AnEventOfAWorkerIsAcceptedWhenItIsOnDiskAndThenSentToAllAggregators)
{
    up(0);
    up(1);
    stored(0, {});
    stored(1, {});
    settle();
    emits(7, "sensor.fan", R"({"rpm": 0})");
    EXPECT_TRUE(wire.words.empty());
    EXPECT_TRUE(sent<Event>(0).empty());
    settle();
    const std::uint64_t epoch = connector.eventOutbox().epoch();
    EXPECT_EQ(word(), R"({"epoch":)" + std::to_string(epoch) + R"(,"message":"accepted","ref":7,"sequence":1})");
    for (const LinkId link : {0U, 1U}) {
        const auto events = sent<Event>(link);
        ASSERT_EQ(events.size(), 1U) << link;
        EXPECT_EQ(events[0].first, (Event{epoch, 1, "sensor.fan", "low", events[0].first.time, 0, 0}));
        EXPECT_EQ(events[0].second, R"({"rpm":0})");
    }
    stored(0, {epoch, 1});
    EXPECT_EQ(connector.eventOutbox().size(), 1U);
    stored(1, {epoch, 1});
    EXPECT_EQ(connector.eventOutbox().size(), 0U) << "both of two have it";
}

TEST_F(EventsTest, AnAggregatorThatDoesNotKnowEventsIsSentNone)
{
    up(0, shoset::capabilityOffers);
    up(1);
    stored(1, {});
    settle();
    emits(1);
    settle();
    EXPECT_TRUE(sent<Event>(0).empty());
    EXPECT_EQ(sent<Event>(1).size(), 1U);
    stored(1, {connector.eventOutbox().epoch(), 1});
    EXPECT_EQ(connector.eventOutbox().size(), 1U) << "it counts for the majority all the same";
}

TEST_F(EventsTest, WhatAWorkerMayNotEmitIsAnsweredWithACode)
{
    emits(1, "power.on");
    EXPECT_NE(word().find(R"("code":"not_allowed")"), std::string::npos);
    emits(2, "mesh.bmc");
    EXPECT_NE(word().find("reserved"), std::string::npos) << "whatever the configuration says";
    emits(3, "sensor fan");
    EXPECT_NE(word().find(R"("code":"invalid")"), std::string::npos);
    emits(4, "sensor.fan", '"' + std::string(limits::maxEventBytes, 'x') + '"');
    EXPECT_NE(word().find(R"("code":"too_large")"), std::string::npos);
    settle();
    EXPECT_EQ(connector.eventOutbox().size(), 0U);
    emits(5);
    settle();
    EXPECT_NE(word().find(R"("message":"accepted","ref":5)"), std::string::npos);
}

TEST_F(EventsTest, WhatCannotBeWrittenAndWhatIsTooMuchIsAnswered)
{
    emits(1);
    wire.ordered = false;
    connector.onOutboxWritten(Error{Code::ioError, "no space"}, now);
    EXPECT_NE(word().find(R"("code":"not_stored")"), std::string::npos);
    for (std::size_t i = 0; i <= limits::maxUnansweredEvents; ++i) {
        emits(2);
    }
    EXPECT_NE(word().find(R"("code":"too_many")"), std::string::npos);
}

TEST_F(EventsTest, AnswersThatASocketDoesNotTakeComeLater)
{
    emits(1);
    wire.verdict = Code::full;
    settle();
    EXPECT_TRUE(wire.words.empty());
    wire.verdict = Code::ok;
    now.mono += limits::workerRetry;
    connector.onTimer(now);
    EXPECT_NE(word().find(R"("ref":1)"), std::string::npos);
}

TEST_F(EventsTest, ThatAWorkerMayNotIsToldLaterWhereItsSocketIsFull)
{
    up(0);
    wire.verdict = Code::full;
    emits(1, "power.on");
    says(R"({"message":"subscribe","subscription":"a","topics":["power.on"]})");
    EXPECT_TRUE(wire.words.empty());
    EXPECT_LE(connector.nextDeadline(), now.mono + limits::workerRetry);
    wire.verdict = Code::ok;
    now.mono += limits::workerRetry;
    connector.onTimer(now);
    ASSERT_EQ(wire.words.size(), 2U);
    EXPECT_NE(wire.words[0].find(R"("message":"not_accepted")"), std::string::npos) << wire.words[0];
    EXPECT_NE(wire.words[1].find(R"("message":"not_subscribed")"), std::string::npos) << wire.words[1];
}

TEST_F(EventsTest, ARestartKnowsWhatWaited)
{
    up(0);
    stored(0, {});
    settle();
    emits(1, "sensor.fan", "1");
    settle();
    const std::uint64_t epoch = connector.eventOutbox().epoch();
    std::vector<shoset::Outbox::Segment> files;
    for (const auto& [number, content] : wire.files) {
        files.push_back({number, content});
    }
    wire.frames.clear();
    Connector again{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0'), aggregator("agg-b", '1')}}, wire, bmc, journal, state, rng};
    ASSERT_TRUE(again.loadOutbox(files, now).ok());
    EXPECT_EQ(again.eventOutbox().epoch(), epoch);
    EXPECT_EQ(again.eventOutbox().size(), 1U);
    ASSERT_NE(again.eventOutbox().from(1), nullptr);
    EXPECT_EQ(again.eventOutbox().from(1)->payload, "1");
}

TEST_F(EventsTest, AWorkerHearsEventsOfOthersAndNeverTheConnectorsOwnOrAnotherTenants)
{
    up(0);
    says(R"({"message":"subscribe","subscription":"a","topics":["sensor.*"],"from":"start"})");
    EXPECT_EQ(word(), R"({"message":"subscribed","subscription":"a"})");
    const auto asked = sent<shoset::Subscribe>(0);
    ASSERT_EQ(asked.size(), 1U);
    Event event{3, 1, "sensor.fan", "low", WallTime{} + 1s, 0, asked[0].first.subscription};
    hears(0, {{}, "acme/s1", "acme/s1", event}, "{}");
    hears(0, {{}, "other/s2", "acme/s1", event}, "{}");
    EXPECT_TRUE(wire.words.empty());
    EXPECT_EQ(connector.counters().eventsForeign, 2U);
    hears(0, {{}, "acme/s2", "acme/s1", event}, "{}");
    EXPECT_NE(word().find(R"("source":"acme/s2")"), std::string::npos);
    says(R"({"message":"taken","subscription":"a","total":1})");
    says(R"({"message":"bye"})");
    const auto ended = sent<shoset::Subscribe>(0);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_TRUE(ended[0].first.topics.empty());
}

TEST_F(EventsTest, AWorkerListensToWhatItMayAndToNothingElse)
{
    up(0);
    const auto answerTo = [this](const std::string& topics) {
        says(R"({"message":"subscribe","subscription":"a","topics":)" + topics + "}");
        return word();
    };
    EXPECT_NE(answerTo(R"(["power.on"])").find("not_allowed"), std::string::npos);
    EXPECT_NE(answerTo(R"(["*"])").find("not_allowed"), std::string::npos);
    EXPECT_NE(answerTo(R"(["sensor.fan","sens*"])").find("not_allowed"), std::string::npos);
    EXPECT_NE(answerTo(R"(["mesh.bmc.x"])").find("not_allowed"), std::string::npos);
    EXPECT_TRUE(sent<shoset::Subscribe>(0).empty());
    EXPECT_NE(answerTo(R"(["sensor.fan.*","mesh.bmc"])").find("subscribed"), std::string::npos);
    EXPECT_EQ(sent<shoset::Subscribe>(0).size(), 1U);
}

TEST_F(EventsTest, ABmcThatCannotBeReachedIsAnEventOnceAndSoIsItsReturn)
{
    up(0);
    stored(0, {});
    settle();
    connector.onFailure(bmc.last, {Code::notSent, "no route"}, now);
    settle();
    auto events = sent<Event>(0);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].first.topic, "mesh.bmc");
    EXPECT_EQ(events[0].first.name, "bmc.unreachable");
    EXPECT_NE(events[0].second.find("no route"), std::string::npos);
}

}  // namespace
}  // namespace mesh::connector
