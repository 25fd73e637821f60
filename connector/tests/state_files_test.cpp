#include "connector/state_files.hpp"
#include "connector/core/configuration.hpp"
#include "connector/tests/support.hpp"
#include "shoset/base/limits.hpp"

#include <optional>

namespace mesh::connector {
namespace {

struct StateFilesTest : testing::Test {
    TemporaryFolder folder;
    boost::asio::io_context loop;
    host::BlockingWorker worker{loop};
    std::optional<Result<void>> answer;
    StateFiles files{folder.string(), "sled07", worker, loop, [this](StateFile, Result<void> result) { answer = std::move(result); }};

    bool saved(StateFile file, const std::string& content)
    {
        answer.reset();
        files.save(file, content);
        EXPECT_FALSE(answer) << "never from inside the call";
        EXPECT_TRUE(runUntil(loop, [this] { return answer.has_value(); }));
        return answer && answer->ok();
    }
};

TEST_F(StateFilesTest, WhatWasNeverSavedIsEmpty)
{
    const Result<std::string> content = files.load(StateFile::fence);
    ASSERT_TRUE(content.ok());
    EXPECT_EQ(*content, "");
}

TEST_F(StateFilesTest, EachIsReplacedAsAWholeAndPrivate)
{
    ASSERT_TRUE(saved(StateFile::fence, "1 22222\n"));
    ASSERT_TRUE(saved(StateFile::fence, "2 3\n"));
    ASSERT_TRUE(saved(StateFile::aggregators, "{}\n"));
    EXPECT_EQ(*files.load(StateFile::fence), "2 3\n");
    EXPECT_EQ(contentOf(folder / "sled07.aggregators"), "{}\n");
    EXPECT_TRUE(isPrivate(folder / "sled07.fence"));
    EXPECT_TRUE(isPrivate(folder / "sled07.aggregators"));
}

TEST_F(StateFilesTest, WhatCannotBeWrittenIsAnErrorThatNamesTheFile)
{
    StateFiles elsewhere(folder / "missing", "sled07", worker, loop, [this](StateFile, Result<void> result) { answer = std::move(result); });
    elsewhere.save(StateFile::fence, "1 1\n");
    ASSERT_TRUE(runUntil(loop, [this] { return answer.has_value(); }));
    ASSERT_FALSE(answer->ok());
    EXPECT_NE(answer->error().message.find("sled07.fence"), std::string::npos);
}

TEST_F(StateFilesTest, TheLargestConfigurationThatIsTakenIsReadAgain)
{
    Configuration kept;
    std::string body = R"({"type":"chassis","contracts":[],"major":1,"resources":{},"values":{"a":")";
    while (body.size() + 5 <= limits::maxPayloadBytes) {
        body += R"(\")";  // which takes four bytes in the file
    }
    ASSERT_EQ(kept.take({1, 1, 1, 7}, body + R"("}})"), Configuration::Taken::newer);
    kept.judge(shoset::ConfiguredState::refused, std::string(limits::maxConfigReasonBytes, '\1'));
    ASSERT_GT(kept.content().size(), 2 * limits::maxSmallStateBytes);
    ASSERT_TRUE(saved(StateFile::configuration, kept.content())) << answer->error().message;
    const Result<std::string> content = files.load(StateFile::configuration);
    ASSERT_TRUE(content.ok()) << content.error().message;
    Configuration again;
    ASSERT_TRUE(again.load(*content).ok());
    EXPECT_EQ(again.wanted().values, kept.wanted().values);
}

TEST_F(StateFilesTest, WhatCouldNotBeReadAgainIsNotWritten)
{
    ASSERT_TRUE(saved(StateFile::configuration, "one"));
    ASSERT_FALSE(saved(StateFile::configuration, std::string(limits::maxConfigurationFileBytes + 1, 'x')));
    EXPECT_EQ(answer->error().code, Code::tooLarge);
    EXPECT_NE(answer->error().message.find(std::to_string(limits::maxConfigurationFileBytes)), std::string::npos) << answer->error().message;
    EXPECT_EQ(*files.load(StateFile::configuration), "one");
    ASSERT_TRUE(saved(StateFile::configuration, std::string(limits::maxConfigurationFileBytes, 'x')));
    EXPECT_TRUE(files.load(StateFile::configuration).ok());
    EXPECT_FALSE(saved(StateFile::fence, std::string(limits::maxSmallStateBytes + 1, 'x')));
}

TEST_F(StateFilesTest, WhenTooMuchWaitsForTheDiskThatIsSaidLater)
{
    worker.stop();
    EXPECT_FALSE(saved(StateFile::fence, "1 1\n"));
    EXPECT_EQ(answer->error().code, Code::full);
}

}  // namespace
}  // namespace mesh::connector
