#include "shoset/uri/multipart.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mesh::uri {
namespace {

const UriMap multipartMap("5B247A");
constexpr const char* type = "multipart/form-data; boundary=\"xYz\"";

std::string part(const std::string& name, const std::string& body, const std::string& more = "")
{
    return "--xYz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n" + more + "\r\n" + body + "\r\n";
}

const std::string file = part("UpdateFile", std::string("\0\"/redfish/v1/Systems/5B247A_1\"\r\n--xY\r\n\xff", 40),
                              "Content-Type: application/octet-stream\r\n") +
                         "--xYz--\r\n";

struct Outcome {
    std::string out;
    std::int64_t delta = 0;
    bool ok = true;
    bool settledBeforeEnd = false;
    std::vector<ForeignUri> foreign;
};

Outcome run(const std::string& body, std::size_t piece, const char* contentType = type)
{
    MultipartLocaliser localiser(multipartMap, contentType);
    Outcome result;
    for (std::size_t at = 0; at < body.size() && result.ok; at += piece) {
        result.ok = localiser.feed(std::string_view(body).substr(at, piece), result.out).ok();
        EXPECT_TRUE(localiser.settled() || result.out.empty());
    }
    result.settledBeforeEnd = localiser.settled();
    result.ok = result.ok && localiser.finish(result.out).ok();
    result.delta = localiser.lengthDelta();
    result.foreign = localiser.foreign();
    return result;
}

TEST(Multipart, MapsUpdateParametersBackAndNothingElse)
{
    const std::string json = "{\"Targets\":[\"/redfish/v1/Systems/5B247A_1\"]}";
    const std::string mapped = "{\"Targets\":[\"/redfish/v1/Systems/1\"]}";
    const std::string headers = "Content-Type: application/json\r\ncontent-length: " + std::to_string(json.size()) + "\r\n";
    const std::string newHeaders = "Content-Type: application/json\r\ncontent-length: " + std::to_string(mapped.size()) + "\r\n";
    const std::string body = part("UpdateParameters", json, headers) + file;
    const std::string expected = part("UpdateParameters", mapped, newHeaders) + file;
    for (std::size_t piece = 1; piece <= body.size(); ++piece) {
        const Outcome result = run(body, piece);
        ASSERT_TRUE(result.ok);
        ASSERT_EQ(result.out, expected) << piece;
        ASSERT_TRUE(result.settledBeforeEnd);
        ASSERT_EQ(result.delta, static_cast<std::int64_t>(expected.size()) - static_cast<std::int64_t>(body.size()));
    }
}

TEST(Multipart, RefusesForeignTargetsBeforeAnythingIsSent)
{
    const Outcome result = run(part("UpdateParameters", "{\"Targets\":[\"/redfish/v1/Systems/ABC_1\"]}") + file, 7);
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.out, "");
    ASSERT_EQ(result.foreign.size(), 1U);
    EXPECT_EQ(result.foreign[0].uri, "/redfish/v1/Systems/ABC_1");
}

TEST(Multipart, PassesEverythingElseUnchanged)
{
    for (const std::string& body :
         {file, part("UpdateFile", "x") + part("UpdateParameters", "\"/redfish/v1/Systems/5B247A_1\"") + "--xYz--",
          std::string("no parts"), std::string(), std::string("--xYz\r\nContent-Dispo"),
          part("UpdateParameters", "{}") + "--xYz--", std::string("--xYz\r\nContent-Disposition: form-data; name=UpdateParameters\r\n\r\n{}"),
          std::string("preamble\r\n") + file}) {
        for (const std::size_t piece : {1U, 5U, 1000U}) {
            const Outcome result = run(body, piece);
            EXPECT_TRUE(result.ok) << body;
            EXPECT_EQ(result.out, body);
            EXPECT_EQ(result.delta, 0);
        }
    }
    const std::string parameters = part("UpdateParameters", "\"/redfish/v1/Systems/5B247A_1\"") + file;
    EXPECT_EQ(run(parameters, 9, "multipart/form-data").out, parameters);
    EXPECT_EQ(run(parameters, 9, "application/octet-stream; boundary=xYz").out, parameters);
    EXPECT_NE(run(parameters, 9, "Multipart/Form-Data;charset=x;Boundary=xYz").out, parameters);
}

TEST(Multipart, BoundsWhatItHolds)
{
    const std::string body = part("UpdateParameters", std::string(limits::maxUpdateParametersBytes + 1, ' ')) + file;
    EXPECT_FALSE(run(body, 4096).ok);
    EXPECT_TRUE(run(part("UpdateParameters", std::string(limits::maxUpdateParametersBytes, ' ')) + file, body.size()).ok);
    const std::string endless = "--xYz\r\n" + std::string(2 * limits::maxUpdateParametersBytes, 'h');
    const Outcome result = run(endless, 4096);
    EXPECT_TRUE(result.settledBeforeEnd);
    EXPECT_EQ(result.out, endless);
}

}  // namespace
}  // namespace mesh::uri
