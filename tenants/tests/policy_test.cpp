#include "tenants/policy.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::tenants {
namespace {

TEST(Policy, SystemAccountsReachEveryTenantAndOthersOnlyTheirOwn)
{
    EXPECT_TRUE(mayReach("", "acme"));
    EXPECT_TRUE(mayReach("acme", "acme"));
    EXPECT_FALSE(mayReach("acme", "globex"));
    EXPECT_FALSE(mayReach("acme", "Acme"));
    EXPECT_FALSE(mayReach("acme", ""));
}

TEST(Policy, ConnectorsMayCommandNothingUntilGranted)
{
    Policy policy;
    EXPECT_FALSE(policy.mayCommand("acme", "sled07", "fan.set", "acme", "sled08"));
    ASSERT_TRUE(policy.grant({"acme", "sled07", "fan.set", "sled08"}).ok());
    EXPECT_TRUE(policy.mayCommand("acme", "sled07", "fan.set", "acme", "sled08"));
    EXPECT_FALSE(policy.mayCommand("acme", "sled08", "fan.set", "acme", "sled07"));
    EXPECT_FALSE(policy.mayCommand("acme", "sled07", "fan.get", "acme", "sled08"));
    EXPECT_FALSE(policy.mayCommand("acme", "sled07", "fan.set", "acme", "sled09"));
    EXPECT_TRUE(policy.revoke({"acme", "sled07", "fan.set", "sled08"}));
    EXPECT_FALSE(policy.mayCommand("acme", "sled07", "fan.set", "acme", "sled08"));
    EXPECT_FALSE(policy.revoke({"acme", "sled07", "fan.set", "sled08"}));
}

TEST(Policy, AGrantNeverCrossesTenants)
{
    Policy policy;
    ASSERT_TRUE(policy.grant({"acme", "sled07", "fan.set", "sled08"}).ok());
    EXPECT_FALSE(policy.mayCommand("acme", "sled07", "fan.set", "globex", "sled08"));
    EXPECT_FALSE(policy.mayCommand("globex", "sled07", "fan.set", "acme", "sled08"));
    EXPECT_FALSE(policy.mayCommand("globex", "sled07", "fan.set", "globex", "sled08"));
}

TEST(Policy, WildcardsAndEmptyNamesAreRefused)
{
    Policy policy;
    EXPECT_EQ(policy.grant({"acme", "*", "fan.set", "sled08"}).error().code, Code::invalidArgument);
    EXPECT_EQ(policy.grant({"", "sled07", "fan.set", "sled08"}).error().code, Code::invalidArgument);
    EXPECT_EQ(policy.size(), 0U);
}

TEST(Policy, GrantsAreBoundedAndARepeatCostsNothing)
{
    Policy policy;
    for (std::size_t i = 0; i < limits::maxGrants; ++i) {
        ASSERT_TRUE(policy.grant({"acme", "sled" + std::to_string(i), "fan.set", "rack"}).ok());
    }
    EXPECT_EQ(policy.grant({"acme", "one-more", "fan.set", "rack"}).error().code, Code::full);
    EXPECT_TRUE(policy.grant({"acme", "sled0", "fan.set", "rack"}).ok());
    EXPECT_EQ(policy.size(), limits::maxGrants);
}

}  // namespace
}  // namespace mesh::tenants
