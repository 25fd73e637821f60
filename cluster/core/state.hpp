#pragma once

#include "cluster/core/command.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mesh::cluster {

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

// The replicated state as one node has it. Read by anybody on the loop's thread, changed by StateMachine alone. Nothing
// in it depends on anything but the entries applied.
struct State {
    Revision revision = 0;
    std::uint64_t generation = 1;
    std::string serviceUuid;  // empty until set
    std::uint64_t nextAccountId = 1;

    std::map<std::string, Account> accounts;  // by id
    std::map<std::string, Role> roles;        // custom ones, by id
    std::map<std::string, Session> sessions;  // by id
    tenants::Registry registry;               // as registered in the cluster; `prefix` is the configured one
    std::map<tenants::ConnectorName, PrefixAssignment> prefixes;
    std::map<std::string, Property> properties;  // by URI

    // Look-ups, derived from the tables.
    std::unordered_map<std::string, std::string> accountIdByLowerName;
    std::unordered_map<std::string, std::string> sessionIdByTokenHash;
    std::unordered_map<std::string, tenants::ConnectorName> connectorByLowerPrefix;
};

// By id. Pointers are valid until the next entry is applied.
const Account* findAccount(const State& state, std::string_view id);
// By user name, exact spelling.
const Account* findAccountByName(const State& state, std::string_view userName);
const Session* findSession(const State& state, std::string_view id);
const PrefixAssignment* findPrefix(const State& state, std::string_view tenant, std::string_view connector);
const Property* findProperty(const State& state, std::string_view uri);

// Of a predefined or custom role; none for a role that does not exist.
tenants::PrivilegeSet privilegesOf(const State& state, std::string_view roleId);
bool roleExists(const State& state, std::string_view roleId);

// Gives every connector of `registry` the prefix that the state has for it, where it has one. For a registry from a
// file as for the state's own. The error is the first refusal, naming the connector, which is left without a prefix
// (another of the file has it); the others are done.
Result<void> applyPrefixes(tenants::Registry& registry, const State& state);

}  // namespace mesh::cluster
