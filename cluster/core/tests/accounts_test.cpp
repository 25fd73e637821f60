#include "cluster/core/accounts.hpp"
#include "cluster/core/tests/fixture.hpp"

#include "shoset/base/limits.hpp"

namespace mesh::cluster {
namespace {

using Accounts = Machine;

Operation disable(const std::string& id)
{
    UpdateAccount update;
    update.id = id;
    update.enabled = false;
    return update;
}

TEST_F(Accounts, AreFoundByIdAndByExactName)
{
    EXPECT_EQ(apply(account("alice")).value, "1");
    EXPECT_EQ(changes, (std::vector<Change>{{1, ChangeKind::account, "1"}}));
    EXPECT_EQ(apply(account("bob", "Operator", "acme")).value, "2");
    EXPECT_EQ(findAccount(state(), "2")->tenant, "acme");
    EXPECT_EQ(findAccountByName(state(), "alice")->id, "1");
    EXPECT_EQ(findAccountByName(state(), "ALICE"), nullptr);
    EXPECT_EQ(findAccountByName(state(), ""), nullptr);
}

TEST_F(Accounts, IdsAreNeverUsedAgain)
{
    apply(account("alice"));
    EXPECT_EQ(apply(account("bob")).value, "2");
    apply(DeleteAccount{"2", anyRevision});
    EXPECT_EQ(apply(account("bob")).value, "3");
}

TEST_F(Accounts, AreRestoredAsTheyWereAndOnce)
{
    raise();
    apply(account("alice"));
    const Account bob{"7", "bob", someHash, "Operator", "acme", false, true, true, at(3), 99};
    EXPECT_EQ(apply(RestoreAccount{bob}).value, "7");
    Account stored = bob;
    stored.revision = state().revision;
    EXPECT_EQ(*findAccountByName(state(), "bob"), stored);
    EXPECT_EQ(apply(RestoreAccount{bob}).value, "7");
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(apply(account("carol")).value, "8");
    EXPECT_EQ(apply(RestoreAccount{{"3", "dave", someHash, "Operator", "", true, false, false, {}, 0}}).value, "3");
    EXPECT_EQ(apply(account("erin")).value, "9");
}

TEST_F(Accounts, ThatContradictOthersOrTheRulesAreNotRestored)
{
    raise();
    apply(account("alice"));
    Account bob{"1", "bob", someHash, "Operator", "", true, false, false, {}, 0};
    EXPECT_EQ(apply(RestoreAccount{bob}).error.code, Code::alreadyExists);
    for (const char* id : {"", "0", "07", "x", "-1", "99999999999999999999", "4294967295"}) {
        bob.id = id;
        EXPECT_EQ(apply(RestoreAccount{bob}).error.code, Code::invalidArgument) << id;
    }
    bob.id = "2";
    bob.userName = "ALICE";
    EXPECT_EQ(apply(RestoreAccount{bob}).error.code, Code::alreadyExists);
    bob.userName = "bob";
    bob.roleId = "NotYet";
    EXPECT_EQ(apply(RestoreAccount{bob}).error.code, Code::invalidArgument);
    EXPECT_EQ(state().nextAccountId, 2U);
}

TEST_F(Accounts, MalformedOnesAreRefused)
{
    EXPECT_EQ(apply(account("a:b")).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(account("")).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(account("alice", "Emperor")).error.code, Code::invalidArgument);
    EXPECT_EQ(apply(account("alice", "Operator", "no such/name")).error.code, Code::invalidArgument);
    CreateAccount plain = account("alice");
    plain.passwordHash = "secret";
    const Applied refused = apply(plain);
    EXPECT_EQ(refused.error.code, Code::invalidArgument);
    EXPECT_EQ(refused.error.message.find("secret"), std::string::npos);
    EXPECT_TRUE(state().accounts.empty());
}

TEST_F(Accounts, UpdatesChangeWhatIsGivenUnderTheRevisionSeen)
{
    apply(account("alice"));
    const Revision seen = apply(account("bob")).revision;
    UpdateAccount update;
    update.id = "2";
    update.ifRevision = seen;
    update.roleId = "ReadOnly";
    update.userName = "robert";
    EXPECT_TRUE(apply(update).ok());
    EXPECT_EQ(findAccountByName(state(), "bob"), nullptr);
    EXPECT_EQ(findAccountByName(state(), "robert")->roleId, "ReadOnly");
    EXPECT_EQ(findAccountByName(state(), "robert")->passwordHash, someHash);
    update.roleId = "Operator";
    EXPECT_EQ(apply(update).error.code, Code::preconditionFailed);
    update.ifRevision = anyRevision;
    update.userName = "ALICE";
    EXPECT_EQ(apply(update).error.code, Code::alreadyExists);
    EXPECT_EQ(findAccount(state(), "2")->roleId, "ReadOnly");
    update.id = "99";
    EXPECT_EQ(apply(update).error.code, Code::notFound);
}

TEST_F(Accounts, ALockRunsOutAndMayBeginAnew)
{
    apply(account("alice"));
    UpdateAccount update;
    update.id = "1";
    update.locked = true;
    apply(update, 7);
    EXPECT_TRUE(isLocked(*findAccount(state(), "1"), at(7) + lockoutDuration - 1s));
    EXPECT_FALSE(isLocked(*findAccount(state(), "1"), at(7) + lockoutDuration));
    apply(update, 1000);
    EXPECT_FALSE(isLocked(*findAccount(state(), "1"), at(500)));
    EXPECT_TRUE(isLocked(*findAccount(state(), "1"), at(999)));
    EXPECT_TRUE(isLocked(*findAccount(state(), "1"), at(1001)));
    update.locked = false;
    apply(update, 1002);
    EXPECT_FALSE(isLocked(*findAccount(state(), "1"), at(1002)));
}

TEST_F(Accounts, ANewPasswordClearsTheDemandForOneUnlessToldOtherwise)
{
    CreateAccount create = account("alice");
    create.passwordChangeRequired = true;
    apply(create);
    UpdateAccount update;
    update.id = "1";
    update.locked = true;
    apply(update, 7);
    EXPECT_TRUE(findAccount(state(), "1")->passwordChangeRequired);
    EXPECT_EQ(findAccount(state(), "1")->lockedAt, at(7));
    update.locked.reset();
    update.passwordHash = someHash + "2";
    apply(update);
    EXPECT_FALSE(findAccount(state(), "1")->passwordChangeRequired);
    update.passwordHash = someHash + "3";
    update.passwordChangeRequired = true;
    apply(update);
    EXPECT_TRUE(findAccount(state(), "1")->passwordChangeRequired);
}

TEST_F(Accounts, TheLastAdministratorStays)
{
    apply(account("alice"));
    apply(account("tenant-admin", "Administrator", "acme"));
    UpdateAccount demote;
    demote.id = "1";
    demote.roleId = "Operator";
    EXPECT_EQ(apply(disable("1")).error.code, Code::refused);
    EXPECT_EQ(apply(demote).error.code, Code::refused);
    EXPECT_EQ(apply(DeleteAccount{"1", anyRevision}).error.code, Code::refused);
    EXPECT_TRUE(apply(disable("2")).ok());
    apply(account("bob"));
    EXPECT_TRUE(apply(disable("1")).ok());
    EXPECT_EQ(apply(DeleteAccount{"3", anyRevision}).error.code, Code::refused);
    EXPECT_TRUE(apply(DeleteAccount{"1", anyRevision}).ok());
}

TEST_F(Accounts, AreBounded)
{
    for (std::size_t i = 0; i < limits::maxAccounts; ++i) {
        ASSERT_TRUE(apply(account("user" + std::to_string(i))).ok());
    }
    EXPECT_EQ(apply(account("one-more")).error.code, Code::full);
    EXPECT_TRUE(apply(DeleteAccount{"5", anyRevision}).ok());
    EXPECT_TRUE(apply(account("one-more")).ok());
}

TEST_F(Accounts, CustomRolesCanBeMadeAndPredefinedOnesCannotBeTouched)
{
    EXPECT_EQ(apply(PutRole{"Operator", anyRevision, {}}).error.code, Code::permissionDenied);
    EXPECT_EQ(apply(PutRole{"readonly", anyRevision, {}}).error.code, Code::permissionDenied);
    EXPECT_EQ(apply(DeleteRole{"Administrator", anyRevision}).error.code, Code::permissionDenied);
    const tenants::PrivilegeSet privileges{tenants::Privilege::login, tenants::Privilege::configureManager};
    EXPECT_TRUE(apply(PutRole{"Manager", anyRevision, privileges}).ok());
    EXPECT_EQ(privilegesOf(state(), "Manager"), privileges);
    EXPECT_EQ(privilegesOf(state(), "Operator"), *tenants::predefinedRole("Operator"));
    EXPECT_EQ(privilegesOf(state(), "nobody"), tenants::PrivilegeSet{});
    EXPECT_EQ(apply(PutRole{"manager", anyRevision, privileges}).error.code, Code::alreadyExists);
    apply(account("alice"));
    apply(account("bob", "Manager"));
    EXPECT_EQ(apply(DeleteRole{"Manager", anyRevision}).error.code, Code::preconditionFailed);
    apply(DeleteAccount{"2", anyRevision});
    EXPECT_TRUE(apply(DeleteRole{"Manager", anyRevision}).ok());
    EXPECT_EQ(apply(DeleteRole{"Manager", anyRevision}).error.code, Code::notFound);
}

TEST(AccountRules, UserNamesAreSafeInBasicAuthenticationLogsAndUris)
{
    for (const char* good : {"root", "a", "first.last@example.org", "svc-1", "x+y", "0day"}) {
        EXPECT_TRUE(checkUserName(good).ok()) << good;
    }
    for (const char* bad : {"", ":", "a:b", "-a", ".a", "a b", "a/b", "a\"b", "a\nb", "\xc3\xa4"}) {
        EXPECT_FALSE(checkUserName(bad).ok()) << bad;
    }
    EXPECT_TRUE(checkUserName(std::string(64, 'a')).ok());
    EXPECT_FALSE(checkUserName(std::string(65, 'a')).ok());
}

TEST(AccountRules, PasswordsAreCheckedWithoutRepeatingThem)
{
    EXPECT_TRUE(checkPassword("12345678", "root").ok());
    EXPECT_TRUE(checkPassword("p\xc3\xa4sswort", "root").ok());
    EXPECT_TRUE(checkPassword(std::string(limits::maxPasswordBytes, 'x'), "root").ok());
    EXPECT_FALSE(checkPassword("1234567", "root").ok());
    EXPECT_FALSE(checkPassword(std::string(limits::maxPasswordBytes + 1, 'x'), "root").ok());
    EXPECT_FALSE(checkPassword("1234\t5678", "root").ok());
    EXPECT_FALSE(checkPassword("Verylongname", "verylongname").ok());
    EXPECT_EQ(checkPassword("s3cret", "root").error().message.find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace mesh::cluster
