#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>

namespace mesh {
namespace {

class ScriptedRng final : public Rng {
public:
    explicit ScriptedRng(std::deque<std::uint64_t> values) : draws(std::move(values)) {}
    std::uint64_t next() override
    {
        const std::uint64_t draw = draws.at(0);
        draws.pop_front();
        return draw;
    }

    std::deque<std::uint64_t> draws;
};

TEST(Rng, TheSameSeedGivesTheSameSequence)
{
    SeededRng a(42);
    SeededRng b(42);
    SeededRng other(43);
    const std::string first = a.bytes(64);
    EXPECT_EQ(first, b.bytes(64));
    EXPECT_NE(first, other.bytes(64));
    EXPECT_NE(first, a.bytes(64));
}

TEST(Rng, TheSequenceOfASeedIsTheStandardsOnEveryMachine)
{
    // [rand.predef]: the 10000th draw of a default constructed mt19937_64, whose seed is 5489.
    SeededRng rng(5489);
    std::uint64_t draw = 0;
    for (int i = 0; i < 10000; ++i) {
        draw = rng.next();
    }
    EXPECT_EQ(draw, 9981545732273789042ull);
}

TEST(Rng, BelowStaysBelowItsBoundAndReachesEveryValue)
{
    SeededRng rng(1);
    std::array<int, 7> seen{};
    for (int i = 0; i < 7000; ++i) {
        const std::uint64_t draw = rng.below(7);
        ASSERT_LT(draw, 7u);
        ++seen[draw];
    }
    for (const int count : seen) {
        EXPECT_NEAR(count, 1000, 200);
    }
}

TEST(Rng, BelowOneIsAlwaysZero)
{
    SeededRng rng(2);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(rng.below(1), 0u);
    }
}

TEST(Rng, BelowDrawsAgainWhereTheRemainderWouldBeBiased)
{
    // Of 2^64 values the last incomplete run of `bound` must not count.
    const std::uint64_t bound = (1ull << 63) + 1;
    ScriptedRng rng({UINT64_MAX, bound + 5, 7});
    EXPECT_EQ(rng.below(bound), 7u);
    EXPECT_TRUE(rng.draws.empty());
}

TEST(Rng, GivesExactlyAsManyBytesAsAsked)
{
    SeededRng rng(3);
    for (std::size_t count = 0; count <= 33; ++count) {
        EXPECT_EQ(rng.bytes(count).size(), count);
    }
}

TEST(Rng, BytesAreLittleEndianDrawsInOrder)
{
    ScriptedRng rng({0x0807060504030201ull, 0x100f0e0d0c0b0a09ull});
    EXPECT_EQ(rng.bytes(10), std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", 10));
}

}  // namespace
}  // namespace mesh
