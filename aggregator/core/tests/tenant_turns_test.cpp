#include "aggregator/core/paced_refusals.hpp"
#include "aggregator/core/tenant_turns.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

Now turnsAt(Duration since)
{
    return {Instant{} + 1h + since, WallTime{} + 24h * 20000 + since};
}

TEST(TenantTurns, OneTenantAloneGoesAtOnceHoweverOftenItAsks)
{
    TenantTurns turns;
    for (ExchangeId id = 1; id <= 100; ++id) {
        EXPECT_TRUE(turns.mayGo("acme", id, turnsAt(0s)));
    }
    EXPECT_FALSE(turns.isWanted());
}

TEST(TenantTurns, OnceAnotherOneAsksEachHasAFewInATurnAndTheOthersWaitInTheirOrder)
{
    TenantTurns turns;
    EXPECT_TRUE(turns.mayGo("acme", 1, turnsAt(0s)));
    EXPECT_TRUE(turns.mayGo("zeta", 2, turnsAt(0s)));
    std::vector<ExchangeId> late;
    for (ExchangeId id = 10; id < 10 + 2 * TenantTurns::share; ++id) {
        if (!turns.mayGo("acme", id, turnsAt(1ms))) {
            late.push_back(id);
        }
    }
    ASSERT_EQ(late.size(), TenantTurns::share);
    EXPECT_TRUE(turns.mayGo("zeta", 3, turnsAt(1ms))) << "who asks for little does not wait";
    EXPECT_FALSE(turns.mayGo("acme", 100, turnsAt(2s))) << "nobody overtakes those of its tenant, contended or not";
    EXPECT_TRUE(turns.isWanted());
    EXPECT_EQ(turns.next(), late);
    EXPECT_EQ(turns.next(), std::vector<ExchangeId>{100});
    EXPECT_EQ(turns.next(), std::vector<ExchangeId>{});
    EXPECT_FALSE(turns.isWanted());
}

TEST(TenantTurns, WhoLeavesIsNotRememberedAndTakesNobodysTurn)
{
    TenantTurns turns;
    EXPECT_TRUE(turns.mayGo("zeta", 1, turnsAt(0s)));
    for (ExchangeId id = 10; id < 10 + TenantTurns::share; ++id) {
        EXPECT_TRUE(turns.mayGo("acme", id, turnsAt(1ms)));
    }
    for (ExchangeId id = 100; id < 200; ++id) {
        EXPECT_FALSE(turns.mayGo("acme", id, turnsAt(1ms)));
    }
    turns.leave("zeta", 100);
    turns.leave("beta", 100);
    for (ExchangeId id = 100; id < 199; ++id) {
        turns.leave("acme", id);
    }
    EXPECT_FALSE(turns.mayGo("acme", 200, turnsAt(1ms)));
    EXPECT_EQ(turns.next(), (std::vector<ExchangeId>{199, 200}));
    turns.leave("acme", 199);
    EXPECT_EQ(turns.next(), std::vector<ExchangeId>{});
    EXPECT_FALSE(turns.isWanted());
}

TEST(TenantTurns, WhenTheOtherOneHasBeenQuietForAWhileEverythingGoesAtOnceAgain)
{
    TenantTurns turns;
    EXPECT_TRUE(turns.mayGo("zeta", 1, turnsAt(0s)));
    std::size_t gone = 0;
    for (ExchangeId id = 10; id < 20; ++id) {
        gone += turns.mayGo("acme", id, turnsAt(TenantTurns::quiet - 1ms)) ? 1 : 0;
    }
    EXPECT_EQ(gone, TenantTurns::share);
    while (turns.isWanted()) {
        turns.next();
    }
    for (ExchangeId id = 30; id < 40; ++id) {
        EXPECT_TRUE(turns.mayGo("acme", id, turnsAt(TenantTurns::quiet)));
    }
}

TEST(PacedRefusals, AFewAreToldAtOnceAndTheOthersOneAfterTheOther)
{
    PacedRefusals refusals;
    std::size_t told = 0;
    for (ExchangeId id = 1; id <= PacedRefusals::atOnce + 3; ++id) {
        Answer refusal = temporarilyUnavailable("Not now.");
        told += refusals.holds(id, refusal, turnsAt(0s)) ? 0 : 1;
    }
    EXPECT_EQ(told, PacedRefusals::atOnce);
    EXPECT_TRUE(refusals.due(turnsAt(PacedRefusals::each - 1ms)).empty());
    EXPECT_EQ(refusals.nextDeadline(), turnsAt(PacedRefusals::each).mono);
    std::vector<PacedRefusals::Refusal> late = refusals.due(turnsAt(PacedRefusals::each));
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late[0].first, PacedRefusals::atOnce + 1);
    EXPECT_EQ(late[0].second.head.status, 503);
    EXPECT_EQ(refusals.due(turnsAt(3 * PacedRefusals::each)).size(), 2U);
    EXPECT_EQ(refusals.nextDeadline(), never);
}

TEST(PacedRefusals, NobodyWaitsForLongAndWhoHasGoneTakesNobodysTurn)
{
    PacedRefusals refusals;
    const auto refuse = [&refusals](ExchangeId id) {
        Answer refusal = temporarilyUnavailable("Not now.");
        return refusals.holds(id, refusal, turnsAt(0s));
    };
    constexpr ExchangeId many = PacedRefusals::atOnce + 2 * (PacedRefusals::longest / PacedRefusals::each);
    for (ExchangeId id = 1; id <= many; ++id) {
        EXPECT_EQ(refuse(id), id > PacedRefusals::atOnce);
    }
    for (ExchangeId id = PacedRefusals::atOnce + 1; id < many; ++id) {
        refusals.leave(id);
    }
    EXPECT_EQ(refusals.due(turnsAt(PacedRefusals::longest)).size(), 1U);
    EXPECT_FALSE(refuse(many + 1));
}

TEST(PacedRefusals, WhoHasPausedIsToldAtOnceAgain)
{
    PacedRefusals refusals;
    const auto holds = [&refusals](Duration after) {
        Answer refusal = temporarilyUnavailable("Not now.");
        return refusals.holds(1, refusal, turnsAt(after));
    };
    for (std::size_t i = 0; i < PacedRefusals::atOnce; ++i) {
        EXPECT_FALSE(holds(0s));
    }
    EXPECT_TRUE(holds(0s));
    EXPECT_TRUE(holds(PacedRefusals::each));
    EXPECT_FALSE(holds(3 * PacedRefusals::each));
}

}  // namespace
}  // namespace mesh::aggregator
