#include "shoset/host/log.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>

namespace mesh::log {
namespace {

constexpr std::int64_t noon = 1714564800123;

std::string logfmt(std::initializer_list<Field> fields)
{
    return formatLine(Format::logfmt, noon, Level::info, "event_name", fields);
}

std::string json(std::initializer_list<Field> fields)
{
    return formatLine(Format::json, noon, Level::error, "event_name", fields);
}

TEST(Log, PlainValuesStayBare)
{
    EXPECT_EQ(logfmt({{"peer", "agg-b"}, {"count", 3}, {"up", true}}),
              "time=2024-05-01T12:00:00.123Z level=info event=event_name peer=agg-b count=3 up=true");
}

TEST(Log, WhatCouldForgeALineOrAFieldIsQuotedAndEscaped)
{
    EXPECT_NE(logfmt({{"k", "a b"}}).find(" k=\"a b\""), std::string::npos);
    EXPECT_NE(logfmt({{"k", ""}}).find(" k=\"\""), std::string::npos);
    EXPECT_NE(logfmt({{"k", "x=y"}}).find(" k=\"x=y\""), std::string::npos);
    EXPECT_NE(logfmt({{"k", "a\nlevel=error\t\"\\"}}).find(R"( k="a\nlevel=error\t\"\\")"), std::string::npos);
    EXPECT_NE(logfmt({{"k", std::string("\x1b[31m\0", 6)}}).find(R"( k="\u001b[31m\u0000")"), std::string::npos);
}

TEST(Log, WhatIsNotAsciiIsEscapedAndWhatIsNotUtf8IsReplaced)
{
    EXPECT_NE(logfmt({{"k", "Zürich"}}).find(R"( k="Z\u00fcrich")"), std::string::npos);
    EXPECT_NE(logfmt({{"k", "\x7f"}}).find(R"( k="\u007f")"), std::string::npos);
    EXPECT_NE(logfmt({{"k", "\xc2\x9b"}}).find(R"( k="\u009b")"), std::string::npos);  // CSI of a terminal
    for (const char* broken : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80"}) {
        const std::string line = json({{"k", broken}});
        EXPECT_NE(line.find(R"("k":"\ufffd)"), std::string::npos) << line;
    }
}

TEST(Log, JsonLinesAreObjects)
{
    EXPECT_EQ(
        json({{"peer", "a\"b"}, {"count", 3}, {"up", false}}),
        R"({"time":"2024-05-01T12:00:00.123Z","level":"error","event":"event_name","peer":"a\"b","count":3,"up":false})");
}

TEST(Log, LongLinesLoseWholeFieldsAndSayTheyWereCut)
{
    const std::string line = json({{"first", "x"}, {"long", std::string(5000, 'x')}, {"after", "y"}});
    EXPECT_LE(line.size(), 4095u);
    EXPECT_NE(line.find(R"("first":"x","cut":"..."})"), std::string::npos);
    EXPECT_EQ(line.find("after"), std::string::npos);
}

class LogPipe : public testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_EQ(::pipe(ends.data()), 0);
        configure({Level::info, Format::logfmt, ends[1]});
    }
    void TearDown() override
    {
        configure({});
        ::close(ends[0]);
        ::close(ends[1]);
    }
    std::string drain() const
    {
        std::string all;
        std::array<char, 65536> part{};
        pollfd ready = {ends[0], POLLIN, 0};
        while (::poll(&ready, 1, 0) == 1) {
            const ssize_t got = ::read(ends[0], part.data(), part.size());
            all.append(part.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
    std::array<int, 2> ends{};
};

TEST_F(LogPipe, LevelsBelowTheConfiguredOneAreNotWritten)
{
    debug("hidden");
    info("shown", {{"k", "v"}});
    const std::string text = drain();
    EXPECT_EQ(text.find("hidden"), std::string::npos);
    EXPECT_NE(text.find(" level=info event=shown k=v\n"), std::string::npos);
}

TEST_F(LogPipe, FullPipeDropsLinesWithoutWaitingAndSaysSoLater)
{
    const std::uint64_t before = droppedLines();
    for (int i = 0; i < 1000; ++i) {
        info("filler", {{"text", std::string(1000, 'x')}});
    }
    const std::uint64_t lost = droppedLines() - before;
    EXPECT_GT(lost, 0u);
    drain();
    info("after");
    const std::string text = drain();
    EXPECT_NE(text.find("event=log_dropped count=" + std::to_string(lost)), std::string::npos);
    EXPECT_NE(text.find("event=after"), std::string::npos);
}

}  // namespace
}  // namespace mesh::log
