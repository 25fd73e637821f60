#include "shoset/zmq/keys.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace mesh::shoset {
namespace {

class KeyFile : public ::testing::Test {
protected:
    KeyFile()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "keys-XXXXXX").string();
        directory = mkdtemp(pattern.data());
        path = directory + "/node.key";
    }
    ~KeyFile() override
    {
        unsetenv("CREDENTIALS_DIRECTORY");
        std::filesystem::remove_all(directory);
    }

    void write(const std::string& text, mode_t mode = 0600)
    {
        std::ofstream(path) << text;
        chmod(path.c_str(), mode);
    }

    std::string directory;
    std::string path;
    KeyPair pair = std::move(generateKeyPair().value());
};

TEST_F(KeyFile, WrittenFileIsPrivateAndReadsBackAsTheSamePair)
{
    ASSERT_TRUE(writeKeyFile(path, pair).ok());
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
    auto loaded = loadKeyFile(path);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->publicKey, pair.publicKey);
    EXPECT_STREQ(loaded->secretKey.cString(), pair.secretKey.cString());
}

TEST_F(KeyFile, ExistingFileIsNeverOverwritten)
{
    write("precious");
    auto done = writeKeyFile(path, pair);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::alreadyExists);
    std::string content;
    std::ifstream(path) >> content;
    EXPECT_EQ(content, "precious");
}

TEST_F(KeyFile, FileThatOthersCanReadIsRefusedWithTheCommandThatMendsIt)
{
    for (const mode_t mode : {0640u, 0604u, 0620u, 0601u, 0666u}) {
        std::filesystem::remove(path);
        ASSERT_TRUE(writeKeyFile(path, pair).ok());
        chmod(path.c_str(), mode);
        auto loaded = loadKeyFile(path);
        ASSERT_FALSE(loaded.ok()) << std::oct << mode;
        EXPECT_EQ(loaded.error().code, Code::permissionDenied);
        EXPECT_NE(loaded.error().message.find("chmod 600 " + path), std::string::npos);
    }
    chmod(path.c_str(), 0400);
    EXPECT_TRUE(loadKeyFile(path).ok());
}

TEST_F(KeyFile, ACredentialMayBeReadByItsGroup)
{
    ASSERT_TRUE(writeKeyFile(path, pair).ok());
    chmod(path.c_str(), 0440);
    ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", directory.c_str(), 1), 0);
    const auto loaded = loadKeyFile(path);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->publicKey, pair.publicKey);
    for (const mode_t mode : {0460u, 0450u, 0444u}) {
        chmod(path.c_str(), mode);
        EXPECT_FALSE(loadKeyFile(path).ok()) << std::oct << mode;
    }
    chmod(path.c_str(), 0440);
    ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", (directory + "/other").c_str(), 1), 0);
    EXPECT_EQ(loadKeyFile(path).error().code, Code::permissionDenied);
}

TEST_F(KeyFile, SecretAloneIsEnoughAndThePublicKeyIsDerived)
{
    write(std::string("\nsecret:  ") + pair.secretKey.cString() + " \r\n");
    auto loaded = loadKeyFile(path);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->publicKey, pair.publicKey);
}

TEST_F(KeyFile, MalformedFilesAreRefusedWithoutRevealingTheSecret)
{
    const std::string secret = pair.secretKey.cString();
    const std::string other = generateKeyPair()->publicKey;
    const std::vector<std::string> texts{
        "",
        "\n",
        secret,
        "secret: ",
        "secret: " + secret.substr(1),
        "secret: " + secret + "x",
        "secret: \"" + secret.substr(1),
        "secret: " + secret + "\nsecret: " + secret,
        "secret: " + secret + "\nnoise",
        "public: " + other + "\nsecret: " + secret,
        "public: " + pair.publicKey,
        "secret: " + secret + "\n" + std::string(600, '\n'),
        std::string("secret: ") + std::string(40, '\0'),
    };
    for (const std::string& text : texts) {
        write(text);
        auto loaded = loadKeyFile(path);
        ASSERT_FALSE(loaded.ok()) << text;
        EXPECT_EQ(loaded.error().code, Code::corrupt) << text;
        EXPECT_EQ(loaded.error().message.find(secret.substr(1, 20)), std::string::npos);
    }
}

TEST_F(KeyFile, MissingFilesAndDirectoriesAreNamed)
{
    EXPECT_EQ(loadKeyFile(path).error().code, Code::notFound);
    EXPECT_EQ(loadKeyFile(directory).error().code, Code::invalidArgument);
    EXPECT_EQ(writeKeyFile(directory + "/absent/node.key", pair).error().code, Code::notFound);
    EXPECT_NE(loadKeyFile(path).error().message.find(path), std::string::npos);
}

TEST(Keys, ValidityIsFortyCharactersOfZ85)
{
    const KeyPair pair = std::move(generateKeyPair().value());
    EXPECT_TRUE(isValidKey(pair.publicKey));
    EXPECT_FALSE(isValidKey(""));
    EXPECT_FALSE(isValidKey(pair.publicKey.substr(1)));
    EXPECT_FALSE(isValidKey(pair.publicKey + "00000"));
    EXPECT_FALSE(isValidKey(std::string(40, '"')));
    EXPECT_FALSE(isValidKey(std::string(40, '\xff')));
    EXPECT_FALSE(isValidKey(std::string(40, '#')));  // every group of five beyond 32 bits
    EXPECT_TRUE(isValidKey(std::string(40, '0')));
}

TEST(Keys, PairsDifferAndCompareByContent)
{
    const KeyPair one = std::move(generateKeyPair().value());
    const KeyPair two = std::move(generateKeyPair().value());
    EXPECT_FALSE(sameKey(one.publicKey, two.publicKey));
    EXPECT_TRUE(sameKey(one.publicKey, std::string(one.publicKey)));
    EXPECT_FALSE(sameKey(one.publicKey, one.publicKey.substr(1)));
}

TEST(Keys, SecretIsWipedWhenMovedFromAndDestroyed)
{
    const KeyPair pair = std::move(generateKeyPair().value());
    SecretKey first = pair.secretKey;
    const SecretKey second = std::move(first);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_STREQ(second.cString(), pair.secretKey.cString());

    alignas(SecretKey) unsigned char storage[sizeof(SecretKey)];
    auto* placed = new (storage) SecretKey(pair.secretKey);
    placed->~SecretKey();
    for (const unsigned char byte : storage) {
        EXPECT_EQ(byte, 0);
    }
}

}  // namespace
}  // namespace mesh::shoset
