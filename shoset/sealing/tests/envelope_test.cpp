#include "shoset/sealing/envelope.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/sealing/tests/samples.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mesh::sealing {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with)
{
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), with);
}

TEST(Envelope, ItsTextReadBackIsTheSame)
{
    Samples given;
    const Envelope envelope = given.sealed();
    EXPECT_EQ(*parseEnvelope(envelopeText(envelope)), envelope);
    EXPECT_EQ(findRecipient(envelope, "two")->connector, "two");
    EXPECT_EQ(findRecipient(envelope, "three"), nullptr);
}

TEST(Envelope, WhatIsMalformedIsRefused)
{
    Samples given;
    const std::string good = envelopeText(given.sealed());
    const std::string bad[] = {
        "",
        "[]",
        "7",
        good.substr(0, good.size() - 1),
        replaced(good, "\"format\":1", "\"format\":2"),
        replaced(good, "\"acme\"", "\"a/b\""),
        replaced(good, "\"version\":5", "\"version\":-5"),
        replaced(good, "\"version\":5", "\"version\":\"5\""),
        replaced(good, "\"nonce\":\"", "\"nonce\":\"A"),
        replaced(good, "\"box\":\"", "\"box\":\"!"),
        replaced(good, "\"connector\":\"two\"", "\"connector\":\"one\""),
        replaced(good, "\"connector\":\"one\"", "\"connector\":\"zed\""),
        replaced(good, "\"recipients\":[", "\"recipients\":[7,"),
        replaced(good, "\"recipients\":", "\"others\":"),
        replaced(good, "\"signature\":", "\"other\":"),
        std::string(limits::maxSecretEnvelopeBytes + 1, ' '),
    };
    for (const std::string& text : bad) {
        EXPECT_FALSE(parseEnvelope(text).ok()) << text.substr(0, 200);
    }
}

TEST(Envelope, TooManyRecipientsAreRefused)
{
    Samples given;
    Envelope envelope = given.sealed();
    const Recipient pattern = envelope.recipients[0];
    envelope.recipients.clear();
    for (std::size_t i = 0; i <= limits::maxSecretRecipients; ++i) {
        envelope.recipients.push_back({"c" + std::to_string(100 + i), pattern.seal});
    }
    EXPECT_FALSE(parseEnvelope(envelopeText(envelope)).ok());
}

TEST(SecretBytes, Base64IsReadAsItWasWritten)
{
    for (const std::string& raw : {std::string(), std::string("\0\xff", 2), std::string("abc"), std::string("abcd")}) {
        EXPECT_EQ(*fromBase64(toBase64(raw)), raw);
    }
    EXPECT_FALSE(fromBase64("a b").ok());
    EXPECT_FALSE(fromBase64("YQ==").ok());
    EXPECT_FALSE(fromBase64("Y").ok());
}

TEST(SecretBytes, AMovedSeedLeavesNothingBehind)
{
    SeededRng rng(1);
    Seed seed = Seed::make(rng);
    const Seed copy = seed;
    const Seed moved = std::move(seed);
    EXPECT_TRUE(moved == copy);
    EXPECT_TRUE(seed == Seed());  // NOLINT: that it is empty is the point
    EXPECT_FALSE(copy.derive("a") == copy.derive("b"));
}

}  // namespace
}  // namespace mesh::sealing
