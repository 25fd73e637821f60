#include "shoset/core/tests/outbox_fixture.hpp"

#include "shoset/base/tests/effort.hpp"
#include "shoset/core/outbox_records.hpp"

#include <set>

namespace mesh::shoset {
namespace {

using Texts = std::vector<std::string>;

struct OutboxFilesTest : OutboxTest {
    void SetUp() override
    {
        OutboxTest::SetUp();
        begin();
    }
    void put(const std::string& payload)
    {
        emit("t", payload);
        settle();
        later(1s);
    }
    // Fills up the file that is being appended to, so that the next event begins another one.
    void fillFile(char with = '0')
    {
        const std::size_t files = disk.files.size();
        while (disk.files.size() == files) {
            put(std::string(40000, with));
        }
    }
    std::string& newest() { return disk.files.rbegin()->second; }
};

TEST_F(OutboxFilesTest, ARestartGoesOnWhereItWas)
{
    put("1");
    put("2");
    put("3");
    outbox->trim(1);
    restart();
    EXPECT_EQ(outbox->last(), 3U);
    put("4");
    EXPECT_EQ(accepted.back().second, 4U);
    restart();
    EXPECT_EQ(sent(), (Texts{"1", "2", "3", "4"})) << "what was trimmed in a file that is needed comes again, and does no harm";
}

TEST_F(OutboxFilesTest, FilesOfWhichAMajorityHasAllAreRemovedAndTheLastOneStays)
{
    for (int i = 0; i < 3; ++i) {
        fillFile();
    }
    ASSERT_EQ(disk.files.size(), 4U);
    const std::uint64_t last = outbox->last();
    outbox->trim(last - 1);
    EXPECT_EQ(disk.files.size(), 1U);
    outbox->trim(last);
    EXPECT_EQ(disk.files.size(), 1U);
    EXPECT_EQ(outbox->size(), 0U);
    restart();
    outbox->trim(last);
    put("x");
    EXPECT_EQ(accepted.back().second, last + 1) << "a sequence is never used again";
    EXPECT_EQ(disk.files.size(), 1U);
}

TEST_F(OutboxFilesTest, TheLastFileStaysUntilTheNextOneIsOnDisk)
{
    fillFile();
    ASSERT_TRUE(restarted().ok());
    const std::uint64_t epoch = outbox->epoch();
    const std::uint64_t last = outbox->last();
    later(1s);
    emit("t", "next");
    ASSERT_TRUE(disk.write && disk.write->fresh);
    outbox->trim(last);
    ASSERT_TRUE(restarted().ok()) << "it never came to the disk";
    EXPECT_EQ(outbox->epoch(), epoch);
    EXPECT_EQ(outbox->last(), last);
}

TEST_F(OutboxFilesTest, ATornTailIsPassedOverWhereverItIsTorn)
{
    later(1s);
    for (const char* payload : {"1", "2", "3"}) {
        emit("t", payload);
    }
    written();
    const std::string before = newest();
    later(1s);
    ASSERT_TRUE(disk.write.has_value());
    const std::string write = disk.write->bytes;
    for (std::size_t kept = 0; kept < write.size(); ++kept) {
        newest() = before + write.substr(0, kept);
        ASSERT_TRUE(restarted().ok()) << kept;
        ASSERT_EQ(sent(), kept < write.size() / 2 ? Texts{"1"} : (Texts{"1", "2"})) << kept;
        ASSERT_EQ(outbox->last(), sent().size()) << kept;
    }
    newest() = before + std::string(write.size(), '\0');
    ASSERT_TRUE(restarted().ok()) << "the file has grown, its content has not come";
    EXPECT_EQ(sent(), Texts{"1"});
    EXPECT_EQ(outbox->counters().tornBytes, write.size());
    put("4");
    restart();
    EXPECT_EQ(sent(), (Texts{"1", "4"}));
}

TEST_F(OutboxFilesTest, OfAWriteWhoseBeginningDidNotComeNothingCounts)
{
    put("1");
    for (const char* payload : {"2", "3", "4"}) {
        emit("t", payload);
    }
    outbox->onTimer(now);
    written();
    later(1s);
    std::string write = disk.write->bytes;
    write[13] ^= 1;
    newest() += write;
    EXPECT_TRUE(restarted().ok()) << "it was never accepted";
    EXPECT_EQ(sent(), (Texts{"1", "2"}));
}

TEST_F(OutboxFilesTest, DamageOfWhatWasAcceptedIsNamedAndAGapStandsForIt)
{
    for (const char* payload : {"\"one\"", "\"two\"", "\"three\"", "\"four\""}) {
        put(payload);
    }
    newest()[newest().find("two")] = 'T';
    const Result<void> loaded = restarted();
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().code, Code::corrupt);
    EXPECT_EQ(loaded.error().message, "events 2 to 2");
    EXPECT_EQ(sent(), (Texts{"\"one\"", "2-2", "\"three\"", "\"four\""}));
    EXPECT_EQ(outbox->counters().lostByDamage, 1U);
    put("\"five\"");
    restart();
    EXPECT_EQ(sent(), (Texts{"\"one\"", "2-2", "\"three\"", "\"four\"", "\"five\""})) << "the gap is on disk, the damage is not";
    outbox->trim(1);
    EXPECT_EQ(sent()[0], "2-2");
    outbox->renew(outbox->epoch(), now);
    settle();
    restart();
    EXPECT_EQ(sent(), (Texts{"1-1", "\"three\"", "\"four\"", "\"five\""}));
    outbox->trim(4);
    EXPECT_TRUE(sent().empty());
}

TEST_F(OutboxFilesTest, AFileThatIsLostOrCannotBeReadLeavesAGap)
{
    put("1");
    fillFile();
    const std::uint64_t first = outbox->last();
    fillFile();
    const std::uint64_t second = outbox->last();
    put("x");
    auto middle = std::next(disk.files.begin());
    const std::string kept = middle->second;
    middle->second = std::string(100, '\xFF');
    Result<void> loaded = restarted();
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().message.find("file " + std::to_string(middle->first) + " has no beginning"), std::string::npos);
    const std::string gap = std::to_string(first) + "-" + std::to_string(second - 1);
    const Texts all = sent();
    EXPECT_EQ(std::count(all.begin(), all.end(), gap), 1) << testing::PrintToString(all.size());
    disk.files.erase(middle);
    loaded = restarted();
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(sent(), all);
}

TEST_F(OutboxFilesTest, FilesOfAnOlderEpochWereWrittenAnew)
{
    put("1");
    const auto old = disk.files;
    outbox->renew(outbox->epoch(), now);
    settle();
    put("2");
    disk.files.insert(old.begin(), old.end());  // their removal did not reach the disk
    restart();
    EXPECT_EQ(sent(), (Texts{"1", "2"}));
    EXPECT_FALSE(disk.files.contains(old.begin()->first));
}

// Against a list: what was accepted and not trimmed is there after any crash, once and in order, and what was refused is not.
TEST_F(OutboxFilesTest, WithstandsRandomCrashes)
{
    for (int seed = 1; seed <= testRounds(60); ++seed) {
        SeededRng rng(static_cast<std::uint64_t>(seed));
        disk.files.clear();
        accepted.clear();
        refused.clear();
        settings.maxBytes = 300 * 1024;
        restart();
        begin();
        std::map<std::uint64_t, std::string> payloads;  // by ticket
        std::uint64_t trimmed = 0;                      // tickets up to here
        for (int step = 0; step < 400; ++step) {
            const std::uint64_t what = rng.next() % 100;
            if (what < 55) {
                const std::string payload = std::to_string(tickets + 1) + std::string(rng.next() % 3 == 0 ? rng.next() % 9000 : 0, ' ');
                if (emit("t" + std::to_string(rng.next() % 3), payload).empty()) {
                    payloads[tickets] = payload;
                }
            } else if (what < 85) {
                disk.write ? written(rng.next() % 12 != 0) : later(std::chrono::milliseconds(rng.next() % 400));
            } else if (what < 93 && !accepted.empty()) {
                const auto& [ticket, sequence] = accepted[rng.next() % accepted.size()];
                outbox->trim(sequence);
                trimmed = std::max(trimmed, ticket);
            } else if (what < 96) {
                if (disk.write) {
                    disk.reach(rng.next() % (disk.write->bytes.size() + 1));
                }
                ASSERT_TRUE(restarted().ok()) << "seed " << seed << " step " << step;
                refused.clear();  // what of it reached the disk after all counts from now on
            }
            std::map<std::string, int> there;
            for (const std::string& payload : sent()) {
                ++there[payload];
            }
            for (const auto& [ticket, sequence] : accepted) {
                ASSERT_TRUE(ticket <= trimmed || there[payloads[ticket]] == 1) << "seed " << seed << " step " << step << " ticket " << ticket;
            }
            for (const auto& [ticket, code] : refused) {
                ASSERT_EQ(there.count(payloads[ticket]), 0U) << "seed " << seed << " step " << step << " ticket " << ticket;
            }
            const Texts all = sent();
            ASSERT_TRUE(std::is_sorted(all.begin(), all.end(), [](const std::string& a, const std::string& b) {
                return std::stoull(a) < std::stoull(b);
            })) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace
}  // namespace mesh::shoset
