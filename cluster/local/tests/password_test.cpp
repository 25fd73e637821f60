#include "cluster/local/password.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

namespace mesh::cluster {
namespace {

TEST(Password, VerifiesWhatWasHashedAndNothingElse)
{
    const auto hash = hashPassword("correct horse");
    ASSERT_TRUE(hash.ok()) << hash.error().message;
    EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=16384,t=3,p=1$")) << *hash;
    EXPECT_LE(hash->size(), 128U);
    EXPECT_TRUE(verifyPassword(*hash, "correct horse"));
    EXPECT_FALSE(verifyPassword(*hash, "correct horsf"));
    EXPECT_FALSE(verifyPassword(*hash, ""));
    EXPECT_NE(*hash, *hashPassword("correct horse"));
    EXPECT_FALSE(needsRehash(*hash));
}

TEST(Password, AMalformedHashMatchesNothing)
{
    EXPECT_FALSE(verifyPassword("", ""));
    EXPECT_FALSE(verifyPassword("$argon2id$", "x"));
    EXPECT_FALSE(verifyPassword("plain", "plain"));
    EXPECT_FALSE(verifyPassword(std::string(1000, 'a'), "x"));
    EXPECT_TRUE(
        needsRehash("$argon2id$v=19$m=8192,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg"));
    EXPECT_TRUE(needsRehash("plain"));
}

TEST(Password, AnUnknownUserTakesAsLongAsAWrongPassword)
{
    const std::string hash = *hashPassword("correct horse");
    const auto time = [](auto&& work) {
        double best = 1e9;
        for (int i = 0; i < 5; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            work();
            best = std::min(
                best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
        }
        return best;
    };
    const double wrong = time([&] { EXPECT_FALSE(verifyPassword(hash, "wrong horse")); });
    const double unknown = time([&] { spendVerifyTime("wrong horse"); });
    std::cout << "one verification takes " << wrong << " ms, of an unknown user " << unknown << " ms\n";
    EXPECT_GT(unknown, wrong / 3);
    EXPECT_LT(unknown, wrong * 3);
}

TEST(Password, WipingEmptiesTheText)
{
    std::string secret = "a secret long enough to be on the heap";
    const char* where = secret.data();
    wipe(secret);
    EXPECT_TRUE(secret.empty());
    EXPECT_EQ(where[1], '\0');
}

}  // namespace
}  // namespace mesh::cluster
