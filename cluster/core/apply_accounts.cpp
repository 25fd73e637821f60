#include "cluster/core/accounts.hpp"
#include "cluster/core/apply_support.hpp"
#include "cluster/core/sessions.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::string_view hashScheme = "$argon2id$";
constexpr std::size_t tokenHashBytes = 32;

Error noAccount(const std::string& id)
{
    return Error{Code::notFound, "there is no account " + id};
}

Error lastAdministrator()
{
    return Error{Code::refused, "this is the last enabled administrator of the system: it can be neither removed nor "
                                "disabled nor given another role"};
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
    const std::size_t before = old == nullptr ? 0 : encodedSize(*old);
    const std::size_t after = encodedSize(account);
    if (auto fit = fits(used.accounts, before, after, limits::accountTableBytes, "accounts"); !fit) {
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
        return Error{Code::full,
                     "there are " + std::to_string(limits::maxAccounts) + " accounts already, the most there can be"};
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
    used.accounts -= encodedSize(*account);
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
        return Error{Code::full,
                     "there are " + std::to_string(limits::maxRoles) + " custom roles already, the most there can be"};
    }
    Role role{op.id, op.privileges, entry.revision};
    const std::size_t before = exists ? encodedSize(same->second) : 0;
    const std::size_t after = encodedSize(role);
    if (auto fit = fits(used.roles, before, after, limits::roleTableBytes, "roles"); !fit) {
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
    used.roles -= encodedSize(role->second);
    current.roles.erase(role);
    entry.changed(ChangeKind::role, op.id);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const CreateSession& op, Entry& entry)
{
    if (!isValidName(op.id) || op.tokenHash.size() != tokenHashBytes) {
        return Error{Code::invalidArgument, "a session needs an id and the SHA-256 of its token"};
    }
    if (op.timeoutSeconds < minSessionTimeoutSeconds || op.timeoutSeconds > maxSessionTimeoutSeconds) {
        return Error{Code::invalidArgument, "a session's timeout is " + std::to_string(minSessionTimeoutSeconds) +
                                                " to " + std::to_string(maxSessionTimeoutSeconds) + " seconds"};
    }
    const Account* account = findAccount(current, op.accountId);
    if (account == nullptr || !account->enabled) {
        return account == nullptr ? noAccount(op.accountId)
                                  : Error{Code::refused, "account " + op.accountId + " is disabled"};
    }
    if (current.sessions.contains(op.id) || current.sessionIdByTokenHash.contains(op.tokenHash)) {
        return Error{Code::alreadyExists, "there is a session with this id or token already"};
    }
    const auto ofAccount = [this, &op] {
        return static_cast<std::size_t>(
            std::count_if(current.sessions.begin(), current.sessions.end(),
                          [&op](const auto& session) { return session.second.accountId == op.accountId; }));
    };
    if (current.sessions.size() >= limits::maxSessions || ofAccount() >= limits::maxSessionsPerAccount) {
        expireSessions(entry);
    }
    if (ofAccount() >= limits::maxSessionsPerAccount) {
        return Error{Code::full, "account " + account->userName + " has " +
                                     std::to_string(limits::maxSessionsPerAccount) +
                                     " sessions already, the most it can have"};
    }
    if (current.sessions.size() >= limits::maxSessions) {
        return Error{Code::full,
                     "there are " + std::to_string(limits::maxSessions) + " sessions already, the most there can be"};
    }
    Session session{op.id, op.tokenHash, op.accountId, op.client, entry.stamp, entry.stamp, op.timeoutSeconds};
    const std::size_t size = encodedSize(session);
    if (auto fit = fits(used.sessions, 0, size, limits::sessionTableBytes, "sessions"); !fit) {
        return fit.error();
    }
    used.sessions += size;
    current.sessionIdByTokenHash.emplace(op.tokenHash, op.id);
    current.sessions.emplace(op.id, std::move(session));
    entry.changed(ChangeKind::session, op.id);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const EndSession& op, Entry& entry)
{
    if (!current.sessions.contains(op.id)) {
        return Error{Code::notFound, "there is no session " + op.id};
    }
    endSession(op.id, entry);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const TouchSessions& op, Entry& entry)
{
    for (const std::string& id : op.ids) {
        const auto session = current.sessions.find(id);
        if (session == current.sessions.end() || session->second.lastUse >= entry.stamp) {
            continue;
        }
        used.sessions -= encodedSize(session->second);
        session->second.lastUse = entry.stamp;
        used.sessions += encodedSize(session->second);
        entry.changed(ChangeKind::session, id);
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const ExpireSessions&, Entry& entry)
{
    return std::to_string(expireSessions(entry));
}

std::size_t StateMachine::expireSessions(Entry& entry)
{
    std::vector<std::string> expired;
    for (const auto& [id, session] : current.sessions) {
        if (isExpired(session, entry.stamp)) {
            expired.push_back(id);
        }
    }
    for (const std::string& id : expired) {
        endSession(id, entry);
    }
    return expired.size();
}

void StateMachine::endSession(const std::string& id, Entry& entry)
{
    const auto session = current.sessions.find(id);
    used.sessions -= encodedSize(session->second);
    current.sessionIdByTokenHash.erase(session->second.tokenHash);
    entry.changed(ChangeKind::session, id);
    current.sessions.erase(session);
}

void StateMachine::endSessionsOf(const std::string& accountId, std::string_view keep, Entry& entry)
{
    std::vector<std::string> ended;
    for (const auto& [id, session] : current.sessions) {
        if (session.accountId == accountId && id != keep) {
            ended.push_back(id);
        }
    }
    for (const std::string& id : ended) {
        endSession(id, entry);
    }
}

}  // namespace mesh::cluster
