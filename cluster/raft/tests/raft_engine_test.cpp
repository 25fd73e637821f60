#include "cluster/raft/tests/cluster.hpp"

namespace mesh::cluster {
namespace {

class RaftEngineTest : public Cluster {};

TEST_F(RaftEngineTest, ASingleNodeLeadsAtOnceAndKeepsWhatItAnswered)
{
    start({1});
    EXPECT_EQ(waitForPrimary(), 1U);
    EXPECT_EQ(engine(1).status().members, (std::vector<Member>{{1, "agg-1", "", true}}));
    EXPECT_EQ(engine(1).status().reason, "");
    EXPECT_EQ(propose(1, command(account("alice")))->value, "1");
    EXPECT_EQ(propose(1, command(account("alice")))->error.code, Code::alreadyExists);
    const std::string hash = engine(1).hash();
    kill(1);
    restart(1);
    runUntil([&] { return engine(1).hash() == hash; });
    EXPECT_NE(findAccountByName(engine(1).state(), "alice"), nullptr);
    EXPECT_EQ(propose(1, command(account("bob")))->value, "2");
}

TEST_F(RaftEngineTest, TheSameDirectoryIsNotOpenedTwice)
{
    start({1});
    const auto second = RaftEngine::open(optionsFor(1, {1}), environmentFor(1));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::unavailable);
    EXPECT_EQ(std::filesystem::status(directoryOf(1)).permissions(), std::filesystem::perms::owner_all);
}

TEST_F(RaftEngineTest, OptionsThatCannotWorkAreRefused)
{
    RaftEngine::Options slowBeat = optionsFor(1, {1});
    slowBeat.heartbeat = 10ms;
    EXPECT_EQ(RaftEngine::open(slowBeat, environmentFor(1)).error().code, Code::invalidArgument);
    EXPECT_EQ(RaftEngine::open(optionsFor(0, {1}), environmentFor(1)).error().code, Code::invalidArgument);
    EXPECT_EQ(RaftEngine::open(optionsFor(1, {2, 3}), environmentFor(1)).error().code, Code::invalidArgument);
    EXPECT_EQ(RaftEngine::open(optionsFor(1, {1, 2, 2}), environmentFor(1)).error().code, Code::invalidArgument);
}

TEST_F(RaftEngineTest, ProposalsThatWaitShareAnEntry)
{
    start({1});
    waitForPrimary();
    std::vector<std::string> order;
    for (int i = 0; i < 300; ++i) {
        engine(1).propose(command(PutTenant{"t" + std::to_string(i)}), now() + slow(20s),
                          [&, i](const Result<Applied>& applied) {
                              ASSERT_TRUE(applied.ok()) << applied.error().message;
                              order.push_back(std::to_string(i));
                          });
    }
    runUntil([&] { return order.size() == 300; });
    for (std::size_t i = 0; i < order.size(); ++i) {
        EXPECT_EQ(order[i], std::to_string(i));
    }
    EXPECT_LT(engine(1).counters().host.entries, 40U);
}

TEST_F(RaftEngineTest, ThreeMembersAgreeWhoeverIsAsked)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    for (std::uint64_t id = 1; id <= 3; ++id) {
        const auto applied = propose(id, command(account("user" + std::to_string(id))));
        ASSERT_TRUE(applied.ok()) << applied.error().message;
        EXPECT_EQ(applied->value, std::to_string(id));
        EXPECT_NE(findAccountByName(engine(id).state(), "user" + std::to_string(id)), nullptr) << "not applied there";
    }
    waitForEqualStates();
    EXPECT_EQ(engine(leader).counters().forwardedToUs, 2U);
    EXPECT_EQ(engine(leader).matches().size(), 3U);
    EXPECT_EQ(engine(1).status().term, engine(2).status().term);
}

TEST_F(RaftEngineTest, AnIdlePrimaryIsNotWokenByAnswersThatTellNothingNew)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    ASSERT_TRUE(propose(leader, command(account("user"))).ok());
    waitForEqualStates();
    runFor(200ms);  // until all that was acknowledged is known
    const std::uint64_t term = engine(leader).status().term;
    const std::uint64_t before = engine(leader).counters().deferred;
    runFor(2s);
    EXPECT_EQ(engine(leader).status().term, term);
    EXPECT_EQ(engine(leader).status().role, NodeRole::primary) << "it hears its followers all the same";
    EXPECT_GE(engine(leader).counters().deferred - before, 20U);
    EXPECT_FALSE(engine(leader).isWaiting());
    EXPECT_TRUE(propose(leader, command(account("other"))).ok());
}

TEST_F(RaftEngineTest, ABarrierOnAnyMemberShowsWhatWasAnsweredBefore)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    for (int i = 0; i < 5; ++i) {
        const auto applied = propose(leader, command(PutTenant{"t" + std::to_string(i)}));
        ASSERT_TRUE(applied.ok());
        const std::uint64_t reader = 1 + static_cast<std::uint64_t>(i) % 3;
        const auto passed = barrier(reader);
        ASSERT_TRUE(passed.ok()) << passed.error().message;
        EXPECT_GE(*passed, applied->revision);
        EXPECT_GE(engine(reader).state().revision, applied->revision);
    }
}

TEST_F(RaftEngineTest, WithoutAPrimaryProposalsWaitForOne)
{
    start({1, 2, 3});
    const auto applied = propose(2, command(account("early")));
    ASSERT_TRUE(applied.ok()) << applied.error().message;
}

TEST_F(RaftEngineTest, WithoutAMajorityEverythingEndsInUnavailableOrUnknown)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    for (const auto& [id, node] : nodes) {
        if (id != leader) {
            kill(id);
        }
    }
    const Code first = propose(leader, command(account("alice")), 3s).error().code;
    EXPECT_TRUE(first == Code::outcomeUnknown || first == Code::unavailable) << codeName(first);
    runUntil([&] { return engine(leader).status().role != NodeRole::primary; });
    EXPECT_EQ(engine(leader).trouble(), RaftTrouble::noPrimary);
    EXPECT_NE(engine(leader).status().reason, "");
    EXPECT_EQ(propose(leader, command(account("bob")), 30s).error().code, Code::unavailable);
    EXPECT_EQ(barrier(leader, 1s).error().code, Code::deadlineExceeded);
    EXPECT_EQ(propose(leader, command(account("carol")), 1ms).error().code, Code::deadlineExceeded);
}

TEST_F(RaftEngineTest, WhenThePrimaryIsLostARepeatIsAppliedOnce)
{
    start({1, 2, 3});
    const std::uint64_t old = waitForPrimary();
    const std::uint64_t asked = someFollower();
    const Command create = command(account("alice"));
    std::optional<Result<Applied>> first;
    engine(asked).propose(create, now() + slow(20s), [&](Result<Applied> applied) { first = std::move(applied); });
    kill(old);
    runUntil([&] { return first.has_value(); });
    const auto applied = proposeUntilKnown(asked, create);
    ASSERT_TRUE(applied.ok()) << applied.error().message;
    EXPECT_EQ(applied->value, "1");
    EXPECT_NE(waitForPrimary(), old);
    restart(old);
    waitForEqualStates();
    EXPECT_EQ(engine(old).state().accounts.size(), 1U);
}

TEST_F(RaftEngineTest, APrimaryThatIsCutOffIsReplacedAndFollowsAfterwards)
{
    start({1, 2, 3});
    const std::uint64_t old = waitForPrimary();
    isolate(old);
    std::optional<Result<Applied>> lost;
    engine(old).propose(command(account("lost")), now() + slow(3s),
                        [&](Result<Applied> applied) { lost = std::move(applied); });
    const std::uint64_t other = someFollower();
    const auto applied = proposeUntilKnown(other, command(account("alice")));
    ASSERT_TRUE(applied.ok()) << applied.error().message;
    runUntil([&] { return lost.has_value(); });
    EXPECT_FALSE(lost->ok());
    EXPECT_EQ(findAccountByName(engine(old).state(), "alice"), nullptr);
    heal();
    waitForEqualStates();
    EXPECT_NE(findAccountByName(engine(old).state(), "alice"), nullptr);
    EXPECT_EQ(engine(old).state().accounts.size(), engine(other).state().accounts.size());
}

TEST_F(RaftEngineTest, ALossyNetworkLosesNothingThatWasAnswered)
{
    start({1, 2, 3});
    waitForPrimary();
    lossPercent = 10;
    for (int i = 0; i < 20; ++i) {
        const auto applied =
            proposeUntilKnown(1 + static_cast<std::uint64_t>(i) % 3, command(PutTenant{"t" + std::to_string(i)}));
        ASSERT_TRUE(applied.ok()) << applied.error().message;
    }
    lossPercent = 0;
    waitForEqualStates();
    EXPECT_EQ(engine(1).state().registry.tenants().size(), 20U);
}

TEST_F(RaftEngineTest, WatchersSeeEveryChangeOnceAndASnapshotAsEverything)
{
    start({1});
    waitForPrimary();
    std::vector<Change> seen;
    engine(1).watch(0, [&](const Change& change) { seen.push_back(change); });
    ASSERT_TRUE(propose(1, command(account("alice"))).ok());
    ASSERT_TRUE(propose(1, command(account("bob"))).ok());
    EXPECT_EQ(seen, (std::vector<Change>{{1, ChangeKind::account, "1"}, {2, ChangeKind::account, "2"}}));
}

TEST_F(RaftEngineTest, AnEngineThatClosesHandsOverAndAnswersEverything)
{
    start({1, 2, 3});
    const std::uint64_t old = waitForPrimary();
    std::optional<Result<Applied>> last;
    engine(old).propose(command(account("alice")), now() + slow(20s),
                        [&](Result<Applied> applied) { last = std::move(applied); });
    bool closed = false;
    engine(old).close([&] { closed = true; });
    runUntil([&] { return closed && last.has_value(); });
    EXPECT_EQ(engine(old).status().role, NodeRole::stopped);
    EXPECT_EQ(propose(old, command(account("bob"))).error().code, Code::unavailable);
    kill(old);
    EXPECT_NE(waitForPrimary(), old);
}

TEST_F(RaftEngineTest, StatusIsToldOnEachChange)
{
    start({1});
    std::vector<NodeRole> roles;
    engine(1).onStatus([&](const EngineStatus& status) { roles.push_back(status.role); });
    waitForPrimary();
    bool closed = false;
    engine(1).close([&] { closed = true; });
    runUntil([&] { return closed; });
    EXPECT_EQ(roles.back(), NodeRole::stopped);
}

}  // namespace
}  // namespace mesh::cluster
