#include "shoset/http/format.hpp"

#include <gtest/gtest.h>

namespace mesh::http {
namespace {

TEST(Format, RequestsAndResponsesAreWrittenAsTheyAre)
{
    EXPECT_EQ(formatRequest({"PATCH", "/redfish/v1?a=b", {{"Host", "bmc"}, {"X-Empty", ""}}}),
              "PATCH /redfish/v1?a=b HTTP/1.1\r\nHost: bmc\r\nX-Empty: \r\n\r\n");
    EXPECT_EQ(formatResponse({404, {{"Content-Length", "0"}}}), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(formatResponse({299, {}}), "HTTP/1.1 299 Unknown\r\n\r\n");
}

TEST(Format, NothingCanSplitAMessage)
{
    const std::string value = std::string("a\r\nSet-Cookie: b\n\0c", 19);
    EXPECT_EQ(formatResponse({200, {{"X", value}, {"Bad\r\nName", "v"}, {"", "v"}, {"Y:", "v"}}}),
              "HTTP/1.1 200 OK\r\nX: a  Set-Cookie: b  c\r\n\r\n");
    EXPECT_EQ(formatRequest({"GE\r\nT", "/a b\r\nX: y\x7f", {}}), "GET /a%20b%0D%0AX:%20y%7F HTTP/1.1\r\n\r\n");
}

TEST(Format, ChunkPrefixesAreHexadecimal)
{
    EXPECT_EQ(chunkPrefix(0), "0\r\n");
    EXPECT_EQ(chunkPrefix(65536), "10000\r\n");
    EXPECT_EQ(chunkPrefix(255), "ff\r\n");
}

TEST(Format, KnownStatusesHaveTheirPhrases)
{
    EXPECT_EQ(reasonPhrase(100), "Continue");
    EXPECT_EQ(reasonPhrase(413), "Content Too Large");
    EXPECT_EQ(reasonPhrase(507), "Insufficient Storage");
    EXPECT_EQ(reasonPhrase(599), "Unknown");
    EXPECT_EQ(reasonPhrase(-1), "Unknown");
}

}  // namespace
}  // namespace mesh::http
