#include "connector/journal_file.hpp"
#include "connector/tests/support.hpp"

#include <map>
#include <memory>

namespace mesh::connector {
namespace {

struct JournalFileTest : testing::Test {
    TemporaryFolder folder;
    const std::string path = folder / "sled07.journal";
    const std::string fresh = path + ".new";
    boost::asio::io_context loop;
    host::BlockingWorker worker{loop};
    std::map<std::uint64_t, Result<void>> answers;
    std::unique_ptr<JournalFile> file;

    void TearDown() override { worker.stop(); }
    // As at a start of the process.
    std::string open()
    {
        file = std::make_unique<JournalFile>(path, worker, [this](std::uint64_t token, const Result<void>& result) {
            answers.insert_or_assign(token, result);
        });
        const Result<std::string> content = file->open();
        EXPECT_TRUE(content.ok()) << content.error().message;
        return content.ok() ? *content : std::string();
    }
    bool isAnswered(std::uint64_t token)
    {
        return runUntil(loop, [this, token] { return answers.contains(token); });
    }
    bool isWritten(std::uint64_t token, const std::string& lines)
    {
        answers.clear();
        file->persist(token, lines);
        return isAnswered(token) && answers.at(token).ok();
    }
};

TEST_F(JournalFileTest, ATornLastLineIsCutOffBeforeAnythingFollowsIt)
{
    write(path, "B 1\nB 2");
    EXPECT_EQ(open(), "B 1\n");
    ASSERT_TRUE(isWritten(1, "B 3\n"));
    EXPECT_EQ(open(), "B 1\nB 3\n");
}

TEST_F(JournalFileTest, NothingButATornLineIsAnEmptyJournal)
{
    write(path, "B");
    EXPECT_EQ(open(), "");
    ASSERT_TRUE(isWritten(1, "B 1\n"));
    EXPECT_EQ(open(), "B 1\n");
}

TEST_F(JournalFileTest, WhatFollowsARewriteIsInTheNewFile)
{
    write(fresh, "left half made by a crash");
    EXPECT_EQ(open(), "");
    ASSERT_TRUE(isWritten(1, "B 1\n"));
    file->rewrite("L 7\n");
    ASSERT_TRUE(isWritten(2, "B 2\n"));
    EXPECT_FALSE(answers.contains(0));
    EXPECT_TRUE(isPrivate(path));
    EXPECT_FALSE(std::filesystem::exists(fresh));
    EXPECT_EQ(open(), "L 7\nB 2\n");
}

TEST_F(JournalFileTest, ARewriteThatFailsIsToldAndTheOldFileGoesOn)
{
    std::filesystem::create_directory(fresh);
    EXPECT_EQ(open(), "");
    ASSERT_TRUE(isWritten(1, "B 1\n"));
    file->rewrite("L 7\n");
    ASSERT_TRUE(isAnswered(0));
    EXPECT_FALSE(answers.at(0).ok());
    EXPECT_NE(answers.at(0).error().message.find(fresh), std::string::npos);
    ASSERT_TRUE(isWritten(2, "B 2\n"));
    EXPECT_EQ(open(), "B 1\nB 2\n");

    std::filesystem::remove(fresh);
    file->rewrite("L 8\n");
    ASSERT_TRUE(isWritten(3, "B 3\n"));
    EXPECT_FALSE(answers.contains(0));
    EXPECT_EQ(open(), "L 8\nB 3\n");
}

TEST_F(JournalFileTest, ARewriteThatTheWorkerDoesNotTakeIsTold)
{
    EXPECT_EQ(open(), "");
    worker.stop();
    file->rewrite("L 7\n");
    ASSERT_TRUE(answers.contains(0));
    EXPECT_EQ(answers.at(0).error().code, Code::full);
}

}  // namespace
}  // namespace mesh::connector
