#include "connector/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::connector {
namespace {

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

TEST_F(ExecutorTest, AJournalThatCouldNotBeWrittenIsWrittenAnewWithTheNextCommand)
{
    executor.onPersisted(0, Error{Code::ioError, "no space"}, now);
    const shoset::Message post = command("POST", action);
    give(post);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    executor.onHead(bmc.last, {204, {}}, false, now);
    EXPECT_EQ(journal.content, "L 0\nF " + post.id.hex() + " 204\n");
    const shoset::Message second = command("POST", action);
    give(second);
    executor.onPersisted(journal.tokens.at(1), {}, now);
    executor.onHead(bmc.last, {204, {}}, false, now);
    EXPECT_TRUE(journal.content.ends_with("\nB " + second.id.hex() + "\nF " + second.id.hex() + " 204\n")) << "once is enough";
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

TEST_F(ExecutorTest, ARepeatDoesNotMoveAnAnswerThatHasBegun)
{
    const shoset::Message get = command("GET", system);
    give(get);
    executor.onHead(bmc.last, {200, {{"Content-Type", "application/octet-stream"}}}, true, now);
    executor.onBody(bmc.last, std::string(limits::inlineBodyBytes + 1, 'x'), false, now);
    executor.onCommand(7, get, {}, true, now.mono + 30s, now);
    executor.onBody(bmc.last, "y", false, now);
    EXPECT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(host.sent.back().body, "y");
    EXPECT_EQ(host.sent.back().via, 1U);
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

TEST_F(ExecutorTest, TheMachinesOwnPolicyHoldsOutsideTheRedfishTreeToo)
{
    give(command("POST", "/redfish/v1/P1_-/REST/v1/Systems/1/?x"));
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).code, Code::permissionDenied);
    EXPECT_EQ(journal.content, "");
    give(command("GET", "/redfish/v1/P1_-/rest/v1/Systems/1"));
    ASSERT_EQ(bmc.started.size(), 1U);
    EXPECT_EQ(bmc.started[bmc.last].head.target, "/rest/v1/Systems/1");
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

TEST_F(ExecutorTest, AWriteThatIsUnderWayOutlivesItsAskersLink)
{
    const shoset::Message post = command("POST", action);
    give(post);
    executor.onPersisted(journal.tokens.at(0), {}, now);
    host.reachable = host.linked = false;
    executor.onLinkDown("agg-a", now);
    now.mono += limits::linkRecovery * 2;
    executor.onTimer(now);
    EXPECT_TRUE(bmc.cancelled.empty());
    executor.onHead(bmc.last, {204, {}}, false, now);
    host.reachable = true;
    give(post);
    EXPECT_EQ(bmc.started.size(), 1U);
    ASSERT_EQ(host.sent.size(), 1U);
    EXPECT_EQ(host.reply(0).http.status, 204);
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

TEST_F(ExecutorTest, ACopyOfAWriteThatWasRefusedIsRefusedAlikeAlsoWhenItCouldBeExecutedNow)
{
    for (std::size_t i = 0; i < limits::maxPendingPerConnector; ++i) {
        give(command("GET", system));
    }
    const shoset::Message post = command("POST", action);
    const shoset::Message get = command("GET", system);
    give(post);
    give(get);
    ASSERT_EQ(host.sent.size(), 2U);
    EXPECT_EQ(host.reply(0).code, Code::full);
    EXPECT_EQ(host.reply(1).code, Code::full);
    executor.onHead(bmc.last, {204, {}}, false, now);
    executor.onHead(bmc.last - 1, {204, {}}, false, now);
    ASSERT_EQ(executor.running(), limits::maxPendingPerConnector - 2);
    give(post);
    ASSERT_EQ(host.sent.size(), 5U);
    EXPECT_EQ(host.reply(4).code, Code::full) << "who ordered it was told that it was not executed";
    EXPECT_EQ(journal.content, "");
    give(get);
    EXPECT_EQ(executor.running(), limits::maxPendingPerConnector - 1) << "to read twice does no harm";
    give(command("POST", action));
    EXPECT_EQ(executor.running(), limits::maxPendingPerConnector) << "another write is another matter";
}

}  // namespace
}  // namespace mesh::connector
