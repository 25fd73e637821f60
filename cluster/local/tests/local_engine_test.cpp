#include "cluster/local/local_engine.hpp"

#include "cluster/core/accounts.hpp"
#include "cluster/core/tests/fixture.hpp"
#include "cluster/local/tests/loop.hpp"
#include "cluster/local/tests/temporary.hpp"
#include "shoset/base/limits.hpp"

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

namespace mesh::cluster {
namespace {

class LocalEngineTest : public testing::Test {
protected:
    // The last engine must be gone before.
    void open()
    {
        engine.reset();
        auto opened = LocalEngine::open({path, "agg-a", FileCalls::system()}, loop.environment());
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        engine = std::move(*opened);
    }
    Command command(Operation operation) { return {MessageId::make(at(0), rng), at(0), std::move(operation)}; }
    Result<Applied> propose(const Command& what, Instant deadline = never)
    {
        std::optional<Result<Applied>> answer;
        engine->propose(what, deadline, [&](Result<Applied> applied) { answer = std::move(applied); });
        EXPECT_FALSE(answer.has_value()) << "called back from inside the call";
        loop.runUntil([&] { return answer.has_value(); });
        return *answer;
    }
    Result<Applied> propose(Operation operation) { return propose(command(std::move(operation))); }

    TemporaryDirectory temporary;
    std::string path = temporary.path("state");
    Loop loop;
    SeededRng rng{1};
    std::unique_ptr<LocalEngine> engine;
};

TEST_F(LocalEngineTest, WhatWasAnsweredIsThereAfterARestart)
{
    open();
    EXPECT_EQ(propose(account("alice"))->value, "1");
    EXPECT_EQ(propose(account("alice"))->error.code, Code::alreadyExists);
    const std::string hash = engine->hash();
    open();
    EXPECT_EQ(engine->hash(), hash);
    EXPECT_NE(findAccountByName(engine->state(), "alice"), nullptr);
    EXPECT_EQ(engine->state().revision, 2U);
}

TEST_F(LocalEngineTest, IsThePrimaryOfItself)
{
    open();
    const EngineStatus status = engine->status();
    EXPECT_EQ(status.role, NodeRole::primary);
    EXPECT_EQ(status.leader, status.self);
    EXPECT_EQ(status.members, (std::vector<Member>{{1, "agg-a", "", true}}));
}

TEST_F(LocalEngineTest, ARepeatIsRecognisedAfterARestartToo)
{
    open();
    const Command create = command(account("alice"));
    EXPECT_EQ(propose(create)->value, "1");
    open();
    EXPECT_EQ(propose(create)->value, "1");
    EXPECT_EQ(engine->state().accounts.size(), 1U);
}

TEST_F(LocalEngineTest, ProposalsThatWaitShareAnFsync)
{
    open();
    std::vector<std::string> order;
    for (int i = 0; i < 100; ++i) {
        engine->propose(command(account("user" + std::to_string(i))), never,
                        [&](const Result<Applied>& applied) { order.push_back(applied->value); });
    }
    loop.runUntil([&] { return order.size() == 100; });
    for (std::size_t i = 0; i < order.size(); ++i) {
        EXPECT_EQ(order[i], std::to_string(i + 1));
    }
    EXPECT_LE(engine->counters().batches, 2U);
}

TEST_F(LocalEngineTest, WatchersSeeEveryChangeOnceAlsoWhenHandlersPropose)
{
    open();
    std::vector<Change> seen;
    engine->watch(0, [&](const Change& change) {
        seen.push_back(change);
        if (change.key == "1") {
            engine->propose(command(account("from-the-handler")), never, [](const Result<Applied>&) {});
        }
    });
    bool first = false;
    bool second = false;
    engine->propose(command(account("alice")), never, [&](const Result<Applied>&) { first = true; });
    engine->propose(command(account("bob")), never, [&](const Result<Applied>&) { second = true; });
    loop.runUntil([&] { return first && second && seen.size() == 3; });
    EXPECT_EQ(seen, (std::vector<Change>{
                        {1, ChangeKind::account, "1"}, {2, ChangeKind::account, "2"}, {3, ChangeKind::account, "3"}}));
    const std::string hash = engine->hash();
    open();
    EXPECT_EQ(engine->hash(), hash);
}

TEST_F(LocalEngineTest, AWatcherAfterARestartIsToldToReadEverything)
{
    open();
    EXPECT_TRUE(propose(account("alice")).ok());
    open();
    std::vector<Change> seen;
    engine->watch(0, [&](const Change& change) { seen.push_back(change); });
    EXPECT_EQ(seen, (std::vector<Change>{{1, ChangeKind::everything, ""}}));
}

TEST_F(LocalEngineTest, ABarrierPassesWithWhatIsApplied)
{
    open();
    EXPECT_TRUE(propose(account("alice")).ok());
    std::optional<Result<Revision>> passed;
    engine->barrier(never, [&](Result<Revision> revision) { passed = std::move(revision); });
    EXPECT_FALSE(passed.has_value());
    loop.runUntil([&] { return passed.has_value(); });
    EXPECT_EQ(passed->value(), 1U);
    passed.reset();
    engine->barrier(loop.now(), [&](Result<Revision> revision) { passed = std::move(revision); });
    loop.runUntil([&] { return passed.has_value(); });
    EXPECT_EQ(passed->error().code, Code::deadlineExceeded);
}

TEST_F(LocalEngineTest, ACutOffTailLosesOnlyWhatWasNotAnswered)
{
    open();
    EXPECT_TRUE(propose(account("alice")).ok());
    const std::size_t before = TemporaryDirectory::read(path).size();
    const std::string hash = engine->hash();
    EXPECT_TRUE(propose(account("bob")).ok());
    const std::string both = engine->hash();
    engine.reset();
    const std::string whole = TemporaryDirectory::read(path);
    for (std::size_t length = before; length <= whole.size(); ++length) {
        engine.reset();
        TemporaryDirectory::write(path, whole.substr(0, length));
        open();
        EXPECT_EQ(engine->hash(), length == whole.size() ? both : hash) << length;
        EXPECT_EQ(engine->counters().cutBytes, length == whole.size() ? 0 : length - before);
    }
}

TEST_F(LocalEngineTest, RefusesAFileThatANewerProgramWrote)
{
    open();
    EXPECT_TRUE(propose(RaiseGeneration{}).ok());
    engine.reset();
    std::string newer = *encodeCommand(command(RaiseGeneration{}));
    newer.back() = 77;
    TemporaryDirectory::write(path, TemporaryDirectory::read(path) + encodeFrame(2, encodeBatch({newer})));
    const std::string bytes = TemporaryDirectory::read(path);
    const auto refused = LocalEngine::open({path, "agg-a", FileCalls::system()}, loop.environment());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_NE(refused.error().message.find(path + ", after revision 1"), std::string::npos) << refused.error().message;
    EXPECT_EQ(TemporaryDirectory::read(path), bytes);
}

TEST_F(LocalEngineTest, IsRewrittenWhenItHasGrownAndStaysTheSame)
{
    open();
    const std::string json(limits::maxPropertyBytes - 10, 'x');
    std::size_t largest = 0;
    for (int i = 0; engine->counters().compactions < 2; ++i) {
        ASSERT_LT(i, 500);
        ASSERT_TRUE(propose(PutProperty{"/p", anyRevision, json + std::to_string(i)}).ok());
        largest = std::max(largest, TemporaryDirectory::read(path).size());
    }
    EXPECT_LT(largest, 2 * limits::compactionBytes);
    const std::string hash = engine->hash();
    open();
    EXPECT_EQ(engine->hash(), hash);
    EXPECT_LT(TemporaryDirectory::read(path).size(), limits::compactionBytes);
}

TEST_F(LocalEngineTest, WritesNothingWhenNothingIsProposed)
{
    open();
    EXPECT_TRUE(propose(account("alice")).ok());
    const auto before = std::filesystem::last_write_time(path);
    const std::string bytes = TemporaryDirectory::read(path);
    engine->expire();
    std::optional<Result<Revision>> passed;
    engine->barrier(never, [&](Result<Revision> revision) { passed = std::move(revision); });
    loop.runUntil([&] { return passed.has_value(); });
    EXPECT_EQ(engine->counters().batches, 1U);
    engine.reset();
    EXPECT_EQ(std::filesystem::last_write_time(path), before);
    EXPECT_EQ(TemporaryDirectory::read(path), bytes);
}

TEST_F(LocalEngineTest, RefusesWhatIsTooLongLateOrTooMuch)
{
    open();
    EXPECT_EQ(propose(account(std::string(100, 'x'))).error().code, Code::tooLarge);
    EXPECT_EQ(propose(command(account("alice")), loop.now()).error().code, Code::deadlineExceeded);
    loop.holdWorker();
    std::vector<Code> codes;
    for (std::size_t i = 0; i < limits::maxQueuedProposals + 2; ++i) {
        engine->propose(command(RaiseGeneration{}), never, [&](const Result<Applied>& applied) {
            codes.push_back(applied.ok() ? Code::ok : applied.error().code);
        });
    }
    loop.runUntil([&] { return codes.size() == 1; });  // one is with the disk, the queue is full behind it
    EXPECT_EQ(codes[0], Code::full);
    loop.releaseWorker();
    loop.runUntil([&] { return codes.size() == limits::maxQueuedProposals + 2; });
    EXPECT_EQ(engine->state().generation, limits::maxQueuedProposals + 2);
    EXPECT_EQ(engine->counters().refusedFull, 1U);
}

TEST_F(LocalEngineTest, AnswersInTimeWhenTheDiskDoesNot)
{
    open();
    loop.holdWorker();
    const Instant soon = loop.now() + 1ms;
    std::vector<Code> codes;
    for (int i = 0; i < 2; ++i) {
        engine->propose(command(RaiseGeneration{}), soon,
                        [&](const Result<Applied>& applied) { codes.push_back(applied.error().code); });
    }
    loop.runUntil([&] { return loop.now() > soon; });
    engine->expire();
    loop.runUntil([&] { return codes.size() == 2; });
    EXPECT_EQ(codes, (std::vector<Code>{Code::outcomeUnknown, Code::deadlineExceeded}));
    loop.releaseWorker();
    loop.runUntil([&] { return engine->state().generation == 2; });
    EXPECT_EQ(codes.size(), 2U);
}

TEST_F(LocalEngineTest, TooMuchWorkForTheOtherThreadIsFull)
{
    open();
    loop.refuseWork = true;
    EXPECT_EQ(propose(account("alice")).error().code, Code::full);
    loop.refuseWork = false;
    EXPECT_EQ(propose(account("alice"))->value, "1");
}

TEST_F(LocalEngineTest, ClosesWhenEverythingAcceptedIsAnswered)
{
    open();
    int answered = 0;
    bool closed = false;
    for (int i = 0; i < 10; ++i) {
        engine->propose(command(RaiseGeneration{}), never, [&](const Result<Applied>& applied) {
            EXPECT_TRUE(applied.ok());
            EXPECT_FALSE(closed);
            ++answered;
        });
    }
    engine->close([&] { closed = true; });
    EXPECT_EQ(propose(account("late")).error().code, Code::unavailable);
    loop.runUntil([&] { return closed; });
    EXPECT_EQ(answered, 10);
}

TEST_F(LocalEngineTest, MayBeDestroyedWhileTheDiskIsBusy)
{
    open();
    loop.holdWorker();
    bool called = false;
    engine->propose(command(account("alice")), never, [&](const Result<Applied>&) { called = true; });
    engine.reset();
    loop.releaseWorker();
    loop.runUntil([&] { return loop.idle(); });
    EXPECT_FALSE(called);
    open();
    EXPECT_EQ(engine->state().accounts.size(), 1U);
}

TEST_F(LocalEngineTest, MayBeDestroyedByAHandler)
{
    open();
    engine->propose(command(account("alice")), never, [&](const Result<Applied>&) {});
    int calls = 0;
    for (const char* name : {"bob", "carol"}) {
        engine->propose(command(account(name)), never, [&](const Result<Applied>&) {
            ++calls;
            engine.reset();
        });
    }
    loop.runUntil([&] { return calls == 1 && loop.idle(); });
    open();
    EXPECT_EQ(engine->state().accounts.size(), 3U);
}

TEST_F(LocalEngineTest, AHandlerThatProposesCannotMakeARewriteOvertakeItsBatch)
{
    open();
    const std::string json(limits::maxPropertyBytes - 10, 'x');
    int answered = 0;
    int late = 0;
    constexpr int count = 100;
    for (int i = 0; i < count; ++i) {
        engine->propose(command(PutProperty{"/p" + std::to_string(i % 10), anyRevision, json + std::to_string(i)}),
                        never, [&](const Result<Applied>&) {
                            ++answered;
                            engine->propose(command(RaiseGeneration{}), Instant{},
                                            [&](const Result<Applied>&) { ++late; });
                        });
    }
    loop.runUntil([&] { return answered == count && late == count && engine->counters().compactions > 0; });
    const std::string hash = engine->hash();
    open();
    EXPECT_EQ(engine->hash(), hash);
}

int syncsToFail = 0;

int failingSync(int fd)
{
    if (syncsToFail > 0) {
        --syncsToFail;
        errno = EIO;
        return -1;
    }
    return ::fdatasync(fd);
}

TEST_F(LocalEngineTest, AfterAFailedSyncTheFileIsRewrittenBeforeTheNextChange)
{
    syncsToFail = 0;
    FileCalls calls = FileCalls::system();
    calls.sync = failingSync;
    auto opened = LocalEngine::open({path, "agg-a", calls}, loop.environment());
    ASSERT_TRUE(opened.ok());
    engine = std::move(*opened);
    EXPECT_TRUE(propose(account("alice")).ok());
    syncsToFail = 1;
    const auto lost = propose(account("bob"));
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.error().code, Code::ioError);
    const auto kept = propose(account("carol"));
    ASSERT_TRUE(kept.ok()) << kept.error().message;
    EXPECT_EQ(engine->counters().compactions, 1U);
    EXPECT_EQ(engine->status().reason, "");
    const std::string hash = engine->hash();
    open();
    EXPECT_EQ(engine->hash(), hash);
    EXPECT_EQ(findAccountByName(engine->state(), "bob"), nullptr);
}

TEST_F(LocalEngineTest, ServesAToolWithoutALoop)
{
    LocalEngine::Environment inlined;
    inlined.submit = [](const LocalEngine::Job& job, const LocalEngine::Job& done) {
        job();
        done();
        return true;
    };
    inlined.post = [](const LocalEngine::Job& job) { job(); };
    inlined.now = [] { return Instant{}; };
    auto opened = LocalEngine::open({path, "tool", FileCalls::system()}, inlined);
    ASSERT_TRUE(opened.ok());
    std::string id;
    (*opened)->propose(command(account("alice")), never, [&](const Result<Applied>& applied) {
        id = applied->value;
        (*opened)->propose(command(account("bob")), never, [&](const Result<Applied>& second) { id += second->value; });
    });
    EXPECT_EQ(id, "12");
}

// ---- no space

class FullDisk : public LocalEngineTest {
protected:
    std::string property() { return std::string(8000, 'x') + std::to_string(++number); }
    // Proposes until it is refused; the state must not have moved with the refusal, and watchers see the reason.
    void fillUp()
    {
        for (int i = 0; i < 400; ++i) {
            const std::string hash = engine->hash();
            const auto answer = propose(PutProperty{"/p", anyRevision, property()});
            if (!answer.ok()) {
                EXPECT_EQ(answer.error().code, Code::ioError);
                EXPECT_NE(answer.error().message.find(path), std::string::npos) << answer.error().message;
                EXPECT_EQ(engine->hash(), hash);
                EXPECT_EQ(engine->status().reason, answer.error().message);
                EXPECT_EQ(engine->counters().writeFailures, 1U);
                return;
            }
        }
        FAIL() << "the disk never became full";
    }
    void expectRecovery()
    {
        const std::string hash = engine->hash();
        EXPECT_TRUE(propose(RaiseGeneration{}).ok());
        EXPECT_NE(engine->hash(), hash);
        EXPECT_EQ(engine->status().reason, "");
        const std::string after = engine->hash();
        open();
        EXPECT_EQ(engine->hash(), after);
    }
    int number = 0;
};

struct Mounted {
    ~Mounted() { ::umount2(point.c_str(), MNT_DETACH); }
    std::string point;
};

TEST_F(FullDisk, AFileSizeLimitFailsProposalsAndIsSurvived)
{
    std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit before = {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    open();
    struct rlimit small = before;
    small.rlim_cur = 100'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    fillUp();
    EXPECT_EQ(propose(PutProperty{"/p", anyRevision, property()}).error().code, Code::ioError);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    expectRecovery();
}

TEST_F(FullDisk, ARealFileSystemWithoutSpaceFailsProposalsAndIsSurvived)
{
    const std::string mountPoint = temporary.path("small");
    std::filesystem::create_directory(mountPoint);
    if (::mount("tmpfs", mountPoint.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=512k") != 0) {
        GTEST_SKIP() << "may not mount a tmpfs here";
    }
    const Mounted mounted{mountPoint};
    path = mountPoint + "/state";
    open();
    EXPECT_TRUE(propose(account("alice")).ok());
    fillUp();
    TemporaryDirectory::write(mountPoint + "/more", std::string(512 * 1024, 'x'));
    const auto refused = propose(PutProperty{"/p", anyRevision, property()});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::ioError);
    std::filesystem::remove(mountPoint + "/more");
    EXPECT_EQ(::mount("", mountPoint.c_str(), "", MS_REMOUNT, "size=4m"), 0);
    expectRecovery();
    EXPECT_NE(findAccountByName(engine->state(), "alice"), nullptr);
    engine.reset();
}

}  // namespace
}  // namespace mesh::cluster
