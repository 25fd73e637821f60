#include "shoset/uri/localiser.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/uri/tests/samples.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mesh::uri {
namespace {

using testing::localiseInPieces;

const UriMap map("5B247A", {"bmc.local"});
constexpr Direction there = Direction::toFacade;
constexpr Direction back = Direction::toSatellite;

// `body` whole, cut at every place, and byte by byte: all must agree.
Result<std::string> everyCut(Direction direction, Format format, const std::string& body, const Asked& asked = {})
{
    const auto whole = localise(map, direction, format, body, asked);
    std::vector<std::size_t> each;
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
        const auto pieces = localiseInPieces(map, direction, format, body, asked, {cut});
        EXPECT_EQ(pieces.ok() ? *pieces : pieces.error().message, whole.ok() ? *whole : whole.error().message) << cut;
        each.push_back(cut);
    }
    const auto bytewise = localiseInPieces(map, direction, format, body, asked, each);
    EXPECT_EQ(bytewise.ok() ? *bytewise : bytewise.error().message, whole.ok() ? *whole : whole.error().message);
    return whole;
}

void expectThereAndBack(const std::string& satellite, const std::string& facade, const Asked& asked = {},
                        Format format = Format::json)
{
    const auto mapped = everyCut(there, format, satellite, asked);
    ASSERT_TRUE(mapped.ok());
    EXPECT_EQ(*mapped, facade);
    const auto unmapped = everyCut(back, format, facade, asked);
    ASSERT_TRUE(unmapped.ok()) << unmapped.error().message;
    EXPECT_EQ(*unmapped, satellite);
}

TEST(Localiser, ChangesUrisInValuesAndNothingElse)
{
    expectThereAndBack("{ \"@odata.id\" : \"/redfish/v1/Systems/1\",\r\n\t\"n\":[1.50,-2e+7, null,true], \"n\": 0.10 ,"
                       "\"/redfish/v1/Systems/1\":\"/redfish/v1/Chassis/c1/Power#/PowerControl/0\", \"e\":{} }\n",
                       "{ \"@odata.id\" : \"/redfish/v1/Systems/5B247A_1\",\r\n\t\"n\":[1.50,-2e+7, null,true], \"n\": 0.10 ,"
                       "\"/redfish/v1/Systems/1\":\"/redfish/v1/Chassis/5B247A_c1/Power#/PowerControl/0\", \"e\":{} }\n");
}

TEST(Localiser, TellsKeysFromValuesInEveryPosition)
{
    expectThereAndBack(
        R"({"/redfish/v1/a":1,"/redfish/v1/b":["/redfish/v1/c",{"/redfish/v1/d":"/redfish/v1/e"},"/redfish/v1/f"],"/redfish/v1/g":{"/redfish/v1/h":2},"/redfish/v1/i" : "/redfish/v1/j"})",
        R"({"/redfish/v1/a":1,"/redfish/v1/b":["/redfish/v1/5B247A_c",{"/redfish/v1/d":"/redfish/v1/5B247A_e"},"/redfish/v1/5B247A_f"],"/redfish/v1/g":{"/redfish/v1/h":2},"/redfish/v1/i" : "/redfish/v1/5B247A_j"})");
    expectThereAndBack(R"(["/redfish/v1/a",["/redfish/v1/b"],1,"/redfish/v1/c"])",
                       R"(["/redfish/v1/5B247A_a",["/redfish/v1/5B247A_b"],1,"/redfish/v1/5B247A_c"])");
    expectThereAndBack(R"("/redfish/v1/a")", R"("/redfish/v1/5B247A_a")");
}

TEST(Localiser, KeepsEscapes)
{
    expectThereAndBack(R"(["\/redfish\/v1\/Systems\/1\/x\\","\u002fredfish\u002Fv1/Systems/\u0031","\n/redfish/v1/Systems/1"])",
                       R"(["\/redfish\/v1\/Systems\/5B247A_1\/x\\","\u002fredfish\u002Fv1/Systems/5B247A_\u0031","\n/redfish/v1/Systems/5B247A_1"])");
    expectThereAndBack(R"({"JsonBody":"{\"Targets\": [\"/redfish/v1/Systems/1\"]}","a":"\u20ac/redfish/v1/Systems/1\u00e9"})",
                       R"({"JsonBody":"{\"Targets\": [\"/redfish/v1/Systems/5B247A_1\"]}","a":"\u20ac/redfish/v1/Systems/5B247A_1\u00e9"})");
    // The letter before is a letter, however it is written; an escaped prefix is still a prefix.
    expectThereAndBack(R"(["\u0061/redfish/v1/Systems/1","n/redfish/v1/Systems/1"])",
                       R"(["\u0061/redfish/v1/Systems/1","n/redfish/v1/Systems/1"])");
    const auto result = localise(map, back, Format::json, R"(["/redfish/v1/Systems/\u0035B247A\u005f1"])");
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(*result, R"(["/redfish/v1/Systems/1"])");
}

TEST(Localiser, FindsUrisInSentences)
{
    struct Row {
        const char* satellite;
        const char* facade;
    };
    for (const Row& row : {
             Row{"See /redfish/v1/Systems/1.", "See /redfish/v1/Systems/5B247A_1."},
             Row{"the '/redfish/v1' URI, '/redfish/v1/Systems'.", "the '/redfish/v1' URI, '/redfish/v1/Systems'."},
             Row{"at /redfish/v1/UpdateService: yes", "at /redfish/v1/UpdateService: yes"},
             Row{"at /redfish/v1/UpdateService.", "at /redfish/v1/UpdateService."},
             Row{"at /redfish/v1/UpdateService.x", "at /redfish/v1/5B247A_UpdateService.x"},
             Row{"(/redfish/v1/Dell),</redfish/v1/Dell>;[/redfish/v1/Dell]",
                 "(/redfish/v1/5B247A_Dell),</redfish/v1/5B247A_Dell>;[/redfish/v1/5B247A_Dell]"},
             Row{"`/redfish/v1/Systems`, `Manager`", "`/redfish/v1/Systems`, `Manager`"},
             Row{"view the member array at URI/redfish/v1/x", "view the member array at URI/redfish/v1/x"},
             Row{"1/redfish/v1/x _/redfish/v1/x //redfish/v1/x ./redfish/v1/x :/redfish/v1/x -/redfish/v1/x",
                 "1/redfish/v1/x _/redfish/v1/x //redfish/v1/x ./redfish/v1/x :/redfish/v1/x -/redfish/v1/x"},
             Row{"/redfish/v1/Systems/1?a=/redfish/v1/Systems/2 /redfish/v1/Systems/3",
                 "/redfish/v1/Systems/5B247A_1?a=/redfish/v1/Systems/2 /redfish/v1/Systems/5B247A_3"},
             Row{"http://redfish.dmtf.org/redfish/v1/Systems/1?x=/redfish/v1/Systems/1 /redfish/v1/Systems/1",
                 "http://redfish.dmtf.org/redfish/v1/Systems/1?x=/redfish/v1/Systems/1 /redfish/v1/Systems/5B247A_1"},
             Row{"/redfish/v11/Systems/1", "/redfish/v11/Systems/1"},
             Row{"/redfish/v1//Systems/1", "/redfish/v1//Systems/1"},
             Row{"/redfish/v1/Systems/", "/redfish/v1/Systems/"},
             Row{"/redfish/v1/Systems/1/", "/redfish/v1/Systems/5B247A_1/"},
         }) {
        expectThereAndBack("{\"Message\":\"" + std::string(row.satellite) + "\"}",
                           "{\"Message\":\"" + std::string(row.facade) + "\"}");
    }
}

TEST(Localiser, MakesPathsOfOwnAbsoluteUrls)
{
    struct Row {
        const char* satellite;
        const char* facade;
    };
    for (const Row& row :
         {Row{"https://bmc.local/redfish/v1/Systems/1", "/redfish/v1/Systems/5B247A_1"},
          Row{"see http://BMC.local:80/redfish/v1/Systems.", "see /redfish/v1/Systems."},
          Row{R"(https:\/\/bmc.local\/redfish\/v1\/Systems\/1)", R"(\/redfish\/v1\/Systems\/5B247A_1)"},
          Row{"xhttps://bmc.local/redfish/v1/Systems/1", "xhttps://bmc.local/redfish/v1/Systems/1"},
          Row{"https://bmc.local", "https://bmc.local"},
          Row{"https://bmc.local/FWUpdate", "https://bmc.local/FWUpdate"},
          Row{"https://bmc.local//redfish/v1/Systems/1", "https://bmc.local//redfish/v1/Systems/1"},
          Row{"https:/redfish/v1/Systems/1", "https:/redfish/v1/Systems/1"},
          Row{"https://bmc.localx/redfish/v1/Systems/1", "https://bmc.localx/redfish/v1/Systems/1"}}) {
        const auto result = everyCut(there, Format::json, "[\"" + std::string(row.satellite) + "\"]");
        ASSERT_TRUE(result.ok());
        EXPECT_EQ(*result, "[\"" + std::string(row.facade) + "\"]");
    }
    const auto result = everyCut(there, Format::json, R"({"HttpPushUri":"https://bmc.local/FWUpdate"})");
    EXPECT_EQ(*result, R"({"HttpPushUri":"/redfish/v1/5B247A_-/FWUpdate"})");
}

TEST(Localiser, MapsPathsOutsideTheTreeInUriPropertiesOnly)
{
    expectThereAndBack(
        R"({"HttpPushUri":"/FWUpdate","DownloadURI":"\/a\/b","uri":"/x?y=1","extref":"/dispatch","Image":"/i.png","Curi":"/x","Target":"/FWUpdate","UriX":"/x","Uri":["/a","/b"],"URI":"//host/x"})",
        R"({"HttpPushUri":"/redfish/v1/5B247A_-/FWUpdate","DownloadURI":"/redfish/v1/5B247A_-\/a\/b","uri":"/redfish/v1/5B247A_-/x?y=1","extref":"/redfish/v1/5B247A_-/dispatch","Image":"/redfish/v1/5B247A_-/i.png","Curi":"/x","Target":"/FWUpdate","UriX":"/x","Uri":["/redfish/v1/5B247A_-/a","/redfish/v1/5B247A_-/b"],"URI":"//host/x"})");
    expectThereAndBack(R"({"\u0055ri":"/x","Uri":"/redfish/v1/Systems/1","URI":"/redfish/43B99.IKVM","aUri":"/redfish/v1"})",
                       R"({"\u0055ri":"/redfish/v1/5B247A_-/x","Uri":"/redfish/v1/Systems/5B247A_1","URI":"/redfish/v1/5B247A_-/redfish/43B99.IKVM","aUri":"/redfish/v1"})");
}

TEST(Localiser, MapsLocationsInPayloadHeaders)
{
    expectThereAndBack(
        R"({"Payload":{"HttpHeaders":["Location: /redfish/v1/Systems/1","location:/FWUpdate","Content-Location:/redfish/v1/Dell","Host: /FWUpdate","X-Location:/redfish/v1/Dell"],"TargetUri":"/redfish/v1/Systems/1"}})",
        R"({"Payload":{"HttpHeaders":["Location: /redfish/v1/Systems/5B247A_1","location:/redfish/v1/5B247A_-/FWUpdate","Content-Location:/redfish/v1/5B247A_Dell","Host: /FWUpdate","X-Location:/redfish/v1/Dell"],"TargetUri":"/redfish/v1/Systems/5B247A_1"}})");
}

const Asked system1{"/redfish/v1/Systems/1", "/redfish/v1/Systems/5B247A_1"};

TEST(Localiser, PrefixesTheIdOfAMemberThatEqualsItsLastSegment)
{
    expectThereAndBack(R"({"Id":"1","Oem":{"Id":"1"},"Name":"1"})", R"({"Id":"5B247A_1","Oem":{"Id":"1"},"Name":"1"})",
                       system1);
    expectThereAndBack(R"({"Id":"2"})", R"({"Id":"2"})", system1);
    expectThereAndBack(R"({"Id":"1"})", R"({"Id":"1"})");
    expectThereAndBack(R"([{"Id":"1"}])", R"([{"Id":"1"}])", system1);
    // Not a member by the URI it was asked for.
    expectThereAndBack(R"({"Id":"1"})", R"({"Id":"1"})", {"/redfish/v1/Systems/1", "/redfish/v1/5B247A_Systems/1"});
    expectThereAndBack(R"({"Id":"1"})", R"({"Id":"1"})",
                       {"/redfish/v1/Systems/x/Memory/1", "/redfish/v1/Systems/5B247A_x/Memory/1"});
    // As asked for, with a trailing slash and a query; the Id is written otherwise.
    expectThereAndBack(R"({"Id":"a \u0062"})", R"({"Id":"5B247A_a \u0062"})",
                       {"/redfish/v1/Systems/a%20b/?$select=Id", "/redfish/v1/Systems/5B247A_a%20b/?$select=Id"});
}

TEST(Localiser, PrefixesTheIdsOfExpandedMembersInAnyOrder)
{
    const Asked systems{"/redfish/v1/Systems", "/redfish/v1/Systems"};
    expectThereAndBack(
        R"({"@odata.id":"/redfish/v1/Systems","Id":"Systems","Members":[{"@odata.id":"/redfish/v1/Systems/1","Bios":{"@odata.id":"/redfish/v1/Systems/1/Bios","Id":"1"},"Id":"1"},{"Id":"2","Bios":{"Id":"2"},"@odata.id":"/redfish/v1/Systems/2"},{"Id":"3","@odata.id":"/redfish/v1/Systems/4"},{"Id":"5"}]})",
        R"({"@odata.id":"/redfish/v1/Systems","Id":"Systems","Members":[{"@odata.id":"/redfish/v1/Systems/5B247A_1","Bios":{"@odata.id":"/redfish/v1/Systems/5B247A_1/Bios","Id":"1"},"Id":"5B247A_1"},{"Id":"5B247A_2","Bios":{"Id":"2"},"@odata.id":"/redfish/v1/Systems/5B247A_2"},{"Id":"3","@odata.id":"/redfish/v1/Systems/5B247A_4"},{"Id":"5"}]})",
        systems);
    // Expanded members of another collection inside a member.
    expectThereAndBack(R"({"Id":"1","Chassis":[{"@odata.id":"/redfish/v1/Chassis/c/","Id":"c"},{"Id":"1"}]})",
                       R"({"Id":"5B247A_1","Chassis":[{"@odata.id":"/redfish/v1/Chassis/5B247A_c/","Id":"5B247A_c"},{"Id":"1"}]})",
                       system1);
}

TEST(Localiser, LetsAnIdStayWhenItsObjectIsTooLongToBeHeld)
{
    const Asked systems{"/redfish/v1/Systems", "/redfish/v1/Systems"};
    const std::string end = R"(","@odata.id":"/redfish/v1/Systems/1"})";
    for (const std::size_t over : {0U, 1U}) {
        const std::string id = R"(1","x":")";
        const std::string filler(limits::maxHeldBytes - id.size() - 15 + over, 'x');  // 15: ","@odata.id":"
        const std::string expectedId = over == 0 ? "5B247A_" : "";
        const std::string body = R"([{"Id":")" + id + filler + end + "]";
        const std::string expected = R"([{"Id":")" + expectedId + id + filler +
                                     R"(","@odata.id":"/redfish/v1/Systems/5B247A_1"}])";
        for (const std::size_t cut : {std::size_t{0}, body.size() / 2, body.size() - end.size(), body.size() - 12}) {
            EXPECT_TRUE(*localiseInPieces(map, there, Format::json, body, systems, {cut}) == expected) << over << ' ' << cut;
        }
    }
}

TEST(Localiser, AResourceNamesItselfByTheUriItWasAskedFor)
{
    expectThereAndBack(
        R"({"@odata.id":"/redfish/v1/UpdateService","Systems":"/redfish/v1/Systems","Again":"/redfish/v1/updateservice/","Context":"/redfish/v1/$metadata#UpdateService.UpdateService"})",
        R"({"@odata.id":"/redfish/v1/5B247A_UpdateService","Systems":"/redfish/v1/Systems","Again":"/redfish/v1/5B247A_updateservice/","Context":"/redfish/v1/$metadata#UpdateService.UpdateService"})",
        {"/redfish/v1/UpdateService", "/redfish/v1/5B247A_UpdateService"});
    expectThereAndBack(
        R"({"@odata.id":"/redfish/v1/Systems","Members":[{"@odata.id":"/redfish/v1/Systems/1"}],"Members@odata.nextLink":"/redfish/v1/Systems?$skip=1"})",
        R"({"@odata.id":"/redfish/v1/5B247A_Systems","Members":[{"@odata.id":"/redfish/v1/Systems/5B247A_1"}],"Members@odata.nextLink":"/redfish/v1/5B247A_Systems?$skip=1"})",
        {"/redfish/v1/Systems", "/redfish/v1/5B247A_Systems?$top=1"});
    // Asked for by the merged one's URI it is that one.
    const std::string merged = R"({"@odata.id":"/redfish/v1/Systems"})";
    expectThereAndBack(merged, merged, {"/redfish/v1/Systems", "/redfish/v1/Systems"});
}

TEST(Localiser, NamesForeignUrisOnTheWayBack)
{
    Localiser localiser(map, back, Format::json);
    std::string out;
    const std::string body = R"({"Targets":["/redfish/v1/Systems/ABC_1","/redfish/v1/Systems/5B247A_1","/redfish/v1/Systems"],
        "Links":{"Manager":"see /redfish/v1/Managers/agg-a."},"http":"http://x/redfish/v1/Systems/ABC_1"})";
    for (const char c : body) {
        ASSERT_TRUE(localiser.feed({&c, 1}, out).ok());
    }
    const Result<void> result = localiser.finish(out);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::invalidArgument);
    EXPECT_NE(result.error().message.find("/redfish/v1/Systems/ABC_1"), std::string::npos);
    ASSERT_EQ(localiser.foreign().size(), 2U);
    EXPECT_EQ(localiser.foreign()[0].uri, "/redfish/v1/Systems/ABC_1");
    EXPECT_EQ(localiser.foreign()[0].property, "Targets");
    EXPECT_EQ(localiser.foreign()[1].uri, "/redfish/v1/Managers/agg-a");
    EXPECT_EQ(localiser.foreign()[1].property, "Manager");
    EXPECT_NE(out.find(R"("/redfish/v1/Systems/1")"), std::string::npos);
}

TEST(Localiser, KnowsTheFacadesOwnHostOnTheWayBack)
{
    const auto mapped = everyCut(back, Format::json,
                                 R"({"a":"https://bmc.local/redfish/v1/Systems/5B247A_1","b":"at http://bmc.local/redfish/v1/Systems.",
        "c":"https://bmc.local/files/x","d":"https:\/\/bmc.local\/redfish\/v1\/5B247A_-\/x"})");
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_EQ(*mapped, R"({"a":"/redfish/v1/Systems/1","b":"at /redfish/v1/Systems.",
        "c":"https://bmc.local/files/x","d":"\/x"})");
    for (const std::string foreign : {"https://bmc.local/redfish/v1/Systems/ABC_1", "https://bmc.local/redfish/v1/Managers/agg-a"}) {
        EXPECT_FALSE(everyCut(back, Format::json, R"({"Targets":[")" + foreign + R"("]})").ok()) << foreign;
    }
}

TEST(Localiser, KnowsWhetherTheTextEndsInTheMiddle)
{
    const auto whole = [](Format format, std::string_view body) {
        Localiser localiser(map, there, format);
        std::string out;
        EXPECT_TRUE(localiser.feed(body, out).ok());
        EXPECT_TRUE(localiser.finish(out).ok());
        return localiser.whole();
    };
    for (const char* body : {"", "null", R"({"a":["/redfish/v1/x"]})", " [ ] \n"}) {
        EXPECT_TRUE(whole(Format::json, body)) << body;
    }
    for (const char* body : {"{", R"({"a":[1])", R"({"a)", R"({"a":"b)", R"({"a":"/redfish/v1/Sys)", R"({"Id":"1)"}) {
        EXPECT_FALSE(whole(Format::json, body)) << body;
    }
    EXPECT_TRUE(whole(Format::eventStream, "data: {"));
}

TEST(Localiser, RemembersOnlySoManyForeignUris)
{
    std::string body = "[";
    for (int i = 0; i < 100; ++i) {
        body += "\"/redfish/v1/Systems/" + std::to_string(i) + "\",";
    }
    Localiser localiser(map, back, Format::json);
    std::string out;
    ASSERT_TRUE(localiser.feed(body, out).ok());
    EXPECT_FALSE(localiser.finish(out).ok());
    EXPECT_EQ(localiser.foreign().size(), limits::maxForeignUris);
}

TEST(Localiser, PassesWhatIsTooLongToBeAUriOrAName)
{
    const std::string path = "/redfish/v1/Systems/";
    for (const std::size_t over : {0U, 1U}) {
        const std::string longest = path + std::string(limits::maxUriBytes - path.size() + over, 'a');
        const std::string facade =
            over == 0 ? path + "5B247A_" + longest.substr(path.size()) : longest;
        const std::string name(limits::maxPropertyNameBytes - 3 + over, 'n');
        const std::string outside = over == 0 ? "/redfish/v1/5B247A_-/x" : "/x";
        // Too long a path has no address on the facade, so there is no way back for it.
        const auto mapped = everyCut(there, Format::json, "[\"" + longest + "\",\"" + longest + "?" + std::string(5000, 'q') + "\"]", {});
        ASSERT_TRUE(mapped.ok());
        EXPECT_EQ(*mapped, "[\"" + facade + "\",\"" + facade + "?" + std::string(5000, 'q') + "\"]");
        expectThereAndBack("{\"" + name + "Uri\":\"/x\"}", "{\"" + name + "Uri\":\"" + outside + "\"}");
    }
}

TEST(Localiser, RefusesWhatIsNestedTooDeep)
{
    const std::string body(limits::maxJsonDepth, '[');
    EXPECT_TRUE(localise(map, there, Format::json, body).ok());
    const auto result = localise(map, there, Format::json, body + "[");
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::tooLarge);
    Localiser localiser(map, there, Format::json);
    std::string out;
    EXPECT_FALSE(localiser.feed(body + "{", out).ok());
    EXPECT_FALSE(localiser.feed("x", out).ok());
}

TEST(Localiser, PassesBrokenJsonThrough)
{
    for (const char* body : {"", "\"", "\"abc", "{\"a", "{\"a\":\"/redfish/v1", "\"\\", "\"\\u00", "}}}]]]", "{\"a\" \"b\",}",
                             "\"http", "\"https:/", "{\"Uri\":\"", "{\"Uri\":\"/", "not json at all", "\"\\u00zz/redfish/v1\""}) {
        const auto result = everyCut(there, Format::json, body, system1);
        ASSERT_TRUE(result.ok());
        const std::string expected = std::string(body) == "{\"Uri\":\"/" ? "{\"Uri\":\"/redfish/v1/5B247A_-/" : body;
        EXPECT_EQ(*result, expected);
    }
}

TEST(Localiser, ANulByteIsNotTheBeginningOfAString)
{
    const std::string body("{\"Uri\":\"\0http://bmc.local/x\"}", 29);
    const auto result = everyCut(there, Format::json, body, system1);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(*result, body);
}

TEST(Localiser, LocalisesTheDataOfEventStreams)
{
    expectThereAndBack(": hello /redfish/v1/Systems/1\nid: 1\nevent: \"/redfish/v1/Systems/1\"\n"
                       "data: {\"a\":\"/redfish/v1/Systems/1\",\ndata:\"Id\":\"1\",\r\ndata: \"b\" : \"/redfish/v1/Dell\"}\n\n"
                       "data:[\"/redfish/v1/Systems/2\"\n\ndata: \"/redfish/v1/Systems/3\"\r\rdatax: \"/redfish/v1/Dell\"\ndata",
                       ": hello /redfish/v1/Systems/1\nid: 1\nevent: \"/redfish/v1/Systems/1\"\n"
                       "data: {\"a\":\"/redfish/v1/Systems/5B247A_1\",\ndata:\"Id\":\"1\",\r\ndata: \"b\" : \"/redfish/v1/5B247A_Dell\"}\n\n"
                       "data:[\"/redfish/v1/Systems/5B247A_2\"\n\ndata: \"/redfish/v1/Systems/5B247A_3\"\r\rdatax: \"/redfish/v1/Dell\"\ndata",
                       system1, Format::eventStream);
}

TEST(Localiser, AnEventIsWholeWhenItsLineIs)
{
    Localiser localiser(map, there, Format::eventStream);
    std::string out;
    ASSERT_TRUE(localiser.feed("data: {\"a\":\"/redfish/v1/Systems/1\n", out).ok());
    EXPECT_EQ(out, "data: {\"a\":\"/redfish/v1/Systems/5B247A_1\n");
    // A document that was cut does not spoil the next event.
    ASSERT_TRUE(localiser.feed("\ndata: {\"/redfish/v1/Dell\":\"/redfish/v1/Dell\"}\n\n", out).ok());
    EXPECT_TRUE(out.ends_with("data: {\"/redfish/v1/Dell\":\"/redfish/v1/5B247A_Dell\"}\n\n"));
}

TEST(Localiser, LocalisesUriAttributesOfXml)
{
    expectThereAndBack("<?xml version=\"1.0\"?>\n<edmx:Reference Uri=\"/redfish/v1/schema/A_v1.xml\">\n"
                       "<edmx:Reference\tUri='/schemas/v1/B_v1.xml'/><x Uri=\"http://redfish.dmtf.org/C_v1.xml\"/>"
                       "<x aUri=\"/redfish/v1/Dell\" Url=\"/redfish/v1/Dell\">/redfish/v1/Dell</x> Uri=\"/redfish/v1/Dell",
                       "<?xml version=\"1.0\"?>\n<edmx:Reference Uri=\"/redfish/v1/5B247A_schema/A_v1.xml\">\n"
                       "<edmx:Reference\tUri='/redfish/v1/5B247A_-/schemas/v1/B_v1.xml'/><x Uri=\"http://redfish.dmtf.org/C_v1.xml\"/>"
                       "<x aUri=\"/redfish/v1/Dell\" Url=\"/redfish/v1/Dell\">/redfish/v1/Dell</x> Uri=\"/redfish/v1/Dell",
                       {}, Format::xml);
    const std::string tooLong = "<x Uri=\"/redfish/v1/" + std::string(limits::maxUriBytes, 'a') + "\"/>";
    EXPECT_EQ(*everyCut(there, Format::xml, tooLong), tooLong);
}

TEST(Localiser, PassesEverythingElseByteForByte)
{
    const std::string body("\0\"/redfish/v1/Systems/1\"\xff", 26);
    EXPECT_EQ(*everyCut(there, Format::passthrough, body), body);
}

TEST(Localiser, KnowsFormatsByContentTypeAndPath)
{
    struct Row {
        const char* type;
        const char* path;
        Format format;
    };
    for (const Row& row : {Row{"application/json", "/x", Format::json},
                           Row{" Application/JSON ; charset=utf-8", "/x", Format::json},
                           Row{"application/problem+json", "/x", Format::json},
                           Row{"text/event-stream;x", "/x", Format::eventStream},
                           Row{"application/xml", "/redfish/v1/$metadata", Format::xml},
                           Row{"text/xml", "/redfish/v1/$METADATA/?x", Format::xml},
                           Row{"application/xml", "/redfish/v1/Schemas/A.xml", Format::passthrough},
                           Row{"application/octet-stream", "/redfish/v1/$metadata", Format::passthrough},
                           Row{"text/html", "/x", Format::passthrough}, Row{"", "/x", Format::passthrough},
                           Row{"application/jsonx", "/x", Format::passthrough}}) {
        EXPECT_EQ(formatOf(row.type, row.path), row.format) << row.type << ' ' << row.path;
    }
}

}  // namespace
}  // namespace mesh::uri
