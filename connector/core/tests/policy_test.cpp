#include "connector/core/policy.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

TEST(LocalPolicy, AStarStandsForOneSegment)
{
    const LocalPolicy policy(LocalPolicy::Rules{{{"POST"}, "Systems/*/Actions/ComputerSystem.Reset"}});
    EXPECT_TRUE(policy.refuses("POST", "Systems/1/Actions/ComputerSystem.Reset"));
    EXPECT_FALSE(policy.refuses("POST", "Systems/1/2/Actions/ComputerSystem.Reset"));
    EXPECT_FALSE(policy.refuses("POST", "Systems/1/Actions"));
}

TEST(LocalPolicy, TwoStarsStandForTheRest)
{
    const LocalPolicy policy(LocalPolicy::Rules{{{}, "Managers/**"}});
    EXPECT_TRUE(policy.refuses("GET", "Managers/bmc"));
    EXPECT_TRUE(policy.refuses("DELETE", "Managers/bmc/LogServices/x"));
    EXPECT_FALSE(policy.refuses("GET", "Systems/1"));
}

TEST(LocalPolicy, OtherMethodsPass)
{
    const LocalPolicy policy(LocalPolicy::Rules{{{"PATCH", "DELETE"}, "AccountService/**"}});
    EXPECT_TRUE(policy.refuses("PATCH", "AccountService/Accounts/1"));
    EXPECT_FALSE(policy.refuses("GET", "AccountService/Accounts/1"));
}

TEST(LocalPolicy, NeitherCaseNorATrailingSlashGetsAround)
{
    const LocalPolicy policy(LocalPolicy::Rules{{{"POST"}, "Systems/*/Actions/ComputerSystem.Reset"}});
    EXPECT_TRUE(policy.refuses("POST", "systems/1/actions/computersystem.reset/"));
}

TEST(LocalPolicy, NamesTheRule)
{
    const LocalPolicy policy(LocalPolicy::Rules{{{}, "Systems"}});
    EXPECT_EQ(policy.refuses("POST", "Systems"), "Systems");
}

}  // namespace
}  // namespace mesh::connector
