#include "cluster/core/backup.hpp"

#include "cluster/core/generation.hpp"
#include "cluster/core/tests/fixture.hpp"

#include <gtest/gtest.h>

namespace mesh::cluster {
namespace {

class Backups : public Machine {
protected:
    Backups()
    {
        raise();
        EXPECT_TRUE(apply(PutNode{node("agg-a", 101)}).ok());
        EXPECT_TRUE(apply(PutNode{node("agg-b", 102)}).ok());
        EXPECT_TRUE(apply(account("root")).ok());
        EXPECT_TRUE(apply(PutTenant{"acme"}).ok());
        EXPECT_TRUE(apply(PutConnector{{"acme", "sled7", keyNumber(7), "AAA", "", ""}}).ok());
        EXPECT_TRUE(apply(SetServiceUuid{"7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10"}).ok());
        token = login("1");
        AddEnrolment enrolment;
        enrolment.id = "e1";
        enrolment.secretHash = std::string(32, 's');
        enrolment.tenant = "acme";
        enrolment.name = "sled8";
        enrolment.expiresAt = at(3600);
        EXPECT_TRUE(apply(enrolment).ok());
    }

    std::string file() const { return makeBackup(state(), {"agg-a", "bmcmesh 1.0", at(0)}); }
    Result<Founding> found(const State& backup, const Node& self, std::uint64_t generation = 1000)
    {
        return foundFrom(backup, {self, generation, at(10)}, rng);
    }
    // As the cluster would be that begins with it.
    StateMachine begun(const Founding& founding)
    {
        StateMachine out;
        EXPECT_TRUE(out.restore(founding.snapshot).ok());
        return out;
    }
    void addRunningSource()
    {
        Source source;
        source.id = "S1";
        source.hostName = "https://10.0.0.5";
        source.tenant = "acme";
        source.connector = "bmc-S1";
        ASSERT_TRUE(apply(PutSource{source}).ok());
        ASSERT_TRUE(apply(AssignHost{"acme", "bmc-S1", 1, 1, 4}).ok());
        ASSERT_TRUE(apply(RegisterHostKey{"acme", "bmc-S1", 1, state().registry.find("acme", "bmc-S1")->assignment, keyNumber(55)}).ok());
    }

    std::string token;
};

TEST_F(Backups, HaveWhatTheNodesAgreeOnButForSessionsAndEnrolmentSecrets)
{
    const Result<Backup> read = readBackup(file());
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->node, "agg-a");
    EXPECT_EQ(read->software, "bmcmesh 1.0");
    EXPECT_EQ(read->created, "2023-11-14T22:13:20Z");
    EXPECT_EQ(read->state.serviceUuid, state().serviceUuid);
    EXPECT_EQ(read->state.revision, state().revision);
    EXPECT_EQ(read->state.accounts, state().accounts);
    EXPECT_EQ(read->state.nodes, state().nodes);
    EXPECT_NE(read->state.registry.findByKey(keyNumber(7)), nullptr);
    EXPECT_EQ(findSessionByToken(state(), token) != nullptr, true);
    EXPECT_TRUE(read->state.sessions.empty());
    EXPECT_TRUE(read->state.enrolments.empty());
    EXPECT_EQ(file().find(hashToken(token)), std::string::npos) << "not even its hash";
    EXPECT_EQ(file().find(std::string(32, 's')), std::string::npos);
}

TEST_F(Backups, BeginWithLinesThatSayWhatTheyAre)
{
    EXPECT_TRUE(file().starts_with("bmcmesh backup 1\nservice 7d7dd2a3-6a54-4d2b-8a22-3a3b0f1f8f10\ngeneration 1\nrevision " +
                                   std::to_string(state().revision) + "\nfeature-level " + std::to_string(newestFeatureLevel) +
                                   "\ncreated 2023-11-14T22:13:20Z\nnode agg-a\nsoftware bmcmesh 1.0\nbytes "))
        << file().substr(0, 300);
}

TEST_F(Backups, AreRefusedWhereverAByteIsAnother)
{
    const std::string good = file();
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        EXPECT_FALSE(readBackup(bad).ok()) << "byte " << at;
    }
}

TEST_F(Backups, AreRefusedWhereverTheyAreCutOffAndWithMoreAtTheEnd)
{
    const std::string good = file();
    for (std::size_t size = 0; size < good.size(); ++size) {
        const Result<Backup> read = readBackup(std::string_view(good).substr(0, size));
        ASSERT_FALSE(read.ok()) << size;
        EXPECT_EQ(read.error().code, Code::corrupt) << size;
    }
    EXPECT_NE(readBackup(std::string_view(good).substr(0, good.size() - 9)).error().message.find("cut off"), std::string::npos);
    EXPECT_EQ(readBackup(good + "x").error().code, Code::corrupt);
    EXPECT_EQ(readBackup("{\"error\": {}}").error().message, "it is not a backup of a cluster");
}

TEST_F(Backups, OfANewerProgramAreRefusedAsThat)
{
    std::string newer = file();
    newer.replace(0, 16, "bmcmesh backup 2");
    const Result<Backup> read = readBackup(newer);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Code::unsupported);
    EXPECT_NE(read.error().message.find("Upgrade meshctl"), std::string::npos) << read.error().message;
}

TEST_F(Backups, OfAClusterThatHadNotBegunAreRefused)
{
    StateMachine fresh;
    EXPECT_EQ(readBackup(makeBackup(fresh.state(), {"a", "s", at(0)})).error().code, Code::corrupt);
}

TEST_F(Backups, GiveAClusterOfOneInANewGeneration)
{
    const Result<Founding> founding = found(readBackup(file())->state, node("agg-c", 103));
    ASSERT_TRUE(founding.ok()) << founding.error().message;
    StateMachine fresh = begun(*founding);
    const State& now = fresh.state();
    EXPECT_EQ(now.generation, 1000u);
    EXPECT_EQ(now.serviceUuid, state().serviceUuid);
    ASSERT_EQ(now.nodes.size(), 1u);
    EXPECT_EQ(now.nodes.begin()->first, founding->self);
    EXPECT_EQ(founding->self, 3u) << "no id is used again";
    EXPECT_EQ(findNode(now, 3)->name, "agg-c");
    EXPECT_EQ(findNode(now, 3)->storage, "5f0cagg-c");
    EXPECT_GE(now.revision, state().revision + restoredRevisionGap);
    EXPECT_EQ(findAccount(now, "1")->passwordHash, someHash);
    EXPECT_NE(now.registry.findByKey(keyNumber(7)), nullptr);
    EXPECT_EQ(findSessionByToken(now, token), nullptr);
    EXPECT_TRUE(now.enrolments.empty());
    EXPECT_EQ(fresh.apply(*encodeCommand(command(ConsumeEnrolment{std::string(32, 's'), keyNumber(9)})), changes)->error.code,
              Code::refused);
}

TEST_F(Backups, SessionsAndSecretsInAFileThatHasThemAreVoidToo)
{
    const Result<Founding> founding = found(state(), node("agg-c", 103));
    ASSERT_TRUE(founding.ok());
    EXPECT_TRUE(begun(*founding).state().sessions.empty());
    EXPECT_TRUE(begun(*founding).state().enrolments.empty());
}

TEST_F(Backups, ANodeOfOldStaysWhoItIsWithItsKeyAndGetsNewStorage)
{
    Node self = node("agg-b", 102);
    self.storage = "0123";
    const Result<Founding> founding = found(state(), self);
    ASSERT_TRUE(founding.ok()) << founding.error().message;
    EXPECT_EQ(founding->self, 2u);
    StateMachine fresh = begun(*founding);
    EXPECT_EQ(findNode(fresh.state(), 2)->storage, "0123");
    EXPECT_EQ(findNode(fresh.state(), 1), nullptr);
    const Result<Founding> otherKey = found(state(), node("agg-b", 104));
    ASSERT_TRUE(otherKey.ok()) << otherKey.error().message;
    EXPECT_EQ(otherKey->self, 3u) << "the name alone makes it nobody";
}

TEST_F(Backups, NobodyHostsABmcAnyMoreAndWhatRanHasEnded)
{
    addRunningSource();
    Task task;
    task.id = "t1";
    task.owner = "1";
    task.state = TaskState::running;
    task.node = 2;
    ASSERT_TRUE(apply(PutTask{task}).ok());
    const cluster::Revision before = state().registry.find("acme", "bmc-S1")->assignment;
    const Result<Founding> founding = found(readBackup(file())->state, node("agg-a", 101));
    ASSERT_TRUE(founding.ok()) << founding.error().message;
    StateMachine fresh = begun(*founding);
    const tenants::Connector* connector = fresh.state().registry.find("acme", "bmc-S1");
    EXPECT_EQ(connector->host, 0u);
    EXPECT_TRUE(connector->key.empty());
    EXPECT_GT(connector->assignment, before + restoredRevisionGap);
    EXPECT_EQ(findTask(fresh.state(), "t1")->state, TaskState::exception);
    EXPECT_TRUE(fresh.apply(*encodeCommand(command(AssignHost{"acme", "bmc-S1", 1, 1000, 1})), changes)->ok());
}

TEST_F(Backups, AGenerationIsAboveTheOneBeforeAndFollowsTheTime)
{
    EXPECT_EQ(generationAfter(1, at(0), 5), 1'700'000'000'000u);
    EXPECT_LT(generationAfter(1, at(0), 5), generationAfter(1, at(0) + 1ms, 5)) << "two restores differ";
    EXPECT_EQ(generationAfter(1, WallTime{}, 0), 3u) << "the next one is that of an older cluster that was recovered";
    EXPECT_EQ(generationAfter(1, WallTime{}, 5), 8u) << "two restores differ without a clock, too";
    EXPECT_EQ(generationAfter(1'900'000'000'000u, at(0), 5), 1'900'000'000'007u) << "of a clock that went back";
    EXPECT_EQ(found(state(), node("agg-a", 101), state().generation).error().code, Code::invalidArgument);
}

TEST_F(Backups, AKeyThatIsAConnectorsCannotFound)
{
    EXPECT_EQ(found(state(), node("agg-c", 7)).error().code, Code::alreadyExists);
}

}  // namespace
}  // namespace mesh::cluster
