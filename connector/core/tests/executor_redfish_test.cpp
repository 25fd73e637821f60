#include "connector/core/tests/fixture.hpp"

#include <nlohmann/json.hpp>

namespace mesh::connector {
namespace {

using nlohmann::json;
using shoset::ReplyState;

struct ExecutorRedfishTest : ExecutorTest {
    shoset::Message ask(const std::string& method)
    {
        shoset::Command content;
        content.name = "redfish." + method;
        content.user = "admin";
        return {MessageId::make(now.wall, rng), "agg-a", "acme/s1", std::move(content)};
    }
    void onDisk() { executor.onPersisted(journal.tokens.back(), {}, now); }
    void answers(int status, const std::string& body, Headers headers = {})
    {
        headers.push_back({"Content-Type", "application/json"});
        executor.onHead(bmc.last, {status, std::move(headers)}, !body.empty(), now);
        if (!body.empty()) {
            executor.onBody(bmc.last, body, true, now);
        }
    }
    const shoset::Reply& lastReply() const { return host.reply(host.sent.size() - 1); }
    json lastPayload() const { return json::parse(host.sent.back().body); }
};

TEST_F(ExecutorRedfishTest, AGetBringsStatusHeadersAndTheBodyAsTheBmcWroteIt)
{
    give(ask("get"), R"({"uri":"/redfish/v1/Systems?$top=1"})");
    const FakeBmc::Started& asked = bmc.started.at(bmc.last);
    EXPECT_EQ(asked.head.method, "GET");
    EXPECT_EQ(asked.head.target, "/redfish/v1/Systems?$top=1");
    EXPECT_TRUE(asked.repeatable);
    EXPECT_TRUE(journal.content.empty());
    answers(200, R"({ "@odata.id" : "/redfish/v1/Systems" })", {{"ETag", "\"1\""}, {"Set-Cookie", "secret"}});
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(lastReply().state, ReplyState::success);
    EXPECT_EQ(lastPayload(), json::parse(R"({"status":200,"headers":{"ETag":"\"1\""},"body":{"@odata.id":"/redfish/v1/Systems"}})"));
    EXPECT_TRUE(host.sent.back().last);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorRedfishTest, AWriteIsBegunOnceItIsOnDiskAndNotRepeated)
{
    const shoset::Message message = ask("patch");
    const std::string payload = R"({"uri":"/redfish/v1/Systems/1","body":{"AssetTag":"x"},"headers":{"If-Match":"\"1\""}})";
    give(message, payload);
    EXPECT_TRUE(bmc.started.empty());
    onDisk();
    const FakeBmc::Started& asked = bmc.started.at(bmc.last);
    EXPECT_EQ(asked.head.method, "PATCH");
    EXPECT_EQ(asked.body, R"({"AssetTag":"x"})");
    EXPECT_EQ(asked.bodyLength, 16);
    EXPECT_FALSE(asked.repeatable);
    EXPECT_EQ(*findHeader(asked.head.headers, "If-Match"), "\"1\"");
    EXPECT_EQ(*findHeader(asked.head.headers, "Content-Type"), "application/json");
    give(message, payload);
    EXPECT_EQ(bmc.started.size(), 1U);
    answers(204, "");
    executor.onRefreshed(host.refreshTicket, now);
    EXPECT_EQ(host.refreshed, std::vector<std::string>{"Systems"}) << "who lists them after it sees what it did";
    EXPECT_EQ(lastPayload(), json::parse(R"({"status":204,"headers":{}})"));
    give(message, payload);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(lastPayload().at("status"), 204) << "the same word again";
}

TEST_F(ExecutorRedfishTest, WhatTheBmcRefusesIsAFailureWithItsStatus)
{
    give(ask("delete"), R"({"uri":"/redfish/v1/Systems/1"})");
    onDisk();
    answers(405, R"({"error":{}})", {{"Allow", "GET"}});
    EXPECT_EQ(lastReply().state, ReplyState::fail);
    EXPECT_EQ(lastReply().failure, "http_405");
    EXPECT_EQ(lastReply().code, Code::refused);
    EXPECT_EQ(lastPayload().at("headers").at("Allow"), "GET");
}

TEST_F(ExecutorRedfishTest, AnAnswerThatDoesNotFitIsCutOffAndWasExecuted)
{
    give(ask("get"), R"({"uri":"/redfish/v1/Systems"})");
    executor.onHead(bmc.last, {200, {}}, true, now);
    executor.onBody(bmc.last, std::string(limits::maxPayloadBytes, ' '), false, now);
    EXPECT_GT(bmc.granted, 0U);
    EXPECT_TRUE(host.sent.empty());
    executor.onBody(bmc.last, " ", false, now);
    EXPECT_EQ(bmc.cancelled, std::vector<BmcExchange>{bmc.last});
    EXPECT_EQ(lastReply().failure, "reply_too_large");
    EXPECT_EQ(executor.running(), 0U);

    give(ask("get"), R"({"uri":"/redfish/v1/Systems"})");
    answers(200, "\"" + std::string(limits::maxPayloadBytes - 2, 'x') + "\"");
    EXPECT_EQ(lastReply().failure, "reply_too_large") << "with what stands around it";
}

TEST_F(ExecutorRedfishTest, ABodyThatIsNoJsonOrTooDeepIsAText)
{
    give(ask("get"), R"({"uri":"/redfish/v1/$metadata"})");
    answers(200, "<edmx>\xff</edmx>");
    EXPECT_EQ(lastPayload().at("body"), "<edmx>\xEF\xBF\xBD</edmx>");
    give(ask("get"), R"({"uri":"/redfish/v1/Systems"})");
    answers(200, std::string(limits::maxPayloadDepth, '[') + std::string(limits::maxPayloadDepth, ']'));
    EXPECT_TRUE(lastPayload().at("body").is_string());
}

TEST_F(ExecutorRedfishTest, TheMachinesPolicyHoldsForCommandsToo)
{
    give(ask("post"), R"({"uri":"/redfish/v1/systems/%31/Actions/Forbidden","body":{}})");
    EXPECT_EQ(lastReply().code, Code::permissionDenied);
    give(ask("get"), R"({"uri":"/redfish/v1/Systems/1/Actions/Forbidden"})");
    EXPECT_EQ(bmc.started.size(), 1U) << "GETs of it are not refused";
    EXPECT_EQ(executor.counters().refusedByPolicy, 1U);
}

TEST_F(ExecutorRedfishTest, WhatIsNotForThisBmcsTreeIsNotExecuted)
{
    for (const char* uri : {"/redfish/v1/../../etc", "/redfish/v1/Systems//1", "/redfish/v1/%2e%2e/x", "/redfish/v1/a b", "/login"}) {
        give(ask("get"), json{{"uri", uri}}.dump());
        EXPECT_EQ(lastReply().code, Code::invalidArgument) << uri;
    }
    shoset::Message other = ask("get");
    std::get<shoset::Command>(other.content).major = 2;
    give(other, R"({"uri":"/redfish/v1"})");
    EXPECT_EQ(lastReply().code, Code::unsupported);
    other = ask("get");
    std::get<shoset::Command>(other.content).type = "chassis";
    give(other, R"({"uri":"/redfish/v1"})");
    EXPECT_EQ(lastReply().code, Code::notFound);
    give(ask("get"), R"({"uri":"/redfish/v1"})", false);
    EXPECT_EQ(lastReply().code, Code::tooLarge);
    EXPECT_TRUE(bmc.started.empty());
}

TEST_F(ExecutorRedfishTest, ABmcThatDoesNotAnswerInTimeLeavesAnUnknownOutcome)
{
    give(ask("post"), R"({"uri":"/redfish/v1/Systems/1/Actions/ComputerSystem.Reset","body":{}})");
    onDisk();
    executor.onFailure(bmc.last, {Code::deadlineExceeded, "no answer"}, now);
    EXPECT_EQ(lastReply().code, Code::outcomeUnknown);
    EXPECT_TRUE(lastReply().failure.empty());
}

TEST_F(ExecutorRedfishTest, NoWorkerTakesTheNamesOrTheType)
{
    const auto attach = [this](const std::string& type, const std::string& command) {
        workers.onMessage(1, {1000, 1000, 7},
                          R"({"message":"register","protocol":1,"worker":"w","type":")" + type +
                              R"(","version":"1.0","commands":[{"name":")" + command + "\"}]}",
                          now);
        return socket.words.back().second;
    };
    EXPECT_NE(attach("chassis", "redfish.get").find("reserved"), std::string::npos);
    EXPECT_NE(attach("redfish", "power.cycle").find("the connector's own"), std::string::npos);
}

}  // namespace
}  // namespace mesh::connector
