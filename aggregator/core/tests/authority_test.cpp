#include "aggregator/core/authority.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

Now at(Duration offset)
{
    return {Instant{} + 1h + offset, WallTime{} + 24h + offset};
}

TEST(Authority, LastsForTheLeaseAfterTheMajorityIsLost)
{
    Authority authority(10min);
    EXPECT_TRUE(authority.mayWrite(at(0s)).ok());
    authority.setPrimaryKnown(false, at(0s).mono);
    authority.setPrimaryKnown(false, at(9min).mono);
    EXPECT_TRUE(authority.mayWrite(at(10min - 1ns)).ok());
    const Result<void> refused = authority.mayWrite(at(10min));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::unavailable);
    authority.setPrimaryKnown(true, at(11min).mono);
    EXPECT_TRUE(authority.mayWrite(at(11min)).ok());
    authority.setPrimaryKnown(false, at(20min).mono);
    EXPECT_TRUE(authority.mayWrite(at(29min)).ok());
}

TEST(Authority, BrokenGlassLastsUntilItsTime)
{
    Authority authority(0s);
    authority.setPrimaryKnown(false, at(0s).mono);
    EXPECT_FALSE(authority.mayWrite(at(1s)).ok());
    authority.breakGlass(at(60s).wall);
    EXPECT_TRUE(authority.mayWrite(at(59s)).ok());
    EXPECT_FALSE(authority.mayWrite(at(60s)).ok());
    authority.breakGlass(at(120s).wall);
    authority.breakGlass(WallTime{});
    EXPECT_FALSE(authority.mayWrite(at(61s)).ok());
}

}  // namespace
}  // namespace mesh::aggregator
