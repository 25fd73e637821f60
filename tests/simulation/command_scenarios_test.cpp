// Commands and events: what is answered, what is refused, what is seen.
#include "shoset/core/frame.hpp"
#include "tests/simulation/event_worker.hpp"
#include "tests/simulation/fan_worker.hpp"
#include "tests/simulation/stage.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {
namespace {

const std::vector<std::string> nodesOfScenes{"agg-a", "agg-b", "agg-c"};

// A command whose worker takes an hour; then something happens.
struct MidCommand {
    MidCommand() : slow(stage.world, stage.satellite("acme/s1"), "1.0", 1h)
    {
        stage.startAll();
        slow.start();
        EXPECT_TRUE(stage.until([this] { return stage.isWhole() && slow.isRegistered(); }));
        stage.pass(1s);
        stage.askLater("agg-a", "POST", "/mesh/v1/commands", fanCommand(R"("target":"acme/s1")", 50, 10),
                       [this](const SimAggregator::Reply& reply) { outcome = outcomeOf(reply.head.status, reply.body); });
        EXPECT_TRUE(stage.until([this] { return slow.given().size() == 1; }));
    }
    // Within the deadline and a little.
    void expectAnswer(const std::string& expected)
    {
        EXPECT_TRUE(stage.until([this] { return !outcome.empty(); }, 12s));
        EXPECT_EQ(outcome, expected);
        stage.pass(20s);
        EXPECT_EQ(slow.given().size(), 1U) << "it is not executed again";
        EXPECT_EQ(stage.world.failure(), "");
    }

    Stage stage{nodesOfScenes, {{"acme", "s1", "A1"}}};
    FanWorker slow;
    std::string outcome;
};

TEST(MessageScenarios, AConnectorThatEndsInMidCommandGivesTheSenderADefiniteAnswer)
{
    MidCommand scene;
    scene.stage.satellite("acme/s1").crash();
    scene.stage.pass(500ms);
    scene.stage.satellite("acme/s1").start();
    scene.expectAnswer("FAIL unknown");
}

TEST(MessageScenarios, ALinkThatEndsInMidCommandGivesTheSenderADefiniteAnswer)
{
    MidCommand scene;
    for (const std::string& name : nodesOfScenes) {
        scene.stage.cut(name, "acme/s1");
    }
    scene.expectAnswer("FAIL unknown");
}

TEST(MessageScenarios, ALinkThatEndsInMidCommandDoesNoHarmWhileAnotherOneIsLeft)
{
    Stage stage(nodesOfScenes, {{"acme", "s1", "A1"}});
    FanWorker fan(stage.world, stage.satellite("acme/s1"), "1.0", 2s);
    stage.startAll();
    fan.start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && fan.isRegistered(); }));
    stage.pass(1s);
    std::string outcome;
    stage.askLater("agg-a", "POST", "/mesh/v1/commands", fanCommand(R"("target":"acme/s1")", 50),
                   [&outcome](const SimAggregator::Reply& reply) { outcome = outcomeOf(reply.head.status, reply.body); });
    ASSERT_TRUE(stage.until([&] { return fan.given().size() == 1; }));
    stage.cut("agg-a", "acme/s1");
    EXPECT_TRUE(stage.until([&] { return !outcome.empty(); }, 30s));
    EXPECT_EQ(outcome, "SUCCESS yes");
    EXPECT_EQ(fan.given().size(), 1U);
    EXPECT_EQ(stage.world.failure(), "");
}

// Commands in what it sends.
std::size_t commandsIn(std::string_view frame)
{
    std::size_t found = 0;
    shoset::FrameReader reader(frame);
    for (auto next = reader.next(); next && next->has_value(); next = reader.next()) {
        found += (*next)->prelude.kind == shoset::Kind::command ? 1 : 0;
    }
    return found;
}

TEST(MessageScenarios, APayloadAgainstItsSchemaIsRefusedBeforeItLeavesTheSendersConnector)
{
    Stage stage(nodesOfScenes, {{"acme", "s1", "A1"}, {"acme", "s2", "A2"}});
    SimSatellite& s1 = stage.satellite("acme/s1");
    std::size_t left = 0;
    s1.watchFrames([&left](std::string_view frame) { left += commandsIn(frame); });
    FanWorker sender(stage.world, s1);
    FanWorker receiver(stage.world, stage.satellite("acme/s2"));
    stage.startAll();
    sender.start();
    receiver.start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && sender.isRegistered() && receiver.isRegistered(); }));
    stage.pass(1s);
    const std::string policy = R"({"tenant":"acme","sender":"s1","command":"fan.speed","target":"s2"})";
    ASSERT_EQ(stage.ask("agg-a", "POST", "/mesh/v1/policies", policy).head.status, 201);
    stage.pass(1s);

    sender.send(1, R"({"name":"s2"})", R"({"percent":"fast"})");
    ASSERT_TRUE(stage.until([&] { return !sender.answers().empty(); }));
    const nlohmann::json refusal = nlohmann::json::parse(sender.answers().front());
    EXPECT_EQ(refusal.value("code", ""), "invalid_argument");
    EXPECT_EQ(refusal.value("executed", ""), "no");
    stage.pass(2s);
    EXPECT_EQ(left, 0U);
    EXPECT_TRUE(receiver.given().empty());

    sender.send(2, R"({"name":"s2"})", R"({"percent":70})");
    ASSERT_TRUE(stage.until([&] { return receiver.given().size() == 1; }));
    EXPECT_TRUE(stage.until([&] { return sender.answers().back().find("SUCCESS") != std::string::npos; })) << sender.answers().back();
    EXPECT_EQ(left, 1U);
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, AWorkerIsUpgradedUnderLoadWithoutALostCommand)
{
    constexpr std::size_t count = 300;
    Stage stage(nodesOfScenes, {{"acme", "s1", "A1"}});
    FanWorker old(stage.world, stage.satellite("acme/s1"), "1.0", 40ms);
    FanWorker fresh(stage.world, stage.satellite("acme/s1"), "1.1", 40ms);
    stage.startAll();
    old.start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && old.isRegistered(); }));
    stage.pass(1s);
    for (const std::string& name : nodesOfScenes) {
        ASSERT_EQ(stage.ask(name, "GET", systemUri("A1")).head.status, 200);
    }
    std::map<std::size_t, std::string> outcomes;
    for (std::size_t number = 0; number < count; ++number) {
        const std::string& from = nodesOfScenes[number % nodesOfScenes.size()];
        stage.askLater(from, "POST", "/mesh/v1/commands", fanCommand(R"("target":"acme/s1")", static_cast<int>(number)),
                       [&outcomes, number](const SimAggregator::Reply& reply) { outcomes[number] = outcomeOf(reply.head.status, reply.body); });
        if (number == count / 3) {
            fresh.start();
        }
        stage.pass(5ms);
    }
    ASSERT_TRUE(stage.until([&] { return outcomes.size() == count; }, 62s));
    for (const auto& [number, outcome] : outcomes) {
        EXPECT_EQ(outcome, "SUCCESS yes") << number;
    }
    std::set<int> executed(old.given().begin(), old.given().end());
    executed.insert(fresh.given().begin(), fresh.given().end());
    EXPECT_EQ(executed.size(), count);
    EXPECT_EQ(old.given().size() + fresh.given().size(), count) << "each once";
    EXPECT_GT(fresh.given().size(), count / 3);
    EXPECT_TRUE(old.isDrained());
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, AForeignTenantsEventIsNeverSeen)
{
    const std::vector<StagePlace> places{{"acme", "s1", "A1"}, {"acme", "s2", "A2"}, {"zeta", "s1", "Z1"}, {"zeta", "s2", "Z2"}};
    Stage stage(nodesOfScenes, places);
    const Instant end = stage.world.now().mono + 20s;
    std::vector<std::unique_ptr<EventWorker>> workers;
    for (const StagePlace& place : places) {
        SimSatellite& at = stage.satellite(shoset::connectorAddress(place.tenant, place.name));
        workers.push_back(std::make_unique<EventWorker>(stage.world, stage.events, at, 200ms, end));
    }
    // One that asks for the other tenant's by name.
    std::set<std::string> spied;
    std::size_t words = 0;
    std::unique_ptr<SimWorker> spy;
    spy = std::make_unique<SimWorker>(stage.world, stage.satellite("zeta/s1"), "spy", "1.0", "[]", [&](const nlohmann::json& word) {
        if (word["message"] == "registered") {
            spy->say(R"({"message":"subscribe","subscription":"x","topics":["*"],"from":"cursor","cursor":{"acme/s1":"0:0","acme/s2":"1:1"}})");
        } else if (word["message"] == "event" || word["message"] == "gap" || word["message"] == "cursor") {
            spied.insert(word.value("source", word.dump()));
            spy->say(R"({"message":"taken","subscription":"x","total":)" + std::to_string(++words) + "}");
        }
    });
    stage.startAll();
    for (const auto& worker : workers) {
        worker->start();
    }
    spy->start();
    stage.pass(60s);
    stage.events.finish();
    EXPECT_EQ(stage.world.failure(), "");
    EXPECT_GT(stage.events.deliveredEvents(), 200U);
    EXPECT_EQ(spied, std::set<std::string>{"zeta/s2"});

    const SimAggregator::Reply shown = stage.ask("agg-b", "GET", "/mesh/v1/events?limit=500", {}, "zeta");
    EXPECT_EQ(shown.head.status, 200);
    EXPECT_NE(shown.body.find("zeta/s1"), std::string::npos);
    EXPECT_EQ(shown.body.find("acme"), std::string::npos);
    EXPECT_EQ(stage.ask("agg-b", "GET", "/mesh/v1/events?tenant=acme", {}, "zeta").body.find("acme/s"), std::string::npos);
}

}  // namespace
}  // namespace mesh::simulation
