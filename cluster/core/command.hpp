#pragma once

#include "cluster/core/records.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "tenants/privileges.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mesh::cluster {

// A condition "only if the record is still as I saw it": the record's revision, or anyRevision.
constexpr Revision anyRevision = 0;

// What can be asked of the replicated state. Each is one entry, applied as a whole or not at all. Everything random or
// slow (password hashes, tokens, ids of sessions) is made by the proposer.

// Result: the new account's id, a number that is never used again.
struct CreateAccount {
    std::string userName;
    std::string passwordHash;
    std::string roleId;
    std::string tenant;  // "": the system's; never changes
    bool enabled = true;
    bool passwordChangeRequired = false;
};
// Changes what is given. A new password clears passwordChangeRequired unless that is given too, and ends the account's
// sessions but `keepSession`; disabling ends all of them. `locked` again: the lock begins anew.
struct UpdateAccount {
    std::string id;
    Revision ifRevision = anyRevision;
    std::optional<std::string> userName;
    std::optional<std::string> passwordHash;
    std::optional<std::string> roleId;
    std::optional<bool> enabled;
    std::optional<bool> locked;
    std::optional<bool> passwordChangeRequired;
    std::string keepSession;
};
// Ends its sessions too.
struct DeleteAccount {
    std::string id;
    Revision ifRevision = anyRevision;
};
// Adds or changes a custom role.
struct PutRole {
    std::string id;
    Revision ifRevision = anyRevision;
    tenants::PrivilegeSet privileges;
};
struct DeleteRole {
    std::string id;
    Revision ifRevision = anyRevision;
};

struct CreateSession {
    std::string id;         // made by makeSessionId()
    std::string tokenHash;  // hashToken()
    std::string accountId;
    std::string client;  // where it came from, for people
    std::uint32_t timeoutSeconds = 0;
};
struct EndSession {
    std::string id;
};
// These were used just now: it is the entry that counts, not its stamp. Unknown ones are passed over.
struct TouchSessions {
    std::vector<std::string> ids;
};
// Ends what has expired at the entry's time; since elapsedTimeFeatureLevel nothing, because that time may be wrong. Result:
// how many.
struct ExpireSessions {};

struct PutTenant {
    std::string name;
};
// With what is its own: outstanding secrets, tasks and documents. Refused while it has connectors or accounts.
struct RemoveTenant {
    std::string name;
};
// Adds or replaces. A prefix in it is the configured one, and is assigned at once; without one an assigned prefix
// stays. What the cluster adds to a connector (tenants::Connector) is not taken from it: another key ends a rotation and
// a revocation, and a revoked key is refused.
struct PutConnector {
    tenants::Connector connector;
};
// Gives its prefix back, voids the secrets that are outstanding for it, and removes its sources; from configurationFeatureLevel on
// also its component document.
struct RemoveConnector {
    std::string tenant;
    std::string name;
};
// What a satellite's prefix is, by tenants::choosePrefix() when it has none yet. Kept for life: a later UUID (board
// swap) is only noted; a later configured prefix replaces it. The connector need not be registered in the state (it may
// stand in a file). Result: the prefix.
struct AssignPrefix {
    std::string tenant;
    std::string connector;
    std::string configured;
    std::string uuid;
    std::string key;
};

// Only the first one counts. Result: the UUID in force.
struct SetServiceUuid {
    std::string uuid;
};
// After a recovery. From generationFeatureLevel on the new one is that of the entry's time (see generationAfter()), before it is the
// next one. From clusterFeatureLevel on it ends all sessions and voids all enrolment secrets: they may
// have been ended or used in what was lost. Result: the new generation.
struct RaiseGeneration {};

// A property that the facade keeps (AssetTag of the rack, settings of its services), one JSON text for each resource.
// The text is not looked into.
struct PutProperty {
    std::string uri;
    Revision ifRevision = anyRevision;
    std::string json;
};
struct RemoveProperty {
    std::string uri;
    Revision ifRevision = anyRevision;
};

// The cluster speaks this level from now on, never a lower one again. Refused while a registered node's program does not
// know it. Who does not know it stops. Result: the level in force.
struct RaiseFeatureLevel {
    FeatureLevel level = firstFeatureLevel;
};
// Adds or changes a node; `revision` in it counts for nothing. Without id it is new and gets one; with an id that no
// node ever had it is new too (first members have fixed ids). A node's storage, once known, stays: who lost his data is
// another node. Result: the id.
struct PutNode {
    Node node;
    Revision ifRevision = anyRevision;
};
// It hosts nothing any more.
struct RemoveNode {
    std::uint64_t id = 0;
    Revision ifRevision = anyRevision;
};
// Puts an account as it was elsewhere, with id, hash and lock; `revision` in it counts for nothing. Its role must be
// there already. Again is nothing; another one under that id is refused. Later accounts get higher ids. Result: the id.
struct RestoreAccount {
    Account account;
};

// Makes a one-time secret good. It has been made by makeSecret(); prefix, product and type are for a new connector, and
// replace those of an old one where they are given. Void from `expiresAt` on, by the clocks of the proposers.
struct AddEnrolment {
    std::string id;
    std::string secretHash;
    EnrolmentRole role = EnrolmentRole::connector;
    std::string tenant;
    std::string name;
    std::string prefix;
    std::string product;
    std::string type;
    WallTime expiresAt{};
};
struct CancelEnrolment {
    std::string id;
};
// Registers the key as that of the connector or node that the secret is for: as PutConnector, or PutNode with name and
// key. Once; again with the same key is answered alike. Unknown and expired are refused with the same words. Result:
// "tenant/name", of a node "/name".
struct ConsumeEnrolment {
    std::string secretHash;
    std::string publicKey;
};

// The connector's keys are dead at once, the one of an unfinished rotation too, and its outstanding secrets are void.
struct RevokeConnector {
    std::string tenant;
    std::string name;
};
// Asks the connector for a new key; again: for another one than it has offered.
struct BeginRotation {
    std::string tenant;
    std::string name;
};
// The old key stays.
struct CancelRotation {
    std::string tenant;
    std::string name;
};
// The connector's answer, under its old key. From now on both are its.
struct OfferKey {
    std::string tenant;
    std::string name;
    std::string key;
};
// The pending key said hello: the old one is dead. Again is nothing.
struct CompleteRotation {
    std::string tenant;
    std::string name;
    std::string key;
};

// Adds or replaces; `revision` in it counts for nothing. A finished task without endTime ended at the entry's time. Room
// is made by dropping finished ones, the oldest first.
struct PutTask {
    Task task;
};
// Changes what is given and appends `message`, if there is one. What is finished does not change any more.
struct UpdateTask {
    std::string id;
    std::optional<TaskState> state;
    std::optional<std::uint32_t> percent;
    std::string message;
};
struct RemoveTask {
    std::string id;
};
// What `node` ran has ended in an exception, for `reason`: it is gone, and how far it came is not known. Result: how many.
struct FailRunningTasks {
    std::uint64_t node = 0;
    std::string reason;
};

// An order of the primary: this node runs the connector of a BMC without an agent from now on; 0: none does. The key of
// the host before is dead at once, and the connector has none until the new host registers its own. A primary with a lower
// fence than the one that ordered last is refused.
struct AssignHost {
    std::string tenant;
    std::string name;
    std::uint64_t node = 0;
    std::uint64_t generation = 0;
    std::uint64_t term = 0;
};
// Adds or changes. A new one brings its connector, with its id as the prefix; both keep tenant, name and id for life.
struct PutSource {
    Source source;  // the fence and `revision` in it count for nothing
    Revision ifRevision = anyRevision;
};
// With its connector, whose prefix is given back.
struct RemoveSource {
    std::string id;
    Revision ifRevision = anyRevision;
};
// Adds or replaces, but for one whose versions are counted.
struct PutDocument {
    DocumentName name;
    Revision ifRevision = anyRevision;
    std::string content;
};
// Of a subscription: with its cursor.
struct RemoveDocument {
    DocumentName name;
    Revision ifRevision = anyRevision;
};
// How far a subscription's events were delivered, in the words of those who deliver them.
struct SetCursor {
    std::string tenant;
    std::string subscription;
    std::string position;
};

// The host's answer to AssignHost: the key of the connector that it runs under this assignment. Once; again with the same
// key is nothing.
struct RegisterHostKey {
    std::string tenant;
    std::string name;
    std::uint64_t node = 0;
    std::uint64_t assignment = 0;
    std::string key;
};

// Of a tenant that is there, or, with `add`, of a new one: alreadyExists or notFound where it is not so. Changes what is given;
// what a new one is not given it has none of (see tenants/quota.hpp). What is over a lower quota already stays.
struct SetTenantQuota {
    std::string name;
    bool add = false;
    std::optional<std::uint64_t> messagesPerSecond;
    std::optional<std::uint64_t> bytesInFlight;
    std::optional<std::uint64_t> storedEvents;
    std::optional<std::uint64_t> connectors;
};
// As RemoveTenant, after its connectors with all that goes with each (RemoveConnector). Accounts are people: it is refused while
// it has some. Result: how many connectors there were.
struct DropTenant {
    std::string name;
};

// The next version of a document of a tenant whose versions are counted, the first of which is 1. `follows` is the one that the
// asker saw, 0 for none; preconditionFailed where it is another. Content that it has already makes no version. Of those before,
// the last limits::maxFormerVersions are kept, as long as the document stays within limits::maxDocumentBytes with them. The tenant
// may stand in a file where the state has none at all. Result: the number of the version in force.
struct PutVersion {
    DocumentName name;
    std::uint64_t follows = 0;
    std::string content;
    std::string author;
};

// As PutVersion, of a configuration that was checked against the tenant's others in `seen` and, a component, against the type that
// its connector is registered with. preconditionFailed where either has changed since: whoever checked it has to do so again.
// Since level 8.
struct PutConfiguration {
    PutVersion change;
    ConfigurationView seen;
    std::string connectorType;
};
// As RemoveDocument, likewise: nothing needed it in `seen`.
struct RemoveConfiguration {
    DocumentName name;
    Revision ifRevision = anyRevision;
    ConfigurationView seen;
};

// The position in this list is the operation's number on disk and on the wire: append only, and tell feature_level.cpp
// at which level it came.
using Operations =
    std::variant<CreateAccount, UpdateAccount, DeleteAccount, PutRole, DeleteRole, CreateSession, EndSession,
                 TouchSessions, ExpireSessions, PutTenant, RemoveTenant, PutConnector, RemoveConnector, AssignPrefix,
                 SetServiceUuid, RaiseGeneration, PutProperty, RemoveProperty, RaiseFeatureLevel, PutNode, RemoveNode,
                 RestoreAccount, AddEnrolment, CancelEnrolment, ConsumeEnrolment, RevokeConnector, BeginRotation,
                 CancelRotation, OfferKey, CompleteRotation, PutTask, UpdateTask, RemoveTask, FailRunningTasks,
                 AssignHost, PutSource, RemoveSource, PutDocument, RemoveDocument, SetCursor, RegisterHostKey,
                 SetTenantQuota, DropTenant, PutVersion, PutConfiguration, RemoveConfiguration>;

// One of them. Copying, moving and destroying are compiled once, in command.cpp: left to every file that names a command
// they took a third of its compile time.
struct Operation : Operations {
    Operation();
    Operation(const Operation& other);
    Operation(Operation&& other) noexcept;
    Operation& operator=(const Operation& other);
    Operation& operator=(Operation&& other) noexcept;
    ~Operation();
    using Operations::variant;
};

// One entry of the log.
struct Command {
    MessageId requestId;  // the same in every repeat: applied once, answered alike. Never nil
    WallTime stamp{};     // the proposer's clock
    Operation operation;
    // Of a repeat: what the proposer had applied when it asked first. Results are remembered for a while only; where one
    // from after this revision may have been forgotten, the repeat is refused with outcomeUnknown instead of being applied
    // a second time. 0: asked for the first time. Needs clusterFeatureLevel.
    Revision since = 0;
};

// What an entry did. A user's error is an outcome like any other: the entry is in the log and changed nothing.
struct Applied {
    Revision revision = 0;
    Error error;        // Code::ok, or what is wrong, in a sentence for the person who asked
    std::string value;  // what the operation says it results in

    bool ok() const { return error.code == Code::ok; }
};

enum class ChangeKind : std::uint8_t {
    everything,  // too much to tell, or a snapshot was installed: read all again
    account,
    role,
    session,
    tenant,
    connector,  // key of a connector: "tenant/name"
    prefix,     // key: "tenant/name"
    service,    // UUID or generation
    property,
    featureLevel,
    node,       // key: its id
    enrolment,  // key: its id
    task,
    source,
    document,  // key: "kind/tenant/name", the kind as a number
    cursor,    // key: "tenant/name" of the subscription
};

// Record `key` of a table was added, changed or removed by the entry at `revision`.
struct Change {
    Revision revision = 0;
    ChangeKind kind = ChangeKind::everything;
    std::string key;
    bool operator==(const Change&) const = default;
};

}  // namespace mesh::cluster
