// Usage: simulation_test [--gtest_...]; BMCMESH_SIM_SEED=n starts from that seed, BMCMESH_SIM_RUNS=n makes n runs.
#include "tests/simulation/scenario.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/tests/effort.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

namespace mesh::simulation {
namespace {

std::uint64_t fromEnvironment(const char* name, std::uint64_t fallback)
{
    const char* text = std::getenv(name);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// The last lines before the failure, for whoever looks for its cause.
std::string tail(const std::string& trace)
{
    constexpr std::size_t bytes = 3000;
    return trace.size() <= bytes ? trace : trace.substr(trace.find('\n', trace.size() - bytes) + 1);
}

TEST(Simulation, EveryPropertyHoldsUnderCrashesAndPartitions)
{
    const std::uint64_t first = fromEnvironment("BMCMESH_SIM_SEED", 1);
    const std::uint64_t runs = fromEnvironment("BMCMESH_SIM_RUNS", 8);
    std::size_t requests = 0;
    std::size_t succeeded = 0;
    std::size_t changed = 0;
    std::size_t emitted = 0;
    std::size_t heard = 0;
    for (std::uint64_t seed = first; seed < first + runs; ++seed) {
        const RunResult result = run(seed, 60s, Fault::none);
        ASSERT_EQ(result.failure, "") << "seed " << seed << "\n" << tail(result.trace);
        EXPECT_LE(result.largestQueue, limits::peerQueueBytes) << "seed " << seed;
        requests += result.requests;
        succeeded += result.succeeded;
        changed += result.changed;
        emitted += result.emitted;
        heard += result.heard;
    }
    std::cout << runs << " runs of 60 virtual seconds from seed " << first << ": " << requests << " requests, " << succeeded
              << " succeeded; " << changed << " changes of the cluster's state; " << emitted << " events, heard " << heard << " times\n";
    EXPECT_GT(succeeded, requests / 4);
    EXPECT_GT(changed, runs * 20);
    EXPECT_GT(heard, runs * 100);
}

TEST(Simulation, ASeedReplaysByteForByte)
{
    const std::chrono::seconds length(testRounds(20));
    const RunResult first = run(77, length, Fault::none);
    const RunResult second = run(77, length, Fault::none);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_NE(first.trace, run(78, length, Fault::none).trace);
}

TEST(Simulation, EachDeliberateFaultIsFoundWithinAMinute)
{
    using Clock = std::chrono::steady_clock;
    for (const Fault fault : allFaults()) {
        const Clock::time_point begin = Clock::now();
        std::string found;
        std::uint64_t seed = 0;
        while (found.empty() && Clock::now() - begin < std::chrono::seconds(60)) {
            found = run(++seed, 60s, fault).failure;
        }
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        EXPECT_NE(found, "") << faultName(fault) << " was not found in " << seed << " runs";
        std::cout << faultName(fault) << ": seed " << seed << ", " << took.count() << " ms: " << found << "\n";
    }
}

}  // namespace
}  // namespace mesh::simulation
