#include "shoset/uri/headers.hpp"

#include <gtest/gtest.h>

namespace mesh::uri {
namespace {

const UriMap headersMap("5B247A", {"bmc"});

TEST(Headers, MapsLocationsAndLinksThereAndBack)
{
    const Headers satellite{
        {"location", "/redfish/v1/TaskService/Tasks/1"},
        {"Content-Location", "/redfish/v1/UpdateService"},
        {"Link", R"(</redfish/v1/Systems/1>; rel="a, <b>", </schemas/v1/x.json>; title="\"</redfish/v1/Systems/2>")"},
        {"Link", "<http://redfish.dmtf.org/x>; rel=describedby"},
        {"X-Other", "/redfish/v1/Systems/1"},
        {"ETag", "\"1\""}};
    const Headers facade{
        {"location", "/redfish/v1/TaskService/Tasks/5B247A_1"},
        {"Content-Location", "/redfish/v1/UpdateService"},
        {"Link",
         R"(</redfish/v1/Systems/5B247A_1>; rel="a, <b>", </redfish/v1/5B247A_-/schemas/v1/x.json>; title="\"</redfish/v1/Systems/2>")"},
        {"Link", "<http://redfish.dmtf.org/x>; rel=describedby"},
        {"X-Other", "/redfish/v1/Systems/1"},
        {"ETag", "\"1\""}};
    Headers headers = satellite;
    localiseHeaders(headersMap, Direction::toFacade, Format::json, headers);
    EXPECT_EQ(headers, facade);
    localiseHeaders(headersMap, Direction::toSatellite, Format::json, headers);
    EXPECT_EQ(headers, satellite);
}

TEST(Headers, MakesOwnAbsoluteUrlsPathsAndKeepsForeignOnes)
{
    Headers headers{{"Location", "https://bmc/redfish/v1/Systems/1"}, {"Location", "https://x/redfish/v1/Systems/1"}};
    localiseHeaders(headersMap, Direction::toFacade, Format::json, headers);
    EXPECT_EQ(headers[0].value, "/redfish/v1/Systems/5B247A_1");
    EXPECT_EQ(headers[1].value, "https://x/redfish/v1/Systems/1");
    Headers back{{"Location", "/redfish/v1/Systems/ABC_1"}};
    localiseHeaders(headersMap, Direction::toSatellite, Format::json, back);
    EXPECT_EQ(back[0].value, "/redfish/v1/Systems/ABC_1");
}

TEST(Headers, ContentLocationOfAResourceIsTheUriItWasAskedFor)
{
    Headers headers{{"Content-Location", "/redfish/v1/UpdateService"}, {"Location", "/redfish/v1/TaskService"}};
    localiseHeaders(headersMap, Direction::toFacade, Format::json, headers,
                    {"/redfish/v1/UpdateService", "/redfish/v1/5B247A_UpdateService"});
    EXPECT_EQ(headers[0].value, "/redfish/v1/5B247A_UpdateService");
    EXPECT_EQ(headers[1].value, "/redfish/v1/TaskService");
}

TEST(Headers, RemovesWhatDescribesBytesOnlyWhereBytesMayChange)
{
    const Headers original{{"Digest", "x"}, {"accept-ranges", "bytes"}, {"Content-MD5", "x"}, {"ETag", "\"1\""}};
    Headers headers = original;
    localiseHeaders(headersMap, Direction::toFacade, Format::passthrough, headers);
    EXPECT_EQ(headers, original);
    localiseHeaders(headersMap, Direction::toFacade, Format::json, headers);
    EXPECT_EQ(headers, (Headers{{"ETag", "\"1\""}}));
}

TEST(Query, MapsOwnUrisBackAlsoWhenEncoded)
{
    struct Row {
        const char* facade;
        const char* satellite;
    };
    for (const Row& row :
         {Row{"", ""}, Row{"$skip=50&$top=1", "$skip=50&$top=1"},
          Row{"path=/redfish/v1/Systems/5B247A_1", "path=/redfish/v1/Systems/1"},
          Row{"a=%2Fredfish%2fv1%2FSystems%2F5B247A%5F1%27&b=/redfish/v1/5B247A_-/x",
              "a=%2Fredfish%2fv1%2FSystems%2F1%27&b=/x"},
          Row{"$filter=Origin%20eq%20'/redfish/v1/Systems/5B247A_1'%20or%20x", "$filter=Origin%20eq%20'/redfish/v1/Systems/1'%20or%20x"},
          Row{"a=/redfish/v1/Systems&b=/redfish/v1/5B247A_Systems", "a=/redfish/v1/Systems&b=/redfish/v1/Systems"},
          Row{"a=/redfish/v1/Systems/ABC_1", "a=/redfish/v1/Systems/ABC_1"},
          Row{"a=https://x/redfish/v1/Systems/5B247A_1", "a=https://x/redfish/v1/Systems/5B247A_1"},
          Row{"a=100%&b=%zz%2", "a=100%&b=%zz%2"}}) {
        EXPECT_EQ(queryToSatellite(headersMap, row.facade), row.satellite);
    }
}

}  // namespace
}  // namespace mesh::uri
