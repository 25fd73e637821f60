#pragma once

#include "cluster/core/codec.hpp"
#include "cluster/core/command.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::cluster {

// Turns entries into state, the same on every node: no clock, no randomness, no order but the log's. Tables are bounded
// by number and by encoded bytes (limits.hpp); what would exceed them is refused with Code::full.
class StateMachine {
public:
    // `level`: up to which it knows entries and snapshots. Lower than the newest in tests, to play an older program.
    explicit StateMachine(FeatureLevel level = newestFeatureLevel) : knows(level) {}

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
    struct Table;
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
    Outcome run(const RaiseFeatureLevel& op, Entry& entry);
    Outcome run(const PutNode& op, Entry& entry);
    Outcome run(const RemoveNode& op, Entry& entry);
    Outcome run(const RestoreAccount& op, Entry& entry);
    Outcome run(const AddEnrolment& op, Entry& entry);
    Outcome run(const CancelEnrolment& op, Entry& entry);
    Outcome run(const ConsumeEnrolment& op, Entry& entry);
    Outcome run(const RevokeConnector& op, Entry& entry);
    Outcome run(const BeginRotation& op, Entry& entry);
    Outcome run(const CancelRotation& op, Entry& entry);
    Outcome run(const OfferKey& op, Entry& entry);
    Outcome run(const CompleteRotation& op, Entry& entry);
    Outcome run(const PutTask& op, Entry& entry);
    Outcome run(const UpdateTask& op, Entry& entry);
    Outcome run(const RemoveTask& op, Entry& entry);
    Outcome run(const FailRunningTasks& op, Entry& entry);
    Outcome run(const AssignHost& op, Entry& entry);
    Outcome run(const PutSource& op, Entry& entry);
    Outcome run(const RemoveSource& op, Entry& entry);
    Outcome run(const PutDocument& op, Entry& entry);
    Outcome run(const RemoveDocument& op, Entry& entry);
    Outcome run(const SetCursor& op, Entry& entry);
    Outcome run(const RegisterHostKey& op, Entry& entry);
    Outcome run(const SetTenantQuota& op, Entry& entry);
    Outcome run(const DropTenant& op, Entry& entry);
    Outcome run(const PutVersion& op, Entry& entry);
    Outcome run(const PutConfiguration& op, Entry& entry);
    Outcome run(const RemoveConfiguration& op, Entry& entry);

    Result<void> storeAccount(Account account, Entry& entry);
    void endSession(const std::string& id, Entry& entry);
    std::size_t endSessions(const std::function<bool(const Session&)>& which, Entry& entry);
    void endSessionsOf(const std::string& accountId, std::string_view keep, Entry& entry);
    std::size_t expireSessions(Entry& entry);
    Result<void> hasNoAccounts(const std::string& tenant) const;
    Result<void> storePrefix(const tenants::ConnectorName& name, PrefixAssignment assignment, Entry& entry);
    void dropPrefix(const tenants::ConnectorName& name, Entry& entry);
    bool prefixTaken(std::string_view prefix, const tenants::ConnectorName& asker) const;
    bool uuidTaken(std::string_view uuid, const tenants::ConnectorName& asker) const;
    Result<void> putConnector(tenants::Connector connector, Entry& entry);
    Result<void> replaceConnector(tenants::Connector connector, Entry& entry);
    Outcome changeConnector(const std::string& tenant, const std::string& name,
                            const std::function<Result<void>(tenants::Connector&)>& change, Entry& entry);
    Result<void> enrol(const Enrolment& enrolment, const std::string& key, Entry& entry);
    bool enrolmentFits(std::size_t size) const;
    void makeEnrolmentRoom(std::size_t size, Entry& entry);
    void dropEnrolmentsFor(const tenants::ConnectorName& name, Entry& entry);
    void dropEnrolments(const std::function<bool(const Enrolment&)>& which, Entry& entry);
    enum class Room { asThereIs, make };
    Result<void> storeTask(Task task, Room room, Entry& entry);
    bool dropOldestTask(const std::string& keep, Entry& entry);
    void dropTask(std::string id, Entry& entry);
    void dropTasksOf(const std::string& tenant, Entry& entry);
    void freeHosts(std::uint64_t node, Entry& entry);
    Result<void> checkSource(const Source& source, const Source* old) const;
    Result<void> storeSource(Source source, Entry& entry);
    void dropSourcesOf(const tenants::ConnectorName& name, Entry& entry);
    Outcome storeDocument(const DocumentName& name, Document document, Entry& entry);
    void dropDocument(const DocumentName& name, Entry& entry);
    void dropDocumentsOf(const std::string& tenant, Entry& entry);
    std::size_t documentBytesOf(const std::string& tenant) const;
    Result<void> documentsFit(const DocumentName& name, std::size_t before, std::size_t after) const;
    Error noDocumentRoom(const DocumentName& name, std::size_t bytes) const;
    std::map<std::string, std::size_t> documentBytesByTenant() const;
    std::size_t documentTableBytes() const;  // of the level
    std::size_t documentExcess(const std::string& tenant, std::size_t before, std::size_t after) const;
    void makeDocumentRoom(const DocumentName& name, Document& next, Entry& entry);
    void dropFormerVersions(const DocumentName& keep, std::size_t bytes, Entry& entry);
    Result<void> isAsSeen(const std::string& tenant, const ConfigurationView& seen) const;
    Result<void> checkNode(const Node& node) const;
    bool isFreeNodeId(std::uint64_t id) const;
    void takeNodeId(std::uint64_t id);
    Outcome runAtLevel(const Operation& operation, Entry& entry);
    void remember(Remembered result);
    Revision forgottenUpTo() const;
    Result<void> rebuildLookUps();

    // What a record takes of its table's budget, at the level in force.
    template <class... Record>
    std::size_t sizeOf(const Record&... record) const;
    // Would replacing `before` bytes by `after` keep the table within its budget? The error names the table.
    Result<void> fits(const Table& table, std::size_t before, std::size_t after) const;
    limits::TableBytes measure() const;
    // What is remembered makes room by itself.
    Result<void> withinBudgets(const limits::TableBytes& bytes) const;

    FeatureLevel knows;
    State current;
    limits::TableBytes used;
    std::deque<Remembered> remembered;
    std::unordered_map<MessageId, Applied> answers;
};

}  // namespace mesh::cluster
