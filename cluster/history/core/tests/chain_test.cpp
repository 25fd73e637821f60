#include "cluster/history/core/chain.hpp"

#include <gtest/gtest.h>

namespace mesh::history {

namespace {

AuditRecord sample(const std::string& uri, const std::string& tenant = "acme")
{
    return {WallTime(std::chrono::seconds(1000)), tenant, "admin", "10.0.0.9:4711", "agg-a", "POST", uri,
            std::string(32, 'a'), Phase::intent, 0};
}

// A chain of three for acme, and one of two for the system, as a database would give them.
struct Trail {
    std::vector<StoredAudit> records;
    std::vector<Chain> chains;

    Trail()
    {
        for (const char* tenant : {"acme", ""}) {
            Chain chain{"agg-a", tenant, {}, {}, 0};
            for (int i = 0; i < (*tenant == '\0' ? 2 : 3); ++i) {
                const AuditRecord record = sample("/redfish/v1/" + std::to_string(i), tenant);
                chain.head = linkAfter(chain.head, record);
                records.push_back({records.size() + 1, record, chain.head});
            }
            chains.push_back(chain);
        }
    }
    std::string verify() const
    {
        TrailVerifier verifier(chains);
        for (const StoredAudit& stored : records) {
            if (auto broken = verifier.take(stored)) {
                return *broken;
            }
        }
        return verifier.finish().value_or("");
    }
};

}  // namespace

TEST(AuditChain, WhatWasStoredIsFoundAsItWas)
{
    EXPECT_EQ(Trail().verify(), "");
}

TEST(AuditChain, EveryFieldOfARecordCounts)
{
    const ChainLink before{7, std::string(64, 'b')};
    const AuditRecord record = sample("/redfish/v1/a");
    const ChainLink link = linkAfter(before, record);
    EXPECT_EQ(link.position, 8U);
    EXPECT_EQ(link.hash.size(), 64U);
    std::vector<AuditRecord> changed(10, record);
    changed[0].time += 1us;
    changed[1].tenant = "beta";
    changed[2].account = "root";
    changed[3].client = "10.0.0.8:4711";
    changed[4].node = "agg-b";
    changed[5].method = "PATCH";
    changed[6].uri = "/redfish/v1/b";
    changed[7].request = std::string(32, 'b');
    changed[8].phase = Phase::result;
    changed[9].status = 200;
    for (const AuditRecord& other : changed) {
        EXPECT_NE(linkAfter(before, other).hash, link.hash);
    }
    EXPECT_NE(linkAfter({8, before.hash}, record).hash, link.hash);
    EXPECT_NE(linkAfter({7, std::string(64, 'c')}, record).hash, link.hash);
}

TEST(AuditChain, FieldsCannotLendBytesToEachOther)
{
    AuditRecord one = sample("/a");
    AuditRecord other = one;
    one.method = "POST/";
    one.uri = "a";
    EXPECT_NE(linkAfter({}, one).hash, linkAfter({}, other).hash);
}

TEST(AuditChain, AChangedRecordIsNamed)
{
    Trail trail;
    trail.records[1].record.account = "somebody";
    EXPECT_EQ(trail.verify(), "record 2 of agg-a for tenant acme is not as it was stored");
}

TEST(AuditChain, ARemovedRecordIsNamed)
{
    Trail trail;
    trail.records.erase(trail.records.begin() + 1);
    EXPECT_EQ(trail.verify(), "record 2 of agg-a for tenant acme is missing");
}

TEST(AuditChain, RecordsMissingAtTheEndAreNamed)
{
    Trail trail;
    trail.records.pop_back();
    EXPECT_EQ(trail.verify(), "record 2 of agg-a for the system is missing, and all behind it");
}

TEST(AuditChain, ARecordThatIsThereTwiceIsNamed)
{
    Trail trail;
    trail.records.insert(trail.records.begin() + 1, trail.records[0]);
    EXPECT_EQ(trail.verify(), "record 1 of agg-a for tenant acme is there twice, or out of order");
}

TEST(AuditChain, AChainMadeAnewBehindAChangeDoesNotEndAsItDid)
{
    Trail trail;
    trail.records[0].record.account = "somebody";
    ChainLink last;
    for (std::size_t i = 0; i < 3; ++i) {
        last = linkAfter(last, trail.records[i].record);
        trail.records[i].link = last;
    }
    EXPECT_EQ(trail.verify(), "record 3 of agg-a for tenant acme is not the one that was stored last");
}

TEST(AuditChain, RetentionLeavesAChainThatIsWhole)
{
    Trail trail;
    trail.chains[0].floor = trail.records[1].link;
    trail.records.erase(trail.records.begin(), trail.records.begin() + 2);
    EXPECT_EQ(trail.verify(), "");
}

TEST(AuditChain, WhatWasStoredWhileTheChainWasReadBelongsToIt)
{
    Trail trail;
    const AuditRecord later = sample("/redfish/v1/later");
    trail.records.push_back({6, later, linkAfter(trail.chains[0].head, later)});
    const AuditRecord first = sample("/redfish/v1/first", "beta");
    trail.records.push_back({7, first, linkAfter({}, first)});
    EXPECT_EQ(trail.verify(), "");
    trail.records[5].record.status = 200;
    EXPECT_EQ(trail.verify(), "record 4 of agg-a for tenant acme is not as it was stored");
}

TEST(AuditText, WhatIsNotPrintableIsWrittenOut)
{
    EXPECT_EQ(plainText("J\xc3\xb6rg Smith\n", 100), "J%C3%B6rg%20Smith%0A");
    EXPECT_EQ(plainText(std::string_view("a\0b", 3), 100), "a%00b");
    EXPECT_EQ(plainText("/redfish/v1/Systems", 8), "/redfish");
    EXPECT_EQ(plainText("ab\n", 4), "ab");
}

}  // namespace mesh::history
