#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

using StateMachineTest = Machine;

TEST_F(StateMachineTest, EachEntryIsOneRevisionWhateverItsOutcome)
{
    EXPECT_EQ(apply(account("alice")).revision, 1U);
    const Applied refused = apply(account("Alice"));
    EXPECT_EQ(refused.revision, 2U);
    EXPECT_EQ(refused.error.code, Code::alreadyExists);
    EXPECT_FALSE(refused.error.message.empty());
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(state().revision, 2U);
    EXPECT_EQ(state().accounts.size(), 1U);
}

TEST_F(StateMachineTest, ARepeatedRequestIsAppliedOnceAndAnsweredAlike)
{
    const Command create = command(account("alice"));
    const Applied first = apply(create);
    EXPECT_EQ(changes.size(), 1U);
    const Applied second = apply(create);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(second.value, first.value);
    EXPECT_EQ(second.revision, first.revision);
    EXPECT_EQ(state().accounts.size(), 1U);
    EXPECT_EQ(state().revision, 2U);

    const Command refused = command(account("alice"));
    EXPECT_EQ(apply(refused).error.message, apply(refused).error.message);
    ASSERT_NE(machine.answerTo(create.requestId), nullptr);
    EXPECT_EQ(machine.answerTo(create.requestId)->value, first.value);
    EXPECT_EQ(machine.answerTo(command(account("bob")).requestId), nullptr);
}

TEST_F(StateMachineTest, RememberedRequestsAreBounded)
{
    const Command first = command(RaiseGeneration{});
    apply(first);
    for (std::size_t i = 1; i < limits::maxRememberedResults; ++i) {
        apply(RaiseGeneration{});
    }
    apply(first);
    EXPECT_EQ(state().generation, 1 + limits::maxRememberedResults);
    apply(RaiseGeneration{});  // pushes the first one out
    apply(first);
    EXPECT_EQ(state().generation, 3 + limits::maxRememberedResults);
}

TEST_F(StateMachineTest, ARepeatWhoseFirstAttemptMayBeForgottenIsNotAppliedAgain)
{
    raise();
    Command late = command(RaiseGeneration{});
    apply(late);
    late.since = state().revision - 1;  // as whoever asked first had it
    const std::uint64_t raised = state().generation;
    EXPECT_GT(raised, 1U);
    EXPECT_EQ(apply(late).error.code, Code::ok) << "remembered";
    EXPECT_EQ(state().generation, raised);
    for (std::size_t i = 0; i < limits::maxRememberedResults; ++i) {
        apply(ExpireSessions{});
    }
    EXPECT_EQ(apply(late).error.code, Code::outcomeUnknown);
    EXPECT_EQ(state().generation, raised);

    Command fresh = command(RaiseGeneration{});
    fresh.since = state().revision;  // asked, and lost on the way
    EXPECT_EQ(apply(fresh).error.code, Code::ok);
    EXPECT_GT(state().generation, raised);
}

TEST_F(StateMachineTest, WhatIsForgottenIsTheSameAfterASnapshot)
{
    raise();
    const Revision before = state().revision;
    for (std::size_t i = 0; i <= limits::maxRememberedResults; ++i) {
        apply(ExpireSessions{});
    }
    Command repeat = command(RaiseGeneration{});
    repeat.since = before;
    StateMachine other;
    ASSERT_TRUE(other.restore(machine.snapshot()).ok());
    std::vector<Change> ignored;
    EXPECT_EQ(other.apply(*encodeCommand(repeat), ignored)->error.code, Code::outcomeUnknown);
    EXPECT_EQ(apply(repeat).error.code, Code::outcomeUnknown);
    EXPECT_EQ(other.hash(), machine.hash());
}

TEST_F(StateMachineTest, AnOlderProgramStopsAtARepeatItCannotJudge)
{
    Command repeat = command(RaiseGeneration{});
    repeat.since = 1;
    StateMachine older{firstFeatureLevel};
    std::vector<Change> ignored;
    EXPECT_EQ(older.apply(*encodeCommand(repeat), ignored).error().code, Code::unsupported);
}

TEST_F(StateMachineTest, AProposalWithoutRequestIdIsRefused)
{
    EXPECT_EQ(apply(Command{{}, at(0), RaiseGeneration{}}).error.code, Code::invalidArgument);
    EXPECT_EQ(state().generation, 1U);
}

TEST_F(StateMachineTest, AnUnknownFormatOrOperationStopsTheNodeAndChangesNothing)
{
    const std::string before = machine.hash();
    std::string entry = *encodeCommand(command(RaiseGeneration{}));
    std::string newFormat = entry;
    newFormat[0] = newestFeatureLevel + 1;
    std::string newOperation = entry;
    newOperation.back() = 100;
    for (const std::string& foreign : {newFormat, newOperation}) {
        const auto applied = machine.apply(foreign, changes);
        ASSERT_FALSE(applied.ok());
        EXPECT_EQ(applied.error().code, Code::unsupported);
        EXPECT_NE(applied.error().message.find("newer"), std::string::npos);
    }
    EXPECT_EQ(machine.apply(entry + "x", changes).error().code, Code::corrupt);
    EXPECT_EQ(machine.apply("", changes).error().code, Code::corrupt);
    EXPECT_EQ(machine.hash(), before);
}

TEST_F(StateMachineTest, TheServiceUuidIsSetOnceAndForAll)
{
    EXPECT_EQ(apply(SetServiceUuid{"00000000-0000-0000-0000-000000000000"}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(SetServiceUuid{"11111111-2222-3333-4444-555555555555"}).value,
              "11111111-2222-3333-4444-555555555555");
    EXPECT_EQ(changes, (std::vector<Change>{{2, ChangeKind::service, ""}}));
    const Applied again = apply(SetServiceUuid{"99999999-2222-3333-4444-555555555555"});
    EXPECT_TRUE(again.ok());
    EXPECT_EQ(again.value, "11111111-2222-3333-4444-555555555555");
    EXPECT_EQ(apply(RaiseGeneration{}).value, "2");
}

TEST_F(StateMachineTest, PropertiesAreKeptConditionallyAndWithinTheirBudget)
{
    const std::string uri = "/redfish/v1/Chassis/rack";
    const Revision first = apply(PutProperty{uri, anyRevision, R"({"AssetTag":"A"})"}).revision;
    EXPECT_EQ(findProperty(state(), uri)->revision, first);
    EXPECT_TRUE(apply(PutProperty{uri, first, R"({"AssetTag":"B"})"}).ok());
    EXPECT_EQ(apply(PutProperty{uri, first, R"({"AssetTag":"C"})"}).error.code, Code::preconditionFailed);
    EXPECT_EQ(findProperty(state(), uri)->json, R"({"AssetTag":"B"})");
    apply(PutProperty{uri, anyRevision, R"({"AssetTag":"B"})"});
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(apply(PutProperty{"", anyRevision, "{}"}).error.code, Code::invalidArgument);

    const std::string big(limits::maxPropertyBytes, 'x');
    EXPECT_EQ(encodeCommand(command(PutProperty{uri, anyRevision, big + "x"})).error().code, Code::tooLarge);
    std::size_t stored = 0;
    while (apply(PutProperty{uri + std::to_string(stored), anyRevision, big}).ok()) {
        ++stored;
        ASSERT_LE(stored * big.size(), limits::stateTableBytes[0].properties);
    }
    EXPECT_EQ(stored, 15U);
    EXPECT_TRUE(apply(RemoveProperty{uri + "0", anyRevision}).ok());
    EXPECT_TRUE(apply(PutProperty{uri + "0", anyRevision, big}).ok());
    EXPECT_EQ(apply(RemoveProperty{"/none", anyRevision}).error.code, Code::notFound);
}

TEST_F(StateMachineTest, EqualEntriesMakeEqualStates)
{
    StateMachine other;
    std::vector<Change> ignored;
    for (int i = 0; i < 50; ++i) {
        const Command next = command(account("user" + std::to_string(i), i % 2 == 0 ? "Operator" : "ReadOnly"), i);
        apply(next);
        ASSERT_TRUE(other.apply(*encodeCommand(next), ignored).ok());
        ASSERT_EQ(machine.hash(), other.hash());
    }
    apply(DeleteAccount{"7", anyRevision});
    EXPECT_NE(machine.hash(), other.hash());
}

}  // namespace
}  // namespace mesh::cluster
