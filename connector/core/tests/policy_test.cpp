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

TEST(LocalPolicy, WhoMayNotGetMayNotAskForTheHeadEither)
{
    const LocalPolicy noGet(LocalPolicy::Rules{{{"GET"}, "Managers/**"}});
    EXPECT_TRUE(noGet.refuses("GET", "Managers/bmc"));
    EXPECT_TRUE(noGet.refuses("HEAD", "Managers/bmc"));
    EXPECT_FALSE(noGet.refuses("POST", "Managers/bmc"));
    const LocalPolicy noHead(LocalPolicy::Rules{{{"HEAD"}, "Managers/**"}});
    EXPECT_TRUE(noHead.refuses("HEAD", "Managers/bmc"));
    EXPECT_FALSE(noHead.refuses("GET", "Managers/bmc"));
}

TEST(LocalPolicy, WhatIsOutsideTheTreeStandsBelowADash)
{
    EXPECT_EQ(policyPath("/redfish/v1/Systems/1/?$select=Id"), "Systems/1");
    EXPECT_EQ(policyPath("/Redfish/V1"), "");
    EXPECT_EQ(policyPath("/redfish/v1/?x"), "");
    EXPECT_EQ(policyPath("/rest/v1/Systems/1?x"), "-/rest/v1/Systems/1");
    EXPECT_EQ(policyPath("/redfish/v1x/y"), "-/redfish/v1x/y");
    EXPECT_EQ(policyPath("/redfish"), "-/redfish");
    EXPECT_EQ(policyPath("/"), "-/");
    const LocalPolicy policy(LocalPolicy::Rules{{{}, "-/rest/**"}});
    EXPECT_TRUE(policy.refuses("GET", policyPath("/REST/v1/Systems/1")));
    EXPECT_FALSE(policy.refuses("GET", policyPath("/redfish/v1/rest/v1")));
    EXPECT_FALSE(LocalPolicy(LocalPolicy::Rules{{{}, ""}}).refuses("GET", policyPath("/rest/v1"))) << "that is the root alone";
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
