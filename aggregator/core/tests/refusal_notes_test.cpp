#include "aggregator/core/refusal_notes.hpp"

#include "aggregator/core/tenant_quotas.hpp"
#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mesh::aggregator {
namespace {

struct RefusalNotesTest : testing::Test {
    struct Told {
        std::string tenant, name;
        nlohmann::json payload;
    };
    std::uint64_t metric(const std::string& name) const
    {
        std::vector<Counter> all;
        notes.addMetrics(all);
        return all.at(name == "noted" ? 0 : 1).value;
    }

    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    std::vector<Told> told;
    RefusalNotes notes{[this](const std::string& tenant, std::string_view name, std::string_view payload, Now) {
        told.push_back({tenant, std::string(name), nlohmann::json::parse(payload)});
    }};
};

TEST_F(RefusalNotesTest, SaysWhoWasRefusedWhatAndWhyAndNothingElse)
{
    const MessageId id = *MessageId::fromHex("0123456789abcdef0123456789abcdef");
    notes.note("acme", "not_permitted", {.connector = "sled07", .message = id, .reason = "no policy lets sled07 send it"}, now);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].tenant, "acme");
    EXPECT_EQ(told[0].name, "not_permitted");
    EXPECT_EQ(told[0].payload, (nlohmann::json{{"connector", "sled07"}, {"message", id.hex()}, {"reason", "no policy lets sled07 send it"}}));
    notes.note("", "unknown_destination", {.account = "root", .reason = std::string(2000, 'x')}, now);
    EXPECT_EQ(told[1].tenant, "");
    EXPECT_EQ(told[1].payload["account"], "root");
    EXPECT_EQ(told[1].payload["reason"].get<std::string>().size(), limits::maxReasonBytes);
    notes.note("acme", "malformed", {.account = "\xff"}, now);
    EXPECT_EQ(told.size(), 3U) << "whatever a sender is called";
}

TEST_F(RefusalNotesTest, AFloodOfOneKindIsOneEventAndTheNextSaysHowManyThereWere)
{
    for (int i = 0; i < 5; ++i) {
        notes.note("acme", "over_quota", {}, now);
    }
    notes.note("acme", "expired", {}, now);
    notes.note("beta", "over_quota", {}, now);
    EXPECT_EQ(told.size(), 3U) << "another kind, and another tenant, are told";
    EXPECT_EQ(metric("left_out"), 4U);
    now.mono += limits::refusalPause;
    notes.note("acme", "over_quota", {}, now);
    ASSERT_EQ(told.size(), 4U);
    EXPECT_EQ(told[3].payload["left_out"], 4);
    now.mono += limits::refusalPause;
    notes.note("acme", "over_quota", {}, now);
    EXPECT_FALSE(told.at(4).payload.contains("left_out"));
    EXPECT_EQ(metric("noted"), 5U);
}

TEST_F(RefusalNotesTest, WhatIsRememberedIsBounded)
{
    for (std::size_t i = 0; i < limits::maxRefusalKinds + 3; ++i) {
        notes.note("t" + std::to_string(i), "expired", {}, now);
    }
    EXPECT_EQ(told.size(), limits::maxRefusalKinds);
    EXPECT_EQ(metric("left_out"), 3U);
    now.mono += limits::refusalPause;
    notes.note("another", "expired", {}, now);
    EXPECT_EQ(told.size(), limits::maxRefusalKinds + 1);
}

TEST_F(RefusalNotesTest, OnlyWhatTheSenderDidWrongIsTold)
{
    for (const Code code : {Code::notFound, Code::permissionDenied, Code::invalidArgument, Code::tooLarge, Code::unsupported, Code::deadlineExceeded}) {
        EXPECT_FALSE(refusalName(code).empty()) << codeName(code);
    }
    for (const Code code : {Code::ok, Code::full, Code::notSent, Code::unavailable, Code::outcomeUnknown}) {
        EXPECT_TRUE(refusalName(code).empty()) << codeName(code);
    }
}

TEST_F(RefusalNotesTest, AQuotaSaysWhomItHasRefused)
{
    tenants::Registry registry;
    ASSERT_TRUE(registry.addTenant("acme"));
    ASSERT_TRUE(registry.setQuota("acme", {.messagesPerSecond = 1}));
    TenantQuotas quotas;
    quotas.setRegistry(registry);
    quotas.setRefused([this](std::string_view tenant, const Error& why, Now when) {
        notes.note(tenant, "over_quota", {.reason = why.message}, when);
    });
    EXPECT_TRUE(quotas.admit("acme", 0, now).ok());
    EXPECT_TRUE(told.empty());
    EXPECT_FALSE(quotas.admit("acme", 0, now).ok());
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].payload["reason"].get<std::string>().find("quota of 1 messages a second"), std::string::npos);
}

}  // namespace
}  // namespace mesh::aggregator
