#include "connector/outbox_files.hpp"
#include "connector/tests/support.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

namespace {

std::atomic<bool> syncFails = false;

}  // namespace

// In the place of the C library's, for all of this program: a disk that fails when it is to be synced.
extern "C" int fdatasync(int descriptor)
{
    if (syncFails) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace mesh::connector {
namespace {

struct OutboxFilesOnDiskTest : testing::Test {
    TemporaryFolder folder;
    boost::asio::io_context loop;
    host::BlockingWorker worker{loop};
    std::optional<Result<void>> answer;
    OutboxFiles files{folder.string(), "sled07", worker, loop, [this](Result<void> result) { answer = std::move(result); }};

    bool isWritten(std::uint64_t segment, const std::string& bytes, bool fresh)
    {
        answer.reset();
        files.writeOutbox(segment, bytes, fresh);
        EXPECT_FALSE(answer) << "never from inside the call";
        EXPECT_TRUE(runUntil(loop, [this] { return answer.has_value(); }));
        return answer && answer->ok();
    }
    std::vector<std::pair<std::uint64_t, std::string>> found() const
    {
        std::vector<std::pair<std::uint64_t, std::string>> out;
        const auto loaded = files.load();
        EXPECT_TRUE(loaded.ok());
        for (const auto& segment : *loaded) {
            out.emplace_back(segment.number, segment.content);
        }
        return out;
    }
};

using Found = std::vector<std::pair<std::uint64_t, std::string>>;

TEST_F(OutboxFilesOnDiskTest, FilesAreMadeAppendedToAndRemovedInTheirOrder)
{
    EXPECT_TRUE(found().empty());
    ASSERT_TRUE(isWritten(1, "a", true));
    ASSERT_TRUE(isWritten(1, "b", false));
    ASSERT_TRUE(isWritten(17, "c", true));
    ASSERT_TRUE(isWritten(17, "d", false));
    EXPECT_EQ(found(), (Found{{1, "ab"}, {17, "cd"}}));
    EXPECT_TRUE(isPrivate(folder / "sled07.outbox-0000000000000011"));
    files.removeOutbox(1);
    ASSERT_TRUE(isWritten(17, "e", false));
    EXPECT_EQ(found(), (Found{{17, "cde"}}));
}

TEST_F(OutboxFilesOnDiskTest, WhatIsHalfMadeIsRemovedAndAnotherConnectorsLeftAlone)
{
    write(folder / "sled07.outbox-0000000000000001.AbCdEf", "half");
    write(folder / "sled08.outbox-0000000000000001", "other");
    ASSERT_TRUE(isWritten(2, "a", true));
    EXPECT_EQ(found(), (Found{{2, "a"}}));
    EXPECT_FALSE(std::filesystem::exists(folder / "sled07.outbox-0000000000000001.AbCdEf"));
    EXPECT_TRUE(std::filesystem::exists(folder / "sled08.outbox-0000000000000001"));
}

TEST_F(OutboxFilesOnDiskTest, WhatCannotBeSyncedIsCutBack)
{
    ASSERT_TRUE(isWritten(1, "a", true));
    ASSERT_TRUE(isWritten(1, "b", false));
    syncFails = true;
    EXPECT_FALSE(isWritten(1, "c", false));
    syncFails = false;
    EXPECT_NE(answer->error().message.find("Input/output error"), std::string::npos);
    EXPECT_EQ(found(), (Found{{1, "ab"}}));
    ASSERT_TRUE(isWritten(1, "d", false));
    EXPECT_EQ(found(), (Found{{1, "abd"}}));
}

TEST_F(OutboxFilesOnDiskTest, WhatCannotBeWrittenIsAnErrorThatNamesTheFile)
{
    EXPECT_FALSE(isWritten(3, "a", false)) << "it was never made";
    EXPECT_NE(answer->error().message.find("sled07.outbox-0000000000000003"), std::string::npos);
    worker.stop();
    EXPECT_FALSE(isWritten(4, "a", true));
    EXPECT_EQ(answer->error().code, Code::full);
}

}  // namespace
}  // namespace mesh::connector
