#include "cluster/raft/bytes.hpp"
#include "cluster/raft/entry.hpp"
#include "cluster/raft/peer_message.hpp"
#include "cluster/raft/rpc.hpp"
#include "cluster/raft/tests/cluster.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

std::string preamble(std::uint8_t type, std::uint64_t headerLength)
{
    std::string out;
    putNumber(out, type, 8);
    putNumber(out, headerLength, 8);
    return out;
}

std::string configuration(const std::vector<std::string>& names)
{
    std::string out;
    putNumber(out, 1, 1);
    putNumber(out, names.size(), 8);
    for (std::size_t i = 0; i < names.size(); ++i) {
        putNumber(out, i + 1, 8);
        out += names[i];
        out.append(2, '\0');
        out.back() = 1;
    }
    return out.append((8 - out.size() % 8) % 8, '\0');
}

struct Entry {
    std::uint8_t type;
    std::string bytes;
};
std::string appendEntries(const std::vector<Entry>& entries)
{
    std::string out = preamble(1, 32 + 8 + 16 * entries.size() + 8) + std::string(32, '\1');
    putNumber(out, entries.size(), 8);
    for (const Entry& entry : entries) {
        putNumber(out, 1, 8);
        putNumber(out, entry.type, 4);
        putNumber(out, entry.bytes.size(), 4);
    }
    out.append(8, '\0');
    for (const Entry& entry : entries) {
        out += entry.bytes;
    }
    return out;
}

std::string installSnapshot(const std::string& members, const std::string& state)
{
    std::string out = preamble(5, 40 + members.size() + 16) + std::string(32, '\1');
    putNumber(out, members.size(), 8);
    out += members;
    putNumber(out, state.size(), 8);
    return out + std::string(8, '\0') + state;
}

const std::string eight(8, 'x');

std::string appendResult(std::uint64_t term, std::uint64_t rejected, std::uint64_t lastIndex)
{
    std::string out = preamble(2, 32);
    for (const std::uint64_t number : {term, rejected, lastIndex, std::uint64_t{1}}) {
        putNumber(out, number, 8);
    }
    return out;
}

TEST(RaftRpc, OnlyAnAcceptanceOfThisTermThatAcknowledgesNothingMoreTellsNothingNew)
{
    EXPECT_TRUE(tellsNothingNew(appendResult(4, 0, 17), 4, 17));
    EXPECT_TRUE(tellsNothingNew(appendResult(4, 0, 16), 4, 17));
    EXPECT_FALSE(tellsNothingNew(appendResult(4, 0, 18), 4, 17)) << "it has more of the log";
    EXPECT_FALSE(tellsNothingNew(appendResult(4, 9, 17), 4, 17)) << "it rejects";
    EXPECT_FALSE(tellsNothingNew(appendResult(5, 0, 17), 4, 17)) << "there is a newer term";
    EXPECT_FALSE(tellsNothingNew(appendResult(3, 0, 17), 4, 17));
    EXPECT_FALSE(tellsNothingNew(appendEntries({}), 0x0101010101010101, UINT64_MAX));
    EXPECT_FALSE(tellsNothingNew("", 0, 0));
}

TEST(RaftRpc, EachWholeMessageIsTakenAndNoPartOfIt)
{
    for (const std::string& rpc :
         {preamble(2, 32) + std::string(32, '\0'), preamble(3, 40) + std::string(40, '\0'),
          preamble(4, 24) + std::string(24, '\0'), preamble(6, 24) + std::string(24, '\0'), appendEntries({}),
          appendEntries({{1, eight}, {2, eight}, {3, configuration({"agg-1", "agg-2"})}}),
          installSnapshot(configuration({"agg-1"}), "state")}) {
        const auto checked = checkRpc(rpc);
        EXPECT_TRUE(checked.ok()) << checked.error().message;
        for (std::size_t length = 0; length < rpc.size(); ++length) {
            EXPECT_FALSE(checkRpc(rpc.substr(0, length)).ok()) << length;
        }
        EXPECT_FALSE(checkRpc(rpc + "x").ok());
    }
}

TEST(RaftRpc, WhatLibraftWouldNotSurviveIsRefused)
{
    EXPECT_FALSE(checkRpc(preamble(0, 24) + std::string(24, '\0')).ok());
    EXPECT_FALSE(checkRpc(preamble(7, 24) + std::string(24, '\0')).ok());
    EXPECT_FALSE(checkRpc(preamble(3, 8) + std::string(8, '\0')).ok()) << "a header that is too short";
    EXPECT_FALSE(checkRpc(preamble(3, UINT64_MAX)).ok());
    EXPECT_FALSE(checkRpc(appendEntries({{4, eight}})).ok()) << "an unknown type of entry";
    EXPECT_FALSE(checkRpc(appendEntries({{1, ""}})).ok()) << "an empty entry";
    EXPECT_FALSE(checkRpc(appendEntries({{1, "seven.."}})).ok());
    EXPECT_FALSE(checkRpc(appendEntries({{3, eight}})).ok()) << "no configuration";
    EXPECT_FALSE(checkRpc(appendEntries({{3, configuration(std::vector<std::string>(17, "n"))}})).ok());
    EXPECT_FALSE(checkRpc(installSnapshot(eight, "state")).ok());
    EXPECT_FALSE(checkRpc(installSnapshot(configuration({"a"}), "")).ok());
    std::string endless = appendEntries({{1, eight}});
    endless.replace(16 + 32 + 8 + 12, 4, std::string(4, '\xff'));
    EXPECT_FALSE(checkRpc(endless).ok()) << "an entry of four gigabytes";
    std::string many = appendEntries({{1, eight}});
    many.replace(16 + 32, 8, std::string(8, '\xff'));
    EXPECT_FALSE(checkRpc(many).ok());
}

TEST(RaftRpc, AnyChangeOfAByteIsTakenOrRefusedButNeverReadBeyond)
{
    const std::string rpc = appendEntries({{1, eight}, {3, configuration({"agg-1", "agg-2"})}});
    const std::string snapshot = installSnapshot(configuration({"agg-1"}), "state");
    SeededRng rng(7);
    for (int i = 0; i < 20'000; ++i) {
        std::string altered = i % 2 == 0 ? rpc : snapshot;
        for (std::uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
            altered[rng.below(altered.size())] = static_cast<char>(rng.next());
        }
        (void)checkRpc(std::string_view(altered).substr(0, altered.size() - rng.below(4)));
        (void)decodePeerMessage(altered);
        (void)checkRpc(rng.bytes(rng.below(64)));
    }
}

TEST(RaftRpc, AStreamIsCutWhereTheMessagesEnd)
{
    const std::vector<std::string> sent = {appendEntries({{1, eight}}), preamble(6, 24) + std::string(24, 't'),
                                           installSnapshot(configuration({"a"}), std::string(1000, 's')), appendEntries({})};
    std::string stream;
    for (const std::string& each : sent) {
        stream += each;
    }
    for (std::size_t piece = 1; piece < stream.size(); piece += 13) {
        RpcCutter cutter;
        std::vector<std::string> got;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            ASSERT_TRUE(cutter.feed(std::string_view(stream).substr(at, piece), got).ok());
        }
        EXPECT_EQ(got, sent) << piece;
    }
    RpcCutter cutter;
    std::vector<std::string> got;
    EXPECT_EQ(cutter.feed(std::string(16, '\xff'), got).error().code, Code::corrupt);
}

TEST(PeerMessage, ReturnsAsItWasSent)
{
    const auto refuse = decodePeerMessage(encodePeerMessage(RefuseMessage{7, {Code::full, "no room"}}));
    ASSERT_TRUE(refuse.ok());
    EXPECT_EQ(std::get<RefuseMessage>(*refuse).tag, 7U);
    EXPECT_EQ(std::get<RefuseMessage>(*refuse).error.code, Code::full);
    EXPECT_EQ(std::get<RefuseMessage>(*refuse).error.message, "no room");
    const std::string bytes = encodePeerMessage(ProposeMessage{9, 1500, "entry"});
    const auto proposed = decodePeerMessage(bytes);
    ASSERT_TRUE(proposed.ok());
    EXPECT_EQ(std::get<ProposeMessage>(*proposed).millis, 1500U);
    EXPECT_EQ(std::get<ProposeMessage>(*proposed).entry, "entry");
    EXPECT_EQ(std::get<BarrierMessage>(*decodePeerMessage(encodePeerMessage(BarrierMessage{3, 4}))).tag, 3U);
    EXPECT_EQ(std::get<BarrierAnswerMessage>(*decodePeerMessage(encodePeerMessage(BarrierAnswerMessage{3, 4}))).index, 4U);
    EXPECT_EQ(std::get<RemovedMessage>(*decodePeerMessage(encodePeerMessage(RemovedMessage{5}))).term, 5U);
    const std::string rpc = encodePeerMessage(RpcMessage{appendEntries({})});
    EXPECT_EQ(std::get<RpcMessage>(*decodePeerMessage(rpc)).rpc, appendEntries({}));
}

TEST(PeerMessage, AnotherVersionOrLengthIsRefused)
{
    std::string newer = encodePeerMessage(BarrierMessage{3, 4});
    newer[1] = 2;
    EXPECT_EQ(decodePeerMessage(newer).error().code, Code::unsupported);
    EXPECT_FALSE(decodePeerMessage("").ok());
    EXPECT_FALSE(decodePeerMessage("\1\1").ok());
    EXPECT_FALSE(decodePeerMessage(encodePeerMessage(BarrierMessage{3, 4}) + "x").ok());
    EXPECT_FALSE(decodePeerMessage(encodePeerMessage(RefuseMessage{3, {Code::ok, ""}})).ok());
    EXPECT_FALSE(decodePeerMessage(encodePeerMessage(ProposeMessage{3, 4, ""})).ok());
    EXPECT_FALSE(
        decodePeerMessage(encodePeerMessage(ProposeMessage{3, 4, std::string(limits::maxEntryBytes + 1, 'x')})).ok());
}

TEST(RaftEntry, HoldsSeveralOperationsAndPadsThem)
{
    const std::vector<std::string> operations = {"one", "", std::string(1000, 'x')};
    const std::string entry = encodeEntry(operations);
    EXPECT_EQ(entry.size() % 8, 0U);
    const auto decoded = decodeEntry(entry);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(std::vector<std::string>(decoded->begin(), decoded->end()), operations);
    std::string newer = entry;
    newer[0] = 2;
    EXPECT_EQ(decodeEntry(newer).error().code, Code::unsupported);
    EXPECT_EQ(decodeEntry(entry.substr(0, entry.size() - 16)).error().code, Code::corrupt);
    EXPECT_EQ(decodeEntry("").error().code, Code::corrupt);
    EXPECT_EQ(decodeRaftSnapshot(encodeRaftSnapshot({42, "state"}))->index, 42U);
    EXPECT_EQ(decodeRaftSnapshot(encodeRaftSnapshot({42, "state"}).substr(0, 15)).error().code, Code::corrupt);
}

class RaftPeersTest : public Cluster {};

TEST_F(RaftPeersTest, MalformedMessagesOfAMemberAreDroppedAndCounted)
{
    start({1, 2, 3});
    waitForPrimary();
    RaftEngine& victim = engine(1);
    for (const char* bytes : {"", "x", "\1\1garbage", "\2\1", "\6\1........."}) {
        victim.receive(2, bytes);
    }
    EXPECT_EQ(victim.counters().malformed, 5U);
    EXPECT_TRUE(proposeUntilKnown(1, command(account("alice"))).ok());
}

TEST_F(RaftPeersTest, RandomAndCutOffMessagesDoNotStopTheCluster)
{
    start({1, 2, 3});
    waitForPrimary();
    std::uint64_t harmed = 0;
    tamper = [&](std::uint64_t /*from*/, std::uint64_t to, std::string& message) {
        if (rng.below(20) == 0) {
            engine(to).receive(1 + to % 3, rng.bytes(rng.below(200)));
        }
        if (rng.below(20) == 0) {
            ++harmed;
            message.resize(rng.below(message.size()));
        }
    };
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t asked = 1 + static_cast<std::uint64_t>(i) % 3;
        const Command what = command(PutTenant{"t" + std::to_string(i)});
        auto applied = proposeUntilKnown(asked, what);
        while (!applied.ok() && applied.error().code == Code::refused) {  // it was cut in its entry, and refused
            applied = proposeUntilKnown(asked, what);
        }
        ASSERT_TRUE(applied.ok()) << applied.error().message;
    }
    EXPECT_GT(harmed, 0U);
    tamper = nullptr;
    waitForEqualStates();
    std::uint64_t counted = 0;
    for (const auto& [id, node] : nodes) {
        counted += node.engine->counters().malformed;
        EXPECT_EQ(node.engine->counters().host.brokenStreams, 0U);
    }
    EXPECT_GE(counted, harmed);
}

}  // namespace
}  // namespace mesh::cluster
