#include "shoset/core/frame.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/base/rng.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mesh::shoset {
namespace {

const Prelude somePrelude{Kind::command, flagLast, 3, 0x01020304, 0x1112131415161718};

std::string frameOfParts(const Prelude& prelude, std::string_view header, std::string_view body)
{
    std::string frame;
    appendRecord(frame, prelude, header, body);
    return frame;
}

void setLittle(std::string& frame, std::size_t at, std::uint32_t value)
{
    for (std::size_t i = 0; i < 4; ++i) {
        frame[at + i] = static_cast<char>(value >> (8 * i));
    }
}

Result<std::optional<Record>> firstOf(std::string_view frame)
{
    return FrameReader(frame).next();
}

void expectSame(const Prelude& a, const Prelude& b)
{
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.flags, b.flags);
    EXPECT_EQ(a.hops, b.hops);
    EXPECT_EQ(a.remainingMs, b.remainingMs);
    EXPECT_EQ(a.sentMicros, b.sentMicros);
}

TEST(Frame, LayoutIsTheDocumentedOne)
{
    const std::string frame = frameOfParts(somePrelude, "HEAD", "BODY!");
    const std::string expected("\x01\x06\x01\x03"                  // version, kind, flags, hops
                               "\x04\x03\x02\x01"                  // remaining ms
                               "\x18\x17\x16\x15\x14\x13\x12\x11"  // stamp
                               "\x04\0\0\0\x05\0\0\0"              // lengths
                               "HEADBODY!",
                               preludeBytes + 9);
    EXPECT_EQ(frame, expected);
}

TEST(Frame, ARecordComesBackAsItWasAppended)
{
    const std::string frame = frameOfParts(somePrelude, "header", "body");
    FrameReader reader(frame);
    const auto record = reader.next();
    ASSERT_TRUE(record.ok() && record->has_value());
    expectSame((*record)->prelude, somePrelude);
    EXPECT_EQ((*record)->header, "header");
    EXPECT_EQ((*record)->body, "body");
    EXPECT_EQ((*record)->whole, frame);
    const auto end = reader.next();
    ASSERT_TRUE(end.ok());
    EXPECT_FALSE(end->has_value());
}

TEST(Frame, ExtremesOfEveryPreludeFieldSurvive)
{
    for (const std::int64_t stamp : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
        for (const std::uint32_t remaining : {0u, 1u, 0x80000000u, noDeadline}) {
            const Prelude prelude{Kind::routes, 0xff, 0xff, remaining, stamp};
            const std::string frame = frameOfParts(prelude, {}, {});
            const auto record = firstOf(frame);
            ASSERT_TRUE(record.ok() && record->has_value());
            expectSame((*record)->prelude, prelude);
            EXPECT_TRUE((*record)->header.empty());
            EXPECT_TRUE((*record)->body.empty());
        }
    }
}

TEST(Frame, AnEmptyFrameHasNoRecord)
{
    const auto record = firstOf("");
    ASSERT_TRUE(record.ok());
    EXPECT_FALSE(record->has_value());
}

TEST(Frame, HoldsSeveralRecordsInOrder)
{
    std::string frame;
    for (int i = 0; i < 20; ++i) {
        appendRecord(frame, {Kind::reply, 0, static_cast<std::uint8_t>(i), 0, i}, std::string(static_cast<std::size_t>(i), 'h'),
                     std::string(static_cast<std::size_t>(20 - i), 'b'));
    }
    FrameReader reader(frame);
    std::string again;
    for (int i = 0; i < 20; ++i) {
        const auto record = reader.next();
        ASSERT_TRUE(record.ok() && record->has_value()) << i;
        EXPECT_EQ((*record)->prelude.hops, i);
        EXPECT_EQ((*record)->header, std::string(static_cast<std::size_t>(i), 'h'));
        EXPECT_EQ((*record)->body, std::string(static_cast<std::size_t>(20 - i), 'b'));
        again.append((*record)->whole);
    }
    EXPECT_FALSE(reader.next()->has_value());
    EXPECT_EQ(again, frame);
}

TEST(Frame, EveryTruncationIsCorruptAndNeverARecord)
{
    const std::string frame = frameOfParts(somePrelude, "some header", "some body");
    for (std::size_t length = 1; length < frame.size(); ++length) {
        const auto record = firstOf(std::string_view(frame).substr(0, length));
        ASSERT_FALSE(record.ok()) << length;
        EXPECT_EQ(record.error().code, Code::corrupt) << length;
    }
}

TEST(Frame, RecordsBeforeATruncatedOneAreStillGiven)
{
    const std::string one = frameOfParts(somePrelude, "a", "b");
    for (std::size_t length = 1; length < one.size(); ++length) {
        const std::string frame = one + one.substr(0, length);
        FrameReader reader(frame);
        const auto record = reader.next();
        ASSERT_TRUE(record.ok() && record->has_value());
        EXPECT_EQ((*record)->whole, one);
        EXPECT_FALSE(reader.next().ok());
    }
}

TEST(Frame, AnErrorEndsTheFrame)
{
    const std::string good = frameOfParts(somePrelude, "a", "b");
    std::string bad = good;
    bad[1] = 0;
    const std::string frame = bad + good;
    FrameReader reader(frame);
    EXPECT_FALSE(reader.next().ok());
    EXPECT_FALSE(reader.next().ok());
}

TEST(Frame, EveryOtherVersionIsRefused)
{
    std::string frame = frameOfParts(somePrelude, "a", "b");
    for (int version = 0; version < 256; ++version) {
        frame[0] = static_cast<char>(version);
        const auto record = firstOf(frame);
        EXPECT_EQ(record.ok(), version == wireVersion) << version;
        if (!record.ok()) {
            EXPECT_EQ(record.error().code, Code::unsupported);
        }
    }
}

TEST(Frame, EveryUnknownKindIsRefused)
{
    std::string frame = frameOfParts(somePrelude, "a", "b");
    for (int kind = 0; kind < 256; ++kind) {
        frame[1] = static_cast<char>(kind);
        const auto record = firstOf(frame);
        EXPECT_EQ(record.ok(), kind >= 1 && kind <= lastKind) << kind;
        if (!record.ok()) {
            EXPECT_EQ(record.error().code, Code::unsupported);
        }
    }
}

TEST(Frame, TakesTheLongestHeaderAndBodyAndNotOneByteMore)
{
    const std::string header(limits::maxHeaderBytes, 'h');
    const std::string body(limits::inlineBodyBytes, 'b');
    EXPECT_TRUE(firstOf(frameOfParts(somePrelude, header, body)).ok());
    const auto longHeader = firstOf(frameOfParts(somePrelude, header + "h", body));
    ASSERT_FALSE(longHeader.ok());
    EXPECT_EQ(longHeader.error().code, Code::tooLarge);
    const auto longBody = firstOf(frameOfParts(somePrelude, header, body + "b"));
    ASSERT_FALSE(longBody.ok());
    EXPECT_EQ(longBody.error().code, Code::tooLarge);
    static_assert(preludeBytes + limits::maxHeaderBytes + limits::inlineBodyBytes <= limits::maxFrameBytes);
}

TEST(Frame, LengthsThatLieAreRefused)
{
    const std::string frame = frameOfParts(somePrelude, "header", "body");
    for (const std::uint32_t length : {7u, 11u, 1000u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        for (const std::size_t field : {std::size_t{16}, std::size_t{20}}) {
            std::string lie = frame;
            setLittle(lie, field, length);
            EXPECT_FALSE(firstOf(lie).ok()) << field << " " << length;
        }
    }
    std::string both = frame;
    setLittle(both, 16, 0xffffffff);
    setLittle(both, 20, 0xffffffff);
    EXPECT_EQ(firstOf(both).error().code, Code::tooLarge);
}

TEST(Frame, ForwardingPatchesHopsRemainingTimeAndStampAndNothingElse)
{
    const std::string frame = frameOfParts(somePrelude, "header bytes", "body bytes");
    const auto record = firstOf(frame);
    Prelude patched = (*record)->prelude;
    patched.hops = 2;
    patched.remainingMs = 77;
    patched.sentMicros = 88;
    std::string forwarded = "what was queued before";
    const std::size_t before = forwarded.size();
    appendForwarded(forwarded, **record, patched);
    const std::string_view out = std::string_view(forwarded).substr(before);
    ASSERT_EQ(out.size(), frame.size());
    EXPECT_EQ(out.substr(0, 3), frame.substr(0, 3));
    EXPECT_EQ(out[3], 2);
    EXPECT_EQ(out.substr(16), frame.substr(16));
    const auto again = firstOf(out);
    ASSERT_TRUE(again.ok() && again->has_value());
    expectSame((*again)->prelude, patched);
}

TEST(Frame, RandomBytesNeverCrashAndViewsStayInsideTheFrame)
{
    SeededRng rng(1);
    for (int round = 0; round < 20000; ++round) {
        std::string frame = rng.bytes(rng.below(200));
        if (frame.size() > preludeBytes && rng.below(4) != 0) {  // often plausible, so that more than the first check is met
            frame[0] = static_cast<char>(wireVersion);
            frame[1] = static_cast<char>(1 + rng.below(lastKind));
            setLittle(frame, 16, static_cast<std::uint32_t>(rng.below(100)));
            setLittle(frame, 20, static_cast<std::uint32_t>(rng.below(100)));
        }
        FrameReader reader(frame);
        std::size_t taken = 0;
        for (auto record = reader.next(); record.ok() && record->has_value(); record = reader.next()) {
            ASSERT_EQ((*record)->whole.data(), frame.data() + taken);
            ASSERT_EQ((*record)->whole.size(), preludeBytes + (*record)->header.size() + (*record)->body.size());
            taken += (*record)->whole.size();
        }
        ASSERT_LE(taken, frame.size());
    }
}

}  // namespace
}  // namespace mesh::shoset
