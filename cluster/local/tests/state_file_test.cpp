#include "cluster/local/state_file.hpp"
#include "cluster/local/tests/temporary.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace mesh::cluster {
namespace {

class StateFileTest : public testing::Test {
protected:
    Result<std::unique_ptr<StateFile>> open(FileCalls calls = FileCalls::system())
    {
        contents = {};
        return StateFile::open(path, "empty", contents, calls);
    }
    Result<std::unique_ptr<StateFile>> reopen(const std::string& bytes)
    {
        TemporaryDirectory::write(path, bytes);
        return open();
    }
    std::string bytes() const { return TemporaryDirectory::read(path); }
    mode_t mode(const std::string& file) const
    {
        struct stat info = {};
        EXPECT_EQ(::stat(file.c_str(), &info), 0);
        return info.st_mode & 07777;
    }

    TemporaryDirectory temporary;
    std::string path = temporary.path("state");
    StateFile::Contents contents;
};

using Entries = std::vector<std::string>;

TEST_F(StateFileTest, KeepsEntriesInOrderAcrossRestarts)
{
    {
        auto file = open();
        ASSERT_TRUE(file.ok()) << file.error().message;
        EXPECT_EQ(contents.snapshot, "empty");
        ASSERT_TRUE((*file)->append({"a", ""}).ok());
        ASSERT_TRUE((*file)->append({"b"}).ok());
    }
    auto file = open();
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(contents.entries, (Entries{"a", "", "b"}));
    ASSERT_TRUE((*file)->replace("snapshot").ok());
    EXPECT_EQ((*file)->appendedBytes(), 0U);
    ASSERT_TRUE((*file)->append({"c"}).ok());
    file->reset();
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(contents.snapshot, "snapshot");
    EXPECT_EQ(contents.entries, Entries{"c"});
    EXPECT_EQ(contents.cutBytes, 0U);
}

TEST_F(StateFileTest, IsReadableByItsOwnerAlone)
{
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(mode(path), 0600U);
    EXPECT_EQ(mode(path + ".lock"), 0600U);
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    auto file = open();
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(mode(path), 0600U);
    ASSERT_TRUE((*file)->replace("x").ok());
    EXPECT_EQ(mode(path), 0600U);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(StateFileTest, ATruncatedTailIsCutAtEveryByteAndTheRestIsKept)
{
    std::size_t before = 0;
    {
        auto file = open();
        ASSERT_TRUE((*file)->append({"first", "second"}).ok());
        before = bytes().size();
        ASSERT_TRUE((*file)->append({"third", std::string(100, 'x')}).ok());
    }
    const std::string whole = bytes();
    for (std::size_t length = before; length < whole.size(); ++length) {
        auto file = reopen(whole.substr(0, length));
        ASSERT_TRUE(file.ok()) << length << ": " << file.error().message;
        EXPECT_EQ(contents.entries, (Entries{"first", "second"})) << length;
        EXPECT_EQ(contents.cutBytes, length - before);
        ASSERT_TRUE((*file)->append({"again"}).ok());
        file->reset();
        ASSERT_TRUE(open().ok());
        EXPECT_EQ(contents.entries, (Entries{"first", "second", "again"})) << length;
    }
}

TEST_F(StateFileTest, ATailOfZeroesOrGarbageIsCut)
{
    {
        auto file = open();
        ASSERT_TRUE((*file)->append({"first"}).ok());
    }
    const std::string whole = bytes();
    for (const std::string& tail : {std::string(4096, '\0'), std::string(5000, 'F'), std::string("FRAM")}) {
        ASSERT_TRUE(reopen(whole + tail).ok());
        EXPECT_EQ(contents.entries, Entries{"first"});
        EXPECT_EQ(contents.cutBytes, tail.size());
        EXPECT_EQ(bytes(), whole);
    }
}

TEST_F(StateFileTest, DamageBeforeTheEndIsAnErrorThatNamesFilePlaceAndRemedy)
{
    std::size_t first = 0;
    std::size_t last = 0;
    {
        auto file = open();
        first = bytes().size();
        ASSERT_TRUE((*file)->append({"one"}).ok());
        ASSERT_TRUE((*file)->append({"two"}).ok());
        last = bytes().size();
        ASSERT_TRUE((*file)->append({"three"}).ok());
    }
    const std::string whole = bytes();
    for (std::size_t at = 0; at < last; ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
        const auto file = reopen(damaged);
        ASSERT_FALSE(file.ok()) << at;
        EXPECT_TRUE(file.error().code == Code::corrupt ||
                    (at < fileHeaderBytes && file.error().code == Code::unsupported));
        EXPECT_NE(file.error().message.find(path), std::string::npos);
        EXPECT_EQ(bytes(), damaged);
    }
    std::string damaged = whole;
    damaged[first + frameHeaderBytes + 5] ^= 1;
    const std::string message = reopen(damaged).error().message;
    EXPECT_NE(message.find("damaged at byte " + std::to_string(first)), std::string::npos) << message;
    EXPECT_NE(message.find("Restore the file from a backup"), std::string::npos) << message;
    EXPECT_EQ(reopen("something else").error().code, Code::corrupt);
    EXPECT_EQ(reopen("").error().code, Code::corrupt);
    EXPECT_EQ(reopen("BMCMESH STATE 2\n").error().code, Code::unsupported);
    EXPECT_EQ(reopen(whole.substr(0, fileHeaderBytes + 20)).error().code, Code::corrupt);
}

TEST_F(StateFileTest, AMissingFrameIsDamage)
{
    std::vector<std::size_t> ends;
    {
        auto file = open();
        for (const char* entry : {"one", "two", "three"}) {
            ASSERT_TRUE((*file)->append({entry}).ok());
            ends.push_back(bytes().size());
        }
    }
    const std::string whole = bytes();
    EXPECT_EQ(reopen(whole.substr(0, ends[0]) + whole.substr(ends[1])).error().code, Code::corrupt);
    EXPECT_EQ(reopen(whole + std::string(limits::maxStateFileBytes, 'x')).error().code, Code::corrupt);
}

TEST_F(StateFileTest, ASecondOpenerIsToldWhoHasIt)
{
    const auto first = open();
    ASSERT_TRUE(first.ok());
    const auto second = open();
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::unavailable);
    EXPECT_NE(second.error().message.find("(" + std::to_string(::getpid()) + ")"), std::string::npos)
        << second.error().message;
}

TEST_F(StateFileTest, AnotherProcessIsKeptOutUntilTheFirstIsGone)
{
    auto first = open();
    ASSERT_TRUE(first.ok());
    const auto tryInChild = [this] {
        const pid_t child = ::fork();
        if (child == 0) {
            ::_exit(open().ok() ? 0 : 7);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return WEXITSTATUS(status);
    };
    EXPECT_EQ(tryInChild(), 7);
    first->reset();
    EXPECT_EQ(tryInChild(), 0);
}

TEST_F(StateFileTest, WhatIsNotAFileOfOursIsNamed)
{
    path = temporary.path("none/state");
    EXPECT_NE(open().error().message.find("none/state"), std::string::npos);
    path = temporary.path("directory");
    std::filesystem::create_directory(path);
    EXPECT_EQ(open().error().code, Code::ioError);
}

// ---- a disk that fails

int failures = 0;  // how many of the next calls fail
bool truncateFails = false;

int brokenSync(int fd)
{
    if (failures > 0) {
        --failures;
        errno = EIO;
        return -1;
    }
    return ::fdatasync(fd);
}
ssize_t failingWrite(int fd, const void* data, size_t count, off_t offset)
{
    if (failures > 0) {
        --failures;
        if (count > 10) {
            return ::pwrite(fd, data, count / 2, offset);  // part of it, and then no more
        }
    }
    if (count > 10 && failures == 0) {
        return ::pwrite(fd, data, count, offset);
    }
    errno = ENOSPC;
    return -1;
}
int failingTruncate(int fd, off_t length)
{
    if (truncateFails) {
        errno = EIO;
        return -1;
    }
    return ::ftruncate(fd, length);
}

class FailingDisk : public StateFileTest {
protected:
    FailingDisk()
    {
        failures = 0;
        truncateFails = false;
    }
};

TEST_F(FailingDisk, AWriteThatFailsIsUndoneAndTheNextOneWorks)
{
    auto file = open({failingWrite, ::fdatasync, failingTruncate});
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->append({"before the trouble"}).ok());
    const std::string before = bytes();
    failures = 100;
    const auto failed = (*file)->append({"lost, and long enough to be written in part"});
    EXPECT_EQ(failed.error().code, Code::ioError);
    EXPECT_NE(failed.error().message.find("No space left"), std::string::npos) << failed.error().message;
    EXPECT_EQ(bytes(), before);
    EXPECT_FALSE((*file)->mustReplace());
    failures = 0;
    ASSERT_TRUE((*file)->append({"after the trouble"}).ok());
    file->reset();
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(contents.entries, (Entries{"before the trouble", "after the trouble"}));
}

TEST_F(FailingDisk, AFailedSyncDemandsARewrite)
{
    auto file = open({::pwrite, brokenSync, failingTruncate});
    ASSERT_TRUE((*file)->append({"kept"}).ok());
    failures = 1;
    EXPECT_EQ((*file)->append({"lost"}).error().code, Code::ioError);
    EXPECT_TRUE((*file)->mustReplace());
    EXPECT_EQ((*file)->append({"not yet"}).error().code, Code::ioError);
    failures = 1;
    EXPECT_EQ((*file)->replace("kept, as a snapshot").error().code, Code::ioError);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    ASSERT_TRUE((*file)->replace("kept, as a snapshot").ok());
    ASSERT_TRUE((*file)->append({"now"}).ok());
    file->reset();
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(contents.snapshot, "kept, as a snapshot");
    EXPECT_EQ(contents.entries, Entries{"now"});
}

TEST_F(FailingDisk, WhatCannotBeUndoneIsOfUnknownOutcome)
{
    auto file = open({::pwrite, brokenSync, failingTruncate});
    failures = 1;
    truncateFails = true;
    EXPECT_EQ((*file)->append({"perhaps"}).error().code, Code::outcomeUnknown);
    EXPECT_TRUE((*file)->mustReplace());
    file->reset();
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(contents.entries, Entries{"perhaps"});
}

TEST_F(FailingDisk, TheFileIsBoundedWhenItCannotBeRewritten)
{
    auto file = open();
    const std::string big(limits::maxBatchBytes, 'x');
    Result<void> appended;
    std::size_t count = 0;
    while ((appended = (*file)->append({big}))) {
        ASSERT_LT(++count, 20U);
    }
    EXPECT_EQ(appended.error().code, Code::full);
    EXPECT_LE(bytes().size(), limits::maxStateFileBytes);
    ASSERT_TRUE((*file)->replace("small").ok());
    EXPECT_TRUE((*file)->append({big}).ok());
}

}  // namespace
}  // namespace mesh::cluster
