#include "aggregator/core/tenant_quotas.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace mesh::aggregator {
namespace {

class QuotasOfTenants : public testing::Test {
protected:
    QuotasOfTenants()
    {
        for (const char* tenant : {"noisy", "quiet", "free"}) {
            EXPECT_TRUE(registry.addTenant(tenant).ok());
        }
    }
    void allow(const std::string& tenant, const tenants::Quota& quota)
    {
        EXPECT_TRUE(registry.setQuota(tenant, quota).ok());
        quotas.setRegistry(registry);
    }
    bool admits(const std::string& tenant, std::uint64_t bytes = 0, std::size_t messages = 1)
    {
        return quotas.admit(tenant, bytes, now, messages).ok();
    }
    std::size_t admitted(const std::string& tenant, std::size_t attempts)
    {
        std::size_t count = 0;
        for (std::size_t i = 0; i < attempts; ++i) {
            count += admits(tenant) ? 1 : 0;
        }
        return count;
    }
    std::uint64_t counter(const std::string& name) const
    {
        std::vector<Counter> all;
        quotas.addMetrics(all);
        for (const Counter& one : all) {
            if (one.name == "bmcmesh_quota_refused_" + name + "_total") {
                return one.value;
            }
        }
        ADD_FAILURE() << "no counter " << name;
        return 0;
    }

    Now now{Instant{} + 1h, WallTime{} + 24h * 20000};
    tenants::Registry registry;
    TenantQuotas quotas;
};

TEST_F(QuotasOfTenants, ASecondsWorthMayComeAtOnceAndThenTheRateHolds)
{
    for (const std::uint64_t rate : {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{7}, std::uint64_t{1000}}) {
        allow("noisy", {rate, 0, 0, 0});
        now.mono += 1h;
        EXPECT_EQ(admitted("noisy", 2 * rate + 5), rate) << rate;
        for (int tenth = 0; tenth < 10; ++tenth) {
            now.mono += 100ms;
        }
        EXPECT_EQ(admitted("noisy", 2 * rate + 5), rate) << rate;
    }
    allow("noisy", {10, 0, 0, 0});
    now.mono += 1h;
    std::size_t count = admitted("noisy", 100);
    for (int step = 0; step < 1000; ++step) {  // ten seconds, whatever the steps are
        now.mono += 10ms;
        count += admitted("noisy", 3);
    }
    EXPECT_EQ(count, 10U + 100U);
}

TEST_F(QuotasOfTenants, WhoIsSilentForLongHasNoMoreThanASecondsWorth)
{
    allow("noisy", {5, 0, 0, 0});
    now.mono += 24h * 365;
    EXPECT_EQ(admitted("noisy", 20), 5U);
}

TEST_F(QuotasOfTenants, ANoisyTenantIsRefusedAndAQuietOneIsNot)
{
    allow("noisy", {5, 0, 0, 0});
    allow("quiet", {5, 0, 0, 0});
    EXPECT_EQ(admitted("noisy", 10000), 5U);
    EXPECT_EQ(admitted("quiet", 5), 5U);
    EXPECT_EQ(admitted("free", 10000), 10000U) << "no quota is no quota";
    EXPECT_EQ(admitted("nobody", 3), 3U) << "who is not there has nothing to reach";
    const Result<Admission> refused = quotas.admit("noisy", 0, now);
    EXPECT_EQ(refused.error().code, Code::full);
    EXPECT_EQ(refused.error().message, "tenant noisy has reached its quota of 5 messages a second; nothing was sent");
    EXPECT_EQ(counter("messages"), 9996U);
    EXPECT_EQ(counter("bytes"), 0U);
    EXPECT_EQ(quotas.find("noisy")->refusedMessages, 9996U);
    EXPECT_EQ(quotas.find("quiet")->refusedMessages, 0U);
    EXPECT_EQ(quotas.find("nobody"), nullptr);
}

TEST_F(QuotasOfTenants, ManyAtOnceAreAllOrNothingAndMoreThanTheRateArePaidForAfterwards)
{
    allow("noisy", {10, 0, 0, 0});
    EXPECT_TRUE(admits("noisy", 0, 8));
    EXPECT_FALSE(admits("noisy", 0, 3));
    EXPECT_TRUE(admits("noisy", 0, 2)) << "what was refused was not counted";
    now.mono += 1s;
    EXPECT_TRUE(admits("noisy", 0, 30)) << "it would never fit otherwise";
    now.mono += 2s;
    EXPECT_FALSE(admits("noisy"));
    now.mono += 100ms;
    EXPECT_TRUE(admits("noisy"));
    EXPECT_FALSE(admits("noisy"));
}

TEST_F(QuotasOfTenants, BytesInFlightAreGivenBackWhenTheExchangeEnds)
{
    allow("noisy", {0, 1000, 0, 0});
    {
        Result<Admission> first = quotas.admit("noisy", 600, now);
        ASSERT_TRUE(first.ok());
        const Result<Admission> refused = quotas.admit("noisy", 500, now);
        EXPECT_EQ(refused.error().code, Code::full);
        EXPECT_NE(refused.error().message.find("1000 bytes in flight"), std::string::npos) << refused.error().message;
        Result<Admission> second = quotas.admit("noisy", 400, now);
        ASSERT_TRUE(second.ok());
        EXPECT_TRUE(admits("noisy", 0)) << "what has no bytes is not kept by them";
        EXPECT_EQ(quotas.find("noisy")->inFlight, 1000U);
        Admission moved = std::move(*first);
        first->release();
        EXPECT_EQ(quotas.find("noisy")->inFlight, 1000U) << "it was moved";
        moved.release();
        moved.release();
        EXPECT_EQ(quotas.find("noisy")->inFlight, 400U);
        moved = std::move(*second);
        EXPECT_EQ(quotas.find("noisy")->inFlight, 400U);
    }
    EXPECT_EQ(quotas.find("noisy")->inFlight, 0U);
    EXPECT_EQ(counter("bytes"), 1U);
    EXPECT_TRUE(admits("quiet", 1'000'000));
}

TEST_F(QuotasOfTenants, WhatIsLargerThanTheQuotaGoesAlone)
{
    allow("noisy", {0, 1000, 0, 0});
    Result<Admission> large = quotas.admit("noisy", 5000, now);
    ASSERT_TRUE(large.ok());
    EXPECT_FALSE(admits("noisy", 1));
    large->release();
    const Result<Admission> small = quotas.admit("noisy", 1, now);
    EXPECT_FALSE(admits("noisy", 5000));
}

TEST_F(QuotasOfTenants, WhatIsRefusedForOneQuotaCostsNothingOfTheOther)
{
    allow("noisy", {2, 1000, 0, 0});
    const Result<Admission> held = quotas.admit("noisy", 1000, now);
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(admits("noisy", 1));
    }
    EXPECT_TRUE(admits("noisy", 0)) << "the second message of this second";
    EXPECT_FALSE(admits("noisy", 0));
    EXPECT_EQ(quotas.find("noisy")->inFlight, 1000U);
}

TEST_F(QuotasOfTenants, AChangedQuotaHoldsAtOnceAndWhatIsInFlightStaysCounted)
{
    allow("noisy", {0, 1000, 0, 0});
    Result<Admission> held = quotas.admit("noisy", 900, now);
    allow("noisy", {0, 500, 0, 0});
    EXPECT_FALSE(admits("noisy", 1));
    allow("noisy", {0, 2000, 0, 0});
    EXPECT_TRUE(admits("noisy", 1000));
    allow("noisy", {});
    EXPECT_TRUE(admits("noisy", 1'000'000));
    EXPECT_EQ(quotas.find("noisy")->inFlight, 900U);
    allow("noisy", {1, 0, 0, 0});
    EXPECT_TRUE(admits("noisy", 0, 500));
    allow("noisy", {1, 0, 0, 7});
    now.mono += 1s;
    EXPECT_FALSE(admits("noisy")) << "that of messages is what it was";
    allow("noisy", {2, 0, 0, 7});
    EXPECT_EQ(admitted("noisy", 9), 2U);
    EXPECT_TRUE(registry.removeTenant("noisy").ok());
    quotas.setRegistry(registry);
    EXPECT_EQ(quotas.find("noisy"), nullptr);
    EXPECT_TRUE(registry.addTenant("noisy").ok());
    quotas.setRegistry(registry);
    held->release();
    EXPECT_EQ(quotas.find("noisy")->inFlight, 0U) << "another tenant, though of that name";
}

TEST_F(QuotasOfTenants, ARefusedConnectorIsCountedWhereTheQuotaWasWhy)
{
    allow("noisy", {0, 0, 0, 1});
    quotas.connectorRefused({Code::full, "there are 8192 connectors already"}, registry, "noisy");
    EXPECT_EQ(counter("connectors"), 0U) << "it has room";
    ASSERT_TRUE(registry.put({"noisy", "a", std::string(40, '0'), "", "", ""}).ok());
    quotas.connectorRefused({Code::alreadyExists, "the key belongs to another"}, registry, "noisy");
    EXPECT_EQ(counter("connectors"), 0U);
    quotas.connectorRefused(registry.mayHaveAnother("noisy").error(), registry, "noisy");
    EXPECT_EQ(counter("connectors"), 1U);
}

}  // namespace
}  // namespace mesh::aggregator
