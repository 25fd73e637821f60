#include "aggregator/core/peer_reports.hpp"

#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mesh::aggregator {
namespace {

using Told = std::vector<std::string>;

// Node a of a cluster of a, b and c.
class PeerReportsTest : public testing::Test {
protected:
    PeerReportsTest()
    {
        change(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        for (const std::string name : {"a", "b", "c"}) {
            cluster::Node node;
            node.name = name;
            node.key = std::string(39, '0') + name;
            node.featureLevel = cluster::clusterFeatureLevel;
            change(cluster::PutNode{node});
        }
    }
    void change(cluster::Operation operation)
    {
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never, [](const Result<cluster::Applied>& applied) {
            ASSERT_TRUE(applied && applied->ok());
        });
        engine.pump(now.mono);
    }
    void link(const std::string& node)
    {
        linked.insert(node);
        reports.wake();
    }
    void cut(const std::string& node)
    {
        linked.erase(node);
        reports.wake();
    }
    // To whom a report went by then.
    Told after(Duration time)
    {
        now.mono += time;
        now.wall += std::chrono::duration_cast<WallTime::duration>(time);
        told.clear();
        if (reports.nextDeadline() <= now.mono) {
            reports.onTimer(now);
        }
        return told;
    }
    PeerStatus of(const std::string& node) const
    {
        for (const PeerStatus& peer : reports.all()) {
            if (peer.name == node) {
                return peer;
            }
        }
        return {};
    }

    Now now{Instant(100s), WallTime(1'714'564'800s)};
    SeededRng rng{5};
    cluster::MemoryEngine engine;
    NodeReport own{"standby", 1, 3, 17, "", {}};
    std::set<std::string> linked;
    Told told;
    std::string lastReport;
    PeerReports reports{{"a", [this] { return own; }, [this](const std::string& node) { return linked.contains(node); },
                         [this](const std::string& node, const std::string& report) {
                             told.push_back(node);
                             lastReport = report;
                         }},
                        engine};
    const NodeReport primary{"primary", 1, 3, 18, "", {"a", "c"}};
};

TEST_F(PeerReportsTest, ANewLinkIsToldAtOnce)
{
    EXPECT_EQ(after(0s), Told{});
    link("b");
    EXPECT_EQ(after(0s), Told{"b"});
    EXPECT_EQ(decodeReport(lastReport), own);
    link("c");
    EXPECT_EQ(after(1ms), (Told{"b", "c"}));
}

TEST_F(PeerReportsTest, WhatIsAppliedIsToldAfterAPauseAndTheRestAtOnce)
{
    link("b");
    after(0s);
    own.applied = 18;
    reports.onApplied();
    EXPECT_EQ(after(limits::reportPause - 1ms), Told{});
    EXPECT_EQ(after(1ms), Told{"b"});
    own.notReady = "the disk is full";
    reports.wake();
    EXPECT_EQ(after(1ms), Told{"b"});
}

TEST_F(PeerReportsTest, NothingNewIsToldAgainAfterALongPauseOnly)
{
    link("b");
    after(0s);
    reports.wake();
    EXPECT_EQ(after(1ms), Told{});
    EXPECT_EQ(after(limits::reportRefresh - 2ms), Told{});
    EXPECT_EQ(after(1ms), Told{"b"});
}

TEST_F(PeerReportsTest, WhoHasNoLinkCannotBeReachedWhateverItSaid)
{
    link("b");
    after(1s);
    reports.onReport("b", encodeReport(primary));
    EXPECT_EQ(of("b").report, primary);
    EXPECT_FALSE(of("c").linked);
    cut("b");
    EXPECT_FALSE(of("b").linked) << "at once, before the timer";
    EXPECT_FALSE(of("b").report);
    after(1s);
    EXPECT_EQ(of("b").since, now.wall);
    const WallTime since = now.wall;
    after(3s);
    EXPECT_EQ(of("b").since, since);
    link("b");
    after(0s);
    EXPECT_TRUE(of("b").linked);
    EXPECT_FALSE(of("b").report) << "of before the cut";
}

TEST_F(PeerReportsTest, AReportThatComesBeforeItsLinkIsKept)
{
    after(0s);
    reports.onReport("b", encodeReport(primary));
    link("b");
    after(0s);
    EXPECT_EQ(of("b").report, primary);
}

TEST_F(PeerReportsTest, NonsenseIsDropped)
{
    link("b");
    after(0s);
    NodeReport lies = primary;
    lies.role = "king";
    NodeReport many = primary;
    many.peers.assign(limits::maxAggregators + 1, "x");
    NodeReport strange = primary;
    strange.peers = {"a/../b"};
    for (const std::string& text : {std::string(), std::string("{}"), std::string("[1]"), encodeReport(lies), encodeReport(many),
                                    encodeReport(strange), std::string(limits::maxReportBytes + 1, ' ')}) {
        reports.onReport("b", text);
    }
    reports.onReport("stranger", encodeReport(primary));
    EXPECT_EQ(reports.malformed(), 8U);
    EXPECT_FALSE(of("b").report);
}

TEST_F(PeerReportsTest, AReportStaysWithinItsBound)
{
    NodeReport long_ = primary;
    long_.notReady = std::string(100'000, '\x01');
    long_.peers.assign(limits::maxAggregators, std::string(63, 'n'));
    EXPECT_LE(encodeReport(long_).size(), limits::maxReportBytes);
    EXPECT_TRUE(decodeReport(encodeReport(long_)));
}

}  // namespace
}  // namespace mesh::aggregator
