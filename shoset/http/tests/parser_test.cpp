#include "shoset/http/tests/recorder.hpp"

#include <gtest/gtest.h>

namespace mesh::http {
namespace {

const std::string twoRequests =
    "POST /redfish/v1/Systems?a=%20b HTTP/1.1\r\nHost: bmc\r\nX-Empty:\r\nX-Pad:  a b \t\r\nTransfer-Encoding: "
    "chunked\r\n\r\n"
    "5\r\nhello\r\n6;name=\"v;x\"\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n"
    "\r\nPUT /x HTTP/1.1\r\nHost: [::1]:8443\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";

void expectTwoRequests(const Request& run, const std::string& how)
{
    ASSERT_FALSE(run.error) << how << ": " << run.error->message;
    ASSERT_EQ(run.messages.size(), 2u) << how;
    const auto& first = run.messages[0];
    EXPECT_EQ(first.head.method, "POST") << how;
    EXPECT_EQ(first.head.target, "/redfish/v1/Systems?a=%20b") << how;
    EXPECT_EQ(first.head.headers,
              (Headers{{"Host", "bmc"}, {"X-Empty", ""}, {"X-Pad", "a b"}, {"Transfer-Encoding", "chunked"}}))
        << how;
    EXPECT_EQ(first.body, "hello world") << how;
    EXPECT_FALSE(first.contentLength) << how;
    EXPECT_TRUE(first.ended && first.keepAlive) << how;
    const auto& second = run.messages[1];
    EXPECT_EQ(second.body, "abc") << how;
    EXPECT_EQ(second.contentLength, 3u) << how;
    EXPECT_TRUE(second.ended && !second.keepAlive) << how;
}

TEST(RequestParser, PipelinedRequestsComeOutAlikeHoweverTheyAreCut)
{
    expectTwoRequests(requests(twoRequests), "whole");
    for (std::size_t cut = 1; cut < twoRequests.size(); ++cut) {
        expectTwoRequests(parseAll<RequestHead>({twoRequests.substr(0, cut), twoRequests.substr(cut)}),
                          "cut at " + std::to_string(cut));
    }
    std::vector<std::string> bytes;
    for (const char c : twoRequests) {
        bytes.emplace_back(1, c);
    }
    expectTwoRequests(parseAll<RequestHead>(bytes), "byte by byte");
}

TEST(ResponseParser, EveryCutOfAChunkedResponseGivesTheSameBody)
{
    const std::string text =
        "HTTP/1.1 200 Fine indeed\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n";
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
        const auto run = parseAll<ResponseHead>({text.substr(0, cut), text.substr(cut)});
        ASSERT_EQ(run.messages.size(), 1u) << cut;
        EXPECT_EQ(run.messages[0].head.status, 200);
        EXPECT_EQ(run.messages[0].body, "a0123456789");
    }
}

TEST(RequestParser, KeepAliveFollowsVersionAndConnectionHeader)
{
    const auto keepAlive = [](const std::string& version, const std::string& header) {
        const auto run = requests("GET / HTTP/" + version + "\r\nHost: h\r\n" + header + "\r\n");
        return run.messages.at(0).keepAlive;
    };
    EXPECT_TRUE(keepAlive("1.1", ""));
    EXPECT_FALSE(keepAlive("1.1", "Connection: close\r\n"));
    EXPECT_FALSE(keepAlive("1.1", "Connection: foo, Close\r\n"));
    EXPECT_FALSE(keepAlive("1.0", ""));
    EXPECT_TRUE(keepAlive("1.0", "Connection: keep-alive\r\n"));
}

TEST(RequestParser, AbsoluteTargetsBecomeOriginFormAndTheirAuthorityTheHost)
{
    const auto parsed = [](const std::string& target) {
        const auto run = requests("GET " + target + " HTTP/1.1\r\nHost: other\r\n\r\n");
        return run.messages.empty()
                   ? "error"
                   : *findHeader(run.messages[0].head.headers, "host") + " " + run.messages[0].head.target;
    };
    EXPECT_EQ(parsed("https://bmc:8443/redfish/v1?x=1"), "bmc:8443 /redfish/v1?x=1");
    EXPECT_EQ(parsed("HTTP://bmc"), "bmc /");
    EXPECT_EQ(parsed("http://bmc?x"), "bmc /?x");
    EXPECT_EQ(parsed("/plain"), "other /plain");
    EXPECT_EQ(parsed("http:///path"), "error");
    EXPECT_EQ(parsed("http://user@bmc/"), "error");
    EXPECT_EQ(parsed("ftp://bmc/"), "error");
    EXPECT_EQ(parsed("bmc:443"), "error");
    EXPECT_EQ(parsed("*"), "error");
    EXPECT_EQ(parsed("/a#b"), "error");
    EXPECT_EQ(parsed("/\xc3\xa9"), "error");
    EXPECT_EQ(requests("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").messages.size(), 1u);
}

TEST(RequestParser, ExpectationIsSeenOnlyWhereItIsOne)
{
    const auto expects = [](const std::string& version, const std::string& value) {
        RequestParser parser;
        Recorder<RequestHead> recorder;
        EXPECT_TRUE(parser.consume(
            "PUT / HTTP/" + version + "\r\nHost: h\r\nExpect: " + value + "\r\nContent-Length: 3\r\n\r\n", recorder));
        EXPECT_TRUE(parser.headDone());
        EXPECT_EQ(parser.http10(), version == "1.0");
        return parser.expectsContinue();
    };
    EXPECT_TRUE(expects("1.1", "100-Continue"));
    EXPECT_FALSE(expects("1.1", "200-ok"));
    EXPECT_FALSE(expects("1.0", "100-continue"));
}

TEST(ResponseParser, BodyUntilCloseEndsWithTheConnection)
{
    ResponseParser parser;
    Recorder<ResponseHead> recorder;
    ASSERT_TRUE(parser.consume("HTTP/1.1 200 OK\r\n\r\nsome", recorder));
    ASSERT_TRUE(parser.consume(" more", recorder));
    EXPECT_FALSE(parser.done());
    EXPECT_FALSE(parser.keepAlive());
    EXPECT_FALSE(recorder.message.contentLength);
    ASSERT_TRUE(parser.finish(recorder));
    EXPECT_TRUE(parser.done());
    EXPECT_TRUE(recorder.message.ended);
    EXPECT_EQ(recorder.message.body, "some more");
}

TEST(ResponseParser, CloseInTheMiddleIsAnErrorAndBetweenMessagesNone)
{
    for (const std::string text : {"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
                                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"}) {
        ResponseParser parser;
        Recorder<ResponseHead> recorder;
        ASSERT_TRUE(parser.consume(text, recorder));
        EXPECT_TRUE(parser.started());
        const auto finished = parser.finish(recorder);
        ASSERT_FALSE(finished) << text;
        EXPECT_EQ(finished.error().code, Code::invalidArgument);
        EXPECT_FALSE(recorder.message.ended);
    }
    ResponseParser fresh;
    Recorder<ResponseHead> recorder;
    EXPECT_TRUE(fresh.finish(recorder));
    EXPECT_FALSE(recorder.message.ended);
}

TEST(ResponseParser, ResponsesWithoutABodyEndWithTheirHead)
{
    const std::string sized = "\r\nContent-Length: 100\r\n\r\n";
    EXPECT_EQ(responses("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified" + sized).messages.size(), 2u);
    EXPECT_EQ(responses("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").messages.size(),
              2u);

    ResponseParser parser;
    Recorder<ResponseHead> recorder;
    parser.expectNoBody();
    const std::string head = "HTTP/1.1 200 OK" + sized;
    const auto used = parser.consume(head + "HTTP/1.1 200", recorder);
    EXPECT_EQ(*used, head.size());
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(recorder.message.contentLength, 100u);
}

TEST(Parser, LargeBodiesPassWithoutALimitOfTheirOwn)
{
    const std::string piece(65536, 'x');
    ResponseParser parser;
    Recorder<ResponseHead> recorder;
    ASSERT_TRUE(parser.consume("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(400 * piece.size()) + "\r\n\r\n",
                               recorder));
    for (int i = 0; i < 400; ++i) {
        ASSERT_EQ(*parser.consume(piece, recorder), piece.size());
        recorder.message.body.clear();
    }
    EXPECT_TRUE(parser.done());
}

TEST(Parser, AnErrorStaysUntilReset)
{
    RequestParser parser;
    Recorder<RequestHead> recorder;
    EXPECT_FALSE(parser.consume("nonsense\r\n", recorder));
    EXPECT_FALSE(parser.consume("GET / HTTP/1.1\r\nHost: h\r\n\r\n", recorder));
    EXPECT_FALSE(parser.finish(recorder));
    parser.reset();
    EXPECT_FALSE(parser.started());
    EXPECT_TRUE(parser.consume("GET / HTTP/1.1\r\nHost: h\r\n\r\n", recorder));
    EXPECT_TRUE(parser.done());
}

TEST(Parser, MovesWithItsState)
{
    RequestParser parser;
    Recorder<RequestHead> recorder;
    ASSERT_TRUE(parser.consume("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab", recorder));
    RequestParser moved = std::move(parser);
    ASSERT_TRUE(moved.consume("cd", recorder));
    EXPECT_EQ(recorder.message.body, "abcd");
    EXPECT_TRUE(moved.done());
}

}  // namespace
}  // namespace mesh::http
