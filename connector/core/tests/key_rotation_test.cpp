#include "connector/core/tests/connector_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

using shoset::KeyStatus;

const std::string oldKey(40, 'o');
const std::string newKey(40, 'n');
const std::string thirdKey(40, 't');

struct KeyRotationRules : testing::Test {
    Instant now{Instant{} + 1h};
    KeyRotation rotation;

    void load(const std::string& next = {}, const std::string& note = {}) { rotation.load({oldKey, next, note}); }
    KeyStep told(std::uint64_t revision, const std::string& pending, bool wanted, const std::string& key = oldKey)
    {
        rotation.take({1, revision, key, pending, wanted});
        return rotation.step(now);
    }
    void made() { rotation.onStep(newKey, now); }
    void done() { rotation.onStep(std::string(), now); }
};

TEST_F(KeyRotationRules, AKeyIsMadeOfferedAndAdopted)
{
    load();
    EXPECT_EQ(told(5, "", false), KeyStep::none);
    EXPECT_EQ(told(7, "", true), KeyStep::make);
    EXPECT_EQ(rotation.note(), "1 7\n");
    EXPECT_EQ(told(7, "", true), KeyStep::none) << "one step at a time";
    EXPECT_FALSE(rotation.isOffered());
    made();
    EXPECT_TRUE(rotation.isOffered());
    EXPECT_FALSE(rotation.admitsNext({1, 7, oldKey, "", true}));
    EXPECT_EQ(told(8, newKey, true), KeyStep::none);
    EXPECT_FALSE(rotation.isOffered());
    EXPECT_TRUE(rotation.admitsNext({1, 8, oldKey, newKey, true}));
    EXPECT_EQ(told(9, "", false, newKey), KeyStep::adopt);
    done();
    EXPECT_EQ(rotation.current(), newKey);
    EXPECT_EQ(rotation.next(), "");
    EXPECT_EQ(told(9, "", false, newKey), KeyStep::none);
}

TEST_F(KeyRotationRules, ACancelledRotationsKeyIsDropped)
{
    load();
    told(7, "", true);
    made();
    EXPECT_EQ(told(8, "", false), KeyStep::drop);
    done();
    EXPECT_EQ(rotation.next(), "");
    EXPECT_EQ(rotation.current(), oldKey);
    EXPECT_EQ(told(9, "", true), KeyStep::make);
}

TEST_F(KeyRotationRules, WhenItIsBegunAgainTheKeyThatWasPendingIsDroppedAndAnotherIsMade)
{
    load();
    told(7, "", true);
    made();
    told(8, newKey, true);
    EXPECT_EQ(told(9, "", true), KeyStep::drop);
    EXPECT_FALSE(rotation.isOffered());
    done();
    EXPECT_EQ(rotation.step(now), KeyStep::make);
    rotation.onStep(thirdKey, now);
    EXPECT_TRUE(rotation.isOffered());
}

TEST_F(KeyRotationRules, WhatIsOlderThanWhatWasToldCountsForNothing)
{
    load();
    EXPECT_EQ(told(7, "", true), KeyStep::make);
    made();
    EXPECT_FALSE(rotation.take({1, 6, oldKey, "", false}));
    EXPECT_EQ(rotation.step(now), KeyStep::none);
    EXPECT_TRUE(rotation.take({2, 1, oldKey, "", false})) << "of a later generation";
    EXPECT_EQ(rotation.step(now), KeyStep::drop);
}

TEST_F(KeyRotationRules, AfterARestartAnAggregatorThatLagsCannotHaveTheKeyDropped)
{
    load(newKey, "1 7\n");
    EXPECT_EQ(told(5, "", false), KeyStep::none);
    EXPECT_EQ(told(7, "", true), KeyStep::none);
    EXPECT_TRUE(rotation.isOffered()) << "it may never have arrived";
    EXPECT_EQ(told(9, "", false, newKey), KeyStep::adopt);
}

TEST_F(KeyRotationRules, AfterARestartACancellationIsUnderstood)
{
    load(newKey, "1 7\n");
    EXPECT_EQ(told(8, "", false), KeyStep::drop);
}

TEST_F(KeyRotationRules, AKeyWhoseNoteIsLostIsKeptUntilItWasSeenPending)
{
    for (const char* note : {"", "x", "1", "1 7", "1 7 \n"}) {
        rotation = {};
        load(newKey, note);
        EXPECT_EQ(told(8, "", false), KeyStep::none) << note;
    }
    EXPECT_EQ(told(9, "", true), KeyStep::none);
    EXPECT_TRUE(rotation.isOffered());
    EXPECT_EQ(told(10, newKey, true), KeyStep::none);
    EXPECT_EQ(told(11, "", false), KeyStep::drop);
}

TEST_F(KeyRotationRules, WhatFailedIsTriedAgainLater)
{
    load();
    told(7, "", true);
    rotation.onStep(Error{Code::ioError, "no space"}, now);
    EXPECT_EQ(rotation.step(now), KeyStep::none);
    EXPECT_EQ(rotation.nextDeadline(), now + limits::keyRetry);
    now += limits::keyRetry;
    EXPECT_EQ(rotation.step(now), KeyStep::make);
    EXPECT_EQ(rotation.nextDeadline(), never);
}

TEST_F(KeyRotationRules, AKeyThatOthersRegisteredIsNoGroundToDoAnything)
{
    load(newKey, "1 7\n");
    EXPECT_EQ(told(8, "", true, thirdKey), KeyStep::none);
    EXPECT_FALSE(rotation.isOffered());
    EXPECT_EQ(rotation.next(), newKey);
}

// The links' side of it: which key each is dialled with.
struct KeyLinks : ConnectorTest {
    void SetUp() override
    {
        connector.loadKeys({oldKey, "", ""});
        start();
    }
    void status(LinkId link, std::uint64_t revision, const std::string& pending, bool wanted,
                const std::string& key = oldKey)
    {
        hears(link, {{}, wire.dialled.at(link).name, "acme/s1", KeyStatus{1, revision, key, pending, wanted}});
    }
    std::vector<std::string> offers(LinkId link)
    {
        std::vector<std::string> out;
        for (const shoset::Message& message : take(link)) {
            if (const auto* offer = std::get_if<shoset::KeyOffer>(&message.content)) {
                EXPECT_EQ(message.source, "acme/s1");
                out.push_back(offer->key);
            }
        }
        return out;
    }
    void later(Duration time)
    {
        now.mono += time;
        for (const auto& [link, address] : std::map(wire.dialled)) {
            connector.onFrame(link, {}, now);  // it is still heard
        }
        connector.onTimer(now);
    }
    // Both links are up and the next key is made.
    void untilMade()
    {
        up(0);
        up(1);
        status(0, 7, "", true);
        status(1, 7, "", true);
        ASSERT_EQ(wire.steps, std::vector<std::string>{"make 1 7\n"});
        connector.onKeyStep(newKey, now);
    }
};

TEST_F(KeyLinks, OldConnectorsDoNotSayThatTheyCanAndNewOnesDo)
{
    connector.onConnected(0, now);
    EXPECT_NE(std::get<shoset::Hello>(take(0).at(0).content).capabilities & shoset::capabilityKeys, 0U);
    Connector fixed{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0')}}, wire, bmc, journal, state, rng};
    fixed.start(now);
    wire.frames.clear();
    fixed.onConnected(0, now);
    fixed.flush();
    const auto record = shoset::FrameReader(wire.frames.at(0).second).next();
    const auto hello = shoset::decodeHeader((*record)->prelude.kind, (*record)->header);
    EXPECT_EQ(std::get<shoset::Hello>(hello->content).capabilities & shoset::capabilityKeys, 0U);
}

TEST_F(KeyLinks, TheNewKeyIsOfferedOverTheOldLinksAndAgainUntilItIsPending)
{
    untilMade();
    EXPECT_EQ(offers(0), std::vector{newKey});
    EXPECT_EQ(offers(1), std::vector{newKey});
    later(limits::keyRetry);
    EXPECT_EQ(offers(0), std::vector{newKey});
    EXPECT_LE(connector.nextDeadline(), now.mono + limits::keyRetry);
    EXPECT_EQ(wire.keys, (std::map<LinkId, std::string>{{0, oldKey}, {1, oldKey}}));
}

TEST_F(KeyLinks, OneLinkAfterTheOtherGoesOverToTheNewKey)
{
    untilMade();
    status(0, 8, newKey, true);
    const LinkId first = linkTo("agg-a");
    EXPECT_NE(first, 0U);
    EXPECT_EQ(wire.keys.at(first), newKey);
    status(1, 8, newKey, true);
    EXPECT_EQ(linkTo("agg-b"), 1U) << "there has to be a link meanwhile";
    up(first);
    const LinkId second = linkTo("agg-b");
    EXPECT_NE(second, 1U);
    EXPECT_EQ(wire.keys.at(second), newKey);
    status(first, 9, "", false, newKey);
    EXPECT_EQ(wire.steps.back(), "adopt");
    up(second);
    connector.onKeyStep(std::string(), now);
    EXPECT_EQ(wire.keys, (std::map<LinkId, std::string>{{first, newKey}, {second, newKey}}));
    EXPECT_EQ(connector.linksUp(), 2U);
}

TEST_F(KeyLinks, ALinkThatDoesNotComeUpHoldsUpTheOthersForAWhileOnly)
{
    untilMade();
    status(0, 8, newKey, true);
    status(1, 8, newKey, true);
    EXPECT_EQ(linkTo("agg-b"), 1U);
    later(limits::keyRetry);
    EXPECT_EQ(wire.keys.at(linkTo("agg-b")), newKey);
}

TEST_F(KeyLinks, AnAggregatorThatHasNotHeardOfTheNewKeyKeepsItsLink)
{
    untilMade();
    status(0, 8, newKey, true);
    up(linkTo("agg-a"));
    EXPECT_EQ(linkTo("agg-b"), 1U);
    EXPECT_EQ(wire.keys.at(1), oldKey);
}

TEST_F(KeyLinks, ALinkThatIsCutWhenTheOldKeyDiedComesBackWithTheNewOne)
{
    untilMade();
    now.mono += limits::keyRetry;
    connector.onFrame(1, {}, now);
    connector.onFrame(0, {}, now);
    status(0, 8, newKey, true);
    up(linkTo("agg-a"));
    connector.onDisconnected(1, now);
    EXPECT_EQ(wire.keys.at(linkTo("agg-b")), newKey);
}

TEST_F(KeyLinks, AfterARestartWithBothKeysWhatIsRefusedIsTriedWithTheOther)
{
    Wire later2;
    Connector restarted{{"s1", {}, LocalPolicy{}, {aggregator("agg-a", '0')}}, later2, bmc, journal, state, rng};
    restarted.loadKeys({oldKey, newKey, "1 7\n"});
    restarted.start(now);
    EXPECT_EQ(later2.keys.at(0), oldKey);
    restarted.onRefused(0, now);
    restarted.onTimer(now);
    EXPECT_EQ(later2.keys.size(), 1U);
    EXPECT_EQ(later2.keys.at(0), oldKey) << "not at once: it would never rest";
    EXPECT_EQ(restarted.nextDeadline(), std::min(restarted.nextDeadline(), now.mono + limits::reconnectMax));
    now.mono += limits::reconnectMax;
    restarted.onTimer(now);
    EXPECT_EQ(later2.keys, (std::map<LinkId, std::string>{{1, newKey}}));
    restarted.onRefused(1, now);
    restarted.onRefused(77, now);
    now.mono += limits::reconnectMax;
    restarted.onTimer(now);
    EXPECT_EQ(later2.keys, (std::map<LinkId, std::string>{{2, oldKey}}));
    EXPECT_GT(restarted.nextDeadline(), now.mono);
}

TEST_F(KeyLinks, ACancelledRotationBringsTheLinksBack)
{
    untilMade();
    status(0, 8, newKey, true);
    up(linkTo("agg-a"));
    status(1, 9, "", false);
    EXPECT_EQ(wire.steps.back(), "drop");
    connector.onKeyStep(std::string(), now);
    EXPECT_EQ(wire.keys.at(linkTo("agg-a")), oldKey);
    EXPECT_EQ(linkTo("agg-b"), 1U);
}

TEST_F(KeyLinks, AnothersWordAboutTheKeyIsNotHeard)
{
    up(0);
    hears(0, {{}, "agg-b", "acme/s1", KeyStatus{1, 7, oldKey, "", true}});
    EXPECT_TRUE(wire.steps.empty());
    EXPECT_EQ(connector.counters().keysForeign, 1U);
}

} // namespace
} // namespace mesh::connector
