#include "aggregator/core/enrolment.hpp"

#include "aggregator/core/tests/keys.hpp"
#include "cluster/core/enrolments.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/memory_engine.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/core/frame.hpp"

#include <gtest/gtest.h>

namespace mesh::aggregator {
namespace {

cluster::Node nodeNamed(const std::string& name, char digit)
{
    cluster::Node node;
    node.name = name;
    node.key = keyOf(digit);
    node.peerEndpoint = "tcp://" + name + ":5671";
    node.meshEndpoint = "tcp://" + name + ":5670";
    node.featureLevel = cluster::clusterFeatureLevel;
    return node;
}

class EnrolmentTest : public testing::Test {
protected:
    EnrolmentTest()
    {
        propose(cluster::RaiseFeatureLevel{cluster::clusterFeatureLevel});
        propose(cluster::PutTenant{"acme"});
        propose(cluster::PutNode{nodeNamed("agg-a", 'a')});
    }

    cluster::Applied propose(cluster::Operation operation)
    {
        cluster::Applied out;
        engine.propose({MessageId::make(now.wall, rng), now.wall, std::move(operation)}, never,
                       [&out](const Result<cluster::Applied>& applied) { out = *applied; });
        engine.pump(now.mono);
        EXPECT_TRUE(out.ok()) << out.error.message;
        return out;
    }

    // Of a connector of that name, good for an hour.
    std::string makeSecret(const std::string& name)
    {
        std::string secret = cluster::makeSecret(rng);
        cluster::AddEnrolment made;
        made.id = "id-" + name;
        made.secretHash = cluster::hashSecret(secret);
        made.tenant = "acme";
        made.name = name;
        made.expiresAt = now.wall + 1h;
        propose(made);
        return secret;
    }

    static std::string question(const std::string& secret, shoset::Kind kind = shoset::Kind::enrol)
    {
        std::string frame;
        shoset::appendRecord(frame, {kind, shoset::flagLast, 0, shoset::noDeadline, 0},
                             shoset::encodeHeader({{}, {}, {}, shoset::Enrol{secret}}), {});
        return frame;
    }

    // The frames that went out in answer.
    std::vector<std::string> tell(const std::string& key, const std::string& frame)
    {
        std::vector<std::string> answers;
        enrolment.onFrame(key, frame, now, [&answers](std::string answer) { answers.push_back(std::move(answer)); });
        while (engine.pump(now.mono) > 0) {
        }
        return answers;
    }

    shoset::Enrolled ask(const std::string& key, const std::string& secret)
    {
        const std::vector<std::string> answers = tell(key, question(secret));
        if (answers.size() != 1 || answers.front().empty()) {
            ADD_FAILURE() << answers.size() << " answers";
            return {};
        }
        const auto record = shoset::FrameReader(answers.front()).next();
        auto message = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
        EXPECT_EQ(message->source, "agg-a");
        return std::get<shoset::Enrolled>(message->content);
    }

    void setRole(cluster::NodeRole role)
    {
        cluster::EngineStatus status = engine.status();
        status.role = role;
        engine.setStatus(status);
    }

    Now now{Instant{} + 100s, WallTime(std::chrono::seconds(1'714'564'800))};
    SeededRng rng{5};
    cluster::MemoryEngine engine;
    CatchUp catchUp{engine};
    Enrolment enrolment{"agg-a", engine, catchUp, rng};
};

TEST_F(EnrolmentTest, WhomTheTenantsQuotaRefusesMayComeWithTheSameSecretWhenThereIsRoom)
{
    cluster::Node upgraded = engine.state().nodes.begin()->second;
    upgraded.featureLevel = cluster::tenantQuotaFeatureLevel;
    propose(cluster::PutNode{upgraded});
    propose(cluster::RaiseFeatureLevel{cluster::tenantQuotaFeatureLevel});
    TenantQuotas quotas;
    enrolment.setQuotas(quotas);
    const auto counted = [&quotas] {
        std::vector<Counter> all;
        quotas.addMetrics(all);
        return all.back().value;
    };
    const std::string first = makeSecret("one"), second = makeSecret("two");
    propose(cluster::SetTenantQuota{"acme", false, {}, {}, {}, 1});
    EXPECT_EQ(ask(keyOf('1'), first).code, Code::ok);
    EXPECT_EQ(counted(), 0U);
    const shoset::Enrolled refused = ask(keyOf('2'), second);
    EXPECT_EQ(refused.code, Code::full);
    EXPECT_NE(refused.refusal.find("quota of connectors"), std::string::npos) << refused.refusal;
    EXPECT_EQ(ask(keyOf('3'), "no secret of anybody").code, Code::permissionDenied);
    EXPECT_EQ(counted(), 1U);
    propose(cluster::SetTenantQuota{"acme", false, {}, {}, {}, 2});
    EXPECT_EQ(ask(keyOf('2'), second).code, Code::ok);
}

TEST_F(EnrolmentTest, WhoBringsTheSecretIsTakenInAndToldWhoItIsAndWhomToDial)
{
    const shoset::Enrolled welcome = ask(keyOf('1'), makeSecret("sled07"));
    EXPECT_EQ(welcome.code, Code::ok) << welcome.refusal;
    EXPECT_EQ(welcome.tenant, "acme");
    EXPECT_EQ(welcome.name, "sled07");
    ASSERT_EQ(welcome.aggregators.list.size(), 1u);
    EXPECT_EQ(welcome.aggregators.list.front().endpoint, "tcp://agg-a:5670");
    const tenants::Connector* connector = engine.state().registry.find("acme", "sled07");
    ASSERT_NE(connector, nullptr);
    EXPECT_EQ(connector->key, keyOf('1'));
    EXPECT_EQ(enrolment.counters().enrolled, 1u);
}

TEST_F(EnrolmentTest, TheSameKeyIsAnsweredAlikeAndAnotherIsRefused)
{
    const std::string secret = makeSecret("sled07");
    ask(keyOf('1'), secret);
    EXPECT_EQ(ask(keyOf('1'), secret).name, "sled07");
    const shoset::Enrolled refused = ask(keyOf('2'), secret);
    EXPECT_NE(refused.code, Code::ok);
    EXPECT_NE(refused.refusal.find("used already"), std::string::npos) << refused.refusal;
    EXPECT_EQ(engine.state().registry.find("acme", "sled07")->key, keyOf('1'));
}

TEST_F(EnrolmentTest, AnUnknownSecretIsRefusedWithoutAnEntry)
{
    makeSecret("sled07");
    const cluster::Revision before = engine.state().revision;
    EXPECT_EQ(ask(keyOf('1'), "not the secret at all").code, Code::permissionDenied);
    EXPECT_EQ(engine.state().revision, before);
    EXPECT_EQ(enrolment.counters().refused, 1u);
}

TEST_F(EnrolmentTest, AnExpiredSecretIsRefused)
{
    const std::string secret = makeSecret("sled07");
    now.wall += 1h;
    EXPECT_NE(ask(keyOf('1'), secret).code, Code::ok);
    EXPECT_EQ(engine.state().registry.find("acme", "sled07"), nullptr);
}

TEST_F(EnrolmentTest, AStandbyAsksThePrimaryBeforeItDenies)
{
    makeSecret("sled07");
    setRole(cluster::NodeRole::follower);
    std::vector<std::string> answers;
    enrolment.onFrame(keyOf('1'), question("not the secret at all"), now,
                      [&answers](std::string answer) { answers.push_back(std::move(answer)); });
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(engine.pump(now.mono), 1u) << "it was not asked";
    EXPECT_EQ(answers.size(), 1u);
}

TEST_F(EnrolmentTest, WithoutAPrimaryTheAskerIsToldToTryElsewhere)
{
    const std::string secret = makeSecret("sled07");
    setRole(cluster::NodeRole::follower);
    EXPECT_EQ(ask(keyOf('1'), secret).code, Code::unavailable);
}

TEST_F(EnrolmentTest, OnlySoManyAreLookedAtInASecondAndTheRestIsSentAway)
{
    const std::string secret = makeSecret("sled07");
    for (std::size_t count = 0; count < limits::enrolmentsPerSecond; ++count) {
        ask(keyOf('2'), "not the secret at all");
    }
    EXPECT_EQ(tell(keyOf('1'), question(secret)), std::vector{std::string()});
    EXPECT_EQ(enrolment.counters().limited, 1u);
    now.mono += 1s;
    EXPECT_EQ(ask(keyOf('1'), secret).code, Code::ok);
}

TEST_F(EnrolmentTest, WhatIsNoQuestionIsSentAway)
{
    for (const std::string& frame : {std::string(), std::string("nonsense"), question("x", shoset::Kind::hello)}) {
        EXPECT_EQ(tell(keyOf('1'), frame), std::vector{std::string()});
    }
    EXPECT_EQ(enrolment.counters().malformed, 3u);
}

TEST_F(EnrolmentTest, NoSecretIsUsedUpWhileItIsNotKnownWhomToDial)
{
    const std::string secret = makeSecret("sled07");
    cluster::Node silent = nodeNamed("agg-b", 'b');
    silent.meshEndpoint.clear();
    const std::string id = propose(cluster::PutNode{silent}).value;
    EXPECT_EQ(ask(keyOf('1'), secret).code, Code::unavailable);
    EXPECT_TRUE(cluster::hasOutstandingEnrolments(engine.state(), now.wall));
    propose(cluster::RemoveNode{std::stoull(id)});
    EXPECT_EQ(ask(keyOf('1'), secret).code, Code::ok);
}

TEST_F(EnrolmentTest, TheEndpointIsWantedWhileSomebodyMayComeOrComeBack)
{
    EXPECT_FALSE(enrolment.isWanted(now));
    const std::string secret = makeSecret("sled07");
    EXPECT_TRUE(enrolment.isWanted(now));
    EXPECT_EQ(enrolment.nextChange(now), limits::enrolmentLook) << "the clock may be set";
    ask(keyOf('1'), secret);
    now.mono += 59min;
    now.wall += 59min + 30s;
    EXPECT_TRUE(enrolment.isWanted(now)) << "the answer may have been lost";
    EXPECT_EQ(ask(keyOf('1'), secret).name, "sled07");
    EXPECT_EQ(enrolment.nextChange(now), 30s);
    now.wall += 30s;
    EXPECT_FALSE(enrolment.isWanted(now));
}

TEST_F(EnrolmentTest, TheEndpointIsNotWantedForWhatWasCancelledOrHasExpired)
{
    makeSecret("sled07");
    EXPECT_TRUE(enrolment.isWanted(now));
    propose(cluster::CancelEnrolment{"id-sled07"});
    EXPECT_FALSE(enrolment.isWanted(now));
    makeSecret("sled07");
    EXPECT_TRUE(enrolment.isWanted(now));
    now.wall += 59min + 50s;
    EXPECT_TRUE(enrolment.isWanted(now));
    EXPECT_EQ(enrolment.nextChange(now), 10s);
    now.wall += 10s;
    EXPECT_FALSE(enrolment.isWanted(now));
}

TEST_F(EnrolmentTest, ConnectorsAreToldOfEveryAggregatorButWitnesses)
{
    cluster::Node witness = nodeNamed("witness", 'c');
    witness.witness = true;
    witness.meshEndpoint.clear();
    propose(cluster::PutNode{witness});
    propose(cluster::PutNode{nodeNamed("agg-b", 'b')});
    const std::optional<shoset::Aggregators> list = aggregatorsOf(engine.state());
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->list.size(), 2u);
    EXPECT_EQ(list->list[0].name, "agg-a");
    EXPECT_EQ(list->list[1].name, "agg-b");
    EXPECT_EQ(list->list[1].endpoint, "tcp://agg-b:5670");
    EXPECT_EQ(list->list[1].key, keyOf('b'));
    EXPECT_EQ(list->generation, engine.state().generation);
    EXPECT_EQ(list->revision, engine.state().revision);
}

TEST_F(EnrolmentTest, ConnectorsAreToldNothingWhileAnAggregatorHasNotSaidWhereItIs)
{
    cluster::Node silent = nodeNamed("agg-b", 'b');
    silent.meshEndpoint.clear();
    propose(cluster::PutNode{silent});
    EXPECT_FALSE(aggregatorsOf(engine.state()).has_value());
    EXPECT_FALSE(aggregatorsOf(cluster::State{}).has_value());
}

}  // namespace
}  // namespace mesh::aggregator
