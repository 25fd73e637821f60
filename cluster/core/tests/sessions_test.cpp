#include "cluster/core/sessions.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

class Sessions : public Machine {
protected:
    Sessions()
    {
        apply(account("alice"));
        apply(account("bob"));
    }
    UpdateAccount update(const std::string& id)
    {
        UpdateAccount change;
        change.id = id;
        return change;
    }
};

TEST_F(Sessions, AreFoundByTheirTokenWhichIsNotInTheState)
{
    const std::string token = login("1");
    EXPECT_EQ(token.size(), 48U);
    EXPECT_NE(token, login("1"));
    const Session* session = findSessionByToken(state(), token);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->accountId, "1");
    EXPECT_EQ(session->createdAt, at(0));
    EXPECT_EQ(findSessionByToken(state(), token + "0"), nullptr);
    EXPECT_EQ(findSessionByToken(state(), ""), nullptr);
    EXPECT_EQ(machine.snapshot().find(token), std::string::npos);
    EXPECT_EQ(machine.snapshot().find(*fromHex(token)), std::string::npos);
}

TEST_F(Sessions, AreUsedByAnEntryWhateverItsStamp)
{
    raise();
    const std::string id = findSessionByToken(state(), login("1", 100, 100))->id;
    for (const std::int64_t stamp : {7200, 150, 150}) {
        apply(TouchSessions{{"unknown", id}}, stamp);
        EXPECT_EQ(changes, (std::vector<Change>{{state().revision, ChangeKind::session, id}}));
        EXPECT_EQ(findSession(state(), id)->lastUse, at(stamp));
    }
}

TEST_F(Sessions, DoNotEndByAStamp)
{
    raise();
    const std::string token = login("1", 0, 100);
    EXPECT_EQ(apply(ExpireSessions{}, 7200).value, "0");
    for (std::size_t i = 1; i < limits::maxSessionsPerAccount; ++i) {
        login("1", 0, 100);
    }
    EXPECT_EQ(apply(CreateSession{"more", hashToken("more"), "1", "", 100}, 7200).error.code, Code::full);
    EXPECT_NE(findSessionByToken(state(), token), nullptr);
}

TEST_F(Sessions, EndByStampsBeforeTheLevelOfElapsedTime)
{
    const std::string early = login("1", 0, 100);
    const std::string late = login("1", 50, 100);
    const std::string id = findSessionByToken(state(), late)->id;
    apply(TouchSessions{{id}}, 20);  // an older stamp changes nothing
    EXPECT_TRUE(changes.empty());
    EXPECT_FALSE(isExpired(*findSession(state(), id), at(149)));
    EXPECT_TRUE(isExpired(*findSession(state(), id), at(150)));
    EXPECT_EQ(apply(ExpireSessions{}, 120).value, "1");
    EXPECT_EQ(state().sessions.size(), 1U);
    EXPECT_NE(findSessionByToken(state(), late), nullptr);
    EXPECT_EQ(apply(ExpireSessions{}, 120).value, "0");
    EXPECT_TRUE(changes.empty());
}

TEST_F(Sessions, EndByRequestOnce)
{
    const std::string token = login("1");
    const std::string id = findSessionByToken(state(), token)->id;
    EXPECT_TRUE(apply(EndSession{id}).ok());
    EXPECT_EQ(findSessionByToken(state(), token), nullptr);
    EXPECT_EQ(apply(EndSession{id}).error.code, Code::notFound);
}

TEST_F(Sessions, EndWithTheirAccount)
{
    const std::string alices = login("1");
    const std::string bobs = login("2");
    apply(DeleteAccount{"2", anyRevision});
    EXPECT_EQ(changes.size(), 2U);
    EXPECT_EQ(findSessionByToken(state(), bobs), nullptr);
    EXPECT_NE(findSessionByToken(state(), alices), nullptr);
}

TEST_F(Sessions, EndWhenTheAccountIsDisabled)
{
    const std::string token = login("2");
    UpdateAccount disable = update("2");
    disable.enabled = false;
    disable.keepSession = findSessionByToken(state(), token)->id;
    apply(disable);
    EXPECT_TRUE(state().sessions.empty());
    const Applied refused = apply(CreateSession{"s1", hashToken("t"), "2", "", 1800});
    EXPECT_EQ(refused.error.code, Code::refused);
}

TEST_F(Sessions, EndButOneWhenThePasswordChanges)
{
    const std::string kept = login("1");
    const std::string ended = login("1");
    const std::string bobs = login("2");
    UpdateAccount change = update("1");
    change.passwordHash = someHash + "2";
    change.keepSession = findSessionByToken(state(), kept)->id;
    apply(change);
    EXPECT_NE(findSessionByToken(state(), kept), nullptr);
    EXPECT_EQ(findSessionByToken(state(), ended), nullptr);
    EXPECT_NE(findSessionByToken(state(), bobs), nullptr);
}

TEST_F(Sessions, SurviveALockedAccountAndAnotherRole)
{
    const std::string token = login("2");
    UpdateAccount change = update("2");
    change.locked = true;
    change.roleId = "ReadOnly";
    apply(change);
    EXPECT_NE(findSessionByToken(state(), token), nullptr);
}

TEST_F(Sessions, MalformedAndRepeatedOnesAreRefused)
{
    EXPECT_EQ(apply(CreateSession{"", hashToken("t"), "1", "", 1800}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(CreateSession{"s", "short", "1", "", 1800}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(CreateSession{"s", hashToken("t"), "1", "", 29}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(CreateSession{"s", hashToken("t"), "1", "", 86401}).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(CreateSession{"s", hashToken("t"), "9", "", 1800}).error.code, Code::notFound);
    EXPECT_TRUE(apply(CreateSession{"s", hashToken("t"), "1", "", 1800}).ok());
    EXPECT_EQ(apply(CreateSession{"s", hashToken("u"), "1", "", 1800}).error.code, Code::alreadyExists);
    EXPECT_EQ(apply(CreateSession{"z", hashToken("t"), "1", "", 1800}).error.code, Code::alreadyExists);
}

TEST_F(Sessions, AreBoundedPerAccountAndExpiredOnesMadeRoomAtOlderLevels)
{
    for (std::size_t i = 0; i < limits::maxSessionsPerAccount; ++i) {
        login("1", 0, 100);
    }
    EXPECT_EQ(apply(CreateSession{"more", hashToken("more"), "1", "", 100}, 99).error.code, Code::full);
    login("2", 99);
    EXPECT_TRUE(apply(CreateSession{"more", hashToken("more"), "1", "", 100}, 100).ok());
    EXPECT_EQ(state().sessions.size(), 2U);
}

TEST_F(Sessions, AreBoundedInAll)
{
    for (std::size_t i = 0; i * limits::maxSessionsPerAccount < limits::maxSessions; ++i) {
        const std::string id = apply(account("user" + std::to_string(i))).value;
        for (std::size_t j = 0; j < limits::maxSessionsPerAccount; ++j) {
            login(id);
        }
    }
    EXPECT_EQ(state().sessions.size(), limits::maxSessions);
    EXPECT_EQ(apply(CreateSession{"more", hashToken("more"), "1", "", 100}).error.code, Code::full);
}

}  // namespace
}  // namespace mesh::cluster
