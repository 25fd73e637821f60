#include "cluster/raft/tests/cluster.hpp"

namespace mesh::cluster {
namespace {

class RaftMembersTest : public Cluster {
protected:
    void fill(std::uint64_t id, int from, int count)
    {
        for (int i = from; i < from + count; ++i) {
            ASSERT_TRUE(proposeUntilKnown(id, command(PutTenant{"t" + std::to_string(i)})).ok());
        }
    }
    Result<void> addSpare(std::uint64_t at, std::uint64_t id)
    {
        return change([&](Instant deadline, auto done) { engine(at).addSpare(id, nameOf(id), deadline, done); });
    }
    Result<void> assign(std::uint64_t at, std::uint64_t id, bool voter)
    {
        return change([&](Instant deadline, auto done) { engine(at).assign(id, voter, deadline, done); });
    }
    Result<void> remove(std::uint64_t at, std::uint64_t id)
    {
        return change([&](Instant deadline, auto done) { engine(at).remove(id, deadline, done); });
    }
    Result<void> transfer(std::uint64_t at, std::uint64_t id)
    {
        return change([&](Instant deadline, auto done) { engine(at).transfer(id, deadline, done); });
    }
    void join(std::uint64_t leader, std::uint64_t id)
    {
        ASSERT_TRUE(open(id, optionsFor(id, {})).ok());
        const auto added = addSpare(leader, id);
        ASSERT_TRUE(added.ok()) << added.error().message;
        const auto assigned = assign(leader, id, true);
        ASSERT_TRUE(assigned.ok()) << assigned.error().message;
    }
};

TEST_F(RaftMembersTest, ASingleNodeGrowsToThreeWhileItServes)
{
    start({1});
    waitForPrimary();
    fill(1, 0, 5);
    join(1, 2);
    join(1, 3);
    waitForEqualStates();
    const std::vector<Member> all = {{1, nameOf(1), "", true}, {2, nameOf(2), "", true}, {3, nameOf(3), "", true}};
    runUntil([&] { return engine(3).status().members == all && engine(2).status().members == all; });
    kill(1);
    const std::uint64_t leader = waitForPrimary();
    EXPECT_TRUE(proposeUntilKnown(leader, command(account("alice"))).ok());
}

TEST_F(RaftMembersTest, AMemberThatIsFarBehindGetsASnapshot)
{
    start({1, 2, 3});
    for (auto& [id, node] : nodes) {
        node.options.snapshotThreshold = 40;
        node.options.snapshotTrailing = 10;
        kill(id);
        restart(id);
    }
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t behind = someFollower();
    std::vector<Change> seen;
    isolate(behind);
    fill(leader, 0, 120);
    EXPECT_GT(engine(leader).counters().host.snapshots, 0U);
    engine(behind).watch(engine(behind).state().revision, [&](const Change& change) { seen.push_back(change); });
    heal();
    waitForEqualStates();
    EXPECT_GT(engine(behind).counters().restored, 0U);
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.front().kind, ChangeKind::everything);
    kill(behind);
    restart(behind);
    EXPECT_GT(engine(behind).state().revision, 0U) << "the snapshot is there when open() returns";
    waitForEqualStates();
}

TEST_F(RaftMembersTest, AnAnswerThatCameWithASnapshotIsGiven)
{
    start({1, 2, 3});
    for (auto& [id, node] : nodes) {
        node.options.snapshotThreshold = 20;
        node.options.snapshotTrailing = 1;
        kill(id);
        restart(id);
    }
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t asked = someFollower();
    const Command create = command(account("alice"));
    std::optional<Result<Applied>> answer;
    // Heartbeats get through, entries do not, so that they come with a snapshot in the end.
    tamper = [&](std::uint64_t /*from*/, std::uint64_t to, std::string& message) {
        constexpr std::size_t count = 2 + 16 + 32;  // of entries, in an AppendEntries message
        if (to == asked && message.size() > count && message[0] == 1 && message[2] == 1 && message[count] != 0) {
            message.clear();
        }
    };
    engine(asked).propose(create, now() + slow(50s), [&](Result<Applied> applied) { answer = std::move(applied); });
    runUntil([&] { return findAccountByName(engine(leader).state(), "alice") != nullptr || answer.has_value(); });
    fill(leader, 0, 40);
    runUntil([&] { return answer.has_value(); });
    tamper = nullptr;
    // On a slow machine the asker may give up before.
    EXPECT_EQ(answer->ok(), engine(asked).counters().restored > 0);
    const auto applied = proposeUntilKnown(asked, create);
    ASSERT_TRUE(applied.ok());
    EXPECT_EQ(applied->value, "1");
}

TEST_F(RaftMembersTest, OnlyThePrimaryChangesMembersOneAtATime)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t follower = someFollower();
    EXPECT_EQ(addSpare(follower, 4).error().code, Code::unavailable);
    EXPECT_EQ(addSpare(leader, 0).error().code, Code::invalidArgument);
    EXPECT_EQ(addSpare(leader, follower).error().code, Code::preconditionFailed);
    EXPECT_EQ(assign(leader, 9, true).error().code, Code::preconditionFailed);
    EXPECT_EQ(assign(leader, follower, true).error().code, Code::preconditionFailed) << "it is a voter already";
    EXPECT_EQ(remove(leader, leader).error().code, Code::preconditionFailed);
    std::optional<Result<void>> first;
    std::optional<Result<void>> second;
    engine(leader).addSpare(4, nameOf(4), now() + slow(20s), [&](Result<void> done) { first = std::move(done); });
    engine(leader).addSpare(5, nameOf(5), now() + slow(20s), [&](Result<void> done) { second = std::move(done); });
    runUntil([&] { return first.has_value() && second.has_value(); });
    EXPECT_TRUE(first->ok());
    EXPECT_EQ(second->error().code, Code::unavailable);
    EXPECT_TRUE(addSpare(leader, 5).ok());
    EXPECT_TRUE(remove(leader, 5).ok());
    EXPECT_TRUE(remove(leader, 4).ok());
}

TEST_F(RaftMembersTest, AMemberThatDoesNotCatchUpBecomesNoVoter)
{
    start({1});
    waitForPrimary();
    ASSERT_TRUE(addSpare(1, 2).ok());
    EXPECT_EQ(assign(1, 2, true).error().code, Code::unavailable);
    EXPECT_EQ(engine(1).status().role, NodeRole::primary);
    EXPECT_TRUE(propose(1, command(account("alice"))).ok());
    EXPECT_TRUE(remove(1, 2).ok());
}

TEST_F(RaftMembersTest, ARemovedMemberIsToldAndStops)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t gone = someFollower();
    ASSERT_TRUE(remove(leader, gone).ok());
    runUntil([&] { return engine(gone).status().role == NodeRole::stopped; });
    EXPECT_EQ(engine(gone).trouble(), RaftTrouble::removed);
    EXPECT_EQ(propose(gone, command(account("alice"))).error().code, Code::unavailable);
    EXPECT_EQ(engine(leader).status().members.size(), 2U);
    EXPECT_TRUE(proposeUntilKnown(leader, command(account("alice"))).ok());
}

TEST_F(RaftMembersTest, AMemberThatWasRemovedWhileItWasAwayIsToldWhenItAsks)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t gone = someFollower();
    isolate(gone);
    ASSERT_TRUE(remove(leader, gone).ok());
    runUntil([&] { return engine(gone).status().leader == 0; });
    heal();
    runUntil([&] { return engine(gone).trouble() == RaftTrouble::removed; });
    EXPECT_GT(engine(leader).counters().strangers, 0U);
    EXPECT_TRUE(proposeUntilKnown(waitForPrimary(), command(account("alice"))).ok());
}

TEST_F(RaftMembersTest, LeadershipIsHandedOver)
{
    start({1, 2, 3});
    const std::uint64_t leader = waitForPrimary();
    const std::uint64_t next = someFollower();
    const auto done = transfer(leader, next);
    ASSERT_TRUE(done.ok()) << done.error().message;
    runUntil([&] { return engine(next).status().role == NodeRole::primary; });
    EXPECT_EQ(transfer(next, 77).error().code, Code::preconditionFailed);
    EXPECT_TRUE(proposeUntilKnown(leader, command(account("alice"))).ok());
}

TEST_F(RaftMembersTest, AWitnessDoesNotStayPrimary)
{
    for (const std::uint64_t id : {1, 2, 3}) {
        RaftEngine::Options options = optionsFor(id, {1, 2, 3});
        options.witness = id == 3;
        ASSERT_TRUE(open(id, options).ok());
    }
    waitForPrimary();
    runUntil([&] { return primary() == 1 || primary() == 2; });
    ASSERT_TRUE(transfer(primary(), 3).ok());
    runUntil([&] { return primary() == 1 || primary() == 2; });
    EXPECT_TRUE(proposeUntilKnown(3, command(account("alice"))).ok());
    kill(primary());
    runUntil([&] { return primary() == 1 || primary() == 2; });
}

TEST_F(RaftMembersTest, AWitnessGoesOnAlone)
{
    RaftEngine::Options options = optionsFor(1, {1});
    options.witness = true;
    ASSERT_TRUE(open(1, options).ok());
    EXPECT_EQ(waitForPrimary(), 1U);
    EXPECT_TRUE(propose(1, command(account("alice"))).ok());
}

TEST_F(RaftMembersTest, WhenTheMajorityIsLostForGoodOneGoesOnAlone)
{
    start({1, 2, 3});
    waitForPrimary();
    fill(1, 0, 5);
    waitForEqualStates();
    const std::string hash = engine(1).hash();
    EXPECT_EQ(recoverRaftDirectory(directoryOf(1), 1, nameOf(1)).error().code, Code::unavailable) << "while it runs";
    for (const std::uint64_t id : {1, 2, 3}) {
        kill(id);
    }
    const auto recovered = recoverRaftDirectory(directoryOf(1), 1, nameOf(1));
    ASSERT_TRUE(recovered.ok()) << recovered.error().message;
    EXPECT_EQ(recoverRaftDirectory((root / "nowhere").string(), 1, "a").error().code, Code::notFound);
    std::filesystem::create_directory(root / "empty");
    EXPECT_EQ(recoverRaftDirectory((root / "empty").string(), 1, "a").error().code, Code::notFound);
    restart(1);
    EXPECT_EQ(waitForPrimary(), 1U);
    runUntil([&] { return engine(1).hash() == hash; });
    EXPECT_EQ(engine(1).status().members, (std::vector<Member>{{1, "agg-1", "", true}}));
    EXPECT_EQ(propose(1, command(RaiseGeneration{}))->value, "2");
    nodes.erase(2);
    nodes.erase(3);
    join(1, 4);
    waitForEqualStates();
}

// A state that could not have come from the log, so that whoever has it got it as a snapshot.
std::string stateFromElsewhere(SeededRng& rng)
{
    StateMachine other;
    std::vector<Change> changes;
    for (const Operation& operation : {Operation(account("alice")), Operation(RaiseGeneration{}), Operation(PutTenant{"acme"})}) {
        EXPECT_TRUE(other.apply(*encodeCommand({MessageId::make(at(0), rng), at(0), operation}), changes)->ok());
    }
    return other.snapshot();
}

TEST_F(RaftMembersTest, ALogBeginsWithAStateFromElsewhereAndEveryMemberGetsIt)
{
    const std::string state = stateFromElsewhere(rng);
    const auto founded = foundRaftDirectory(directoryOf(7), 7, nameOf(7), state);
    ASSERT_TRUE(founded.ok()) << founded.error().message;
    EXPECT_EQ(foundRaftDirectory(directoryOf(7), 7, nameOf(7), state).error().code, Code::alreadyExists);
    ASSERT_TRUE(open(7, optionsFor(7, {})).ok());
    EXPECT_EQ(foundRaftDirectory(directoryOf(7), 7, nameOf(7), state).error().code, Code::unavailable) << "while it runs";
    EXPECT_EQ(waitForPrimary(), 7U);
    EXPECT_EQ(engine(7).status().members, (std::vector<Member>{{7, "agg-7", "", true}}));
    EXPECT_EQ(engine(7).state().generation, 2U);
    EXPECT_NE(findAccountByName(engine(7).state(), "alice"), nullptr);
    ASSERT_TRUE(propose(7, command(account("bob"))).ok());
    kill(7);
    restart(7);
    waitForPrimary();
    runUntil([&] { return findAccountByName(engine(7).state(), "bob") != nullptr; });
    join(7, 8);
    join(7, 9);
    waitForEqualStates();
    EXPECT_NE(findAccountByName(engine(9).state(), "alice"), nullptr);
    kill(7);
    nodes.erase(7);
    EXPECT_NE(waitForPrimary(), 0U) << "the others vote";
}

TEST_F(RaftMembersTest, AStateFromElsewhereIsNotPutOverAVote)
{
    start({1});
    waitForPrimary();
    kill(1);
    for (const auto& entry : std::filesystem::directory_iterator(directoryOf(1))) {
        if (!entry.path().filename().string().starts_with("metadata")) {
            std::filesystem::remove(entry.path());
        }
    }
    EXPECT_EQ(foundRaftDirectory(directoryOf(1), 1, nameOf(1), stateFromElsewhere(rng)).error().code, Code::alreadyExists);
}

}  // namespace
}  // namespace mesh::cluster
