#include "shoset/http/tests/recorder.hpp"

#include <gtest/gtest.h>

namespace mesh::http {
namespace {

const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";

// Refused with `code` whole, cut anywhere, and byte by byte, and never taken for a complete message.
void expectRefused(const std::string& text, Code code = Code::invalidArgument)
{
    const auto whole = requests(text);
    ASSERT_TRUE(whole.error) << testing::PrintToString(text);
    EXPECT_EQ(whole.error->code, code) << testing::PrintToString(text);
    EXPECT_TRUE(whole.messages.empty()) << testing::PrintToString(text);
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
        const auto run = parseAll<RequestHead>({text.substr(0, cut), text.substr(cut)});
        ASSERT_TRUE(run.error && run.messages.empty()) << testing::PrintToString(text) << " cut at " << cut;
        EXPECT_EQ(run.error->code, code);
    }
}

TEST(Smuggling, BothLengthAndTransferEncodingAreRefused)
{
    expectRefused(start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expectRefused(start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n");
}

TEST(Smuggling, ContentLengthsThatDifferOrAreNotNumbersAreRefused)
{
    for (const std::string value : {"3\r\nContent-Length: 4", "3, 4", "3,", "+3", "-1", "0x3", "3 4", "",
                                    "99999999999999999999", "3;", "3\t\v"}) {
        expectRefused(start + "Content-Length: " + value + "\r\n\r\nabcd");
    }
    EXPECT_EQ(requests(start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc").messages.size(), 1u);
}

TEST(Smuggling, TransferEncodingIsChunkedOrRefused)
{
    for (const std::string value :
         {"gzip", "gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked;q=1", "\"chunked\""}) {
        expectRefused(start + "Transfer-Encoding: " + value + "\r\n\r\n0\r\n\r\n", Code::unsupported);
    }
    expectRefused(start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expectRefused(start + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n");
    expectRefused("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(Smuggling, LoneLineFeedsAndCarriageReturnsAreRefused)
{
    expectRefused("GET / HTTP/1.1\nHost: h\n\n");
    expectRefused("GET / HTTP/1.1\r\nHost: h\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: h\r\n\nX");
    expectRefused("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: h\r\n\rX\r\n");
    expectRefused(start + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n");
    expectRefused(start + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n");
    expectRefused(start + "Transfer-Encoding: chunked\r\n\r\n1\rX\r\na\r\n0\r\n\r\n");
}

TEST(Smuggling, FoldedHeadersAreRefused)
{
    expectRefused(start + "X: a\r\n b\r\n\r\n");
    expectRefused(start + "X: a\r\n\tb\r\n\r\n");
    expectRefused(start + "X:\r\n b\r\n\r\n");
    expectRefused(start + "X: a\r\n \r\n\r\n");
    expectRefused(start + "X:\r\n \r\n\r\n");
    expectRefused("POST / HTTP/1.1\r\n Host: h\r\n\r\n");
    expectRefused(start + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n");
    expectRefused(start + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n");
}

TEST(Smuggling, BadNamesAndControlCharactersAreRefused)
{
    expectRefused(start + "X : a\r\n\r\n");
    expectRefused(start + "Content-Length : 3\r\n\r\nabc");
    expectRefused(start + ": a\r\n\r\n");
    expectRefused(start + "X Y: a\r\n\r\n");
    expectRefused(start + "X\xc3\xa9: a\r\n\r\n");
    expectRefused(start + "no colon here\r\n\r\n");
    expectRefused(start + std::string("X: a\0b\r\n\r\n", 10));
    expectRefused(start + std::string("X\0: b\r\n\r\n", 9));
    expectRefused(start + "X: a\x7f\r\n\r\n");
    expectRefused(start + "X: a\x0b\r\n\r\n");
    expectRefused(std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 28));
    expectRefused("GE\x01T / HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST(Smuggling, RequestLinesMustBeExact)
{
    for (const std::string line :
         {"GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET /", "GET / HTTP/1.2", "GET / HTTP/2.0",
          "GET / http/1.1", "GET /a b HTTP/1.1", "G@T / HTTP/1.1", "GET\t/ HTTP/1.1", "/ HTTP/1.1"}) {
        expectRefused(line + "\r\nHost: h\r\n\r\n");
    }
    expectRefused("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expectRefused(std::string(33, 'M') + " / HTTP/1.1\r\nHost: h\r\n\r\n");
    expectRefused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

TEST(Smuggling, HostMustBeThereOnceAndBeAHost)
{
    expectRefused("GET / HTTP/1.1\r\nX: y\r\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n");
    expectRefused("GET / HTTP/1.1\r\nHost: a, b c\r\n\r\n");
    EXPECT_EQ(requests("GET / HTTP/1.0\r\n\r\n").messages.size(), 1u);
}

TEST(Smuggling, ChunksMustBeExact)
{
    const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
    for (const std::string body :
         {"-1\r\n", "g\r\na\r\n", "\r\na\r\n", " 1\r\na\r\n", "0x1\r\na\r\n", "1 a\r\n", "1\r\nab\r\n",
          "11111111111111111\r\n", "1;\"x\r\na\r\n", "1;a=\"x\ny\"\r\na\r\n", "1;a=\"x\"y\r\na\r\n"}) {
        expectRefused(chunked + body + "0\r\n\r\n");
    }
    expectRefused(chunked + "1;" + std::string(300, 'x') + "\r\na\r\n0\r\n\r\n");
    expectRefused(chunked + "0\r\nContent-Length: 5\r\n\r\n");
    expectRefused(chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(Smuggling, ResponsesAreHeldToTheSameRules)
{
    for (const std::string head :
         {"Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: 1\r\nContent-Length: 2",
          "Transfer-Encoding: gzip", "X: a\r\n b", "X : a", "X: a\nY: b"}) {
        const auto run = responses("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n0\r\n\r\n");
        EXPECT_TRUE(run.error) << head;
        EXPECT_TRUE(run.messages.empty()) << head;
    }
    for (const std::string line : {"HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 20 X", "HTTP/1.1 2000 X",
                                   "HTTP/2.0 200 X", "HTTP/1.1  200 X", "HTTP/1.1 200\rX"}) {
        EXPECT_TRUE(responses(line + "\r\nContent-Length: 0\r\n\r\n").error) << line;
    }
}

}  // namespace
}  // namespace mesh::http
