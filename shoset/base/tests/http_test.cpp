#include "shoset/base/http.hpp"

#include <gtest/gtest.h>

namespace mesh {
namespace {

const Headers someHeaders{{"Content-Type", "application/json"}, {"Set-Cookie", "a"}, {"ETag", "\"1\""}, {"set-cookie", "b"}};

TEST(Http, LooksHeadersUpWithoutCase)
{
    ASSERT_NE(findHeader(someHeaders, "CONTENT-TYPE"), nullptr);
    EXPECT_EQ(*findHeader(someHeaders, "content-type"), "application/json");
    EXPECT_EQ(findHeader(someHeaders, "content"), nullptr);
    EXPECT_EQ(findHeader(someHeaders, ""), nullptr);
    EXPECT_EQ(findHeader({}, "ETag"), nullptr);
}

TEST(Http, FindsTheFirstOfSeveral)
{
    EXPECT_EQ(*findHeader(someHeaders, "SET-COOKIE"), "a");
}

TEST(Http, RemovesEveryOccurrenceAndKeepsTheOthersInOrder)
{
    Headers headers = someHeaders;
    removeHeader(headers, "SET-cookie");
    EXPECT_EQ(headers, (Headers{{"Content-Type", "application/json"}, {"ETag", "\"1\""}}));
    removeHeader(headers, "Location");
    EXPECT_EQ(headers.size(), 2u);
}

TEST(Http, SetsOneInPlaceOfAll)
{
    Headers headers = someHeaders;
    setHeader(headers, "Set-Cookie", "c");
    EXPECT_EQ(headers, (Headers{{"Content-Type", "application/json"}, {"ETag", "\"1\""}, {"Set-Cookie", "c"}}));
    setHeader(headers, "Allow", "GET");
    EXPECT_EQ(headers.size(), 4u);
    EXPECT_EQ(*findHeader(headers, "allow"), "GET");
}

TEST(Http, ComparesAsciiLettersOnly)
{
    EXPECT_TRUE(equalsIgnoreCase("", ""));
    EXPECT_TRUE(equalsIgnoreCase("X-Auth-Token", "x-aUTH-tOKEN"));
    EXPECT_FALSE(equalsIgnoreCase("abc", "abcd"));
    // '@' and '`', '[' and '{' are 32 apart as letters are, and no letters.
    EXPECT_FALSE(equalsIgnoreCase("@", "`"));
    EXPECT_FALSE(equalsIgnoreCase("[", "{"));
    EXPECT_FALSE(equalsIgnoreCase("\xc4", "\xe4"));
}

TEST(Http, LowersAsciiLettersOnly)
{
    EXPECT_EQ(toLower("AZaz09@[\xc4"), "azaz09@[\xc4");
}

TEST(Http, KnowsWhatOverridesTheRequestLineHoweverItIsSpelled)
{
    for (const char* name : {"X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "X-Original-URL", "X-Rewrite-Url",
                             "X_HTTP_Method_Override"}) {
        EXPECT_TRUE(overridesRequestLine(name)) << name;
    }
    for (const char* name : {"", "X", "X-HTTP-Methods", "Method-Override", "If-Match", "X-Original-UR"}) {
        EXPECT_FALSE(overridesRequestLine(name)) << name;
    }
}

}  // namespace
}  // namespace mesh
