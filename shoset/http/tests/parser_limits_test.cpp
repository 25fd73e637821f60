#include "shoset/base/limits.hpp"
#include "shoset/http/tests/recorder.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace mesh::http {
namespace {

std::vector<std::string> inPieces(const std::string& text, std::size_t size)
{
    std::vector<std::string> pieces;
    for (std::size_t i = 0; i < text.size(); i += size) {
        pieces.push_back(text.substr(i, size));
    }
    return pieces;
}

// The outcome must not depend on how the input is cut.
Request parsedEveryWay(const std::string& text)
{
    const auto whole = requests(text);
    for (const std::size_t size : {1u, 7u, 1000u, 4096u, 32768u}) {
        const auto run = parseAll<RequestHead>(inPieces(text, size));
        EXPECT_EQ(run.error.has_value(), whole.error.has_value()) << size;
        EXPECT_EQ(run.messages.size(), whole.messages.size()) << size;
        EXPECT_EQ(run.targetTooLong, whole.targetTooLong) << size;
        if (run.error && whole.error) {
            EXPECT_EQ(run.error->code, whole.error->code) << size;
        }
    }
    return whole;
}

TEST(ParserLimits, TargetLimitIsExactAndNamesItself)
{
    const auto withTarget = [](std::size_t size) {
        return parsedEveryWay("GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
    };
    EXPECT_EQ(withTarget(limits::maxHttpTargetBytes).messages.size(), 1u);
    for (const std::size_t size :
         {limits::maxHttpTargetBytes + 1, limits::maxHttpTargetBytes + 100, std::size_t(60000)}) {
        const auto run = withTarget(size);
        ASSERT_TRUE(run.error) << size;
        EXPECT_EQ(run.error->code, Code::tooLarge) << size;
        EXPECT_TRUE(run.targetTooLong) << size;
    }
}

TEST(ParserLimits, HeadLimitIsExactOverManyHeadersAndOverOne)
{
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
    const auto oneHeader = [&](std::size_t headSize) {
        const std::string name = "X: ";
        return start + name + std::string(headSize - start.size() - name.size() - 4, 'v') + "\r\n\r\n";
    };
    const auto manyHeaders = [&](std::size_t headSize) {
        std::string text = start;
        while (text.size() + 1100 < headSize) {
            text += "X: " + std::string(1000, 'v') + "\r\n";
        }
        return text + "X: " + std::string(headSize - text.size() - 7, 'v') + "\r\n\r\n";
    };
    for (const auto& make :
         {std::function<std::string(std::size_t)>(oneHeader), std::function<std::string(std::size_t)>(manyHeaders)}) {
        ASSERT_EQ(make(limits::maxHttpHeaderBytes).size(), limits::maxHttpHeaderBytes);
        EXPECT_EQ(parsedEveryWay(make(limits::maxHttpHeaderBytes)).messages.size(), 1u);
        for (const std::size_t size : {limits::maxHttpHeaderBytes + 1, std::size_t(100000)}) {
            const auto run = parsedEveryWay(make(size));
            ASSERT_TRUE(run.error) << size;
            EXPECT_EQ(run.error->code, Code::tooLarge);
            EXPECT_FALSE(run.targetTooLong);
        }
    }
}

TEST(ParserLimits, HeaderCountIsExact)
{
    const auto withHeaders = [](std::size_t count) {
        std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (std::size_t i = 1; i < count; ++i) {
            text += "X: y\r\n";
        }
        return parsedEveryWay(text + "\r\n");
    };
    EXPECT_EQ(withHeaders(limits::maxHttpHeaders).messages.size(), 1u);
    EXPECT_EQ(withHeaders(limits::maxHttpHeaders + 1).error->code, Code::tooLarge);
}

TEST(ParserLimits, TrailersAndChunkHeadersCannotGrowWithoutEnd)
{
    const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_EQ(parsedEveryWay(chunked + "0\r\nX: " + std::string(200000, 'v')).error->code, Code::tooLarge);
    EXPECT_EQ(parsedEveryWay(chunked + "1;x=" + std::string(200000, 'v')).error->code, Code::tooLarge);
}

TEST(ParserLimits, ABufferOfTheNamedSizeAlwaysSuffices)
{
    // A connection holds at most httpBufferBytes; whatever comes, the parser either takes something or fails.
    for (const std::string& start :
         {std::string("GET /"), std::string("GET / HTTP/1.1\r\nHost: h\r\nX: "),
          std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;"),
          std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ")}) {
        RequestParser parser;
        Recorder<RequestHead> recorder;
        std::string kept = start;
        kept.resize(limits::httpBufferBytes, 'a');
        auto used = parser.consume(kept, recorder);
        EXPECT_FALSE(used) << start;
    }
}

}  // namespace
}  // namespace mesh::http
