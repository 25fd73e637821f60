#pragma once

#include "cluster/core/codec.hpp"
#include "cluster/core/command.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::cluster {

// Turns entries into state, the same on every node: no clock, no randomness, no order but the log's. Tables are bounded
// by number and by encoded bytes (limits.hpp); what would exceed them is refused with Code::full.
class StateMachine {
public:
    // Applies the next entry of the log and appends what it changed to `changes`. A repeat of a remembered request id
    // changes nothing and gives the first answer. An error means that this node must stop, state unchanged:
    // unsupported (written by a newer program: an entry is never skipped) or corrupt.
    Result<Applied> apply(std::string_view entry, std::vector<Change>& changes);

    const State& state() const { return current; }

    // What the entry with this request id did, while it is remembered.
    const Applied* answerTo(const MessageId& requestId) const;

    std::string snapshot() const;
    // Replaces everything. unsupported or corrupt: nothing has changed, the node must stop.
    Result<void> restore(std::string_view snapshot);
    // SHA-256 of the snapshot, in hexadecimal digits: equal on nodes that applied the same entries.
    std::string hash() const;

private:
    struct Entry;  // the entry being applied
    struct Budgets {
        std::size_t accounts = 0, roles = 0, sessions = 0, registry = 0, prefixes = 0, properties = 0, remembered = 0;
    };
    using Outcome = Result<std::string>;  // the operation's value, or a user's error

    Outcome run(const CreateAccount& op, Entry& entry);
    Outcome run(const UpdateAccount& op, Entry& entry);
    Outcome run(const DeleteAccount& op, Entry& entry);
    Outcome run(const PutRole& op, Entry& entry);
    Outcome run(const DeleteRole& op, Entry& entry);
    Outcome run(const CreateSession& op, Entry& entry);
    Outcome run(const EndSession& op, Entry& entry);
    Outcome run(const TouchSessions& op, Entry& entry);
    Outcome run(const ExpireSessions& op, Entry& entry);
    Outcome run(const PutTenant& op, Entry& entry);
    Outcome run(const RemoveTenant& op, Entry& entry);
    Outcome run(const PutConnector& op, Entry& entry);
    Outcome run(const RemoveConnector& op, Entry& entry);
    Outcome run(const AssignPrefix& op, Entry& entry);
    Outcome run(const SetServiceUuid& op, Entry& entry);
    Outcome run(const RaiseGeneration& op, Entry& entry);
    Outcome run(const PutProperty& op, Entry& entry);
    Outcome run(const RemoveProperty& op, Entry& entry);

    Result<void> storeAccount(Account account, Entry& entry);
    void endSession(const std::string& id, Entry& entry);
    void endSessionsOf(const std::string& accountId, std::string_view keep, Entry& entry);
    std::size_t expireSessions(Entry& entry);
    Result<void> storePrefix(const tenants::ConnectorName& name, PrefixAssignment assignment, Entry& entry);
    void dropPrefix(const tenants::ConnectorName& name, Entry& entry);
    bool prefixTaken(std::string_view prefix, const tenants::ConnectorName& asker) const;
    bool uuidTaken(std::string_view uuid, const tenants::ConnectorName& asker) const;
    void remember(Remembered result);
    Result<void> rebuildLookUps();

    State current;
    Budgets used;
    std::deque<Remembered> remembered;
    std::unordered_map<MessageId, Applied> answers;
};

}  // namespace mesh::cluster
