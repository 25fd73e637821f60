#pragma once

#include "shoset/base/ids.hpp"
#include "shoset/base/time.hpp"
#include "tenants/privileges.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mesh::cluster {

// Counts the entries applied to a state; 0 is the empty state. Equal on every node for the same entry.
using Revision = std::uint64_t;
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
// These were used at the entry's time. Unknown ones are passed over.
struct TouchSessions {
    std::vector<std::string> ids;
};
// Ends what has expired at the entry's time. Result: how many.
struct ExpireSessions {};

struct PutTenant {
    std::string name;
};
struct RemoveTenant {
    std::string name;
};
// Adds or replaces. A prefix in it is the configured one, and is assigned at once; without one an assigned prefix
// stays.
struct PutConnector {
    tenants::Connector connector;
};
// Gives its prefix back.
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
// After recovery and restore. Result: the new generation.
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

// The position in this list is the operation's number on disk and on the wire: append only.
using Operation =
    std::variant<CreateAccount, UpdateAccount, DeleteAccount, PutRole, DeleteRole, CreateSession, EndSession,
                 TouchSessions, ExpireSessions, PutTenant, RemoveTenant, PutConnector, RemoveConnector, AssignPrefix,
                 SetServiceUuid, RaiseGeneration, PutProperty, RemoveProperty>;

// One entry of the log.
struct Command {
    MessageId requestId;  // the same in every repeat: applied once, answered alike. Never nil
    WallTime stamp{};     // the proposer's clock
    Operation operation;
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
};

// Record `key` of a table was added, changed or removed by the entry at `revision`.
struct Change {
    Revision revision = 0;
    ChangeKind kind = ChangeKind::everything;
    std::string key;
    bool operator==(const Change&) const = default;
};

}  // namespace mesh::cluster
