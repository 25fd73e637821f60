// Ways over several aggregators: not all of them have links to each other, nor to the satellite.
#include "shoset/base/limits.hpp"
#include "tests/simulation/fan_worker.hpp"
#include "tests/simulation/stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {
namespace {

// What a satellite offers and has comes again and again to aggregators that it has no link to.
constexpr Duration toldToAll = limits::memberPollInterval + 5s;
const std::string attachment = "/LogServices/1/Entries/1/Attachment";
const Stage::Ways ringOfFive{{"agg-a", "agg-b"}, {"agg-b", "agg-c"}, {"agg-c", "agg-d"}, {"agg-d", "agg-e"}, {"agg-e", "agg-a"}};
const std::vector<std::string> fiveNodes{"agg-a", "agg-b", "agg-c", "agg-d", "agg-e"};

// Commands 0 to `count` - 1 from there to s1, a millisecond apart; how each ended.
std::vector<std::string> sendNumbered(Stage& stage, const std::string& from, int count)
{
    std::vector<std::string> outcomes(static_cast<std::size_t>(count));
    for (int number = 0; number < count; ++number) {
        stage.askLater(from, "POST", "/mesh/v1/commands", fanCommand(R"("target":"acme/s1")", number),
                       [&outcomes, number](const SimAggregator::Reply& reply) {
                           outcomes[static_cast<std::size_t>(number)] = outcomeOf(reply.head.status, reply.body);
                       });
        stage.pass(1ms);
    }
    EXPECT_TRUE(stage.until([&] { return std::none_of(outcomes.begin(), outcomes.end(), [](const auto& each) { return each.empty(); }); }, 62s));
    return outcomes;
}

std::vector<int> upTo(int count)
{
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

std::uint64_t forwardedBy(Stage& stage, const std::string& name)
{
    return stage.node(name).running().mesh().counters().forwarded;
}

// All of them, in order and once; and a long answer comes whole.
void expectInOrder(Stage& stage, FanWorker& fan, const std::string& from)
{
    constexpr int count = 30;
    const std::vector<std::string> outcomes = sendNumbered(stage, from, count);
    EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "SUCCESS yes"), count) << outcomes.front();
    EXPECT_EQ(fan.given(), upTo(count));
    const SimAggregator::Reply reply = stage.ask(from, "GET", systemUri("A1", attachment));
    EXPECT_EQ(reply.head.status, 200);
    EXPECT_EQ(reply.body, satelliteBody("acme/s1", "/redfish/v1/Systems/1" + attachment, 0));
}

TEST(MessageScenarios, ALineDeliversInOrderAndOnce)
{
    Stage stage({"agg-a", "agg-b", "agg-c"}, {{"acme", "s1", "A1"}});
    stage.leaveOnly({{"agg-a", "agg-b"}, {"agg-b", "agg-c"}, {"agg-c", "acme/s1"}});
    FanWorker fan(stage.world, stage.satellite("acme/s1"));
    stage.startAll();
    fan.start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && fan.isRegistered(); }));
    stage.pass(toldToAll);
    EXPECT_EQ(stage.node("agg-a").listedSystems(), 2U);
    EXPECT_FALSE(stage.node("agg-a").running().mesh().hasDirectLink("acme/s1"));
    ASSERT_EQ(stage.ask("agg-a", "GET", systemUri("A1")).head.status, 200);
    const std::uint64_t before = forwardedBy(stage, "agg-b");
    expectInOrder(stage, fan, "agg-a");
    EXPECT_GT(forwardedBy(stage, "agg-b"), before + 60) << "each command and its replies pass the middle";
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, ARingOfFiveDeliversInOrderAndOnceAlsoTheOtherWayRound)
{
    Stage stage(fiveNodes, {{"acme", "s1", "A1"}});
    Stage::Ways ways = ringOfFive;
    ways.emplace_back("agg-c", "acme/s1");
    stage.leaveOnly(ways);
    FanWorker fan(stage.world, stage.satellite("acme/s1"));
    stage.startAll();
    fan.start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && fan.isRegistered(); }));
    stage.pass(toldToAll);
    ASSERT_EQ(stage.ask("agg-a", "GET", systemUri("A1")).head.status, 200);
    const std::uint64_t otherWay = forwardedBy(stage, "agg-e");
    expectInOrder(stage, fan, "agg-a");
    EXPECT_EQ(forwardedBy(stage, "agg-e"), otherWay) << "the way over agg-b is the shorter one";

    // The way in use ends while commands are on it: what is repeated the other way round is executed once.
    const std::size_t before = fan.given().size();
    stage.world.after(10ms, [&stage] { stage.cut("agg-a", "agg-b"); });
    const std::vector<std::string> outcomes = sendNumbered(stage, "agg-a", 30);
    std::vector<int> executed(fan.given().begin() + static_cast<std::ptrdiff_t>(before), fan.given().end());
    EXPECT_EQ(std::set<int>(executed.begin(), executed.end()).size(), executed.size()) << "none is executed twice";
    EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "SUCCESS yes"), 30) << outcomes.back();
    EXPECT_EQ(executed.size(), 30U);
    EXPECT_GT(forwardedBy(stage, "agg-e"), otherWay);
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, RoutesShortenWhenANodeIsAdded)
{
    Stage stage(fiveNodes, {{"acme", "s1", "A1"}});
    stage.leaveOnly({{"agg-a", "agg-b"}, {"agg-b", "agg-c"}, {"agg-c", "agg-d"}, {"agg-d", "acme/s1"}, {"agg-a", "agg-e"}, {"agg-e", "agg-d"}});
    for (const std::string name : {"agg-a", "agg-b", "agg-c", "agg-d"}) {
        stage.startNode(name);
    }
    stage.satellite("acme/s1").start();
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && stage.serves("agg-a", "A1"); }));
    std::uint64_t longer = forwardedBy(stage, "agg-b");
    ASSERT_EQ(stage.ask("agg-a", "GET", systemUri("A1", attachment)).head.status, 200);
    constexpr std::uint64_t chunks = 4;  // of so long an answer there are more
    EXPECT_GT(forwardedBy(stage, "agg-b"), longer + chunks);

    stage.startNode("agg-e");
    ASSERT_TRUE(stage.until([&] { return stage.isWhole(); }));
    stage.pass(1s);
    longer = forwardedBy(stage, "agg-b");
    const std::uint64_t shorter = forwardedBy(stage, "agg-e");
    ASSERT_EQ(stage.ask("agg-a", "GET", systemUri("A1", attachment)).head.status, 200);
    EXPECT_GT(forwardedBy(stage, "agg-e"), shorter + chunks);
    EXPECT_LE(forwardedBy(stage, "agg-b"), longer + chunks) << "nothing of it takes the longer way";
    EXPECT_EQ(stage.world.failure(), "");
}

TEST(MessageScenarios, ARingOfFiveKilledAndRestartedInTurnRestoresTrafficFromSavedLinks)
{
    Stage stage(fiveNodes, {{"acme", "s1", "A1"}}, {"agg-b"});
    Stage::Ways ways = ringOfFive;
    ways.emplace_back("agg-b", "acme/s1");
    ways.emplace_back("agg-d", "acme/s1");
    stage.leaveOnly(ways);
    stage.startAll();
    SimSatellite& s1 = stage.satellite("acme/s1");
    ASSERT_TRUE(stage.until([&] { return stage.isWhole() && s1.connector().linksUp() == 2; }));
    const auto serves = [&stage](const std::string& name) { return stage.serves(name, "A1"); };
    for (const std::string& killed : fiveNodes) {
        stage.node(killed).crash();
        if (killed == "agg-b") {  // the only one that its configuration names
            s1.crash();
            s1.start();
        }
        for (const std::string& other : fiveNodes) {
            EXPECT_TRUE(other == killed || stage.until([&] { return serves(other); })) << other << " without " << killed;
        }
        stage.startNode(killed);
        EXPECT_TRUE(stage.until([&] { return stage.isWhole() && s1.connector().linksUp() == 2; })) << killed << " is back";
        EXPECT_TRUE(stage.until([&] { return serves(killed); })) << killed;
    }
    EXPECT_EQ(stage.world.failure(), "");
}

}  // namespace
}  // namespace mesh::simulation
