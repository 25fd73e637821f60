#include "connector/core/tests/connector_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

using shoset::AggregatorAddress;
using shoset::Aggregators;
using Addresses = std::vector<AggregatorAddress>;

const AggregatorAddress a = aggregator("agg-a", '0');
const AggregatorAddress b = aggregator("agg-b", '1');
const AggregatorAddress c = aggregator("agg-c", '2');
const AggregatorAddress d = aggregator("agg-d", '3');

TEST(Contacts, AreTheConfiguredOnesUntilAListWasTold)
{
    Contacts contacts({a, b});
    EXPECT_EQ(contacts.toDial(false), (Addresses{a, b}));
    EXPECT_EQ(contacts.take({1, 5, {b, c}}), Contacts::Taken::newer);
    EXPECT_EQ(contacts.toDial(false), (Addresses{b, c}));
    EXPECT_TRUE(contacts.isListed(c));
    EXPECT_FALSE(contacts.isListed(a));
}

TEST(Contacts, AreOrderedByGenerationThenRevision)
{
    Contacts contacts({a});
    EXPECT_EQ(contacts.take({2, 5, {a}}), Contacts::Taken::newer);
    EXPECT_EQ(contacts.take({2, 5, {b}}), Contacts::Taken::known);
    EXPECT_EQ(contacts.take({2, 4, {b}}), Contacts::Taken::older);
    EXPECT_EQ(contacts.take({1, 900, {b}}), Contacts::Taken::older);
    EXPECT_EQ(contacts.toDial(false), Addresses{a});
    EXPECT_EQ(contacts.take({3, 1, {b}}), Contacts::Taken::newer);
    EXPECT_EQ(contacts.toDial(false), Addresses{b});
}

TEST(Contacts, AMalformedEntryRefusesTheWholeList)
{
    Contacts contacts({a});
    AggregatorAddress bad = c;
    bad.key = "short";
    EXPECT_EQ(contacts.take({1, 5, {b, bad}}), Contacts::Taken::malformed);
    EXPECT_EQ(contacts.take({1, 5, {}}), Contacts::Taken::malformed) << "nobody would be left";
    EXPECT_FALSE(contacts.hasList());
    EXPECT_EQ(contacts.toDial(false), Addresses{a});
}

TEST(Contacts, TheReserveIsWhatIsConfiguredAndWasNotRemoved)
{
    AggregatorAddress otherWay = a;
    otherWay.endpoint = "tcp://mesh.example:5670";
    Contacts contacts({otherWay, b});
    ASSERT_EQ(contacts.take({1, 5, {a, c}}), Contacts::Taken::newer);
    EXPECT_EQ(contacts.toDial(false), (Addresses{a, c}));
    EXPECT_EQ(contacts.toDial(true), (Addresses{a, c, otherWay})) << "agg-b was removed";
    ASSERT_EQ(contacts.take({1, 6, {a, b}}), Contacts::Taken::newer);
    ASSERT_EQ(contacts.take({1, 7, {c}}), Contacts::Taken::newer);
    EXPECT_EQ(contacts.toDial(true), Addresses{c}) << "all that is configured was removed; those of the list are dialled on";
}

TEST(Contacts, AListAndWhatItRemovedOutliveARestart)
{
    Contacts before({a, b});
    ASSERT_EQ(before.take({1, 5, {b, c}}), Contacts::Taken::newer);
    Contacts after({a, b});
    ASSERT_TRUE(after.load(before.content()));
    EXPECT_EQ(after.toDial(false), (Addresses{b, c}));
    EXPECT_EQ(after.toDial(true), (Addresses{b, c}));
    EXPECT_EQ(after.take({1, 4, {a}}), Contacts::Taken::older);

    AggregatorAddress moved = a;
    moved.endpoint = "tcp://10.9.9.9:5670";
    Contacts edited({moved, d});
    ASSERT_TRUE(edited.load(before.content()));
    EXPECT_EQ(edited.toDial(true), (Addresses{b, c, moved, d})) << "an operator who changes the file is heard";
}

TEST(Contacts, ADamagedFileLeavesTheConfiguredOnes)
{
    Contacts whole({a});
    ASSERT_EQ(whole.take({1, 5, {b}}), Contacts::Taken::newer);
    std::vector<std::string> damaged{"{", "[]", "{}", "null", whole.content().substr(3)};
    for (const auto& [from, to] : std::map<std::string, std::string>{
             {"\"generation\": 1", "\"generation\": -1"}, {"\"revision\": 5", "\"revision\": \"5\""}, {"tcp://", "ipc://"},
             {"\"name\"", "\"nome\""}, {"forgotten", "forgot"}, {"agg-b", "agg b"}}) {
        std::string content = whole.content();
        ASSERT_NE(content.find(from), std::string::npos) << from;
        damaged.push_back(content.replace(content.find(from), from.size(), to));
    }
    for (const std::string& content : damaged) {
        Contacts contacts({a});
        const Result<void> loaded = contacts.load(content);
        ASSERT_FALSE(loaded.ok()) << content;
        EXPECT_EQ(loaded.error().code, Code::corrupt);
        EXPECT_EQ(contacts.toDial(false), Addresses{a});
    }
}

struct ContactsTest : ConnectorTest {
    void onDisk()
    {
        state.written();
        connector.onSaved(StateFile::aggregators, {}, now);
    }
    // Nobody answers for so long.
    void alone(Duration time)
    {
        now.mono += time;
        connector.onTimer(now);
    }
    bool saidBye(LinkId link)
    {
        const std::vector<shoset::Message> messages = take(link);
        return std::any_of(messages.begin(), messages.end(),
                           [](const shoset::Message& message) { return std::holds_alternative<shoset::Bye>(message.content); });
    }
};

TEST_F(ContactsTest, ANewAggregatorIsDialledAndTheListIsSaved)
{
    up(0);
    told(0, {1, 5, {a, b, c}});
    EXPECT_EQ(dialled(), (Addresses{a, b, c}));
    EXPECT_EQ(linkTo("agg-a"), 0U) << "who stays keeps its link";
    up(linkTo("agg-c"));
    EXPECT_EQ(connector.linksUp(), 2U);
    ASSERT_EQ(state.waiting.size(), 1U);
    EXPECT_EQ(state.waiting[0].first, StateFile::aggregators);
    EXPECT_EQ(connector.counters().listsTaken, 1U);
}

TEST_F(ContactsTest, ARemovedAggregatorIsToldByeAndForgotten)
{
    up(0);
    up(1);
    take(1);
    told(0, {1, 5, {a, c}});
    EXPECT_EQ(dialled(), (Addresses{a, c}));
    EXPECT_TRUE(saidBye(1));
    EXPECT_EQ(connector.linksUp(), 1U);
    connector.onFrame(1, "late", now);
    connector.onConnected(1, now);
    connector.onDisconnected(1, now);
    EXPECT_EQ(connector.linksUp(), 1U);
}

TEST_F(ContactsTest, AnAggregatorMayTakeItselfOffTheList)
{
    up(0);
    up(1);
    take(0);
    told(0, {1, 5, {b}});
    EXPECT_EQ(dialled(), Addresses{b});
    EXPECT_TRUE(saidBye(0));
}

TEST_F(ContactsTest, AnOlderListAndAMalformedOneChangeNothing)
{
    up(0);
    told(0, {2, 5, {a, b, c}});
    told(0, {2, 4, {a}});
    told(0, {1, 99, {a}});
    told(0, {3, 1, {a, aggregator("agg-d", '~')}});
    EXPECT_EQ(dialled(), (Addresses{a, b, c}));
    EXPECT_EQ(connector.counters().listsOlder, 2U);
    EXPECT_EQ(connector.counters().listsMalformed, 1U);
    EXPECT_EQ(connector.counters().listsTaken, 1U);
}

TEST_F(ContactsTest, AListIsTakenFromTheAggregatorItselfOnly)
{
    up(0);
    hears(0, {{}, "agg-b", "acme/s1", Aggregators{1, 5, {c}}});
    told(1, {1, 5, {c}});  // not linked
    EXPECT_EQ(dialled(), (Addresses{a, b}));
    EXPECT_EQ(connector.counters().listsForeign, 1U);
    EXPECT_TRUE(state.waiting.empty());
}

TEST_F(ContactsTest, AtTheNextStartTheSavedListIsDialled)
{
    up(0);
    told(0, {1, 5, {b, c}});
    onDisk();
    Wire later;
    FakeState stateLater;
    Connector restarted{{"s1", {}, LocalPolicy{}, {a, b}}, later, bmc, journal, stateLater, rng};
    ASSERT_TRUE(restarted.loadAggregators(state.files[StateFile::aggregators]));
    restarted.start(now);
    ASSERT_EQ(later.dialled.size(), 2U);
    EXPECT_EQ(later.dialled[0], b);
    EXPECT_EQ(later.dialled[1], c);
}

TEST_F(ContactsTest, WhileNobodyOfTheListAnswersTheConfiguredOnesAreDialledToo)
{
    AggregatorAddress elsewhere = a;
    elsewhere.endpoint = "tcp://10.0.0.77:5670";
    up(0);
    told(0, {1, 5, {elsewhere, c}});
    EXPECT_EQ(dialled(), (Addresses{a, elsewhere, c})) << "agg-a stays as it was until one of the list is linked";
    up(linkTo("agg-c"));
    EXPECT_EQ(dialled(), (Addresses{elsewhere, c}));
    connector.onDisconnected(linkTo("agg-c"), now);
    alone(limits::contactPatience - 1ms);
    EXPECT_EQ(dialled(), (Addresses{elsewhere, c}));
    EXPECT_LE(connector.nextDeadline(), now.mono + 1ms);
    alone(1ms);
    EXPECT_EQ(dialled(), (Addresses{elsewhere, c, a}));
    up(wire.dialled.rbegin()->first);
    alone(50ms);
    EXPECT_EQ(dialled(), (Addresses{elsewhere, c, a})) << "the only one that answers stays";
    up(linkTo("agg-c"));
    EXPECT_EQ(dialled(), (Addresses{elsewhere, c}));
}

TEST_F(ContactsTest, ARemovedOneIsNotDialledHoweverLongNobodyAnswers)
{
    up(0);
    told(0, {1, 5, {c, d}});
    EXPECT_EQ(dialled(), (Addresses{c, d}));
    alone(10 * limits::contactPatience);
    EXPECT_EQ(dialled(), (Addresses{c, d}));
}

TEST_F(ContactsTest, AListThatCouldNotBeSavedIsInForceAndSavedWhenItIsToldAgain)
{
    up(0);
    const Aggregators list{1, 5, {a, b, c}};
    told(0, list);
    state.waiting.clear();
    connector.onSaved(StateFile::aggregators, Error{Code::ioError, "no space"}, now);
    EXPECT_EQ(dialled(), (Addresses{a, b, c}));
    EXPECT_EQ(connector.counters().listsNotSaved, 1U);
    EXPECT_TRUE(state.waiting.empty());
    told(0, list);
    onDisk();
    told(0, list);
    EXPECT_TRUE(state.waiting.empty());
}

TEST_F(ContactsTest, OneListIsWrittenAtATimeAndTheLastOneWins)
{
    up(0);
    told(0, {1, 5, {a, b}});
    told(0, {1, 6, {a, c}});
    told(0, {1, 7, {a, d}});
    ASSERT_EQ(state.waiting.size(), 1U);
    onDisk();
    ASSERT_EQ(state.waiting.size(), 1U);
    onDisk();
    EXPECT_TRUE(state.waiting.empty());
    Contacts saved({});
    ASSERT_TRUE(saved.load(state.files[StateFile::aggregators]));
    EXPECT_EQ(saved.toDial(false), (Addresses{a, d}));
}

}  // namespace
}  // namespace mesh::connector
