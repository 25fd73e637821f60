#include "cluster/core/feature_level.hpp"
#include "cluster/core/tests/fixture.hpp"
#include "cluster/core/tests/format1.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class FeatureLevels : public Machine {
protected:
    // Applies to both, and expects the same.
    void both(Operation operation)
    {
        const Command what = command(std::move(operation));
        apply(what);
        const auto applied = older.apply(*encodeCommand(what), changes);
        ASSERT_TRUE(applied.ok()) << applied.error().message;
        ASSERT_EQ(older.hash(), machine.hash());
    }

    StateMachine older{firstFeatureLevel};
};

TEST_F(FeatureLevels, EntriesOfTheFirstFormatAreReadAndWrittenAsTheyWere)
{
    std::vector<bool> seen(18);
    for (const std::string& hex : entriesOfFormat1) {
        const std::string entry = *fromHex(hex);
        const auto decoded = decodeCommand(entry);
        ASSERT_TRUE(decoded.ok()) << hex;
        EXPECT_EQ(featureLevelOf(decoded->operation), 1U);
        EXPECT_EQ(toHex(*encodeCommand(*decoded)), hex);
        seen.at(decoded->operation.index()) = true;
        ASSERT_TRUE(machine.apply(entry, changes).ok());
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 18);
    EXPECT_EQ(toHex(machine.snapshot()), snapshotOfFormat1);
}

TEST_F(FeatureLevels, ASnapshotOfTheFirstFormatIsReadAndWrittenAsItWas)
{
    ASSERT_TRUE(machine.restore(*fromHex(snapshotOfFormat1)).ok());
    EXPECT_EQ(state().featureLevel, 1U);
    EXPECT_EQ(toHex(machine.snapshot()), snapshotOfFormat1);
    const auto revision = state().revision;
    raise();
    EXPECT_EQ(changes, (std::vector<Change>{{revision + 1, ChangeKind::featureLevel, ""}}));
    EXPECT_NE(toHex(machine.snapshot()).substr(0, 2), "01");
    StateMachine copy;
    ASSERT_TRUE(copy.restore(machine.snapshot()).ok());
    EXPECT_EQ(copy.state().featureLevel, newestFeatureLevel);
    EXPECT_EQ(copy.hash(), machine.hash());
    EXPECT_EQ(findAccountByName(copy.state(), "robert")->lockedAt, findAccountByName(state(), "robert")->lockedAt);
}

TEST_F(FeatureLevels, OldAndNewProgramsAgreeUntilTheLevelIsRaised)
{
    for (const std::string& hex : entriesOfFormat1) {
        const std::string entry = *fromHex(hex);
        ASSERT_TRUE(machine.apply(entry, changes).ok());
        ASSERT_TRUE(older.apply(entry, changes).ok());
        ASSERT_EQ(older.hash(), machine.hash());
    }
    const std::string big(limits::maxPropertyBytes, 'x');
    for (int i = 0; i < 20; ++i) {  // budgets are those of the level, not of the program
        both(PutProperty{"/p" + std::to_string(i), anyRevision, big});
    }
    StateMachine joined{firstFeatureLevel};
    ASSERT_TRUE(joined.restore(machine.snapshot()).ok());
    EXPECT_EQ(joined.hash(), older.hash());
}

TEST_F(FeatureLevels, ARecoveryTakesTheNextGenerationUntilAllKnowBetter)
{
    both(RaiseGeneration{});
    EXPECT_EQ(state().generation, 2U);
    raise();
    StateMachine other;
    ASSERT_TRUE(other.restore(machine.snapshot()).ok());
    const auto recovered = [this](StateMachine& one, WallTime now) {
        const auto applied = one.apply(*encodeCommand({MessageId::make(now, rng), now, RaiseGeneration{}}), changes);
        EXPECT_EQ(applied->value, std::to_string(one.state().generation));
        return one.state().generation;
    };
    const WallTime unset{};
    EXPECT_NE(recovered(machine, unset), recovered(other, unset)) << "two operators, and no clock is right";
    EXPECT_EQ(recovered(machine, at(0)), 1'700'000'000'000U);
    EXPECT_EQ(recovered(other, at(1)), 1'700'000'001'000U) << "of two that were recovered the later one counts";
    EXPECT_GT(recovered(other, at(0)), 1'700'000'001'000U) << "also where the clock went back";
}

TEST_F(FeatureLevels, AnOldProgramStopsWhereTheLevelIsRaisedAndChangesNothing)
{
    both(account("alice"));
    const std::string before = older.hash();
    const Command lift = command(RaiseFeatureLevel{newestFeatureLevel});
    EXPECT_EQ(apply(lift).value, std::to_string(newestFeatureLevel));
    EXPECT_EQ(older.apply(*encodeCommand(lift), changes).error().code, Code::unsupported);
    EXPECT_EQ(older.restore(machine.snapshot()).error().code, Code::unsupported);
    EXPECT_EQ(older.hash(), before);
    const std::string beyond = *encodeCommand(command(RaiseFeatureLevel{newestFeatureLevel + 1}));
    EXPECT_EQ(machine.apply(beyond, changes).error().code, Code::unsupported);
    EXPECT_EQ(state().featureLevel, newestFeatureLevel);
}

TEST_F(FeatureLevels, WhatCameLaterWaitsUntilTheLevelIsRaised)
{
    EXPECT_TRUE(mayPropose(state(), account("alice")).ok());
    const auto early = mayPropose(state(), PutNode{node("a", 1), anyRevision});
    EXPECT_EQ(early.error().code, Code::unsupported);
    EXPECT_TRUE(mayPropose(state(), RaiseFeatureLevel{newestFeatureLevel}).ok());
    EXPECT_EQ(mayPropose(state(), RaiseFeatureLevel{newestFeatureLevel + 1}).error().code, Code::unsupported);
    EXPECT_EQ(apply(PutNode{node("a", 1), anyRevision}).error.code, Code::unsupported);
    EXPECT_TRUE(state().nodes.empty());
    raise();
    EXPECT_TRUE(mayPropose(state(), PutNode{node("a", 1), anyRevision}).ok());
    EXPECT_TRUE(apply(PutNode{node("a", 1), anyRevision}).ok());
}

TEST_F(FeatureLevels, TheNodesToUpgradeAreNamed)
{
    State mixed;
    mixed.nodes[1] = node("a", 1, 1);
    mixed.nodes[2] = node("b", 2, 2);
    mixed.nodes[2].featureLevel = 1;
    for (const Operation& operation : std::vector<Operation>{RaiseFeatureLevel{2}, RemoveNode{1, anyRevision}}) {
        const auto refused = mayPropose(mixed, operation);
        EXPECT_EQ(refused.error().code, Code::unsupported);
        EXPECT_NE(refused.error().message.find("b (which knows 1)"), std::string::npos) << refused.error().message;
        EXPECT_EQ(refused.error().message.find("a (which"), std::string::npos);
    }
}

TEST_F(FeatureLevels, AreNeverLowered)
{
    raise();
    EXPECT_EQ(apply(RaiseFeatureLevel{1}).value, std::to_string(newestFeatureLevel));
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(state().featureLevel, newestFeatureLevel);
    Node late = node("late", 1);
    late.featureLevel = newestFeatureLevel - 1;
    EXPECT_EQ(apply(PutNode{late, anyRevision}).error.code, Code::unsupported);
}

TEST_F(FeatureLevels, AreNotRaisedWhileATableHoldsMoreThanTheNextOneAllows)
{
    const std::string big(limits::maxPropertyBytes, 'x');
    for (int i = 0; i < 12; ++i) {
        ASSERT_TRUE(apply(PutProperty{"/p" + std::to_string(i), anyRevision, big}).ok());
    }
    const Applied refused = apply(RaiseFeatureLevel{2});
    EXPECT_EQ(refused.error.code, Code::full);
    EXPECT_NE(refused.error.message.find("properties"), std::string::npos) << refused.error.message;
    EXPECT_EQ(state().featureLevel, 1U);
    for (int i = 0; i < 3; ++i) {
        apply(RemoveProperty{"/p" + std::to_string(i), anyRevision});
    }
    raise();
    EXPECT_EQ(apply(PutProperty{"/more", anyRevision, big}).error.code, Code::full);
}

}  // namespace
}  // namespace mesh::cluster
