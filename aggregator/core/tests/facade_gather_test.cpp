#include "aggregator/core/tests/facade_fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::aggregator {
namespace {

const std::string path = "TelemetryService/LogService/Entries";
const std::string uri = "/redfish/v1/" + path;

struct Gathering : FacadeRig {
    void SetUp() override
    {
        FacadeRig::SetUp();
        for (shoset::LinkId link = 1; link <= 3; ++link) {
            announce(link, {{path, {}}});
        }
    }
    static std::string entry(const std::string& id, const std::string& more = {})
    {
        return R"({"@odata.id":"/redfish/v1/TelemetryService/LogService/Entries/)" + id + R"(","Id":")" + id + '"' + more + "}";
    }
    static std::string page(const std::string& members, const std::string& next = {})
    {
        return R"({"Name":"x","Members":[)" + members + "]" + (next.empty() ? "" : R"(,"Members@odata.nextLink":")" + next + '"') + "}";
    }
    std::vector<std::string> ids(ExchangeId id)
    {
        std::vector<std::string> out;
        const nlohmann::json document = given[id].json();
        for (const auto& member : document["Members"]) {
            out.push_back(member["Id"]);
        }
        EXPECT_EQ(document["Members@odata.count"], out.size());
        return out;
    }
    // Who is missing, and why.
    std::vector<std::string> missing(ExchangeId id)
    {
        std::vector<std::string> out;
        const nlohmann::json messages = given[id].json().value("@Message.ExtendedInfo", nlohmann::json::array());
        for (const auto& message : messages) {
            out.push_back(message["Message"]);
        }
        return out;
    }
};

TEST_F(Gathering, MembersOfAllStandInlineBySatellitesName)
{
    const ExchangeId id = get(uri);
    const Sent first = take(1), second = take(2);
    EXPECT_EQ(first.command.http.target, "/redfish/v1/A1_" + path);
    EXPECT_EQ(first.command.user, "acme");
    reply(2, second, 200, page(entry("B1_1") + "," + entry("B1_0", R"(,"v":1.0e5)")));
    EXPECT_FALSE(given.contains(id));
    reply(1, first, 200, page(entry("A1_9")));
    EXPECT_EQ(given[id].status, 200);
    EXPECT_EQ(ids(id), (std::vector<std::string>{"A1_9", "B1_1", "B1_0"}));
    EXPECT_NE(given[id].body.find(R"("v":1.0e5)"), std::string::npos);
    EXPECT_EQ(given[id].json()["@odata.id"], uri);
    EXPECT_TRUE(missing(id).empty());
    EXPECT_TRUE(commands(3).empty());
}

TEST_F(Gathering, OneThatHasItNotIsNotMissingAndWhereNobodyHasItThereIsNone)
{
    const ExchangeId id = get(uri);
    reply(1, take(1), 200, page(entry("A1_1")));
    reply(2, take(2), 404, "{}");
    EXPECT_EQ(ids(id), std::vector<std::string>{"A1_1"});
    EXPECT_TRUE(missing(id).empty());
    const ExchangeId none = get(uri);
    reply(1, take(1), 404, "{}");
    reply(2, take(2), 404, "{}");
    EXPECT_EQ(given[none].status, 404);
    EXPECT_EQ(given[get("/redfish/v1/JobService/Log/Entries")].status, 404);
}

TEST_F(Gathering, OneThatFailsOrTalksNonsenseIsNamed)
{
    struct Row {
        int status;
        std::string type, body, why;
    };
    for (const Row& row : {Row{500, "application/json", "{}", "answered 500"}, Row{200, "text/html", "<html>", "not JSON"},
                           Row{200, "application/json", "{", "not a collection"}, Row{200, "", page(""), "not JSON"}}) {
        const ExchangeId id = get(uri);
        reply(1, take(1), 200, page(entry("A1_1")));
        reply(2, take(2), row.status, row.body, true, row.type);
        EXPECT_EQ(ids(id), std::vector<std::string>{"A1_1"});
        ASSERT_EQ(missing(id).size(), 1U) << row.why;
        EXPECT_NE(missing(id)[0].find("Satellite s2"), std::string::npos);
        EXPECT_NE(missing(id)[0].find(row.why), std::string::npos) << missing(id)[0];
    }
}

TEST_F(Gathering, OneThatIsLateIsNamedAtTheDeadlineAndAskedNoLonger)
{
    const ExchangeId id = get(uri);
    reply(1, take(1), 200, page(entry("A1_1")));
    const Sent slow = take(2);
    reply(2, slow, 200, "{\"Members\":[", false);
    pass(1999ms);
    EXPECT_FALSE(given.contains(id));
    EXPECT_EQ(facade.nextDeadline(), now.mono + 1ms);
    pass(1ms);
    EXPECT_EQ(ids(id), std::vector<std::string>{"A1_1"});
    ASSERT_EQ(missing(id).size(), 1U);
    EXPECT_NE(missing(id)[0].find("2000 ms"), std::string::npos);
    commands(2);
    EXPECT_EQ(cancelled, std::vector<MessageId>{slow.id});
    chunk(2, slow, 12, "]}", true);
    EXPECT_EQ(facade.nextDeadline(), never);
}

TEST_F(Gathering, WhoIsKnownToBeInTroubleIsNotAsked)
{
    announce(2, {{path, {}}}, false);
    const ExchangeId id = get(uri);
    EXPECT_TRUE(commands(2).empty());
    reply(1, take(1), 404, "{}");
    EXPECT_EQ(given[id].status, 200);
    EXPECT_TRUE(ids(id).empty());
    EXPECT_EQ(missing(id).size(), 1U);
}

TEST_F(Gathering, NobodyCanBeReached)
{
    announce(1, {{path, {}}}, false);
    announce(2, {{path, {}}}, false);
    const ExchangeId id = get(uri);
    EXPECT_EQ(given[id].status, 200);
    EXPECT_EQ(missing(id).size(), 2U);
}

TEST_F(Gathering, PagesAreFollowedWithinTheCollection)
{
    const ExchangeId id = get(uri);
    reply(2, take(2), 404, "{}");
    reply(1, take(1), 200, page(entry("A1_1") + "," + entry("A1_2"), "/redfish/v1/A1_" + path + "?$skip=2"));
    const Sent second = take(1);
    EXPECT_EQ(second.command.http.target, "/redfish/v1/A1_" + path + "?$skip=2");
    reply(1, second, 200, page(entry("A1_2") + "," + entry("A1_3")));
    EXPECT_EQ(ids(id), (std::vector<std::string>{"A1_1", "A1_2", "A1_3"}));
    const ExchangeId astray = get(uri);
    reply(2, take(2), 404, "{}");
    reply(1, take(1), 200, page(entry("A1_1"), "/redfish/v1/A1_AccountService/Accounts"));
    EXPECT_TRUE(commands(1).empty());
    EXPECT_TRUE(ids(astray).empty());
    EXPECT_EQ(missing(astray).size(), 1U);
}

TEST_F(Gathering, WhatWouldBeTooMuchIsLeftOutAndSaid)
{
    const ExchangeId id = get(uri);
    const Sent large = take(1);
    reply(1, large, 200, std::string("{\"Members\":["), false);
    const std::string piece(limits::chunkBytes, ' ');
    std::uint64_t offset = 12;
    for (; offset <= limits::maxGatheredBytes; offset += piece.size()) {
        chunk(1, large, offset, piece, false);
    }
    reply(2, take(2), 200, page(entry("B1_1")));
    EXPECT_EQ(ids(id), std::vector<std::string>{"B1_1"});
    ASSERT_EQ(missing(id).size(), 1U);
    EXPECT_NE(missing(id)[0].find(std::to_string(limits::maxGatheredBytes)), std::string::npos);
    commands(1);
    EXPECT_EQ(cancelled, std::vector<MessageId>{large.id});
}

TEST_F(Gathering, EntriesOfOthersAreNotTakenFromASatellite)
{
    const ExchangeId id = get(uri);
    reply(2, take(2), 404, "{}");
    reply(1, take(1), 200, page(entry("B1_1") + "," + entry("A1_1")));
    EXPECT_EQ(ids(id), std::vector<std::string>{"A1_1"});
}

TEST_F(Gathering, NothingIsFetchedForWhoMayNotOrAsksWrongly)
{
    EXPECT_EQ(given[get(uri, "nobody")].status, 403);
    EXPECT_EQ(given[get(uri + "?$filter=x")].status, 501);
    EXPECT_EQ(given[get(uri + "?$top=x")].status, 400);
    EXPECT_EQ(given[ask("DELETE", uri)].status, 405);
    EXPECT_TRUE(commands(1).empty());
}

TEST_F(Gathering, WhoGoesAwayCausesNoMoreWork)
{
    get(uri);
    const Sent first = take(1);
    facade.onAborted(1);
    commands(1);
    EXPECT_NE(std::find(cancelled.begin(), cancelled.end(), first.id), cancelled.end());
    EXPECT_EQ(facade.open(), 0U);
    EXPECT_EQ(facade.nextDeadline(), never);
    reply(1, first, 200, page(""));
    EXPECT_TRUE(given.empty());
}

TEST_F(Gathering, TooManyAtOnceAreRefused)
{
    for (std::size_t i = 0; i < limits::maxGathersPerTenant; ++i) {
        get(uri);
    }
    const ExchangeId more = get(uri);
    EXPECT_EQ(given[more].status, 503) << "the tenant has its share";
    for (std::size_t i = limits::maxGathersPerTenant; i < limits::maxGathers; ++i) {
        EXPECT_FALSE(given.contains(get(uri, "root")));
    }
    EXPECT_EQ(given[get(uri, "root")].status, 503);
    EXPECT_NE(findHeader(given[more].headers, "Retry-After"), nullptr);
}

TEST_F(Gathering, QueryEtagAndHead)
{
    const auto gathered = [&](const std::string& method, const std::string& query, Headers headers = {}) {
        const ExchangeId id = ask(method, uri + query, "acme", std::move(headers));
        const Sent one = take(1);
        EXPECT_EQ(one.command.http.method, "GET");
        EXPECT_EQ(findHeader(one.command.http.headers, "If-None-Match"), nullptr);
        reply(1, one, 200, page(entry("A1_1") + "," + entry("A1_2")));
        reply(2, take(2), 404, "{}");
        return id;
    };
    const ExchangeId second = gathered("GET", "?$skip=1&$top=1");
    EXPECT_EQ(given[second].json()["Members"].size(), 1U);
    EXPECT_EQ(given[second].json()["Members"][0]["Id"], "A1_2");
    EXPECT_EQ(given[second].json()["Members@odata.count"], 2);
    const ExchangeId only = get(uri + "?only");
    reply(1, take(1), 200, page(entry("A1_1")));
    reply(2, take(2), 404, "{}");
    const Sent member = take(1);
    EXPECT_EQ(member.command.http.target, uri + "/A1_1");
    reply(1, member, 200, entry("A1_1"));
    EXPECT_EQ(given[only].body, entry("A1_1"));
    const ExchangeId head = gathered("HEAD", "");
    EXPECT_TRUE(given[head].body.empty());
    const ExchangeId whole = gathered("GET", "");
    EXPECT_EQ(*findHeader(given[head].headers, "Content-Length"), std::to_string(given[whole].body.size()));
    const std::string etag = *findHeader(given[whole].headers, "ETag");
    EXPECT_EQ(given[gathered("GET", "", {{"If-None-Match", etag}})].status, 304);
    const ExchangeId unchanged = gathered("HEAD", "", {{"If-None-Match", etag}});
    EXPECT_EQ(given[unchanged].status, 304);
    EXPECT_EQ(findHeader(given[unchanged].headers, "Content-Length"), nullptr);
    EXPECT_EQ(given[gathered("GET", "", {{"Cache-Control", "no-cache"}})].status, 200);
}

}  // namespace
}  // namespace mesh::aggregator
