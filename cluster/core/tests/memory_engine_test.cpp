#include "cluster/core/memory_engine.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

#include <optional>

namespace mesh::cluster {
namespace {

class MemoryEngineTest : public testing::Test {
protected:
    void propose(Operation operation, Instant deadline = never)
    {
        last = Command{MessageId::make(at(0), rng), at(0), std::move(operation)};
        repeat(deadline);
    }
    void repeat(Instant deadline = never)
    {
        answer.reset();
        engine.propose(last, deadline, [this](Result<Applied> applied) {
            EXPECT_FALSE(answer.has_value());
            answer = std::move(applied);
        });
    }

    SeededRng rng{1};
    MemoryEngine engine;
    Command last;
    std::optional<Result<Applied>> answer;
};

TEST_F(MemoryEngineTest, AnswersWhenPumpedAndNotBefore)
{
    propose(account("alice"));
    EXPECT_FALSE(answer.has_value());
    EXPECT_TRUE(engine.state().accounts.empty());
    EXPECT_EQ(engine.pump(Instant{}), 1U);
    EXPECT_EQ(answer->value().value, "1");
    EXPECT_EQ(engine.pump(Instant{}), 0U);
}

TEST_F(MemoryEngineTest, RefusesWhatIsLateTooLongOrWithoutAPrimary)
{
    propose(account("alice"), Instant(5ns));
    engine.pump(Instant(5ns));
    EXPECT_EQ(answer->error().code, Code::deadlineExceeded);
    propose(account(std::string(100, 'x')));
    engine.pump(Instant{});
    EXPECT_EQ(answer->error().code, Code::tooLarge);
    EngineStatus status = engine.status();
    status.role = NodeRole::follower;
    int told = 0;
    engine.onStatus([&told](const EngineStatus&) { ++told; });
    engine.setStatus(status);
    engine.setStatus(status);
    EXPECT_EQ(told, 1);
    propose(account("alice"));
    engine.pump(Instant{});
    EXPECT_EQ(answer->error().code, Code::unavailable);
    EXPECT_TRUE(engine.state().accounts.empty());
}

TEST_F(MemoryEngineTest, ALostAnswerIsFoundByRepeatingTheRequest)
{
    engine.loseAnswers(1);
    propose(account("alice"));
    engine.pump(Instant{});
    EXPECT_EQ(answer->error().code, Code::outcomeUnknown);
    repeat();
    engine.pump(Instant{});
    EXPECT_EQ(answer->value().value, "1");
    EXPECT_EQ(engine.state().accounts.size(), 1U);
}

TEST_F(MemoryEngineTest, ABarrierSeesEverythingProposedBeforeIt)
{
    propose(RaiseGeneration{});
    std::optional<Result<Revision>> passed;
    engine.barrier(never, [&](Result<Revision> revision) { passed = std::move(revision); });
    engine.pump(Instant{}, 1);
    EXPECT_FALSE(passed.has_value());
    engine.pump(Instant{});
    EXPECT_EQ(passed->value(), 1U);
    engine.barrier(Instant{}, [&](Result<Revision> revision) { passed = std::move(revision); });
    engine.pump(Instant{});
    EXPECT_EQ(passed->error().code, Code::deadlineExceeded);
}

TEST_F(MemoryEngineTest, WatchersAreToldBeforeTheProposerAndFromWhereTheyWere)
{
    std::vector<Change> seen;
    std::size_t seenAtAnswer = 0;
    const WatchId id = engine.watch(0, [&](const Change& change) { seen.push_back(change); });
    engine.propose({MessageId::make(at(0), rng), at(0), account("alice")}, never,
                   [&](const Result<Applied>&) { seenAtAnswer = seen.size(); });
    engine.pump(Instant{});
    EXPECT_EQ(seenAtAnswer, 1U);
    EXPECT_EQ(seen, (std::vector<Change>{{1, ChangeKind::account, "1"}}));
    engine.unwatch(id);
    propose(account("bob"));
    engine.pump(Instant{});
    propose(account("carol"));
    engine.pump(Instant{});
    EXPECT_EQ(seen.size(), 1U);
    std::vector<Change> late;
    engine.watch(1, [&](const Change& change) { late.push_back(change); });
    EXPECT_EQ(late, (std::vector<Change>{{2, ChangeKind::account, "2"}, {3, ChangeKind::account, "3"}}));
}

TEST(ChangeFeedTest, TellsWhoeverMissedTooMuchToReadEverything)
{
    ChangeFeed feed;
    for (Revision i = 1; i <= limits::maxRememberedChanges + 1; ++i) {
        feed.publish({{i, ChangeKind::session, "s"}});
    }
    std::vector<Change> seen;
    feed.watch(0, [&](const Change& change) { seen.push_back(change); });
    EXPECT_EQ(seen, (std::vector<Change>{{limits::maxRememberedChanges + 1, ChangeKind::everything, ""}}));
    seen.clear();
    feed.watch(1, [&](const Change& change) { seen.push_back(change); });
    EXPECT_EQ(seen.size(), limits::maxRememberedChanges);
    seen.clear();
    feed.reset(9000);
    EXPECT_EQ(seen, (std::vector<Change>{{9000, ChangeKind::everything, ""}, {9000, ChangeKind::everything, ""}}));
    seen.clear();
    feed.watch(8999, [&](const Change& change) { seen.push_back(change); });
    EXPECT_EQ(seen.size(), 1U);
}

TEST(ChangeFeedTest, HandlersMayUnwatchThemselvesAndEachOther)
{
    ChangeFeed feed;
    int first = 0;
    int second = 0;
    WatchId firstId = 0;
    WatchId secondId = 0;
    firstId = feed.watch(0, [&](const Change&) {
        ++first;
        feed.unwatch(firstId);
        feed.unwatch(secondId);
    });
    secondId = feed.watch(0, [&](const Change&) { ++second; });
    feed.publish({{1, ChangeKind::role, "a"}, {2, ChangeKind::role, "b"}});
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 0);
}

TEST(ChangeFeedTest, WatchersAreBounded)
{
    ChangeFeed feed;
    for (std::size_t i = 0; i < limits::maxWatchers; ++i) {
        EXPECT_NE(feed.watch(0, [](const Change&) {}), 0U);
    }
    EXPECT_EQ(feed.watch(0, [](const Change&) {}), 0U);
}

}  // namespace
}  // namespace mesh::cluster
