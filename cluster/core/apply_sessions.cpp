#include "cluster/core/apply_support.hpp"
#include "cluster/core/sessions.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::size_t tokenHashBytes = 32;

}  // namespace

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
    const bool full = current.sessions.size() >= limits::maxSessions || ofAccount() >= limits::maxSessionsPerAccount;
    if (full && current.featureLevel < elapsedTimeFeatureLevel) {
        expireSessions(entry);
    }
    if (ofAccount() >= limits::maxSessionsPerAccount) {
        return Error{Code::full, "account " + account->userName + " has " +
                                     std::to_string(limits::maxSessionsPerAccount) +
                                     " sessions already, the most it can have"};
    }
    if (current.sessions.size() >= limits::maxSessions) {
        return tooMany(limits::maxSessions, "sessions");
    }
    Session session{op.id, op.tokenHash, op.accountId, op.client, entry.stamp, entry.stamp, op.timeoutSeconds};
    const std::size_t size = sizeOf(session);
    if (auto fit = fits(Table::sessions, 0, size); !fit) {
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
        if (session == current.sessions.end() ||
            (session->second.lastUse >= entry.stamp && current.featureLevel < elapsedTimeFeatureLevel)) {
            continue;
        }
        used.sessions -= sizeOf(session->second);
        session->second.lastUse = entry.stamp;
        used.sessions += sizeOf(session->second);
        entry.changed(ChangeKind::session, id);
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const ExpireSessions&, Entry& entry)
{
    return std::to_string(current.featureLevel < elapsedTimeFeatureLevel ? expireSessions(entry) : 0);
}

std::size_t StateMachine::expireSessions(Entry& entry)
{
    return endSessions([&entry](const Session& session) { return isExpired(session, entry.stamp); }, entry);
}

void StateMachine::endSession(const std::string& id, Entry& entry)
{
    const auto session = current.sessions.find(id);
    used.sessions -= sizeOf(session->second);
    current.sessionIdByTokenHash.erase(session->second.tokenHash);
    entry.changed(ChangeKind::session, id);
    current.sessions.erase(session);
}

std::size_t StateMachine::endSessions(const std::function<bool(const Session&)>& which, Entry& entry)
{
    std::vector<std::string> ended;
    for (const auto& [id, session] : current.sessions) {
        if (which(session)) {
            ended.push_back(id);
        }
    }
    for (const std::string& id : ended) {
        endSession(id, entry);
    }
    return ended.size();
}

void StateMachine::endSessionsOf(const std::string& accountId, std::string_view keep, Entry& entry)
{
    endSessions([&](const Session& session) { return session.accountId == accountId && session.id != keep; }, entry);
}

}  // namespace mesh::cluster
