#include "shoset/core/redfish_command.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/core/outcome.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

TEST(RedfishCommand, NameAndPayloadMakeARequest)
{
    const auto get = parseRedfishCommand("redfish.get", R"({"uri": "/redfish/v1/Systems?$top=1", "headers": {"if-none-match": "\"a\""}})");
    ASSERT_TRUE(get.ok()) << get.error().message;
    EXPECT_EQ(get->method, "GET");
    EXPECT_EQ(get->uri, "/redfish/v1/Systems?$top=1");
    EXPECT_EQ(get->headers, (Headers{{"If-None-Match", "\"a\""}}));
    const auto patch = parseRedfishCommand("redfish.patch", R"({"uri": "/redfish/v1/Systems/1", "body": { "AssetTag" : "x" }})");
    ASSERT_TRUE(patch.ok()) << patch.error().message;
    EXPECT_EQ(patch->method, "PATCH");
    EXPECT_EQ(patch->body, R"({"AssetTag":"x"})");
    EXPECT_EQ(parseRedfishCommand("redfish.delete", R"({"uri":"/redfish/v1/X/1"})")->method, "DELETE");
    EXPECT_EQ(parseRedfishCommand("redfish.post", R"({"uri":"/Redfish/V1/X"})")->body, "");
    EXPECT_TRUE(parseRedfishCommand("redfish.get", R"({"uri":"/redfish/v1"})").ok());
    for (const std::string_view name : redfishCommands) {
        EXPECT_TRUE(isRedfishCommand(name));
    }
    EXPECT_FALSE(isRedfishCommand("redfish.request"));
    EXPECT_FALSE(isRedfishCommand("redfish.put"));
}

TEST(RedfishCommand, WhatIsNoneIsSaid)
{
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"", "JSON"},
        {"[]", "'uri'"},
        {R"({"uri":7})", "'uri'"},
        {R"({"uri":"/mesh/v1/status"})", "/redfish/v1"},
        {R"({"uri":"/redfish/v11"})", "/redfish/v1"},
        {R"({"uri":"https://elsewhere/redfish/v1"})", "/redfish/v1"},
        {R"({"uri":"/redfish/v1/)" + std::string(limits::maxUriBytes, 'x') + "\"}", "bytes"},
        {R"({"uri":"/redfish/v1","body":{}})", "nothing else"},
        {R"({"uri":"/redfish/v1","Uri":"/"})", "nothing else"},
        {R"({"uri":"/redfish/v1","headers":{"Authorization":"Basic eDp5"}})", "If-Match"},
        {R"({"uri":"/redfish/v1","headers":{"If-Match":"a\nb"}})", "printable"},
        {R"({"uri":"/redfish/v1","headers":[]})", "'headers'"}};
    for (const auto& [payload, part] : wrong) {
        const auto parsed = parseRedfishCommand("redfish.get", payload);
        ASSERT_FALSE(parsed.ok()) << payload;
        EXPECT_EQ(parsed.error().code, Code::invalidArgument);
        EXPECT_NE(parsed.error().message.find(part), std::string::npos) << parsed.error().message;
    }
    EXPECT_FALSE(parseRedfishCommand("redfish.patch", R"({"uri":"/redfish/v1"})").ok());
}

TEST(Outcome, OnlyWhatProvesItSaysThatNothingWasExecuted)
{
    EXPECT_STREQ(executedWord(ReplyState::success, Code::ok, false), "yes");
    EXPECT_STREQ(executedWord(ReplyState::fail, Code::refused, true), "yes");
    EXPECT_STREQ(executedWord(ReplyState::fail, Code::refused, false), "unknown");
    EXPECT_STREQ(executedWord(ReplyState::fail, Code::outcomeUnknown, false), "unknown");
    EXPECT_STREQ(executedWord(ReplyState::fail, Code::permissionDenied, false), "no");
    EXPECT_STREQ(executedWord(ReplyState::onGoing, Code::ok, false), "unknown");
}

}  // namespace
}  // namespace mesh::shoset
