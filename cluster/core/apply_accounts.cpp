#include "cluster/core/accounts.hpp"
#include "cluster/core/apply_support.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace mesh::cluster {

namespace {

constexpr std::string_view hashScheme = "$argon2id$";

Error lastAdministrator()
{
    return Error{Code::refused, "this is the last enabled administrator of the system: it can be neither removed nor "
                                "disabled nor given another role"};
}

// 0: not an id that CreateAccount could give.
std::uint64_t accountNumber(const std::string& id)
{
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(id.data(), id.data() + id.size(), number);
    return failed == std::errc() && std::to_string(number) == id && number < UINT32_MAX ? number : 0;
}

// What must hold of an account whoever made it.
Result<void> check(const State& state, const Account& account)
{
    if (auto valid = checkUserName(account.userName); !valid) {
        return valid;
    }
    const auto sameName = state.accountIdByLowerName.find(toLower(account.userName));
    if (sameName != state.accountIdByLowerName.end() && sameName->second != account.id) {
        return Error{Code::alreadyExists, "user name " + account.userName + " is in use (case does not count)"};
    }
    if (!account.passwordHash.starts_with(hashScheme)) {
        return Error{Code::invalidArgument, "a password is stored as its argon2id hash only"};
    }
    if (!roleExists(state, account.roleId)) {
        return Error{Code::invalidArgument, "there is no role " + account.roleId};
    }
    if (!account.tenant.empty() && !isValidName(account.tenant)) {
        return Error{Code::invalidArgument, "\"" + account.tenant + "\" is not a tenant's name"};
    }
    return {};
}

template <class Value>
void assign(Value& value, const std::optional<Value>& given)
{
    if (given) {
        value = *given;
    }
}

}  // namespace

// Checks, stores, indexes. The caller has checked everything that depends on the operation.
Result<void> StateMachine::storeAccount(Account account, Entry& entry)
{
    if (auto valid = check(current, account); !valid) {
        return valid;
    }
    account.revision = entry.revision;
    const Account* old = findAccount(current, account.id);
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(account);
    if (auto fit = fits(Table::accounts, before, after); !fit) {
        return fit;
    }
    used.accounts += after - before;
    if (old != nullptr) {
        current.accountIdByLowerName.erase(toLower(old->userName));
    }
    current.accountIdByLowerName[toLower(account.userName)] = account.id;
    entry.changed(ChangeKind::account, account.id);
    current.accounts[account.id] = std::move(account);
    return {};
}

StateMachine::Outcome StateMachine::run(const CreateAccount& op, Entry& entry)
{
    if (current.accounts.size() >= limits::maxAccounts) {
        return tooMany(limits::maxAccounts, "accounts");
    }
    Account account;
    account.id = std::to_string(current.nextAccountId);
    account.userName = op.userName;
    account.passwordHash = op.passwordHash;
    account.roleId = op.roleId;
    account.tenant = op.tenant;
    account.enabled = op.enabled;
    account.passwordChangeRequired = op.passwordChangeRequired;
    const std::string id = account.id;
    if (auto stored = storeAccount(std::move(account), entry); !stored) {
        return stored.error();
    }
    ++current.nextAccountId;
    return id;
}

StateMachine::Outcome StateMachine::run(const RestoreAccount& op, Entry& entry)
{
    const std::uint64_t number = accountNumber(op.account.id);
    if (number == 0) {
        return Error{Code::invalidArgument, "\"" + op.account.id + "\" is not an account's id, which is a number"};
    }
    if (const Account* old = findAccount(current, op.account.id)) {
        Account same = op.account;
        same.revision = old->revision;
        if (same == *old) {
            return op.account.id;
        }
        return Error{Code::alreadyExists, "account " + op.account.id + " is here already, and is another one"};
    }
    if (current.accounts.size() >= limits::maxAccounts) {
        return tooMany(limits::maxAccounts, "accounts");
    }
    if (auto stored = storeAccount(op.account, entry); !stored) {
        return stored.error();
    }
    current.nextAccountId = std::max(current.nextAccountId, number + 1);
    return op.account.id;
}

StateMachine::Outcome StateMachine::run(const UpdateAccount& op, Entry& entry)
{
    const Account* old = findAccount(current, op.id);
    if (old == nullptr) {
        return noAccount(op.id);
    }
    if (!matches(op.ifRevision, old->revision)) {
        return changedMeanwhile("account " + op.id);
    }
    Account account = *old;
    assign(account.userName, op.userName);
    assign(account.passwordHash, op.passwordHash);
    assign(account.roleId, op.roleId);
    assign(account.enabled, op.enabled);
    assign(account.locked, op.locked);
    account.passwordChangeRequired =
        op.passwordChangeRequired.value_or(account.passwordChangeRequired && !op.passwordHash);
    if (op.locked.value_or(false)) {
        account.lockedAt = entry.stamp;
    }
    if (isAdministrator(*old) && !isAdministrator(account) && !hasOtherAdministrator(current, op.id)) {
        return lastAdministrator();
    }
    if (account == *old) {
        return std::string();
    }
    const bool disabled = old->enabled && !account.enabled;
    if (auto stored = storeAccount(std::move(account), entry); !stored) {
        return stored.error();
    }
    if (disabled || op.passwordHash) {
        endSessionsOf(op.id, disabled ? std::string_view() : std::string_view(op.keepSession), entry);
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const DeleteAccount& op, Entry& entry)
{
    const Account* account = findAccount(current, op.id);
    if (account == nullptr) {
        return noAccount(op.id);
    }
    if (!matches(op.ifRevision, account->revision)) {
        return changedMeanwhile("account " + op.id);
    }
    if (isAdministrator(*account) && !hasOtherAdministrator(current, op.id)) {
        return lastAdministrator();
    }
    endSessionsOf(op.id, "", entry);
    used.accounts -= sizeOf(*account);
    current.accountIdByLowerName.erase(toLower(account->userName));
    current.accounts.erase(op.id);
    entry.changed(ChangeKind::account, op.id);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const PutRole& op, Entry& entry)
{
    if (auto valid = checkCustomRole(op.id); !valid) {
        return valid.error();
    }
    const auto same = std::find_if(current.roles.begin(), current.roles.end(),
                                   [&op](const auto& role) { return equalsIgnoreCase(role.first, op.id); });
    const bool exists = same != current.roles.end();
    if (exists && same->first != op.id) {
        return Error{Code::alreadyExists, "there is a role " + same->first + " already (case does not count)"};
    }
    if (!matches(op.ifRevision, exists ? same->second.revision : 0)) {
        return changedMeanwhile("role " + op.id);
    }
    if (!exists && current.roles.size() >= limits::maxRoles) {
        return tooMany(limits::maxRoles, "custom roles");
    }
    Role role{op.id, op.privileges, entry.revision};
    const std::size_t before = exists ? sizeOf(same->second) : 0;
    const std::size_t after = sizeOf(role);
    if (auto fit = fits(Table::roles, before, after); !fit) {
        return fit.error();
    }
    used.roles += after - before;
    current.roles[op.id] = std::move(role);
    entry.changed(ChangeKind::role, op.id);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const DeleteRole& op, Entry& entry)
{
    if (auto valid = checkCustomRole(op.id); !valid) {
        return valid.error();
    }
    const auto role = current.roles.find(op.id);
    if (role == current.roles.end()) {
        return Error{Code::notFound, "there is no role " + op.id};
    }
    if (!matches(op.ifRevision, role->second.revision)) {
        return changedMeanwhile("role " + op.id);
    }
    const auto user = std::find_if(current.accounts.begin(), current.accounts.end(),
                                   [&op](const auto& account) { return account.second.roleId == op.id; });
    if (user != current.accounts.end()) {
        return Error{Code::preconditionFailed,
                     "role " + op.id + " is in use, by " + user->second.userName + " for one"};
    }
    used.roles -= sizeOf(role->second);
    current.roles.erase(role);
    entry.changed(ChangeKind::role, op.id);
    return std::string();
}

}  // namespace mesh::cluster
