#include "connector/core/bmc_request.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

std::string text(const RequestHead& head, const BmcBody& body = {}, const Header* credential = nullptr)
{
    std::string out;
    appendBmcRequest(out, head, *parseBmcUrl("http://bmc"), credential, body);
    return out;
}

TEST(BmcUrl, KnowsSchemeHostPortAndHostHeader)
{
    const auto plain = parseBmcUrl("http://10.0.0.5");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->tls);
    EXPECT_EQ(plain->host, "10.0.0.5");
    EXPECT_EQ(plain->port, "80");
    EXPECT_EQ(plain->authority, "10.0.0.5");
    const auto tls = parseBmcUrl("HTTPS://bmc.example:8443/");
    ASSERT_TRUE(tls);
    EXPECT_TRUE(tls->tls);
    EXPECT_EQ(tls->authority, "bmc.example:8443");
    EXPECT_EQ(parseBmcUrl("https://x:443")->authority, "x");
    EXPECT_EQ(parseBmcUrl("http://x:443")->authority, "x:443");
    const auto six = parseBmcUrl("https://[fe80::1]:444");
    ASSERT_TRUE(six);
    EXPECT_EQ(six->host, "fe80::1");
    EXPECT_EQ(six->port, "444");
    EXPECT_EQ(six->authority, "[fe80::1]:444");
    EXPECT_EQ(parseBmcUrl("https://[::1]")->authority, "[::1]");
}

TEST(BmcUrl, RefusesEverythingElse)
{
    for (const char* bad : {"", "bmc", "ftp://bmc", "http://", "http:///", "http://bmc/redfish", "http://u:p@bmc",
                            "http://bmc:0", "http://bmc:65536", "http://bmc:", "http://bmc:8x", "http://[::1",
                            "http://[::1]x", "http://a b", "http://bmc?x", "http://bmc\r\nX: y"}) {
        EXPECT_FALSE(parseBmcUrl(bad)) << bad;
    }
}

TEST(BmcRequest, HasHostFramingAndCredentialOfItsOwnOnly)
{
    RequestHead head{"GET", "/redfish/v1/Systems?$top=1", {{"Accept", "application/json"},
                                                            {"host", "evil"},
                                                            {"x-auth-token", "client"},
                                                            {"AUTHORIZATION", "Basic client"},
                                                            {"Cookie", "a=b"},
                                                            {"Content-Length", "5"},
                                                            {"Transfer-Encoding", "chunked"},
                                                            {"Accept-Encoding", "gzip"},
                                                            {"Expect", "100-continue"},
                                                            {"Connection", "close, X-Hop"},
                                                            {"X-Hop", "1"},
                                                            {"X-HTTP-Method-Override", "DELETE"},
                                                            {"x-http-method", "DELETE"},
                                                            {"X-METHOD-OVERRIDE", "DELETE"},
                                                            {"x-original-url", "/redfish/v1/Systems/1"},
                                                            {"X_Rewrite_URL", "/redfish/v1/Systems/1"},
                                                            {"If-None-Match", "\"1\""}}};
    const Header token{"X-Auth-Token", "ours"};
    EXPECT_EQ(text(head, {}, &token), "GET /redfish/v1/Systems?$top=1 HTTP/1.1\r\nHost: bmc\r\nAccept: "
                                      "application/json\r\nIf-None-Match: \"1\"\r\nAccept-Encoding: "
                                      "identity\r\nX-Auth-Token: ours\r\n\r\n");
}

TEST(BmcRequest, SaysHowLongItsBodyIs)
{
    EXPECT_NE(text({"POST", "/a", {}}, BmcBody(7)).find("\r\nContent-Length: 7\r\n"), std::string::npos);
    EXPECT_NE(text({"POST", "/a", {}}, BmcBody(-1)).find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_NE(text({"POST", "/a", {}}).find("\r\nContent-Length: 0\r\n"), std::string::npos);
    EXPECT_EQ(text({"DELETE", "/a", {}}).find("Content-Length"), std::string::npos);
    EXPECT_NE(text({"GET", "/a", {}}, BmcBody(2)).find("\r\nContent-Length: 2\r\n"), std::string::npos);
}

TEST(BmcRequest, ThatWouldBecomeAnotherIsRefused)
{
    EXPECT_TRUE(checkBmcRequest({"M-SEARCH", "/a%20b?c#", {{"X", "a\tb \xc3\xa4"}}}));
    for (const RequestHead& bad : std::vector<RequestHead>{
             {"", "/", {}}, {"GET /x HTTP/1.1\r\nX:", "/", {}}, {"GET", "", {}}, {"GET", "a", {}},
             {"GET", "/a b", {}}, {"GET", "/a\r\nX: y", {}}, {"GET", "/\x80", {}}, {"GET", "http://other/", {}},
             {"GET", "/", {{"A b", "c"}}}, {"GET", "/", {{"", "c"}}}, {"GET", "/", {{"A:", "c"}}},
             {"GET", "/", {{"A", "b\nC: d"}}}, {"GET", "/", {{"A", std::string("b\0c", 3)}}},
             {"GET", "/" + std::string(limits::maxHttpTargetBytes, 'a'), {}},
             {"GET", "/", Headers(limits::maxHttpHeaders + 1, {"A", "b"})},
             {"GET", "/", {{"A", std::string(limits::maxHttpHeaderBytes, 'b')}}}}) {
        EXPECT_EQ(checkBmcRequest(bad).ok(), false) << bad.method << " " << bad.target.substr(0, 40);
    }
}

TEST(BmcAnswer, LosesWhatConcernsTheConnection)
{
    Headers headers{{"ETag", "1"},          {"connection", "X-A , keep-alive"}, {"X-A", "1"}, {"Keep-Alive", "timeout=5"},
                    {"Set-Cookie", "a=b"}, {"Transfer-Encoding", "chunked"},    {"X-B", "2"}};
    removeConnectionHeaders(headers);
    EXPECT_EQ(headers, (Headers{{"ETag", "1"}, {"X-B", "2"}}));
}

TEST(BmcAnswer, EncodingIsRecognisedWhateverItsSpelling)
{
    EXPECT_EQ(contentEncoding({}), BmcEncoding::identity);
    EXPECT_EQ(contentEncoding({{"content-encoding", " identity "}}), BmcEncoding::identity);
    EXPECT_EQ(contentEncoding({{"Content-Encoding", "GZIP"}}), BmcEncoding::gzip);
    EXPECT_EQ(contentEncoding({{"Content-Encoding", "x-gzip"}}), BmcEncoding::gzip);
    EXPECT_EQ(contentEncoding({{"Content-Encoding", "deflate"}}), BmcEncoding::deflate);
    EXPECT_EQ(contentEncoding({{"Content-Encoding", "br"}}), BmcEncoding::other);
    EXPECT_EQ(contentEncoding({{"Content-Encoding", "gzip, gzip"}}), BmcEncoding::other);
    EXPECT_TRUE(isEventStream({{"content-type", "Text/Event-Stream; charset=utf-8"}}));
    EXPECT_FALSE(isEventStream({{"content-type", "text/plain"}}));
}

TEST(BmcAnswer, LocationIsAPathOnThisBmcOrNothing)
{
    EXPECT_EQ(locationPath("/redfish/v1/S/1"), "/redfish/v1/S/1");
    EXPECT_EQ(locationPath("https://[::1]:443/redfish/v1/S/1#x"), "/redfish/v1/S/1");
    EXPECT_EQ(locationPath("/a://b/c"), "/a://b/c");
    EXPECT_EQ(locationPath("https://bmc"), "");
    EXPECT_EQ(locationPath("S/1"), "");
    EXPECT_EQ(locationPath("/a b"), "");
    EXPECT_EQ(locationPath(""), "");
}

TEST(BmcText, Base64AndJsonAreExact)
{
    EXPECT_EQ(toBase64(""), "");
    EXPECT_EQ(toBase64("f"), "Zg==");
    EXPECT_EQ(toBase64("fo"), "Zm8=");
    EXPECT_EQ(toBase64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(toBase64("\xff\xfe"), "//4=");
    EXPECT_EQ(toJsonString("a\"\\\n\x01\xc3\xa4"), "\"a\\\"\\\\\\u000a\\u0001\xc3\xa4\"");
}

}  // namespace
}  // namespace mesh::connector
