#include "connector/core/bmc_dispatcher.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace mesh::connector {
namespace {

using Kind = BmcAction::Kind;
using Answer = BmcDispatcher::Answer;

const ResponseHead okHead{200, {}};
const ResponseHead unauthorized{401, {}};

ResponseHead sessionCreated(const std::string& token)
{
    return {201, {{"X-Auth-Token", token}, {"Location", "/redfish/v1/SessionService/Sessions/" + token}}};
}

// Plays the shell: connections open at once, and what was sent waits for answer().
struct BmcDispatcherTest : testing::Test {
    SeededRng rng{1};
    Instant now{1h};
    std::unique_ptr<BmcDispatcher> desk;
    std::map<BmcExchange, BmcConnection> sent;  // not answered
    std::map<BmcExchange, std::string> credential;
    std::map<BmcExchange, int> sends;
    std::map<BmcExchange, Error> failed;
    int logins = 0, stops = 0;
    bool connectsWork = true;

    void make(BmcAuth auth) { desk = std::make_unique<BmcDispatcher>("bmc", auth, "u", "p", rng, BmcPool::Options{}); }
    void settle()
    {
        while (!desk->actions.empty()) {
            BmcActions actions;
            actions.swap(desk->actions);
            for (const BmcAction& action : actions) {
                carryOut(action);
            }
        }
    }
    void carryOut(const BmcAction& action)
    {
        switch (action.kind) {
            case Kind::connect:
                connectsWork ? desk->connected(action.connection, now)
                             : desk->connectFailed(action.connection, {Code::notSent, "refused"}, now);
                break;
            case Kind::send: {
                const Header* header = desk->credential(action.exchange);
                credential[action.exchange] = header == nullptr ? "" : header->value;
                sent[action.exchange] = action.connection;
                ++sends[action.exchange];
                logins += isInternal(action.exchange) && desk->internalRequest().head.method != "DELETE" ? 1 : 0;
                break;
            }
            case Kind::close: break;
            case Kind::fail:
                if (!isInternal(action.exchange)) {
                    EXPECT_FALSE(failed.contains(action.exchange));
                    failed[action.exchange] = action.error;
                }
                break;
            case Kind::stopped: ++stops; break;
        }
    }
    void start(BmcExchange id, bool repeatable = true)
    {
        desk->start(id, repeatable, now + 30s, now);
        settle();
    }
    // The latest internal exchange that waits for its answer, mostly a login; 0 if none does.
    BmcExchange login() const
    {
        const bool waits = !sent.empty() && isInternal(sent.rbegin()->first);
        return waits ? sent.rbegin()->first : 0;
    }
    Answer answer(BmcExchange id, const ResponseHead& head, bool replayable = true)
    {
        const BmcConnection connection = sent.at(id);
        sent.erase(id);
        desk->answering(connection);
        const Answer verdict = desk->head(connection, head, now);
        settle();
        desk->finished(connection, true, replayable, now);
        settle();
        return verdict;
    }
    void lose(BmcExchange id)
    {
        const BmcConnection connection = sent.at(id);
        sent.erase(id);
        desk->lost(connection, false, true, "reset", now);
        settle();
    }
};

TEST_F(BmcDispatcherTest, WithoutAuthenticationRequestsGoAtOnceWithoutCredential)
{
    make(BmcAuth::none);
    start(1);
    ASSERT_TRUE(sent.contains(1));
    EXPECT_EQ(credential[1], "");
    EXPECT_EQ(answer(1, okHead), Answer::deliver);
    start(2);
    EXPECT_EQ(answer(2, unauthorized), Answer::discard);
    EXPECT_EQ(failed[2].code, Code::refused);
    EXPECT_NE(failed[2].message.find("bmc"), std::string::npos);
}

TEST_F(BmcDispatcherTest, AllRequestsWaitForOneLogin)
{
    make(BmcAuth::session);
    for (BmcExchange id = 1; id <= 5; ++id) {
        start(id);
    }
    EXPECT_EQ(logins, 1);
    EXPECT_EQ(sent.size(), 1u);
    EXPECT_EQ(desk->internalRequest().head.method, "POST");
    EXPECT_EQ(credential[login()], "") << "no old token goes with it";
    EXPECT_EQ(answer(login(), sessionCreated("t1")), Answer::discard);
    for (BmcExchange id = 1; id <= 5; ++id) {
        EXPECT_EQ(credential[id], "t1");
        EXPECT_EQ(answer(id, okHead), Answer::deliver);
    }
    EXPECT_EQ(desk->internalRequest().body, "") << "the password is wiped";
}

TEST_F(BmcDispatcherTest, AWrongPasswordFailsAllWhoWaitAndIsNotTriedAgainAtOnce)
{
    make(BmcAuth::basic);
    for (BmcExchange id = 1; id <= 5; ++id) {
        start(id);
    }
    EXPECT_EQ(credential[login()], "Basic dTpw");
    answer(login(), unauthorized);
    start(6);
    for (BmcExchange id = 1; id <= 6; ++id) {
        EXPECT_EQ(failed[id].code, Code::refused);
    }
    EXPECT_EQ(logins, 1);
    now += limits::bmcLoginBackoff;
    start(7);
    EXPECT_EQ(logins, 2);
    answer(login(), okHead);
    EXPECT_EQ(credential[7], "Basic dTpw");
}

TEST_F(BmcDispatcherTest, AnExpiredSessionIsRenewedOnceAndEveryRequestRepeatedOnce)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    answer(1, okHead);
    start(2, false);
    start(3);
    EXPECT_EQ(answer(2, unauthorized), Answer::discard);
    ASSERT_NE(login(), 0u);
    EXPECT_EQ(sends[2], 1);
    EXPECT_EQ(answer(3, unauthorized), Answer::discard);
    start(4);
    EXPECT_FALSE(sent.contains(4)) << "waits for the new login";
    answer(login(), sessionCreated("t2"));
    EXPECT_EQ(logins, 2);
    for (BmcExchange id = 2; id <= 4; ++id) {
        EXPECT_EQ(credential[id], "t2");
        EXPECT_EQ(answer(id, okHead), Answer::deliver);
    }
    EXPECT_TRUE(failed.empty());
    EXPECT_EQ(desk->loginCounters().relogins, 1u);
}

TEST_F(BmcDispatcherTest, ASecond401IsRefusedAndHarmsNobodyElse)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    answer(1, unauthorized);
    answer(login(), sessionCreated("t2"));
    answer(1, unauthorized);
    EXPECT_EQ(failed[1].code, Code::refused);
    start(2);
    EXPECT_EQ(credential[2], "t2");
    EXPECT_EQ(answer(2, okHead), Answer::deliver);
    start(3);
    answer(3, unauthorized);
    EXPECT_EQ(failed[3].code, Code::refused);
    EXPECT_EQ(logins, 2) << "a resource that answers 401 to everybody does not cost a login each time";
}

struct ReplacedSession : BmcDispatcherTest {
    // A resource that is always answered 401 has exchange 1 log in anew, in vain: the session t1 lives beside t2.
    void SetUp() override
    {
        make(BmcAuth::session);
        start(1);
        answer(login(), sessionCreated("t1"));
        if (streams) {
            start(100, false);
        }
        answer(1, unauthorized);
        answer(login(), sessionCreated("t2"));
        EXPECT_EQ(login(), 0U) << "it may have expired, and belong to somebody else by now";
        answer(1, unauthorized);
    }
    std::string ending() const
    {
        const BmcLogin::Request& request = desk->internalRequest();
        return login() != 0 && request.head.method == "DELETE" ? request.head.target.substr(sizeof "/redfish/v1/SessionService/Sessions") : "";
    }
    bool streams = false;
};

struct ReplacedSessionInUse : ReplacedSession {
    ReplacedSessionInUse() { streams = true; }
};

TEST_F(ReplacedSession, IsEndedAndNobodyWaitsForThat)
{
    EXPECT_EQ(ending(), "t1");
    EXPECT_EQ(credential[login()], "t2");
    start(2);
    EXPECT_EQ(answer(2, okHead), Answer::deliver);
    answer(login(), unauthorized);
    EXPECT_EQ(ending(), "");
    start(3);
    EXPECT_EQ(credential[3], "t2");
    EXPECT_EQ(logins, 2);
}

TEST_F(ReplacedSession, IsNotWaitedForByALogin)
{
    now += limits::bmcReloginPauseMax;
    start(2);
    answer(2, unauthorized);
    EXPECT_EQ(logins, 3);
    answer(login(), sessionCreated("t3"));
    EXPECT_EQ(credential[2], "t3");
    EXPECT_EQ(answer(2, okHead), Answer::deliver);
    EXPECT_EQ(ending(), "") << "t2 had expired";
    desk->stop(now);
    settle();
    EXPECT_EQ(ending(), "t3");
}

TEST_F(ReplacedSession, WhoseEndIsUnderWayDoesNotKeepTheOtherFromBeingEndedAtTheStop)
{
    desk->stop(now);
    settle();
    EXPECT_EQ(ending(), "t2");
    EXPECT_EQ(credential[login()], "t2");
}

TEST_F(ReplacedSessionInUse, IsEndedAfterwards)
{
    EXPECT_EQ(ending(), "");
    EXPECT_EQ(answer(100, okHead), Answer::deliver);
    EXPECT_EQ(ending(), "t1");
}

TEST_F(BmcDispatcherTest, AnExpiredSessionIsNotEndedAndNeitherIsOneWithTheSamePath)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    answer(1, unauthorized);
    answer(login(), sessionCreated("t2"));
    answer(1, okHead);
    EXPECT_EQ(login(), 0U) << "it had expired";
    start(2);
    answer(2, unauthorized);
    answer(login(), sessionCreated("t2"));
    answer(2, unauthorized);
    EXPECT_EQ(login(), 0U) << "it is the session that there is";
}

TEST_F(BmcDispatcherTest, TheWatchIsServedBeforeClients)
{
    make(BmcAuth::none);
    for (BmcExchange id = 1; id <= limits::bmcConnections + 2; ++id) {
        start(id);
    }
    start(watchExchange | 1);
    EXPECT_FALSE(sent.contains(watchExchange | 1));
    answer(1, okHead);
    EXPECT_TRUE(sent.contains(watchExchange | 1));
}

TEST_F(BmcDispatcherTest, A401ThatCannotBeRepeatedIsSaidToBeNotExecuted)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    answer(1, unauthorized, false);
    EXPECT_EQ(failed[1].code, Code::notSent);
    answer(login(), sessionCreated("t2"));
    EXPECT_EQ(sends[1], 1);
    start(2);
    EXPECT_EQ(credential[2], "t2");
}

TEST_F(BmcDispatcherTest, APasswordChangedMeanwhileIsRefused)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    start(2);
    answer(1, unauthorized);
    answer(login(), unauthorized);
    EXPECT_EQ(failed[1].code, Code::refused);
    answer(2, unauthorized);
    EXPECT_EQ(failed[2].code, Code::refused);
    EXPECT_EQ(logins, 2);
}

TEST_F(BmcDispatcherTest, ALoginWithoutAnAnswerFailsWhoWaitsAsNotSent)
{
    make(BmcAuth::session);
    start(1);
    lose(login());
    EXPECT_EQ(failed[1].code, Code::notSent);
    start(2);
    EXPECT_EQ(logins, 2);
    now += limits::bmcLoginDeadline;
    desk->tick(now);
    settle();
    EXPECT_EQ(failed[2].code, Code::notSent);
    connectsWork = false;
    start(3);
    EXPECT_EQ(failed[3].code, Code::notSent);
    connectsWork = true;
    sent.clear();
    start(4);
    answer(login(), sessionCreated("t1"));
    EXPECT_EQ(credential[4], "t1");
}

TEST_F(BmcDispatcherTest, TheHeadOfAnAnswerCountsAlsoWhenItsBodyIsCut)
{
    make(BmcAuth::session);
    start(1);
    desk->head(sent.at(login()), sessionCreated("t1"), now);
    lose(login());
    ASSERT_EQ(credential[1], "t1");
    desk->head(sent.at(1), unauthorized, now);
    lose(1);
    EXPECT_TRUE(failed.empty());
    EXPECT_EQ(logins, 2);
}

TEST_F(BmcDispatcherTest, EventStreamsOutliveTheirDeadline)
{
    make(BmcAuth::none);
    start(1);
    EXPECT_EQ(desk->head(sent.at(1), {200, {{"Content-Type", "text/event-stream"}}}, now), Answer::deliver);
    now += 10h;
    desk->tick(now);
    settle();
    EXPECT_TRUE(failed.empty());
}

TEST_F(BmcDispatcherTest, StoppingEndsExchangesThenTheSession)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    answer(1, okHead);
    start(2);
    desk->stop(now);
    settle();
    EXPECT_EQ(failed[2].code, Code::outcomeUnknown);
    EXPECT_EQ(stops, 0);
    ASSERT_NE(login(), 0u);
    EXPECT_EQ(desk->internalRequest().head.method, "DELETE");
    EXPECT_EQ(desk->internalRequest().head.target, "/redfish/v1/SessionService/Sessions/t1");
    EXPECT_EQ(credential[login()], "t1");
    start(3);
    EXPECT_EQ(failed[3].code, Code::notSent);
    answer(login(), {204, {}});
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(desk->open(), 0u);
}

TEST_F(BmcDispatcherTest, StoppingDoesNotWaitForABmcThatHangs)
{
    make(BmcAuth::session);
    start(1);
    answer(login(), sessionCreated("t1"));
    desk->stop(now);
    settle();
    EXPECT_EQ(desk->nextDeadline(), now + limits::bmcLogoutDeadline);
    now += limits::bmcLogoutDeadline;
    desk->tick(now);
    settle();
    EXPECT_EQ(stops, 1);
}

TEST_F(BmcDispatcherTest, StoppingWithoutASessionIsDoneAtOnce)
{
    make(BmcAuth::basic);
    start(1);
    desk->stop(now);
    settle();
    EXPECT_EQ(failed[1].code, Code::notSent);
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(desk->open(), 0u);
}

}  // namespace
}  // namespace mesh::connector
