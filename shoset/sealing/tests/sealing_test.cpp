#include "shoset/sealing/sealing.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/sealing/tests/samples.hpp"

#include <gtest/gtest.h>
#include <sodium/crypto_box.h>

#include <functional>
#include <utility>

namespace mesh::sealing {
namespace {

TEST(Sealing, EachRecipientAndTheOperatorReadTheValueAndNobodyElse)
{
    Samples given;
    const Envelope envelope = given.sealed();
    EXPECT_EQ(open(envelope, given.reader("one", given.one), "db")->view(), given.value);
    EXPECT_EQ(open(envelope, given.reader("two", given.two), "db")->view(), given.value);
    EXPECT_EQ(openAsOperator(envelope, given.operatorSeed)->view(), given.value);

    EXPECT_EQ(open(envelope, given.reader("three", given.three), "db").error().code, Code::permissionDenied);
    EXPECT_EQ(open(envelope, given.reader("one", given.three), "db").error().code, Code::corrupt);
    EXPECT_EQ(openAsOperator(envelope, given.one).error().code, Code::permissionDenied);
}

TEST(Sealing, WhatATextWasLongerByBeforeIsWipedWithIt)
{
    std::string text = "correct horse battery staple, and more of it";
    const char* const where = text.data();
    text.resize(7);
    wipe(text);
    EXPECT_TRUE(text.empty());
    ASSERT_EQ(text.data(), where);
    EXPECT_EQ(std::string(where, 40), std::string(40, '\0'));
}

TEST(Sealing, TheValueIsNotInTheEnvelopeAndItsLengthIsHidden)
{
    Samples given;
    EXPECT_EQ(envelopeText(given.sealed()).find(given.value), std::string::npos);
    SecretToSeal shorter = given.wanted();
    shorter.value = "x";
    EXPECT_EQ(seal(shorter, given.operatorSeed, given.rng)->box.size(), given.sealed().box.size());
}

TEST(Sealing, SealingTwiceMakesTwoDifferentBoxes)
{
    Samples given;
    const Envelope first = given.sealed();
    const Envelope second = given.sealed();
    EXPECT_NE(first.box, second.box);
    EXPECT_NE(first.nonce, second.nonce);
    EXPECT_NE(first.recipients[0].seal.box, second.recipients[0].seal.box);
}

TEST(Sealing, ASealIsOneOfLibsodiums)
{
    Samples given;
    const Envelope envelope = given.sealed();
    std::array<unsigned char, 32> open{};
    std::array<unsigned char, 32> secret{};
    crypto_box_seed_keypair(open.data(), secret.data(), given.one.data());
    std::array<unsigned char, 32> key{};
    const std::string& box = envelope.recipients[0].seal.box;
    EXPECT_EQ(crypto_box_seal_open(key.data(), reinterpret_cast<const unsigned char*>(box.data()), box.size(), open.data(), secret.data()),
              0);
}

TEST(Sealing, WhateverIsChangedInTheSignedPartIsNoticed)
{
    Samples given;
    const Envelope good = given.sealed();
    const std::pair<const char*, std::function<void(Envelope&)>> changes[] = {
        {"tenant", [](Envelope& e) { e.tenant = "umbra"; }},
        {"name", [](Envelope& e) { e.name = "db2"; }},
        {"version", [](Envelope& e) { ++e.version; }},
        {"version back", [](Envelope& e) { --e.version; }},
        {"nonce", [](Envelope& e) { e.nonce[0] ^= 1; }},
        {"box", [](Envelope& e) { e.box[0] ^= 1; }},
        {"operator's seal", [](Envelope& e) { e.operatorSeal.box[40] ^= 1; }},
        {"operator's sealing key", [](Envelope& e) { e.operatorSeal.key[0] ^= 1; }},
        {"signature", [](Envelope& e) { e.signature[0] ^= 1; }},
        {"a recipient less", [](Envelope& e) { e.recipients.pop_back(); }},
        {"a recipient's name", [](Envelope& e) { e.recipients[1].connector = "three"; }},
        {"a recipient more", [](Envelope& e) { e.recipients.push_back({"zed", e.recipients[0].seal}); }},
    };
    for (const auto& [what, change] : changes) {
        SCOPED_TRACE(what);
        Envelope bad = good;
        change(bad);
        EXPECT_EQ(checkSignature(bad).error().code, Code::corrupt);
        Reader reader = given.reader("one", given.one);
        reader.tenant = bad.tenant;
        EXPECT_FALSE(open(bad, reader, bad.name).ok());
        EXPECT_FALSE(openAsOperator(bad, given.operatorSeed).ok());
    }
}

TEST(Sealing, ASealThatWasTamperedWithOpensNothing)
{
    Samples given;
    const Envelope good = given.sealed();
    const Envelope other = given.sealed();  // of another data key, for the same recipients
    Envelope bad = good;
    bad.recipients[0].seal.box[50] ^= 1;
    EXPECT_EQ(open(bad, given.reader("one", given.one), "db").error().code, Code::corrupt);
    bad = good;
    bad.recipients[0].seal = other.recipients[0].seal;
    EXPECT_EQ(open(bad, given.reader("one", given.one), "db").error().code, Code::corrupt);
    EXPECT_TRUE(open(bad, given.reader("two", given.two), "db").ok());
}

TEST(Sealing, OnlyATrustedOperatorIsListenedTo)
{
    Samples given;
    const Seed stranger = Seed::make(given.rng);
    const Envelope forged = *seal(given.wanted(), stranger, given.rng);
    EXPECT_TRUE(checkSignature(forged).ok());
    const Result<SecretText> opened = open(forged, given.reader("one", given.one), "db");
    EXPECT_EQ(opened.error().code, Code::permissionDenied);
    EXPECT_NE(opened.error().message.find("no operator"), std::string::npos);
    Envelope relabelled = forged;
    relabelled.operatorKey = given.trusted[0];
    EXPECT_EQ(open(relabelled, given.reader("one", given.one), "db").error().code, Code::corrupt);
    given.trusted.clear();
    EXPECT_EQ(open(given.sealed(), given.reader("one", given.one), "db").error().code, Code::permissionDenied);
}

TEST(Sealing, AnotherSecretInThePlaceOfOneIsNoticed)
{
    Samples given;
    EXPECT_EQ(open(given.sealed(), given.reader("one", given.one), "db2").error().code, Code::corrupt);
    Reader elsewhere = given.reader("one", given.one);
    elsewhere.tenant = "umbra";
    EXPECT_EQ(open(given.sealed(), elsewhere, "db").error().code, Code::permissionDenied);
}

TEST(Sealing, AConnectorMovesItsOwnSealToItsNewKeyAndTheOthersDoNotNotice)
{
    Samples given;
    Envelope envelope = given.sealed();
    const std::vector<Seed> seeds{Seed::make(given.rng), given.one};
    Reader reader = given.reader("one", given.one);
    reader.seeds = seeds;
    EXPECT_EQ(open(envelope, reader, "db")->view(), given.value) << "with the old key, while it is there";
    const Result<Seal> moved = reseal(envelope, "one", seeds, given.rng);
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(moved->key, sealingKeyOf(seeds[0]));
    envelope.recipients[0].seal = *moved;
    EXPECT_EQ(open(envelope, given.reader("one", seeds[0]), "db")->view(), given.value);
    EXPECT_EQ(open(envelope, given.reader("one", given.one), "db").error().code, Code::corrupt);
    EXPECT_EQ(open(envelope, given.reader("two", given.two), "db")->view(), given.value);
    EXPECT_EQ(openAsOperator(envelope, given.operatorSeed)->view(), given.value);
    EXPECT_FALSE(reseal(envelope, "three", seeds, given.rng).ok());
    EXPECT_FALSE(reseal(envelope, "two", seeds, given.rng).ok());
}

TEST(Sealing, WhatExceedsTheLimitsIsNotSealed)
{
    Samples given;
    const std::string largest(limits::maxSecretBytes, 'x');
    const std::string tooLarge(limits::maxSecretBytes + 1, 'x');
    SecretToSeal secret = given.wanted();
    secret.value = tooLarge;
    EXPECT_EQ(seal(secret, given.operatorSeed, given.rng).error().code, Code::tooLarge);
    secret.value = "";
    EXPECT_EQ(seal(secret, given.operatorSeed, given.rng).error().code, Code::tooLarge);
    secret.value = largest;
    secret.recipients.clear();
    for (std::size_t i = 0; i < limits::maxSecretRecipients; ++i) {
        secret.recipients[std::string(60, 'n') + std::to_string(100 + i)] = sealingKeyOf(given.one);
    }
    const Result<Envelope> full = seal(secret, given.operatorSeed, given.rng);
    ASSERT_TRUE(full.ok());
    EXPECT_LE(envelopeText(*full).size(), limits::maxSecretEnvelopeBytes);
    EXPECT_EQ(*parseEnvelope(envelopeText(*full)), *full);
    EXPECT_EQ(openAsOperator(*full, given.operatorSeed)->view(), largest);
    secret.recipients["another"] = sealingKeyOf(given.one);
    EXPECT_EQ(seal(secret, given.operatorSeed, given.rng).error().code, Code::tooLarge);
}

TEST(Sealing, AnyBytesAreAValue)
{
    Samples given;
    std::string value;
    for (int i = 0; i < 256; ++i) {
        value += static_cast<char>(i);
    }
    SecretToSeal secret = given.wanted();
    for (const std::string& each : {value, std::string(64, '\0'), std::string("\x80")}) {
        secret.value = each;
        EXPECT_EQ(open(*seal(secret, given.operatorSeed, given.rng), given.reader("one", given.one), "db")->view(), each);
    }
}

TEST(Sealing, NothingIsSealedToAKeyOfSmallOrder)
{
    Samples given;
    SecretToSeal secret = given.wanted();
    secret.recipients["one"] = std::string(keyBytes, '\0');
    EXPECT_EQ(seal(secret, given.operatorSeed, given.rng).error().code, Code::invalidArgument);
    secret.recipients["one"] = "short";
    EXPECT_EQ(seal(secret, given.operatorSeed, given.rng).error().code, Code::invalidArgument);
}

TEST(Sealing, ASeedsTwoPurposesMakeTwoKeys)
{
    Samples given;
    const OperatorKeys keys = keysOf(given.operatorSeed);
    EXPECT_NE(keys.sealing, sealingKeyOf(given.operatorSeed));
    EXPECT_EQ(keysOf(*Seed::parse(given.operatorSeed.text())).signing, keys.signing);
    EXPECT_EQ(Seed::parse("too short").error().code, Code::corrupt);
}

}  // namespace
}  // namespace mesh::sealing
