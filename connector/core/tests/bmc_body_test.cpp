#include "connector/core/bmc_body.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

std::string taken(BmcBody& body, std::size_t room = 1 << 20)
{
    std::string out;
    body.take(out, room);
    return out;
}

TEST(BmcBody, WithoutABodyNothingIsSentAndEverythingIsComplete)
{
    BmcBody body;
    EXPECT_TRUE(body.complete());
    EXPECT_FALSE(body.hasMore());
    EXPECT_EQ(taken(body), "");
    EXPECT_EQ(body.framing(), BmcBody::Framing::none);
}

TEST(BmcBody, OfKnownLengthIsSentAsItIs)
{
    BmcBody body(6);
    ASSERT_TRUE(body.add("abc", false));
    EXPECT_EQ(taken(body), "abc");
    EXPECT_FALSE(body.complete());
    EXPECT_FALSE(body.hasMore());
    ASSERT_TRUE(body.add("def", true));
    EXPECT_TRUE(body.hasMore());
    EXPECT_EQ(taken(body, 2), "de");
    EXPECT_EQ(taken(body, 2), "f");
    EXPECT_TRUE(body.complete());
    EXPECT_EQ(body.acknowledge(), 6u);
    EXPECT_EQ(body.acknowledge(), 0u);
}

TEST(BmcBody, OfUnknownLengthIsSentInChunksWithOneLastChunk)
{
    BmcBody body(-1);
    ASSERT_TRUE(body.add("0123456789abcdef", false));
    EXPECT_EQ(taken(body), "10\r\n0123456789abcdef\r\n");
    EXPECT_EQ(taken(body), "");
    ASSERT_TRUE(body.add("", true));
    EXPECT_TRUE(body.hasMore());
    EXPECT_FALSE(body.complete());
    EXPECT_EQ(taken(body), "0\r\n\r\n");
    EXPECT_TRUE(body.complete());
    EXPECT_EQ(taken(body), "");
    EXPECT_EQ(body.acknowledge(), 16u);
}

TEST(BmcBody, RefusesMoreOrLessThanWasAnnouncedAndAnythingAfterTheEnd)
{
    BmcBody more(3);
    EXPECT_EQ(more.add("abcd", true).error().code, Code::invalidArgument);
    BmcBody less(3);
    EXPECT_EQ(less.add("ab", true).error().code, Code::invalidArgument);
    BmcBody after(2);
    ASSERT_TRUE(after.add("ab", true));
    EXPECT_FALSE(after.add("", false));
    BmcBody none;
    EXPECT_FALSE(none.add("a", true));
}

TEST(BmcBody, AShortOneCanBeSentAgainAndIsReportedOnce)
{
    BmcBody body(-1);
    ASSERT_TRUE(body.add("abc", false));
    EXPECT_EQ(taken(body), "3\r\nabc\r\n");
    EXPECT_EQ(body.acknowledge(), 3u);
    ASSERT_TRUE(body.add("d", true));
    EXPECT_EQ(taken(body), "1\r\nd\r\n0\r\n\r\n");
    ASSERT_TRUE(body.replayable());
    body.rewind();
    EXPECT_EQ(taken(body), "4\r\nabcd\r\n0\r\n\r\n");
    EXPECT_EQ(body.acknowledge(), 1u);
}

TEST(BmcBody, ALongOneIsForgottenAsItGoes)
{
    const std::string piece(limits::chunkBytes, 'x');
    BmcBody body(static_cast<std::int64_t>(piece.size() * 100));
    std::size_t sent = 0, acknowledged = 0;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(body.add(piece, i == 99));
        while (body.hasMore()) {
            sent += taken(body, 10000).size();
        }
        EXPECT_EQ(body.replayable(), i < 2) << "not before it was written";
        acknowledged += body.acknowledge();
        EXPECT_EQ(body.replayable(), i == 0);
    }
    EXPECT_EQ(sent, piece.size() * 100);
    EXPECT_TRUE(body.complete());
    EXPECT_EQ(acknowledged, sent);
}

TEST(BmcBody, OfExactlyTheInlineLimitIsKept)
{
    BmcBody body(static_cast<std::int64_t>(limits::inlineBodyBytes));
    ASSERT_TRUE(body.add(std::string(limits::inlineBodyBytes, 'x'), true));
    taken(body);
    EXPECT_TRUE(body.replayable());
}

}  // namespace
}  // namespace mesh::connector
