#include "shoset/host/files.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mesh::host {
namespace {

class Files : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "mesh-files-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
    }
    void TearDown() override
    {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        std::filesystem::remove_all(directory);
    }

    std::string path(const std::string& name) const { return directory + "/" + name; }
    static mode_t modeOf(const std::string& file)
    {
        struct stat status = {};
        ::stat(file.c_str(), &status);
        return status.st_mode & 07777;
    }

    std::string directory;
};

TEST_F(Files, WrittenDataIsReadBackWithTheModeAskedFor)
{
    const ::mode_t before = ::umask(077);
    ASSERT_TRUE(writeFileAtomic(path("a"), std::string_view("x\0y\n", 4), 0640));
    ::umask(before);
    EXPECT_EQ(*readFile(path("a"), 4), std::string_view("x\0y\n", 4));
    EXPECT_EQ(modeOf(path("a")), 0640u);
}

TEST_F(Files, ReplacingLeavesNoTemporaryFile)
{
    ASSERT_TRUE(writeFileAtomic(path("a"), "old", 0600));
    ASSERT_TRUE(writeFileAtomic(path("a"), "new", 0600));
    EXPECT_EQ(*readFile(path("a"), 100), "new");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
}

TEST_F(Files, FailedWriteKeepsTheOldFileAndNamesThePath)
{
    std::filesystem::create_directory(path("taken"));
    std::ofstream(path("taken/inside")) << "x";
    const auto onDirectory = writeFileAtomic(path("taken"), "new", 0600);
    ASSERT_FALSE(onDirectory);
    EXPECT_NE(onDirectory.error().message.find(path("taken")), std::string::npos);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
    EXPECT_EQ(writeFileAtomic(path("missing/a"), "new", 0600).error().code, Code::notFound);
}

TEST_F(Files, ARenamedFileReplacesAndARemovedOneMayBeGoneAlready)
{
    ASSERT_TRUE(writeFileAtomic(path("a"), "old", 0600));
    ASSERT_TRUE(writeFileAtomic(path("b"), "new", 0600));
    ASSERT_TRUE(renameFile(path("b"), path("a")));
    EXPECT_EQ(*readFile(path("a"), 10), "new");
    const auto missing = renameFile(path("b"), path("a"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::notFound);
    EXPECT_NE(missing.error().message.find(path("b")), std::string::npos);
    EXPECT_TRUE(removeFile(path("a")));
    EXPECT_TRUE(removeFile(path("a")));
    EXPECT_EQ(readFile(path("a"), 10).error().code, Code::notFound);
    EXPECT_FALSE(removeFile(directory));
}

TEST_F(Files, SizeLimitIsExact)
{
    ASSERT_TRUE(writeFileAtomic(path("a"), std::string(10000, 'x'), 0600));
    EXPECT_EQ(readFile(path("a"), 10000)->size(), 10000u);
    EXPECT_EQ(readFile(path("a"), 9999).error().code, Code::tooLarge);
    ASSERT_TRUE(writeFileAtomic(path("empty"), "", 0600));
    EXPECT_EQ(*readFile(path("empty"), 0), "");
}

TEST_F(Files, FilesWithoutASizeAreReadToTheirEnd)
{
    EXPECT_NE(readFile("/proc/self/status", 100000)->find("Pid:"), std::string::npos);
    EXPECT_EQ(readFile("/proc/self/status", 10).error().code, Code::tooLarge);
}

TEST_F(Files, OnlyRegularFilesAreRead)
{
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_EQ(readFile(path("fifo"), 10).error().code, Code::invalidArgument);
    EXPECT_EQ(readFile(directory, 10).error().code, Code::invalidArgument);
    EXPECT_EQ(readFile(path("missing"), 10).error().code, Code::notFound);
}

TEST_F(Files, SecretsThatOthersCanReadAreRefusedWithTheCommandThatMendsIt)
{
    for (const mode_t mode : {0640u, 0604u, 0620u}) {
        ASSERT_TRUE(writeFileAtomic(path("key"), "secret", mode));
        const auto read = readSecretFile(path("key"), 100);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, Code::permissionDenied);
        EXPECT_NE(read.error().message.find("chmod 600 " + path("key")), std::string::npos);
        EXPECT_EQ(read.error().message.find("secret\n"), std::string::npos);
    }
    for (const mode_t mode : {0600u, 0400u}) {
        ASSERT_TRUE(writeFileAtomic(path("key"), "secret", mode));
        EXPECT_EQ(*readSecretFile(path("key"), 100), "secret");
    }
}

TEST_F(Files, SecretsOfAnotherUserAreRefused)
{
    ASSERT_TRUE(writeFileAtomic(path("key"), "secret", 0600));
    if (::chown(path("key").c_str(), ::geteuid() + 1, static_cast<gid_t>(-1)) != 0) {
        GTEST_SKIP() << "only root can give files away";
    }
    for (const SecretOwner owner : {SecretOwner::us, SecretOwner::usOrFolders}) {
        const auto read = readSecretFile(path("key"), 100, owner);
        ASSERT_FALSE(read);
        EXPECT_NE(read.error().message.find("chown"), std::string::npos);
    }
}

TEST_F(Files, ACredentialStandsInTheFolderThatTheServiceManagerNames)
{
    EXPECT_TRUE(isCredential("/run/credentials/a.service/key", "/run/credentials/a.service"));
    for (const char* other : {"/run/credentials/b.service", "/run/credentials", "/run/credentials/a.service/key", "", "."}) {
        EXPECT_FALSE(isCredential("/run/credentials/a.service/key", other)) << other;
    }
    EXPECT_FALSE(isCredential("/run/credentials/a.service/key", nullptr));
    EXPECT_FALSE(isCredential("/run/credentials/a.service/../key", "/run/credentials/a.service"));
    EXPECT_FALSE(isCredential("key", ".")) << "the folder that it was started in is no such folder";
}

TEST_F(Files, ACredentialMayBeReadByItsGroup)
{
    std::filesystem::create_directory(path("credentials"));
    ASSERT_EQ(::setenv("CREDENTIALS_DIRECTORY", path("credentials").c_str(), 1), 0);
    for (const char* name : {"key", "credentials/key"}) {
        ASSERT_TRUE(writeFileAtomic(path(name), "secret", 0440));
    }
    EXPECT_EQ(*readSecretFile(path("credentials/key"), 100), "secret");
    for (const char* outside : {"key", "credentials/../key"}) {
        const auto read = readSecretFile(path(outside), 100);
        ASSERT_FALSE(read) << outside;
        EXPECT_EQ(read.error().code, Code::permissionDenied);
    }
    for (const mode_t mode : {0460u, 0450u, 0444u}) {
        ASSERT_TRUE(writeFileAtomic(path("credentials/key"), "secret", mode));
        EXPECT_FALSE(readSecretFile(path("credentials/key"), 100)) << std::oct << mode;
    }
}

TEST_F(Files, ACredentialMayBeRootsAndNothingElse)
{
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can play root";
    }
    std::filesystem::create_directory(path("credentials"));
    ASSERT_EQ(::setenv("CREDENTIALS_DIRECTORY", path("credentials").c_str(), 1), 0);
    for (const char* name : {"key", "credentials/key"}) {
        ASSERT_TRUE(writeFileAtomic(path(name), "secret", 0440));
    }
    for (const char* folder : {"", "credentials"}) {
        ASSERT_EQ(::chmod(path(folder).c_str(), 0711), 0);
    }
    ASSERT_EQ(::seteuid(65534), 0);  // still of root's group, which stands for the list of access
    const auto credential = readSecretFile(path("credentials/key"), 100);
    const auto other = readSecretFile(path("key"), 100);
    ASSERT_EQ(::seteuid(0), 0);
    ASSERT_TRUE(credential) << credential.error().message;
    EXPECT_EQ(*credential, "secret");
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("belongs to another user"), std::string::npos) << other.error().message;
}

TEST_F(Files, RootReadsASecretOfTheUserWhoseFolderItIs)
{
    std::filesystem::create_directory(path("state"));
    ASSERT_TRUE(writeFileAtomic(path("state/key"), "secret", 0600));
    for (const char* name : {"state", "state/key"}) {
        if (::chown(path(name).c_str(), ::geteuid() + 1, static_cast<gid_t>(-1)) != 0) {
            GTEST_SKIP() << "only root can give files away";
        }
    }
    EXPECT_FALSE(readSecretFile(path("state/key"), 100));
    EXPECT_EQ(*readSecretFile(path("state/key"), 100, SecretOwner::usOrFolders), "secret");
}

}  // namespace
}  // namespace mesh::host
