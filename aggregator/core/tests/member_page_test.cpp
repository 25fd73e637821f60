#include "aggregator/core/member_page.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

TEST(MemberPage, MembersKeepTheirBytes)
{
    const auto page = memberPageOf(" {\"a\":[1,{\"Members\":[0]}], \"Members\" : [ {\"x\": 1.0e5, \"x\":\"]},{\\\"\"} ,{}, 7 ,\"s\"\n] }");
    ASSERT_TRUE(page);
    EXPECT_EQ(page->members, (std::vector<std::string>{R"({"x": 1.0e5, "x":"]},{\""})", "{}", "7", "\"s\""}));
    EXPECT_EQ(page->nextLink, "");
}

TEST(MemberPage, TheNextLinkIsRead)
{
    const auto page = memberPageOf(R"({"Members":[],"Members@odata.nextLink":"\/redfish\/v1\/x?$skip=1"})");
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->members.empty());
    EXPECT_EQ(page->nextLink, "/redfish/v1/x?$skip=1");
}

TEST(MemberPage, WhatIsNoCollectionIsNone)
{
    for (const char* body : {"", "<html>", "[]", "{}", R"({"Members":1})", R"({"Members":[)", R"({"Members":[]}})", "{\"Members\":[]"}) {
        EXPECT_FALSE(memberPageOf(body)) << body;
    }
}

TEST(MemberPage, AMembersIdIsItsOwn)
{
    EXPECT_EQ(idOfMember(R"({"a":{"@odata.id":"/b"},"@odata.id":"/c"})"), "/c");
    EXPECT_EQ(idOfMember(R"({"a":{"@odata.id":"/b"}})"), "");
    EXPECT_EQ(idOfMember("7"), "");
}

}  // namespace
}  // namespace mesh::aggregator
