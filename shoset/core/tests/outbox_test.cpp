#include "shoset/core/tests/outbox_fixture.hpp"

namespace mesh::shoset {
namespace {

using Texts = std::vector<std::string>;

TEST_F(OutboxTest, AnEventIsAcceptedWhenItIsOnDiskAndNotBefore)
{
    begin();
    EXPECT_EQ(emit("sensor.fan", R"({"rpm":0})"), "");
    EXPECT_TRUE(accepted.empty());
    EXPECT_EQ(outbox->from(1), nullptr) << "what is not on disk is not sent";
    settle();
    ASSERT_EQ(accepted.size(), 1U);
    EXPECT_EQ(accepted[0], std::make_pair(std::uint64_t{1}, std::uint64_t{1}));
    const Outbox::Entry* entry = outbox->from(1);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->event.epoch, outbox->epoch());
    EXPECT_EQ(entry->event.topic, "sensor.fan");
    EXPECT_EQ(entry->event.name, "n");
    EXPECT_EQ(entry->payload, R"({"rpm":0})");
    EXPECT_EQ(outbox->from(2), nullptr);
}

TEST_F(OutboxTest, WhatComesWhileOneSyncRunsSharesTheNextWhichIsNotEarlierThanThePause)
{
    begin();
    later(1s);
    const int before = disk.writes;
    emit();
    EXPECT_EQ(disk.writes, before + 1) << "the first one waits for nothing";
    for (int i = 0; i < 99; ++i) {
        emit();
    }
    written();
    EXPECT_EQ(accepted.size(), 1U);
    EXPECT_FALSE(disk.write.has_value());
    EXPECT_EQ(outbox->nextDeadline(), now.mono + limits::outboxPause);
    later(limits::outboxPause);
    written();
    EXPECT_EQ(accepted.size(), 100U);
    EXPECT_EQ(disk.writes, before + 2);
    EXPECT_EQ(outbox->nextDeadline(), never);
}

TEST_F(OutboxTest, AFullOutboxRefusesAndKeepsWhatItAccepted)
{
    settings.maxBytes = 4000;
    restart();
    begin();
    const std::string payload(300, '1');
    std::vector<std::string> codes;
    for (int i = 0; i < 14; ++i) {
        codes.push_back(emit("t" + std::to_string(i), payload));
        settle();
    }
    EXPECT_EQ(std::count(codes.begin(), codes.end(), ""), 11);
    EXPECT_EQ(codes.back(), "outbox_full");
    EXPECT_EQ(outbox->counters().refusedFull, 3U);
    EXPECT_LE(outbox->bytes(), 4000U);
    EXPECT_EQ(sent().size(), 11U);
    outbox->trim(1);
    EXPECT_EQ(emit("x", payload), "");
}

TEST_F(OutboxTest, OneNoisyTopicDoesNotFillTheWholeOutbox)
{
    settings.maxBytes = 8000;
    restart();
    begin();
    int taken = 0;
    while (emit("noisy", std::string(100, '1')).empty()) {
        ++taken;
    }
    EXPECT_GT(taken, 20);
    EXPECT_LE(outbox->bytes(), 4000U);
    EXPECT_EQ(outbox->counters().refusedTopicFull, 1U);
    EXPECT_EQ(emit("quiet"), "");
    settle();
    outbox->trim(2);
    EXPECT_EQ(emit("noisy", std::string(100, '1')), "") << "what was trimmed counts no more";
}

TEST_F(OutboxTest, TheDailyBytesStretchThePausesFirstAndThenRefuseUntilSomeAreEarned)
{
    settings.dailyBytes = 1024 * 1024;
    restart();
    begin();
    later(1s);
    int before = 0;
    for (emit(); disk.write && before < 1000; ++before) {
        written();
        later(limits::outboxPause);
        emit();
    }
    EXPECT_GT(before, 20);
    EXPECT_EQ(outbox->nextDeadline(), now.mono - limits::outboxPause + limits::outboxSlowPauseMax);
    std::string code;
    for (int i = 0; i < 1000 && code.empty(); ++i) {
        code = emit("t" + std::to_string(i), std::string(20000, '1'));
        settle();
    }
    EXPECT_EQ(code, "write_budget");
    EXPECT_EQ(outbox->counters().refusedBudget, 1U);
    restart();
    EXPECT_EQ(emit("u"), "write_budget") << "a restart earns nothing";
    later(24h);
    EXPECT_EQ(emit("u"), "");
}

TEST_F(OutboxTest, AnEpochBeginsWhenTheFirstAggregatorHasToldAndIsOnDiskBeforeAnythingIsSent)
{
    emit("t", "1");
    settle();
    EXPECT_EQ(accepted.size(), 1U) << "it is safe, whoever is linked";
    EXPECT_EQ(outbox->epoch(), 0U);
    EXPECT_TRUE(sent().empty());
    later(1s);
    outbox->renew(0, now);
    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(outbox->epoch(), 0U);
    written();
    EXPECT_EQ(outbox->epoch(), static_cast<std::uint64_t>(toMillis(now.wall)));
    EXPECT_EQ(sent(), Texts{"1"});
    const std::uint64_t epoch = outbox->epoch();
    restart();
    EXPECT_EQ(outbox->epoch(), epoch);
    EXPECT_EQ(sent(), Texts{"1"});
}

TEST_F(OutboxTest, AnEpochIsHigherThanAnyThatWasToldEvenWhereTheClockIsBehind)
{
    const std::uint64_t far = static_cast<std::uint64_t>(toMillis(now.wall)) + limits::maxEpochAhead;
    begin(far);
    EXPECT_EQ(outbox->epoch(), far + 1);
    for (const std::uint64_t lie : {far + 1 + 1, limits::maxEventNumber, std::numeric_limits<std::uint64_t>::max()}) {
        outbox->renew(lie, now);
        EXPECT_FALSE(outbox->isRenewing()) << "in the end there would be none higher";
    }
    outbox->renew(far + 1, now);
    EXPECT_TRUE(outbox->isRenewing()) << "this one is its own";
}

TEST_F(OutboxTest, WhatWaitsGetsNewSequencesInANewEpochAndNothingIsLostInBetween)
{
    begin();
    for (const char* payload : {"1", "2", "3"}) {
        emit("t", payload);
    }
    settle();
    outbox->trim(1);
    later(1s);
    emit("t", "4");
    outbox->renew(outbox->epoch(), now);
    emit("t", "5");
    written();
    EXPECT_TRUE(sent().empty()) << "what was told of the old epoch would be told again";
    settle();
    EXPECT_EQ(sent(), (Texts{"2", "3", "4", "5"}));
    EXPECT_EQ(outbox->from(1)->event.sequence, 1U);
    EXPECT_EQ(outbox->last(), 4U);
    EXPECT_EQ(disk.files.size(), 1U);
    restart();
    EXPECT_EQ(sent(), (Texts{"2", "3", "4", "5"}));
}

TEST_F(OutboxTest, ANewEpochThatCannotBeWrittenIsTriedAgain)
{
    begin();
    emit("t", "1");
    settle();
    const std::uint64_t epoch = outbox->epoch();
    later(1s);
    outbox->renew(epoch + 5, now);
    written(false);
    EXPECT_EQ(outbox->epoch(), epoch);
    settle();
    EXPECT_GT(outbox->epoch(), epoch + 5);
    EXPECT_EQ(sent(), Texts{"1"});
}

TEST_F(OutboxTest, WhatCannotBeWrittenIsRefusedAndItsSequenceIsGivenToAnother)
{
    begin();
    emit("t", "1");
    settle();
    later(1s);
    emit("t", "2");
    emit("t", "3");
    written(false);
    EXPECT_EQ(refused, (std::vector<std::pair<std::uint64_t, std::string>>{{2, "not_stored"}}));
    settle();
    EXPECT_EQ(sent(), (Texts{"1", "3"}));
    EXPECT_EQ(accepted.back(), std::make_pair(std::uint64_t{3}, std::uint64_t{2}));
    restart();
    EXPECT_EQ(sent(), (Texts{"1", "3"}));
    EXPECT_EQ(outbox->counters().notStored, 0U);
}

TEST_F(OutboxTest, WhatWasRefusedAsItCouldNotBeSyncedDoesNotComeAfterARestart)
{
    begin();
    emit("t", "1");
    settle();
    later(1s);
    emit("t", "2");
    ASSERT_TRUE(disk.write.has_value());
    disk.reach(disk.write->bytes.size());  // it may be there all the same
    outbox->onWritten(Error{Code::ioError, "input/output error"}, now);
    EXPECT_EQ(refused.size(), 1U);
    EXPECT_EQ(sent(), Texts{"1"});
    EXPECT_LE(outbox->nextDeadline(), now.mono + limits::outboxRetryPause) << "nobody emits anything, and still the disk has to know";
    later(limits::outboxRetryPause);
    ASSERT_TRUE(disk.write.has_value());
    EXPECT_TRUE(disk.write->fresh);
    const std::uint64_t before = outbox->counters().bytesWritten;
    written(false);
    later(limits::outboxRetryPause);
    written();
    EXPECT_GT(outbox->counters().bytesWritten, before);
    EXPECT_EQ(outbox->nextDeadline(), never) << "once is enough";
    restart();
    EXPECT_EQ(sent(), Texts{"1"});
    emit("t", "3");
    settle();
    EXPECT_EQ(accepted.back(), std::make_pair(tickets, std::uint64_t{2}));
}

TEST_F(OutboxTest, ADiskThatFailsForLongCostsNoBudget)
{
    settings.dailyBytes = 20 * limits::flashPageBytes;
    restart();
    begin();
    later(1s);
    emit("t", "1");
    written(false);
    for (int i = 0; i < 100; ++i) {
        later(limits::outboxRetryPause);
        if (disk.write) {
            written(false);
        }
    }
    later(limits::outboxRetryPause);
    settle();
    EXPECT_EQ(emit("t", "2"), "");
}

TEST_F(OutboxTest, NothingIsDroppedByAgeUnlessThatIsConfigured)
{
    begin();
    emit("t", "1");
    settle();
    later(24h * 400);
    EXPECT_EQ(sent(), Texts{"1"});
}

TEST_F(OutboxTest, WhatIsTooOldIsReplacedByAGapThatIsOnDiskBeforeItIsTold)
{
    settings.maxAge = 1h;
    restart();
    begin();
    emit("t", "1");
    emit("t", "2");
    settle();
    later(40min);
    emit("t", "3");
    settle();
    later(30min);
    EXPECT_TRUE(sent().empty()) << "the gap is being written";
    written();
    EXPECT_EQ(sent(), (Texts{"1-2", "3"}));
    EXPECT_EQ(outbox->counters().lostByAge, 2U);
    EXPECT_EQ(outbox->size(), 1U);
    restart();
    EXPECT_EQ(sent(), (Texts{"1-2", "3"}));
    later(2h);
    settle();
    EXPECT_EQ(sent(), Texts{"1-3"});
    restart();
    EXPECT_EQ(sent(), Texts{"1-3"});
    outbox->trim(3);
    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(outbox->nextDeadline(), never);
}

TEST_F(OutboxTest, TheLastOneWhichAMajorityHasIsNoLossWhenItIsTooOld)
{
    settings.maxAge = 1h;
    restart();
    begin();
    emit("t", "1");
    emit("t", "2");
    settle();
    outbox->trim(2, true);
    EXPECT_EQ(outbox->size(), 1U);
    ASSERT_NE(outbox->from(1), nullptr);
    EXPECT_EQ(outbox->from(1)->event.sequence, 2U);
    later(30min);
    emit("t", "3");
    settle();
    later(40min);
    settle();
    ASSERT_NE(outbox->from(1), nullptr);
    EXPECT_EQ(outbox->from(1)->payload, "3") << "no gap is before it";
    EXPECT_EQ(outbox->counters().lostByAge, 0U);
    EXPECT_EQ(outbox->counters().trimmed, 2U);
    later(40min);
    settle();
    ASSERT_NE(outbox->from(1), nullptr);
    EXPECT_EQ(outbox->from(1)->event.lostTo, 3U) << "which no majority has";
    EXPECT_EQ(outbox->from(1)->event.sequence, 3U);
    EXPECT_EQ(outbox->counters().lostByAge, 1U);
}

TEST_F(OutboxTest, WhatAMajorityHadInAnEarlierEpochDoesNotCountInTheNext)
{
    settings.maxAge = 1h;
    restart();
    begin();
    emit("t", "1");
    emit("t", "2");
    settle();
    outbox->trim(2, true);
    begin(outbox->epoch());
    later(1h);
    settle();
    ASSERT_NE(outbox->from(1), nullptr);
    EXPECT_EQ(outbox->from(1)->event.lostTo, 1U) << "the one that was kept is another now";
}

}  // namespace
}  // namespace mesh::shoset
