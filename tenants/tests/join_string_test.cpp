#include "tenants/join_string.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

namespace mesh::tenants {
namespace {

const std::string someKey = "0000000000000000000000000000000000000007";

JoinString threeAggregators()
{
    return {{{"a", "tcp://a.example.org:7410", someKey},
             {"b", "tcp://[2001:db8::1]:7410", someKey},
             {"c", "tcp://10.0.0.3:7410", someKey}},
            std::string("\0\1secret with zero bytes\0", 24)};
}

std::string text(const JoinString& join)
{
    return *encodeJoinString(join);
}

TEST(JoinStringTest, ComesBackAsItWas)
{
    const JoinString join = threeAggregators();
    EXPECT_TRUE(text(join).starts_with("bmcmesh1:"));
    EXPECT_EQ(text(join).find_first_of(" \n+/=$'\"\\"), std::string::npos);  // one word for any shell
    EXPECT_EQ(*decodeJoinString(text(join)), join);
    JoinString one{{{"a", "tcp://a:1", someKey}}, std::string(minSecretBytes, 'x')};
    EXPECT_EQ(*decodeJoinString(text(one)), one);
}

TEST(JoinStringTest, TheBytesStayWhatTheyAre)
{
    EXPECT_EQ(text({{{"a", "tcp://a:1", someKey}}, std::string(minSecretBytes, 'x')}),
              "bmcmesh1:AQFhCXRjcDovL2E6MSgwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA3EHh4eHh4eHh4eHh4eHh4eHgw4t0s");
}

TEST(JoinStringTest, LineBreaksOfATerminalAreIgnored)
{
    std::string broken = text(threeAggregators());
    broken.insert(70, "\r\n");
    broken.insert(40, "\n  ");
    EXPECT_EQ(*decodeJoinString("  " + broken + "\n"), threeAggregators());
}

TEST(JoinStringTest, WhatWasCopiedWrongIsFoundAndNotRepeated)
{
    const std::string good = text(threeAggregators());
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_EQ(decodeJoinString(good.substr(0, length)).error().code, Code::invalidArgument) << length;
    }
    SeededRng rng{1};
    for (int round = 0; round < 2000; ++round) {
        std::string damaged = good;
        char& hit = damaged[9 + rng.below(damaged.size() - 9)];
        hit = hit == 'A' ? 'B' : 'A';
        const auto decoded = decodeJoinString(damaged);
        ASSERT_FALSE(decoded.ok());
        EXPECT_EQ(decoded.error().message.find(damaged.substr(9, 8)), std::string::npos);
    }
    EXPECT_FALSE(decodeJoinString(good + "A").ok());
    EXPECT_FALSE(decodeJoinString(good + "!").ok());
}

TEST(JoinStringTest, OneOfAnotherVersionSaysWhatToDo)
{
    std::string newer = text(threeAggregators());
    newer[7] = '2';
    EXPECT_EQ(decodeJoinString(newer).error().code, Code::unsupported);
    EXPECT_EQ(decodeJoinString("hello").error().code, Code::invalidArgument);
    EXPECT_EQ(decodeJoinString("").error().code, Code::invalidArgument);
}

TEST(JoinStringTest, IsBounded)
{
    JoinString join = threeAggregators();
    join.aggregators.assign(limits::maxAggregators,
                            {std::string(63, 'n'), std::string(limits::maxEndpointBytes, 'e'), someKey});
    join.secret = std::string(maxSecretBytes, 's');
    EXPECT_LE(text(join).size(), limits::maxJoinStringBytes);
    EXPECT_EQ(*decodeJoinString(text(join)), join);
    EXPECT_FALSE(decodeJoinString(std::string(limits::maxJoinStringBytes + 1, 'x')).ok());
    join.aggregators.push_back(join.aggregators.front());
    EXPECT_FALSE(encodeJoinString(join).ok());
    join.aggregators.clear();
    EXPECT_FALSE(encodeJoinString(join).ok());
}

TEST(JoinStringTest, MalformedPartsAreRefusedBeforeAnybodyGetsThem)
{
    JoinString join = threeAggregators();
    join.secret = "too short";
    EXPECT_FALSE(encodeJoinString(join).ok());
    join = threeAggregators();
    join.aggregators[1].endpoint = "tcp://a b";
    EXPECT_FALSE(encodeJoinString(join).ok());
    join = threeAggregators();
    join.aggregators[1].key = "short";
    EXPECT_FALSE(encodeJoinString(join).ok());
    join = threeAggregators();
    join.aggregators[1].name = "no name";
    EXPECT_FALSE(encodeJoinString(join).ok());
}

}  // namespace
}  // namespace mesh::tenants
