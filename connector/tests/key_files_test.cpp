#include "connector/key_files.hpp"
#include "connector/tests/support.hpp"
#include "shoset/zmq/keys.hpp"

#include <memory>
#include <optional>

namespace mesh::connector {
namespace {

struct KeyFilesTest : testing::Test {
    TemporaryFolder folder;
    const std::string file = folder / "s1.key";
    const std::string nextFile = file + ".next";
    const std::string noteFile = folder / "s1.rotation";
    boost::asio::io_context loop;
    host::BlockingWorker worker{loop};
    std::optional<Result<std::string>> answer;
    std::unique_ptr<KeyFiles> files;
    shoset::KeyPair first = makeKeys();

    void SetUp() override { ASSERT_TRUE(shoset::writeKeyFile(file, first)); }
    // As at a start of the process.
    Result<KeysOnDisk> load(const std::string& configured = {}, bool beside = true)
    {
        files =
            std::make_unique<KeyFiles>(configured.empty() ? file : configured, beside, folder.string(), "s1", worker,
                                       loop, [this](Result<std::string> done) { answer = std::move(done); });
        return files->load();
    }
    Result<std::string> done()
    {
        EXPECT_FALSE(answer) << "never from inside the call";
        EXPECT_TRUE(runUntil(loop, [this] { return answer.has_value(); }));
        const Result<std::string> out = answer.value_or(Error{Code::unavailable, "no answer"});
        answer.reset();
        return out;
    }
    std::string make(const std::string& note = "1 7\n")
    {
        files->make(note);
        const Result<std::string> made = done();
        EXPECT_TRUE(made.ok()) << made.error().message;
        return made.ok() ? *made : std::string();
    }
};

TEST_F(KeyFilesTest, ANextKeyIsPrivateAndThereAfterARestart)
{
    EXPECT_EQ(load()->next, "");
    const std::string made = make();
    EXPECT_TRUE(isPrivate(nextFile));
    EXPECT_TRUE(isPrivate(noteFile));
    EXPECT_EQ(shoset::loadKeyFile(nextFile)->publicKey, made);
    EXPECT_EQ(files->find(made)->publicKey, made);
    EXPECT_EQ(files->find(first.publicKey)->publicKey, first.publicKey);
    EXPECT_EQ(files->find("other"), nullptr);
    EXPECT_EQ(files->find(""), nullptr);
    const Result<KeysOnDisk> again = load();
    EXPECT_EQ(again->current, first.publicKey);
    EXPECT_EQ(again->next, made);
    EXPECT_EQ(again->note, "1 7\n");
    EXPECT_EQ(contentOf(noteFile).find(first.secretKey.cString()), std::string::npos);
}

TEST_F(KeyFilesTest, TheNextKeyTakesThePlaceOfTheOldOne)
{
    ASSERT_TRUE(load().ok());
    const std::string made = make();
    files->adopt();
    ASSERT_TRUE(done().ok());
    EXPECT_EQ(shoset::loadKeyFile(file)->publicKey, made);
    EXPECT_TRUE(isPrivate(file));
    EXPECT_EQ(shoset::loadKeyFile(nextFile).error().code, Code::notFound);
    EXPECT_EQ(files->find(first.publicKey), nullptr);
    EXPECT_EQ(load()->current, made);
    const std::string second = make("1 9\n");
    EXPECT_NE(second, made);
    files->adopt();
    ASSERT_TRUE(done().ok());
    EXPECT_EQ(load()->current, second);
}

TEST_F(KeyFilesTest, ADroppedKeyIsGone)
{
    ASSERT_TRUE(load().ok());
    const std::string made = make();
    files->drop();
    ASSERT_TRUE(done().ok());
    EXPECT_EQ(files->find(made), nullptr);
    EXPECT_EQ(load()->next, "");
    files->drop();
    EXPECT_TRUE(done().ok());
}

TEST_F(KeyFilesTest, ATornNextKeyIsRemovedAndAnUnreadableOneIsNamed)
{
    write(nextFile, "public: ");
    std::filesystem::permissions(nextFile, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    EXPECT_EQ(load()->next, "");
    EXPECT_FALSE(std::filesystem::exists(nextFile));
    ASSERT_TRUE(shoset::writeKeyFile(nextFile, makeKeys()));
    std::filesystem::permissions(nextFile, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    const Result<KeysOnDisk> loaded = load();
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().message.find(nextFile), std::string::npos);
}

TEST_F(KeyFilesTest, WhatCannotBeWrittenIsAnErrorAndChangesNothing)
{
    ASSERT_TRUE(load().ok());
    std::filesystem::create_directories(nextFile + "/full");
    files->make("1 7\n");
    EXPECT_FALSE(done().ok());
    EXPECT_EQ(shoset::loadKeyFile(file)->publicKey, first.publicKey);
    worker.stop();
    files->adopt();
    EXPECT_EQ(done().error().code, Code::full);
}

// As systemd hands a credential over.
TEST_F(KeyFilesTest, WhereTheConfiguredFileCannotBeReplacedTheKeyIsInTheStateDirectory)
{
    std::filesystem::create_directory(folder / "credentials");
    const std::string credential = folder / "credentials/c.key";
    std::filesystem::copy_file(file, credential);
    ASSERT_TRUE(load(credential, false).ok());
    const std::string made = make();
    EXPECT_EQ(shoset::loadKeyFile(folder / "s1.key.next")->publicKey, made);
    files->adopt();
    ASSERT_TRUE(done().ok());
    EXPECT_EQ(load(credential, false)->current, made);
    EXPECT_EQ(shoset::loadKeyFile(credential)->publicKey, first.publicKey);
    const std::string second = make("1 9\n");
    files->adopt();
    ASSERT_TRUE(done().ok());
    EXPECT_EQ(load(credential, false)->current, second);

    std::filesystem::remove(credential);
    const shoset::KeyPair another = makeKeys();
    ASSERT_TRUE(shoset::writeKeyFile(credential, another));
    EXPECT_EQ(load(credential, false)->current, another.publicKey) << "the operator has put another key there";
}

TEST_F(KeyFilesTest, AFolderThatIsNotThereCannotBeChanged)
{
    EXPECT_TRUE(canChangeFilesBeside(file));
    EXPECT_FALSE(canChangeFilesBeside(folder / "missing/c.key"));
}

} // namespace
} // namespace mesh::connector
