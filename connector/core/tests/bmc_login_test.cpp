#include "connector/core/bmc_login.hpp"

#include <gtest/gtest.h>

namespace mesh::connector {
namespace {

using Gate = BmcLogin::Gate;
using Verdict = BmcLogin::Verdict;

const ResponseHead created{201, {{"X-Auth-Token", "tok"}, {"Location", "https://bmc/redfish/v1/SessionService/Sessions/7"}}};

struct BmcLoginTest : testing::Test {
    SeededRng rng{1};
    Instant now{1h};
    BmcLogin session{"bmc", BmcAuth::session, "ro\"ot", "p\\w", rng};
    BmcLogin basic{"bmc", BmcAuth::basic, "user", "pass", rng};

    void logIn(BmcLogin& login)
    {
        login.begin();
        ASSERT_TRUE(login.answered(created, now));
    }
    Duration pauseAfterRefusal(BmcLogin& login)
    {
        login.begin();
        EXPECT_FALSE(login.answered({401, {}}, now));
        EXPECT_EQ(login.gate(now), Gate::refused);
        Duration pause{};
        while (login.gate(now + pause) == Gate::refused) {
            pause += 10ms;
        }
        return pause;
    }
};

TEST_F(BmcLoginTest, WithoutAuthenticationEverythingGoesAndA401IsFinal)
{
    BmcLogin none{"bmc", BmcAuth::none, "", "", rng};
    EXPECT_EQ(none.gate(now), Gate::open);
    EXPECT_EQ(none.credential(), nullptr);
    EXPECT_EQ(none.unauthorized(none.generation(), false, now), Verdict::refuse);
    EXPECT_FALSE(none.logout());
}

TEST_F(BmcLoginTest, SessionIsCreatedOnceUsedAndEnded)
{
    EXPECT_EQ(session.gate(now), Gate::needed);
    const auto request = session.begin();
    EXPECT_EQ(request.head.method, "POST");
    EXPECT_EQ(request.head.target, "/redfish/v1/SessionService/Sessions");
    EXPECT_EQ(request.body, R"({"UserName":"ro\"ot","Password":"p\\w"})");
    EXPECT_EQ(session.gate(now), Gate::running);
    EXPECT_EQ(session.credential(), nullptr);
    ASSERT_TRUE(session.answered(created, now));
    EXPECT_EQ(session.gate(now), Gate::open);
    ASSERT_NE(session.credential(), nullptr);
    EXPECT_EQ(*session.credential(), (Header{"X-Auth-Token", "tok"}));
    const auto bye = session.logout();
    ASSERT_TRUE(bye);
    EXPECT_EQ(bye->head.method, "DELETE");
    EXPECT_EQ(bye->head.target, "/redfish/v1/SessionService/Sessions/7");
    EXPECT_FALSE(session.logout());
}

TEST_F(BmcLoginTest, BasicIsCheckedByOneRequestBeforeOthersGo)
{
    EXPECT_EQ(basic.gate(now), Gate::needed);
    const auto request = basic.begin();
    EXPECT_EQ(request.head.method, "GET");
    EXPECT_EQ(*basic.credential(), (Header{"Authorization", "Basic dXNlcjpwYXNz"}));
    EXPECT_EQ(basic.gate(now), Gate::running);
    ASSERT_TRUE(basic.answered({404, {}}, now));
    EXPECT_EQ(basic.gate(now), Gate::open);
    EXPECT_FALSE(basic.logout());
}

TEST_F(BmcLoginTest, AnsweredWithoutATokenIsRefused)
{
    session.begin();
    const auto result = session.answered({201, {}}, now);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::refused);
    EXPECT_NE(result.error().message.find("bmc"), std::string::npos);
}

TEST_F(BmcLoginTest, RefusalsAreFollowedByGrowingBoundedPauses)
{
    Duration last{};
    for (int i = 0; i < 20; ++i) {
        const Duration pause = pauseAfterRefusal(session);
        const Duration full = std::min<Duration>(limits::bmcLoginBackoff * (1 << std::min(i, 16)), limits::bmcLoginBackoffMax);
        EXPECT_GE(pause, full / 2);
        EXPECT_LE(pause, full + 10ms);
        last = pause;
        now += pause;
    }
    EXPECT_GE(last, limits::bmcLoginBackoffMax / 2);
    EXPECT_EQ(session.refusal(now - 2s).code, Code::refused);
    EXPECT_NE(session.refusal(now - 2s).message.find("next attempt in 2 s"), std::string::npos) << session.refusal(now - 2s).message;
    logIn(session);
    EXPECT_LE(pauseAfterRefusal(session), limits::bmcLoginBackoff + 10ms) << "a success forgets old refusals";
}

TEST_F(BmcLoginTest, PausesHaveJitter)
{
    BmcLogin other{"bmc", BmcAuth::session, "u", "p", rng};
    EXPECT_NE(pauseAfterRefusal(session), pauseAfterRefusal(other));
}

TEST_F(BmcLoginTest, ABmcThatCannotAnswerNowIsAskedAgainSoonAndCallersMayRepeat)
{
    for (int i = 0; i < 10; ++i) {
        session.begin();
        const auto result = session.answered({503, {}}, now);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Code::notSent);
        EXPECT_EQ(session.gate(now), Gate::refused);
        EXPECT_EQ(session.refusal(now).code, Code::notSent);
        now += limits::bmcConnectPause;
        EXPECT_EQ(session.gate(now), Gate::needed);
    }
    session.begin();
    session.failed();
    EXPECT_EQ(session.gate(now), Gate::needed);
}

TEST_F(BmcLoginTest, A401LeadsToOneNewLoginHoweverManyRequestsGetIt)
{
    logIn(session);
    const auto old = session.generation();
    EXPECT_EQ(session.unauthorized(old, false, now), Verdict::relogin);
    session.begin();
    EXPECT_EQ(session.unauthorized(old, false, now), Verdict::repeat);
    ASSERT_TRUE(session.answered(created, now));
    EXPECT_NE(session.generation(), old);
    EXPECT_EQ(session.unauthorized(old, false, now), Verdict::repeat);
    EXPECT_EQ(session.counters().relogins, 1u);
    EXPECT_EQ(session.counters().logins, 2u);
}

TEST_F(BmcLoginTest, ASecond401IsFinalAndNewLoginsForItBecomeRare)
{
    logIn(session);
    EXPECT_EQ(session.unauthorized(session.generation(), false, now), Verdict::relogin);
    logIn(session);
    EXPECT_EQ(session.unauthorized(session.generation(), true, now), Verdict::refuse);
    EXPECT_EQ(session.gate(now), Gate::open) << "others go on with the token";
    EXPECT_EQ(session.unauthorized(session.generation(), false, now), Verdict::refuse);
    EXPECT_EQ(session.unauthorized(session.generation(), false, now + limits::bmcReloginPauseMax), Verdict::relogin);
}

TEST_F(BmcLoginTest, ANewLoginThatHelpedMayComeAgainAtOnce)
{
    logIn(session);
    EXPECT_EQ(session.unauthorized(session.generation(), false, now), Verdict::relogin);
    logIn(session);
    session.accepted();
    EXPECT_EQ(session.unauthorized(session.generation(), false, now), Verdict::relogin);
}

TEST(BmcSecret, IsOverwritten)
{
    std::string secret = "a password that is long enough for the heap";
    const char* const where = secret.data();
    wipe(secret);
    EXPECT_TRUE(secret.empty());
    EXPECT_EQ(std::string(where, 10), std::string(10, '\0'));
}

}  // namespace
}  // namespace mesh::connector
