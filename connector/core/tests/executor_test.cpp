#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

const std::string system = "/redfish/v1/Systems/P1_1";
const std::string action = "/redfish/v1/Systems/P1_1/Actions/ComputerSystem.Reset";

TEST_F(ExecutorTest, AGetReachesTheSatellitesOwnUriAndItsAnswerIsLocalised)
{
    give(command("GET", system + "?$top=1"));
    EXPECT_EQ(bmc.started[bmc.last].head.target, "/redfish/v1/Systems/1?$top=1");
    EXPECT_TRUE(bmc.started[bmc.last].repeatable);
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/json"}, {"Content-Length", "38"}}}, true, now);
    executor.onBody(bmc.last, R"({"@odata.id":"/redfish/v1/Systems/1"})", true, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.sent[0].body, R"({"@odata.id":"/redfish/v1/Systems/P1_1"})");
    EXPECT_TRUE(host.sent[0].last);
    EXPECT_EQ(findHeader(host.reply(0).http.headers, "Content-Length"), nullptr);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_EQ(journal.content, "");
}

TEST_F(ExecutorTest, AWriteIsBegunOnlyWhenItsEntryIsOnDisk)
{
    const shoset::Message post = command("POST", action);
    give(post);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(journal.content, "B " + post.id.hex() + "\n");
    executor.onPersisted(journal.tokens.at(0), {}, now);
    ASSERT_EQ(bmc.started.size(), 1U);
    EXPECT_FALSE(bmc.started[bmc.last].repeatable);
    executor.onHead(bmc.last, {204, {}}, false, now);
    EXPECT_EQ(host.reply(0).http.status, 204);
    EXPECT_EQ(journal.content, "B " + post.id.hex() + "\nF " + post.id.hex() + " 204\n");
}

TEST_F(ExecutorTest, AWriteThatCannotBeRecordedIsNotSent)
{
    give(command("POST", action));
    executor.onPersisted(journal.tokens.at(0), Error{Code::ioError, "no space"}, now);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::notSent);
    EXPECT_EQ(executor.counters().journalFailures, 1U);
}

TEST_F(ExecutorTest, ARepeatOfARunningCommandIsNotExecutedAndItsAnswerTakesTheNewWay)
{
    const shoset::Message get = command("GET", system);
    give(get);
    executor.onCommand(7, get, {}, true, now.mono + 30s, now);
    EXPECT_EQ(bmc.started.size(), 1U);
    executor.onHead(bmc.last, {200, {}}, false, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.sent[0].via, 7U);
}

TEST_F(ExecutorTest, ARepeatOfAFinishedWriteGetsTheSameAnswer)
{
    const shoset::Message post = command("POST", action);
    give(post);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onHead(bmc.last, {200, {{"Content-Type", "text/plain"}}}, true, now);
    executor.onBody(bmc.last, "done", true, now);
    give(post);
    EXPECT_EQ(bmc.started.size(), 1U);
    ASSERT_EQ(host.sent.size(), 2U);
    EXPECT_EQ(host.sent[1].body, "done");
    EXPECT_EQ(executor.counters().replayed, 1U);
}

TEST_F(ExecutorTest, AfterARestartABegunWriteIsOutcomeUnknownAndNeverExecutedAgain)
{
    const shoset::Message post = command("POST", action);
    ASSERT_TRUE(executor.loadJournal("B " + post.id.hex() + "\n"));
    give(post);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::outcomeUnknown);
}

TEST_F(ExecutorTest, AWriteOlderThanTheJournalsFloorIsRefused)
{
    const shoset::Message post = command("POST", action);
    ASSERT_TRUE(executor.loadJournal("L " + std::to_string(post.id.millis()) + "\n"));
    give(post);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(executor.counters().refusedOld, 1U);
}

TEST_F(ExecutorTest, WhatCannotBeShownToBeInTimeIsNotExecuted)
{
    executor.onCommand(1, command("GET", system), {}, true, std::nullopt, now);
    executor.onCommand(1, command("GET", system), {}, true, now.mono, now);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::deadlineExceeded);
    EXPECT_EQ(host.reply(1).code, Code::deadlineExceeded);
}

TEST_F(ExecutorTest, AWriteWhoseTimeRanOutOnTheDiskIsNotExecuted)
{
    give(command("POST", action));
    now.mono += 31s;
    executor.onPersisted(journal.tokens.at(0), {}, now);
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::deadlineExceeded);
}

TEST_F(ExecutorTest, TheMachinesOwnPolicyHasTheLastWord)
{
    give(command("POST", "/redfish/v1/Systems/P1_1/actions/forbidden"));
    EXPECT_EQ(host.reply(0).code, Code::permissionDenied);
    EXPECT_EQ(journal.content, "");
}

TEST_F(ExecutorTest, AnotherSatellitesUriInABodyIsRefusedBeforeAnythingIsSent)
{
    give(command("PATCH", system, {{"Content-Type", "application/json"}}), R"({"a":{"@odata.id":"/redfish/v1/Systems/P2_1"}})");
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::invalidArgument);
    EXPECT_EQ(host.reply(0).message, "/redfish/v1/Systems/P2_1");
}

TEST_F(ExecutorTest, ARequestForAnotherPrefixIsRefused)
{
    give(command("GET", "/redfish/v1/Systems/P2_1"));
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::invalidArgument);
}

TEST_F(ExecutorTest, APublishedRegistryIsReadWithoutPrefixAndNamesItselfSo)
{
    give(command("GET", "/redfish/v1/Registries/Base.1.8.1"));
    EXPECT_EQ(bmc.started[bmc.last].head.target, "/redfish/v1/Registries/Base.1.8.1");
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/json"}}}, true, now);
    executor.onBody(bmc.last, R"({"@odata.id":"/redfish/v1/Registries/Base.1.8.1","Id":"Base.1.8.1"})", true, now);
    EXPECT_EQ(host.sent[0].body, R"({"@odata.id":"/redfish/v1/Registries/Base.1.8.1","Id":"Base.1.8.1"})");
}

TEST_F(ExecutorTest, NothingElseIsReachedWithoutPrefixAndNoRegistryIsWrittenSo)
{
    give(command("GET", "/redfish/v1/Registries/OpenBMC.0.1.0"));
    give(command("DELETE", "/redfish/v1/Registries/Base.1.8.1"));
    EXPECT_TRUE(bmc.started.empty());
    EXPECT_EQ(host.reply(0).code, Code::invalidArgument);
    EXPECT_EQ(host.reply(1).code, Code::invalidArgument);
}

TEST_F(ExecutorTest, ALongAnswerStreamsWithinItsCreditAndTheBmcIsHeldBack)
{
    const shoset::Message get = command("GET", system);
    give(get);
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    const std::string piece(16 * 1024, 'x');
    std::size_t fed = 0;
    while (fed < 2 * limits::streamWindowBytes) {
        executor.onBody(bmc.last, piece, false, now);
        fed += piece.size();
    }
    std::size_t out = 0;
    for (const FakeHost::Sent& sent : host.sent) {
        out += sent.body.size();
    }
    EXPECT_EQ(out, limits::streamWindowBytes);
    EXPECT_LT(bmc.granted, fed);
    executor.onCredit(get.id, 2 * limits::streamWindowBytes, now);
    executor.onBody(bmc.last, "", true, now);
    EXPECT_TRUE(host.sent.back().last);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, AnAnswerThatBreaksOffMidwayIsSaidToBeIncomplete)
{
    give(command("GET", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    executor.onBody(bmc.last, std::string(100 * 1024, 'x'), false, now);
    executor.onFailure(bmc.last, {Code::corrupt, "cut"}, now);
    const auto& chunk = std::get<shoset::Chunk>(host.sent.back().content);
    EXPECT_EQ(chunk.code, Code::corrupt);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, ARequestsBodyStreamsToTheBmcAndCreditFollowsWhatTheBmcTook)
{
    const shoset::Message post = command("POST", "/redfish/v1/P1_UpdateService/upload", {{"Content-Type", "application/octet-stream"}});
    shoset::Message large = post;
    std::get<shoset::Command>(large.content).bodyLength = 200 * 1024;
    give(large, std::string(limits::inlineBodyBytes, 'a'), false);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    EXPECT_EQ(bmc.started[bmc.last].bodyLength, 200 * 1024);
    executor.onBodySent(bmc.last, limits::inlineBodyBytes, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_GT(std::get<shoset::Credit>(host.sent[0].content).total, limits::inlineBodyBytes);
    const std::size_t rest = 200 * 1024 - limits::inlineBodyBytes;
    executor.onChunk(post.id, {limits::inlineBodyBytes, Code::ok, ""}, std::string(rest, 'b'), true, now);
    EXPECT_EQ(bmc.started[bmc.last].body.size(), 200U * 1024);
    EXPECT_FALSE(bmc.started[bmc.last].bodyFollows);
}

TEST_F(ExecutorTest, APieceThatIsNotTheNextOneEndsTheRequest)
{
    const shoset::Message post = command("POST", "/redfish/v1/P1_UpdateService/upload", {{"Content-Type", "application/octet-stream"}});
    give(post, "aaaa", false);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onChunk(post.id, {99, Code::ok, ""}, "b", true, now);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::corrupt);
}

TEST_F(ExecutorTest, AWritesAnswerWaitsForTheCollectionThatItChanged)
{
    give(command("POST", "/redfish/v1/P1_Systems"));
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onHead(bmc.last, {201, {{"Location", "/redfish/v1/Systems/9"}}}, false, now);
    EXPECT_TRUE(host.sent.empty());
    EXPECT_EQ(host.refreshed, std::vector<std::string>{"Systems"});
    executor.onRefreshed(host.refreshTicket, now);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(*findHeader(host.reply(0).http.headers, "Location"), "/redfish/v1/Systems/P1_9");
}

TEST_F(ExecutorTest, ATaskThatIsCancelledByItsMonitorChangesTheTasks)
{
    for (const char* monitor : {"/redfish/v1/TaskService/TaskMonitors/P1_7", "/redfish/v1/TaskService/Tasks/P1_7/Monitor",
                                "/redfish/v1/TaskService/Tasks/P1_7"}) {
        host.refreshed.clear();
        give(command("DELETE", monitor));
        executor.onPersisted(journal.tokens.back(), {}, now);
        executor.onHead(bmc.last, {204, {}}, false, now);
        EXPECT_EQ(host.refreshed, std::vector<std::string>{"TaskService/Tasks"}) << monitor;
        executor.onRefreshed(host.refreshTicket, now);
    }
}

TEST_F(ExecutorTest, AWritesAnswerDoesNotWaitLongForASlowBmc)
{
    give(command("DELETE", system));
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onHead(bmc.last, {204, {}}, false, now);
    EXPECT_TRUE(host.sent.empty());
    now.mono = executor.nextDeadline();
    executor.onTimer(now);
    EXPECT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(executor.counters().refreshTimeouts, 1U);
}

TEST_F(ExecutorTest, AnAnswerSaysWhetherAWriteBeganOrEndedMeanwhile)
{
    const auto begin = [this](const char* method) {
        give(command(method, *method == 'G' ? system : action));
        if (*method != 'G') {
            executor.onPersisted(journal.tokens.back(), {}, now);
        }
        return bmc.last;
    };
    const auto undisturbed = [this](BmcExchange exchange) {
        executor.onHead(exchange, {204, {}}, false, now);
        return host.reply(host.sent.size() - 1).undisturbed;
    };
    EXPECT_TRUE(undisturbed(begin("GET")));
    const BmcExchange before = begin("GET");
    const BmcExchange write = begin("POST");
    EXPECT_FALSE(undisturbed(before)) << "one began";
    const BmcExchange during = begin("GET");
    EXPECT_TRUE(undisturbed(begin("GET"))) << "one is under way, so nobody was told of its end";
    EXPECT_FALSE(undisturbed(write));
    EXPECT_FALSE(undisturbed(during)) << "one ended";
    EXPECT_TRUE(undisturbed(begin("GET"))) << "it is over";
}

TEST_F(ExecutorTest, AWriteThatFailsEndsToo)
{
    give(command("POST", action));
    executor.onPersisted(journal.tokens.at(0), {}, now);
    const BmcExchange write = bmc.last;
    give(command("GET", system));
    executor.onFailure(write, {Code::outcomeUnknown, "no answer"}, now);
    executor.onHead(bmc.last, {204, {}}, false, now);
    EXPECT_FALSE(host.reply(1).undisturbed);
}

TEST_F(ExecutorTest, AWriteDuringAnAnswersLastPieceCountsAsLongAsItWasNotSent)
{
    give(command("GET", system));
    const BmcExchange get = bmc.last;
    executor.onHead(get, {200, {{"Content-Type", "text/plain"}}}, true, now);
    executor.onBody(get, "first", false, now);
    give(command("POST", action));
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onBody(get, "last", true, now);
    EXPECT_EQ(host.sent.at(0).body, "firstlast");
    EXPECT_FALSE(host.reply(0).undisturbed);
}

TEST_F(ExecutorTest, HeadTellsTheLengthOfTheLocalisedBody)
{
    give(command("HEAD", system));
    EXPECT_EQ(bmc.started[bmc.last].head.method, "GET");
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/json"}, {"Content-Length", "37"}}}, true, now);
    executor.onBody(bmc.last, R"({"@odata.id":"/redfish/v1/Systems/1"})", true, now);
    EXPECT_EQ(host.sent[0].body, "");
    EXPECT_EQ(*findHeader(host.reply(0).http.headers, "Content-Length"), "40");
}

TEST_F(ExecutorTest, HeadOfAnEventStreamOpensNone)
{
    give(command("HEAD", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(host.reply(0).http.status, 200);
    EXPECT_EQ(findHeader(host.reply(0).http.headers, "Content-Length"), nullptr);
    EXPECT_TRUE(host.sent.at(0).last);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, AnAnswerThatNobodyTakesIsGivenUp)
{
    give(command("GET", system));
    executor.onHead(bmc.last, {200, {{"Content-Type", "text/event-stream"}}}, true, now);
    executor.onBody(bmc.last, std::string(limits::streamWindowBytes + 1000, '\n'), false, now);
    EXPECT_EQ(executor.nextDeadline(), now.mono + limits::answerStall);
    now.mono += limits::answerStall - 1s;
    executor.onCredit(host.sent.at(0).id, limits::streamWindowBytes + 500, now);
    now.mono += limits::answerStall - 1s;
    executor.onTimer(now);
    EXPECT_EQ(executor.running(), 1U) << "some of it was taken";
    now.mono += 1s;
    executor.onTimer(now);
    EXPECT_EQ(executor.running(), 0U);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(executor.counters().notTaken, 1U);
}

TEST_F(ExecutorTest, AWriteWhoseAnswerIsUnusableMayHaveBeenExecuted)
{
    for (const Code code : {Code::corrupt, Code::deadlineExceeded, Code::outcomeUnknown}) {
        give(command("POST", action));
        executor.onPersisted(journal.tokens.back(), {}, now);
        executor.onFailure(bmc.last, {code, "why"}, now);
        EXPECT_EQ(host.reply(host.sent.size() - 1).code, Code::outcomeUnknown);
        give(command("GET", system));
        executor.onFailure(bmc.last, {code, "why"}, now);
        EXPECT_EQ(host.reply(host.sent.size() - 1).code, code);
    }
    give(command("PATCH", system));
    executor.onPersisted(journal.tokens.back(), {}, now);
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/json"}}}, true, now);
    executor.onBody(bmc.last, R"({"AssetTag":)", true, now);
    EXPECT_EQ(host.reply(host.sent.size() - 1).code, Code::outcomeUnknown);
}

TEST_F(ExecutorTest, CancellingAReadEndsIt)
{
    const shoset::Message get = command("GET", system);
    give(get);
    executor.onCancel(get.id, now);
    EXPECT_EQ(bmc.cancelled.size(), 1U);
    EXPECT_EQ(executor.running(), 0U);
}

TEST_F(ExecutorTest, CancellingABegunWriteLetsItEndSoThatARepeatLearnsHow)
{
    const shoset::Message post = command("POST", action);
    give(post);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onCancel(post.id, now);
    EXPECT_TRUE(bmc.cancelled.empty());
    executor.onHead(bmc.last, {204, {}}, false, now);
    give(post);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(host.reply(1).http.status, 204);
}

TEST_F(ExecutorTest, MoreThanTheBoundIsRefusedAndSaidToBeNotSent)
{
    for (std::size_t i = 0; i < limits::maxPendingPerConnector + 1; ++i) {
        give(command("GET", system));
    }
    EXPECT_EQ(executor.running(), limits::maxPendingPerConnector);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::full);
}

}  // namespace
}  // namespace mesh::connector
