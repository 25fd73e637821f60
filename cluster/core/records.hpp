#pragma once

#include "shoset/base/time.hpp"
#include "tenants/privileges.hpp"
#include "tenants/registry.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

// What the tables of the replicated state hold.
namespace mesh::cluster {

// Counts the entries applied to a state; 0 is the empty state. Equal on every node for the same entry.
using Revision = std::uint64_t;

struct Account {
    std::string id;
    std::string userName;
    std::string passwordHash;
    std::string roleId;
    std::string tenant;  // "": the system's
    bool enabled = true;
    bool locked = false;  // see isLocked()
    bool passwordChangeRequired = false;
    WallTime lockedAt{};    // when `locked` was last set
    Revision revision = 0;  // of the last change; also its ETag
    bool operator==(const Account&) const = default;
};

struct Role {
    std::string id;
    tenants::PrivilegeSet privileges;
    Revision revision = 0;
    bool operator==(const Role&) const = default;
};

// Its tenant is its account's.
struct Session {
    std::string id;
    std::string tokenHash;  // 32 bytes
    std::string accountId;
    std::string client;
    WallTime createdAt{};
    WallTime lastUse{};  // as far as the cluster was told (TouchSessions)
    std::uint32_t timeoutSeconds = 0;
    bool operator==(const Session&) const = default;
};

// As snapshots have it; see tenants::Registry.
struct TenantRecord {
    std::string name;
    tenants::Quota quota;
};

struct PrefixAssignment {
    std::string prefix;
    std::string uuid;  // last one seen
    bool operator==(const PrefixAssignment&) const = default;
};

struct Property {
    std::string json;
    Revision revision = 0;
    bool operator==(const Property&) const = default;
};

// The lowest common denominator of the cluster's programs; see feature_level.hpp.
using FeatureLevel = std::uint32_t;
constexpr FeatureLevel firstFeatureLevel = 1;

// An aggregator or a witness. What the others need in order to reach it and to know it again.
struct Node {
    std::uint64_t id = 0;      // raft's: never 0, never used again
    std::string name;          // unique among nodes, case does not count
    std::string key;           // CURVE public key, Z85; unique among nodes and connectors
    std::string peerEndpoint;  // empty until the node told it, as are the other three
    std::string meshEndpoint;
    std::string enrolEndpoint;
    std::string facadeUrl;
    bool witness = false;    // a voter without a facade
    std::string storage;     // random id of its data directory: another one means that its data are lost
    std::string software;    // for people
    FeatureLevel featureLevel = firstFeatureLevel;  // the newest that its program knows
    Revision revision = 0;
    std::string sealingKey = {};  // public, raw: what passwords of BMCs are sealed to; empty: to `key`. Since sealedSourcesFeatureLevel
    bool operator==(const Node&) const = default;
};

enum class EnrolmentRole : std::uint8_t { connector, node };

// A secret, given out once, with which a key becomes that of a connector or node.
struct Enrolment {
    std::string id;
    std::string secretHash;  // 32 bytes; see enrolments.hpp
    EnrolmentRole role = EnrolmentRole::connector;
    std::string tenant;  // "" for a node
    std::string name;
    std::string prefix;   // this and what follows: the connector's; empty: as it was, if it was there
    std::string product;
    std::string type;
    WallTime createdAt{};
    WallTime expiresAt{};
    std::string usedKey;  // the key that used it; empty: outstanding
    bool operator==(const Enrolment&) const = default;
};

// As in Redfish; the last four are ends.
enum class TaskState : std::uint8_t {
    created,
    starting,
    running,
    suspended,
    interrupted,
    pending,
    service,
    stopping,
    cancelling,
    completed,
    killed,
    exception,
    cancelled,
};
constexpr bool isFinished(TaskState state)
{
    return state >= TaskState::completed;
}

// One of the facade's own tasks, or what it remembers of a satellite's.
struct Task {
    std::string id;
    std::string owner;   // id of an account
    std::string tenant;  // "": the system's
    TaskState state = TaskState::created;
    std::uint32_t percent = 0;
    std::vector<std::string> messages;  // the last limits::maxTaskMessages
    WallTime startTime{};
    WallTime endTime{};   // once it is finished
    std::string target;   // URI of what it works on
    std::string monitor;  // URI of its monitor
    std::uint64_t node = 0;  // that runs it; 0: a satellite does, and it survives every node
    Revision revision = 0;
    bool operator==(const Task&) const = default;
};

// The password of a BMC, readable by one node alone.
struct SealedPassword {
    std::uint64_t node = 0;
    std::string box;       // opaque here
    std::string key = {};  // which of that node's sealing keys it is sealed to (sealingKeyId()); empty: its `key`
    bool operator==(const SealedPassword&) const = default;
};

// A BMC without an agent, which was added through the facade. Its connector is run by one node, the host of the connector's
// record.
struct Source {
    std::string id;        // the prefix of its satellite
    std::string hostName;  // URL of the BMC
    std::string tenant;
    std::string connector;
    std::string userName = {};     // empty: the BMC wants no authentication
    std::string fingerprint = {};  // SHA-256 of the BMC's certificate; empty: a CA vouches for it
    bool insecure = false;         // the certificate is not checked
    std::vector<SealedPassword> passwords = {};
    // Fence of the primary that ordered the last assignment.
    std::uint64_t generation = 0;
    std::uint64_t term = 0;
    Revision revision = 0;
    bool operator==(const Source&) const = default;
};

enum class DocumentKind : std::uint8_t {
    pivot,         // contract of a connector type
    product,       // configuration of a product
    component,     // configuration of one connector
    secret,        // sealed to its recipients, opaque here
    schedule,
    subscription,  // of events; has a cursor
    database,      // where a tenant's history lives; of the system, by node: the key that passwords of databases are sealed to
    policy,        // who may send what to whom
};

// Of a pivot, a product and a component: what a tenant's connectors are configured by.
constexpr bool isConfiguration(DocumentKind kind)
{
    return kind <= DocumentKind::component;
}

// A tenant's configurations as somebody saw them. Equal in two states of one cluster: in between none of them was added, changed or
// removed for good, as whatever is added or changed is newer than all that were there.
struct ConfigurationView {
    std::uint64_t documents = 0;
    Revision newest = 0;
    bool operator==(const ConfigurationView&) const = default;
};

// The content is not looked into.
struct DocumentName {
    DocumentKind kind = DocumentKind::pivot;
    std::string tenant;  // "": the system's
    std::string name;
    auto operator<=>(const DocumentName&) const = default;
};
struct DocumentVersion {
    std::uint64_t number = 0;
    std::string content;
    std::string author;  // for people
    WallTime at{};
    bool operator==(const DocumentVersion&) const = default;
};
struct Document {
    std::string content;
    Revision revision = 0;
    // Of one whose versions are counted (PutVersion):
    std::uint64_t version = 0;  // from 1; 0: they are not
    std::string author = {};
    WallTime at{};
    std::vector<DocumentVersion> former = {};  // the last ones before it, the oldest first
    bool operator==(const Document&) const = default;
};

}  // namespace mesh::cluster
