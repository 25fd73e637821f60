#include "cluster/history/history_store.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace mesh::history {

namespace {

class HistoryFile : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "mesh-history-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory); }
    static mode_t modeOfFile(const std::string& file)
    {
        struct stat status = {};
        return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
    }
    static AuditRecord longRecord()
    {
        return {WallTime(std::chrono::hours(1)), "acme", "admin", "10.0.0.9:4711", "agg-a", "POST", std::string(1000, 'u'),
                std::string(32, 'a'), Phase::intent, 0};
    }
    // Files of this process end there: to SQLite a disk that is full.
    static void limitFiles(rlim_t bytes)
    {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, RLIM_INFINITY};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    }

    std::string directory;
};

}  // namespace

TEST_F(HistoryFile, NobodyElseMayReadIt)
{
    const ::mode_t before = ::umask(0);
    HistoryStore store("sqlite:" + directory + "/history.db");
    ASSERT_TRUE(store.append({longRecord()}));
    ::umask(before);
    for (const char* name : {"/history.db", "/history.db-wal", "/history.db-shm"}) {
        EXPECT_EQ(modeOfFile(directory + name), 0600U) << name;
    }
}

TEST_F(HistoryFile, AFullDiskIsSaidAndForgotten)
{
    HistoryStore store("sqlite:" + directory + "/history.db");
    ASSERT_TRUE(store.append({longRecord()}));
    limitFiles(256 * 1024);
    std::size_t stored = 1;
    Result<std::vector<StoredAudit>> last = Error{};
    for (int i = 0; i < 1000 && (last = store.append(std::vector(10, longRecord()))); ++i) {
        stored += 10;
    }
    limitFiles(RLIM_INFINITY);
    ASSERT_FALSE(last);
    EXPECT_TRUE(last.error().message.starts_with("sqlite:" + directory + "/history.db: ")) << last.error().message;
    const auto after = store.append({longRecord()});
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after->front().link.position, stored + 1);
}

TEST_F(HistoryFile, AFolderThatIsNotThereIsNamed)
{
    HistoryStore store("sqlite:" + directory + "/none/history.db");
    const Result<void> opened = store.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message, directory + "/none/history.db: No such file or directory");
    std::filesystem::create_directory(directory + "/none");
    EXPECT_TRUE(store.append({longRecord()}));
}

TEST_F(HistoryFile, AFileOfSomethingElseIsLeftAsItIs)
{
    const std::string path = directory + "/history.db";
    std::FILE* file = std::fopen(path.c_str(), "w");
    for (int i = 0; i < 1000; ++i) {
        std::fputs("this is no database\n", file);
    }
    std::fclose(file);
    HistoryStore store("sqlite:" + path);
    const auto refused = store.append({longRecord()});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("not a database"), std::string::npos) << refused.error().message;
    EXPECT_EQ(std::filesystem::file_size(path), 20000U);
}

}  // namespace mesh::history
