#include "shoset/sealing/password_seal.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/sealing/sealing.hpp"

#include <gtest/gtest.h>

namespace mesh::sealing {
namespace {

struct PasswordSealTest : testing::Test {
    SeededRng rng{7};
    const Seed node = Seed::make(rng);
    const Seed other = Seed::make(rng);
    const PasswordUse use{"acme", "S5", "https://10.0.0.5", "root"};
    const std::string password = "calvin and hobbes";

    std::string sealed() { return *sealPassword(password, use, sealingKeyOf(node), rng); }
};

TEST_F(PasswordSealTest, OpensForItsNodeAndItsUseAndNoOther)
{
    const std::string box = sealed();
    EXPECT_EQ(openPassword(box, use, node)->view(), password);
    EXPECT_EQ(openPassword(box, use, other).error().code, Code::permissionDenied);
    for (const PasswordUse& elsewhere : {PasswordUse{"umbra", "S5", "https://10.0.0.5", "root"}, PasswordUse{"acme", "S6", "https://10.0.0.5", "root"},
                                         PasswordUse{"acme", "S5", "https://10.0.0.66", "root"}, PasswordUse{"acme", "S5", "https://10.0.0.5", "admin"},
                                         PasswordUse{"acmeS", "5", "https://10.0.0.5", "root"}}) {
        EXPECT_EQ(openPassword(box, elsewhere, node).error().code, Code::permissionDenied) << elsewhere.hostName;
    }
}

TEST_F(PasswordSealTest, WhatWasChangedOrCutDoesNotOpen)
{
    const std::string box = sealed();
    for (std::size_t i = 0; i < box.size(); i += 7) {
        std::string changed = box;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(openPassword(changed, use, node).ok()) << i;
    }
    for (std::size_t length : {std::size_t{0}, std::size_t{31}, std::size_t{48}, box.size() - 1}) {
        EXPECT_FALSE(openPassword(box.substr(0, length), use, node).ok()) << length;
    }
    EXPECT_FALSE(openPassword(std::string(limits::maxSealedPasswordBytes + 1, 'x'), use, node).ok());
}

TEST_F(PasswordSealTest, ItTellsLittleOfItsLengthAndIsNeverTheSameTwice)
{
    EXPECT_NE(sealed(), sealed());
    EXPECT_EQ(sealPassword("x", use, sealingKeyOf(node), rng)->size(), sealed().size());
    EXPECT_EQ(sealed().find(password), std::string::npos);
    const std::string longest(limits::maxPasswordBytes, 'p');
    const Result<std::string> box = sealPassword(longest, use, sealingKeyOf(node), rng);
    ASSERT_TRUE(box.ok());
    EXPECT_LE(box->size(), limits::maxSealedPasswordBytes);
    EXPECT_EQ(openPassword(*box, use, node)->view(), longest);
    EXPECT_EQ(sealPassword(longest + "p", use, sealingKeyOf(node), rng).error().code, Code::tooLarge);
    EXPECT_EQ(sealPassword("x", use, "no key", rng).error().code, Code::invalidArgument);
}

TEST_F(PasswordSealTest, AFileOfItIsReadAsItWasWrittenOrRefused)
{
    const SealedLogin login{"acme", "S5", sealed()};
    const std::string text = sealedLoginText(login);
    EXPECT_EQ(*parseSealedLogin(text), login);
    for (std::size_t length = 0; length < text.size(); ++length) {
        EXPECT_FALSE(parseSealedLogin(text.substr(0, length)).ok()) << length;
    }
    EXPECT_FALSE(parseSealedLogin(text + "x").ok());
}

}  // namespace
}  // namespace mesh::sealing
