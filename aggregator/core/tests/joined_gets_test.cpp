#include "aggregator/core/joined_gets.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

using Ids = std::vector<JoinedGets::Id>;

struct JoinedGetsTest : testing::Test {
    JoinedGets gets;
    std::string key(const Headers& headers = {}, const std::string& tenant = "acme", const std::string& target = "/x?a",
                    const std::string& satellite = "acme/s1") const
    {
        return gets.keyOf(satellite, tenant, target, headers);
    }
};

TEST_F(JoinedGetsTest, TheSecondFollowsUntilTheAnswerIsThere)
{
    EXPECT_FALSE(gets.join(key(), 1));
    EXPECT_TRUE(gets.join(key(), 2));
    EXPECT_TRUE(gets.join(key(), 3));
    gets.leave(key(), 2);
    EXPECT_EQ(gets.take(key(), 1), Ids{3});
    EXPECT_FALSE(gets.join(key(), 4));
    EXPECT_EQ(gets.joined(), 2U);
}

TEST_F(JoinedGetsTest, WhateverCouldChangeTheAnswerSeparates)
{
    EXPECT_NE(key(), key({}, "zeta"));
    EXPECT_NE(key(), key({}, "acme", "/x?b"));
    EXPECT_NE(key(), key({}, "acme", "/x?a", "acme/s2"));
    for (const char* name : {"If-None-Match", "If-Match", "If-Modified-Since", "Accept", "Accept-Language", "Prefer", "X-Custom"}) {
        EXPECT_NE(key(), key({{name, "1"}})) << name;
        EXPECT_NE(key({{name, "2"}}), key({{name, "1"}})) << name;
        EXPECT_EQ(key({{name, "1"}}), key({{name, "1"}})) << name;
    }
}

TEST_F(JoinedGetsTest, WhoAsksDoesNotSeparate)
{
    EXPECT_EQ(key({{"User-Agent", "curl"}, {"Accept", "x"}, {"Via", "1.1 proxy"}}), key({{"user-agent", "wget"}, {"Accept", "x"}}));
}

TEST_F(JoinedGetsTest, WhatWantsAnAnswerOfItsOwnIsNeverJoined)
{
    for (const Header& header : {Header{"Cache-Control", "max-age=1, No-Cache"}, Header{"pragma", "no-cache"}, Header{"Accept", "text/event-stream"}}) {
        EXPECT_EQ(key({header}), "") << header.name;
    }
    EXPECT_FALSE(gets.join("", 1));
    EXPECT_FALSE(gets.join("", 2));
    EXPECT_TRUE(gets.take("", 1).empty());
}

TEST_F(JoinedGetsTest, NothingFollowsWhatBeganBeforeAWriteToTheSameSatellite)
{
    const std::string before = key();
    const std::string other = key({}, "acme", "/x?a", "acme/s2");
    gets.written("acme/s1");
    EXPECT_NE(key(), before);
    EXPECT_EQ(key({}, "acme", "/x?a", "acme/s2"), other);
}

TEST_F(JoinedGetsTest, OneGetHasSoManyFollowersAndTheNextIsSentItself)
{
    EXPECT_FALSE(gets.join(key(), 1));
    for (JoinedGets::Id id = 0; id < limits::maxGetFollowers; ++id) {
        EXPECT_TRUE(gets.join(key(), 2 + id));
    }
    const JoinedGets::Id alone = 1000;
    EXPECT_FALSE(gets.join(key(), alone));
    EXPECT_TRUE(gets.take(key(), alone).empty());
    EXPECT_EQ(gets.take(key(), 1).size(), limits::maxGetFollowers);
}

}  // namespace
}  // namespace mesh::aggregator
