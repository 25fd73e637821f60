#include "shoset/base/ids.hpp"

#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

namespace mesh {
namespace {

WallTime at(std::int64_t millis)
{
    return WallTime{std::chrono::milliseconds(millis)};
}

TEST(MessageId, CarriesItsMilliseconds)
{
    SeededRng rng(1);
    for (const std::int64_t millis : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1700000000123}, (std::int64_t{1} << 43) + 5}) {
        EXPECT_EQ(MessageId::make(at(millis), rng).millis(), millis);
    }
}

TEST(MessageId, OfALaterMillisecondIsGreater)
{
    SeededRng rng(2);
    MessageId before = MessageId::make(at(255), rng);
    for (const std::int64_t millis : {256, 257, 65535, 65536, 1 << 24}) {
        const MessageId id = MessageId::make(at(millis), rng);
        EXPECT_LT(before, id) << millis;
        before = id;
    }
}

TEST(MessageId, OrderIsThatOfUnsignedBytes)
{
    const MessageId low = *MessageId::fromBytes(std::string(15, '\0') + '\x7f');
    const MessageId high = *MessageId::fromBytes(std::string(15, '\0') + '\x80');
    EXPECT_LT(low.hex(), high.hex());
    EXPECT_LT(low.bytes(), high.bytes());
    EXPECT_LT(low, high);
}

TEST(MessageId, OrderFollowsTimeWhereAByteOfTheTimeHasItsHighBit)
{
    SeededRng rng(7);
    EXPECT_LT(MessageId::make(at(0x7f), rng), MessageId::make(at(0x80), rng));
    EXPECT_LT(MessageId::make(at(0x7fffffff), rng), MessageId::make(at(0x80000000), rng));
}

TEST(MessageId, OfOneMillisecondAreAllDifferent)
{
    SeededRng rng(3);
    std::set<MessageId> ids;
    std::unordered_set<MessageId> hashed;
    for (int i = 0; i < 10000; ++i) {
        const MessageId id = MessageId::make(at(1000), rng);
        ids.insert(id);
        hashed.insert(id);
    }
    EXPECT_EQ(ids.size(), 10000u);
    EXPECT_EQ(hashed.size(), 10000u);
}

TEST(MessageId, AllEightyLowBitsAreRandom)
{
    SeededRng rng(4);
    std::string ones(MessageId::size, '\0');
    std::string zeros(MessageId::size, '\0');
    for (int i = 0; i < 200; ++i) {
        const MessageId id = MessageId::make(at(0), rng);
        for (std::size_t byte = 0; byte < MessageId::size; ++byte) {
            ones[byte] = static_cast<char>(ones[byte] | id.bytes()[byte]);
            zeros[byte] = static_cast<char>(zeros[byte] | ~id.bytes()[byte]);
        }
    }
    EXPECT_EQ(toHex(ones), std::string(12, '0') + std::string(20, 'f'));
    EXPECT_EQ(toHex(zeros), std::string(32, 'f'));
}

TEST(MessageId, ComesBackFromItsBytesAndItsHex)
{
    SeededRng rng(5);
    const MessageId id = MessageId::make(at(1700000000000), rng);
    EXPECT_EQ(*MessageId::fromBytes(id.bytes()), id);
    EXPECT_EQ(*MessageId::fromHex(id.hex()), id);
    EXPECT_EQ(id.hex().size(), 32u);
    EXPECT_EQ(*MessageId::fromHex("0123456789ABCDEF0123456789abcdef"), *MessageId::fromHex("0123456789abcdef0123456789ABCDEF"));
}

TEST(MessageId, RefusesEveryOtherLength)
{
    for (std::size_t length = 0; length <= 40; ++length) {
        EXPECT_EQ(MessageId::fromBytes(std::string(length, 'x')).ok(), length == 16) << length;
        EXPECT_EQ(MessageId::fromHex(std::string(length, 'a')).ok(), length == 32) << length;
    }
    EXPECT_EQ(MessageId::fromBytes("short").error().code, Code::corrupt);
    EXPECT_FALSE(MessageId::fromHex("0123456789abcdefg123456789abcdef").ok());
}

TEST(MessageId, IsNilOnlyWhenNothingWasPutIn)
{
    SeededRng rng(6);
    EXPECT_TRUE(MessageId{}.isNil());
    EXPECT_TRUE(MessageId::fromBytes(std::string(16, '\0'))->isNil());
    EXPECT_FALSE(MessageId::make(at(0), rng).isNil());
}

TEST(Hex, RoundTripsEveryByte)
{
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all.push_back(static_cast<char>(byte));
    }
    EXPECT_EQ(toHex(all).substr(0, 8), "00010203");
    EXPECT_EQ(toHex(all).substr(508), "feff");
    EXPECT_EQ(*fromHex(toHex(all)), all);
    EXPECT_EQ(*fromHex(""), "");
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters)
{
    EXPECT_EQ(fromHex("abc").error().code, Code::invalidArgument);
    for (const char* text : {"0g", "g0", " 0", "0x", "@0", "`0", "/0", ":0"}) {
        EXPECT_FALSE(fromHex(text).ok()) << text;
    }
}

TEST(Names, AreOfLettersDigitsDotUnderscoreAndDash)
{
    for (const char* name : {"a", "0", "agg-a", "Sled_07.rack-3", "A..-_"}) {
        EXPECT_TRUE(isValidName(name)) << name;
    }
    for (const char* name : {"", "-a", ".a", "_a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b", "a@b"}) {
        EXPECT_FALSE(isValidName(name)) << name;
    }
    EXPECT_FALSE(isValidName(std::string_view("a\0b", 3)));
    EXPECT_TRUE(isValidName(std::string(63, 'a')));
    EXPECT_FALSE(isValidName(std::string(64, 'a')));
}

TEST(Prefixes, AreOfOneToSixteenLettersAndDigits)
{
    for (const char* prefix : {"5", "5B247A", "abcdefghijklmnop"}) {
        EXPECT_TRUE(isValidPrefix(prefix)) << prefix;
    }
    for (const char* prefix : {"", "a_b", "a-b", "a.b", "abcdefghijklmnopq", "\xc3\xa4"}) {
        EXPECT_FALSE(isValidPrefix(prefix)) << prefix;
    }
}

TEST(PublicKeys, AreThirtyTwoBytesInZ85)
{
    const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    EXPECT_TRUE(isPublicKey(key));
    EXPECT_TRUE(isPublicKey(std::string(40, '0')));
    EXPECT_FALSE(isPublicKey(""));
    EXPECT_FALSE(isPublicKey(key.substr(1)));
    EXPECT_FALSE(isPublicKey(key + "0"));
    EXPECT_FALSE(isPublicKey(std::string(40, '#'))) << "five of them are more than 32 bits";
    EXPECT_FALSE(isPublicKey(std::string(39, '0') + "~"));
    EXPECT_FALSE(isPublicKey(std::string(39, '0') + std::string(1, '\0')));
}

}  // namespace
}  // namespace mesh
