#include "shoset/core/journal.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mesh::shoset {
namespace {

MessageId idAt(std::int64_t millis, std::uint64_t seed = 1)
{
    SeededRng rng(seed);
    return MessageId::make(WallTime{std::chrono::milliseconds(millis)}, rng);
}

void expectSame(const Journal& a, const Journal& b, const std::vector<MessageId>& ids)
{
    EXPECT_EQ(a.size(), b.size());
    for (const MessageId& id : ids) {
        const auto left = a.find(id);
        const auto right = b.find(id);
        ASSERT_EQ(left.has_value(), right.has_value()) << id.hex();
        if (left) {
            EXPECT_EQ(left->finished, right->finished) << id.hex();
            EXPECT_EQ(left->status, right->status) << id.hex();
        }
        EXPECT_EQ(a.isBelowFloor(id), b.isBelowFloor(id)) << id.hex();
    }
}

TEST(Journal, RemembersWhatWasBegunAndHowItEnded)
{
    Journal journal;
    const MessageId id = idAt(1700000000000);
    EXPECT_FALSE(journal.find(id).has_value());
    EXPECT_EQ(journal.begin(id), "B " + id.hex() + "\n");
    ASSERT_TRUE(journal.find(id).has_value());
    EXPECT_FALSE(journal.find(id)->finished);
    EXPECT_EQ(journal.finish(id, 204), "F " + id.hex() + " 204\n");
    ASSERT_TRUE(journal.find(id).has_value());
    EXPECT_TRUE(journal.find(id)->finished);
    EXPECT_EQ(journal.find(id)->status, 204);
    EXPECT_EQ(journal.size(), 1u);
    EXPECT_FALSE(journal.isBelowFloor(id));
}

TEST(Journal, ForgetsWhatWasNotExecuted)
{
    Journal journal;
    journal.begin(idAt(1, 1));
    journal.begin(idAt(1, 2));
    journal.forget(idAt(1, 1));
    EXPECT_FALSE(journal.find(idAt(1, 1)).has_value());
    EXPECT_TRUE(journal.find(idAt(1, 2)).has_value());
    EXPECT_TRUE(journal.compactionDue());
    Journal loaded;
    ASSERT_TRUE(loaded.load(journal.compacted()).ok());
    expectSame(loaded, journal, {idAt(1, 1), idAt(1, 2)});
}

TEST(Journal, WhatWasNotCompactedIsDueUntilItIs)
{
    Journal journal;
    journal.begin(idAt(1));
    EXPECT_FALSE(journal.compactionDue());
    journal.notCompacted();
    EXPECT_TRUE(journal.compactionDue());
    journal.compacted();
    EXPECT_FALSE(journal.compactionDue());
}

TEST(Journal, AnEmptyFileIsAnEmptyJournal)
{
    Journal journal;
    journal.begin(idAt(5));
    ASSERT_TRUE(journal.load("").ok());
    EXPECT_EQ(journal.size(), 0u);
    EXPECT_FALSE(journal.compactionDue());
}

TEST(Journal, EveryPrefixOfAFileLoadsAsItsWholeLines)
{
    Journal writer;
    std::string file;
    std::vector<MessageId> ids;
    for (std::uint64_t i = 0; i < 6; ++i) {
        ids.push_back(idAt(1700000000000 + static_cast<std::int64_t>(i), i));
        file += writer.begin(ids.back());
        if (i % 2 == 0) {
            file += writer.finish(ids.back(), 200 + static_cast<int>(i));
        }
    }
    file = "L 1600000000000\n" + file;
    for (std::size_t length = 0; length <= file.size(); ++length) {
        const std::string prefix = file.substr(0, length);
        const std::string whole = prefix.substr(0, prefix.rfind('\n') == std::string::npos ? 0 : prefix.rfind('\n') + 1);
        Journal torn;
        Journal clean;
        ASSERT_TRUE(torn.load(prefix).ok()) << length;
        ASSERT_TRUE(clean.load(whole).ok()) << length;
        expectSame(torn, clean, ids);
        EXPECT_EQ(torn.size(), static_cast<std::size_t>(std::count(whole.begin(), whole.end(), 'B')));
    }
}

TEST(Journal, NothingMayFollowATornLineSoThatCompactionIsDueAtOnce)
{
    Journal writer;
    const std::string first = writer.begin(idAt(1));
    const std::string second = writer.begin(idAt(2));
    Journal journal;
    ASSERT_TRUE(journal.load(first + second.substr(0, 10)).ok());
    EXPECT_TRUE(journal.compactionDue());
    const std::string rewritten = journal.compacted();
    EXPECT_FALSE(journal.compactionDue());
    Journal again;
    ASSERT_TRUE(again.load(rewritten + journal.begin(idAt(3))).ok());
    EXPECT_FALSE(again.compactionDue());
    expectSame(again, journal, {idAt(1), idAt(2), idAt(3)});
    ASSERT_TRUE(journal.load(first + second).ok());
    EXPECT_FALSE(journal.compactionDue());
}

TEST(Journal, ALineThatDoesNotParseIsNamedByItsNumber)
{
    const std::string id = idAt(5).hex();
    const std::vector<std::string> bad{
        "",          "B",
        "B ",        "B " + id.substr(1),
        "B" + id,    "B " + id + " ",
        "F " + id,   "F " + id + " ",
        "F " + id + "x200", "F " + id + " x",
        "F " + id + " 2x0", "F " + id + " 99999999999999",
        "L ",        "L x",
        "L 1 ",      "L 99999999999999999999",
        "X " + id,   "b " + id,
        "B g" + id.substr(1), std::string(40, '\0'),
        " B " + id,  "B " + id + "\r",
    };
    for (const std::string& line : bad) {
        for (const std::string& before : {std::string(), "B " + id + "\nL 7\n"}) {
            Journal journal;
            const Result<void> loaded = journal.load(before + line + "\n" + "B " + id + "\n");
            ASSERT_FALSE(loaded.ok()) << line;
            EXPECT_EQ(loaded.error().code, Code::corrupt);
            EXPECT_EQ(loaded.error().message.substr(0, 8), before.empty() ? "line 1: " : "line 3: ") << loaded.error().message;
        }
    }
}

TEST(Journal, ADamagedByteInTheMiddleIsNeverTakenForAnotherCommandsEnd)
{
    Journal writer;
    const MessageId id = idAt(1700000000000);
    const std::string file = writer.begin(id) + writer.finish(id, 200);
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::string damaged = file;
        damaged[at] = '\x01';
        Journal journal;
        if (at + 1 < file.size()) {
            EXPECT_FALSE(journal.load(damaged).ok()) << at;
        } else {
            EXPECT_TRUE(journal.load(damaged).ok());  // the newline of the last line: torn
            EXPECT_FALSE(journal.find(id)->finished);
        }
    }
}

TEST(Journal, WhatFallsOutRaisesTheFloorAndIsRefusedFromThenOn)
{
    Journal journal;
    const auto count = static_cast<std::int64_t>(limits::maxJournalEntries);
    for (std::int64_t i = 1; i <= count; ++i) {
        journal.begin(idAt(1000 + i, static_cast<std::uint64_t>(i)));
    }
    EXPECT_EQ(journal.size(), limits::maxJournalEntries);
    EXPECT_FALSE(journal.isBelowFloor(idAt(1000 + 1, 77)));
    EXPECT_FALSE(journal.isBelowFloor(idAt(1, 77)));
    journal.begin(idAt(1000 + count + 1));
    EXPECT_EQ(journal.size(), limits::maxJournalEntries);
    EXPECT_FALSE(journal.find(idAt(1001, 1)).has_value());
    EXPECT_TRUE(journal.isBelowFloor(idAt(1001, 1)));
    EXPECT_TRUE(journal.isBelowFloor(idAt(1001, 77)));
    EXPECT_TRUE(journal.isBelowFloor(idAt(1, 77)));
    EXPECT_FALSE(journal.isBelowFloor(idAt(1002, 2)));
    EXPECT_TRUE(journal.find(idAt(1002, 2)).has_value());
}

TEST(Journal, AnIdOlderThanAllOfAFullJournalIsRefusedTheSecondTime)
{
    Journal journal;
    for (std::size_t i = 0; i < limits::maxJournalEntries; ++i) {
        journal.begin(idAt(5000 + static_cast<std::int64_t>(i), i));
    }
    const MessageId old = idAt(10);
    EXPECT_FALSE(journal.isBelowFloor(old));
    journal.begin(old);
    EXPECT_TRUE(journal.find(old).has_value() || journal.isBelowFloor(old));
}

// Real ids: the high bit of each byte of their time comes and goes.
std::string randomHistory(Journal& journal, std::vector<MessageId>& ids, std::size_t count)
{
    SeededRng rng(17);
    std::string file;
    std::int64_t millis = 1699999999000;
    for (std::size_t i = 0; i < count; ++i) {
        millis += static_cast<std::int64_t>(rng.below(50));
        ids.push_back(MessageId::make(WallTime{std::chrono::milliseconds(millis - static_cast<std::int64_t>(rng.below(2000)))}, rng));
        file += journal.begin(ids.back());
        if (rng.below(3) != 0) {
            file += journal.finish(ids[ids.size() - 1 - rng.below(std::min<std::size_t>(ids.size(), 5))], static_cast<int>(rng.below(600)));
        }
    }
    return file;
}

TEST(Journal, TheFileAloneGivesTheSameJournalAlsoAfterEvictions)
{
    Journal journal;
    std::vector<MessageId> ids;
    const std::string file = randomHistory(journal, ids, 3 * limits::maxJournalEntries);
    Journal loaded;
    ASSERT_TRUE(loaded.load(file).ok());
    EXPECT_EQ(loaded.size(), limits::maxJournalEntries);
    expectSame(loaded, journal, ids);
}

TEST(Journal, KeepsTheNewestAndKnowsOrRefusesEveryOther)
{
    Journal journal;
    std::vector<MessageId> ids;
    randomHistory(journal, ids, 3 * limits::maxJournalEntries);
    std::vector<MessageId> sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const bool newest = i >= sorted.size() - limits::maxJournalEntries;
        ASSERT_EQ(journal.find(sorted[i]).has_value(), newest) << i;
        ASSERT_TRUE(newest || journal.isBelowFloor(sorted[i])) << i;
    }
}

TEST(Journal, CompactionGivesAnEqualJournalAndIsDueAfterAMultiple)
{
    Journal journal;
    std::vector<MessageId> ids;
    for (std::size_t lines = 0; !journal.compactionDue(); ++lines) {
        ASSERT_LE(lines, 8 * limits::maxJournalEntries);
        ids.push_back(idAt(1000 + static_cast<std::int64_t>(lines), lines));
        journal.begin(ids.back());
        if (lines % 3 == 0) {
            journal.finish(ids.back(), 201);
        }
    }
    const std::string compact = journal.compacted();
    EXPECT_FALSE(journal.compactionDue());
    Journal loaded;
    ASSERT_TRUE(loaded.load(compact).ok());
    EXPECT_FALSE(loaded.compactionDue());
    expectSame(loaded, journal, ids);
    EXPECT_EQ(loaded.compacted(), compact);
}

}  // namespace
}  // namespace mesh::shoset
