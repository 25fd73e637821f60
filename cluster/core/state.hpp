#pragma once

#include "cluster/core/records.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mesh::cluster {

// The replicated state as one node has it. Read by anybody on the loop's thread, changed by StateMachine alone. Nothing
// in it depends on anything but the entries applied.
struct State {
    Revision revision = 0;
    FeatureLevel featureLevel = firstFeatureLevel;  // a fresh state knows nothing of its nodes' programs
    std::uint64_t generation = 1;
    std::string serviceUuid;  // empty until set
    std::uint64_t nextAccountId = 1;
    std::uint64_t nextNodeId = 1;
    std::set<std::uint64_t> unusedNodeIds;  // below nextNodeId, yet no node ever had them

    std::map<std::string, Account> accounts;  // by id
    std::map<std::string, Role> roles;        // custom ones, by id
    std::map<std::string, Session> sessions;  // by id
    tenants::Registry registry;               // as registered in the cluster; `prefix` is the configured one
    std::map<tenants::ConnectorName, PrefixAssignment> prefixes;
    std::map<std::string, Property> properties;  // by URI
    std::map<std::uint64_t, Node> nodes;         // by id
    std::map<std::string, Enrolment> enrolments;  // by id
    std::map<std::string, Task> tasks;            // by id
    std::map<std::string, Source> sources;        // by id
    std::map<DocumentName, Document> documents;
    std::map<DocumentName, std::string> cursors;  // of subscriptions

    // Look-ups, derived from the tables.
    std::unordered_map<std::string, std::string> accountIdByLowerName;
    std::unordered_map<std::string, std::string> sessionIdByTokenHash;
    std::unordered_map<std::string, tenants::ConnectorName> connectorByLowerPrefix;
    std::unordered_map<std::string, std::string> enrolmentIdBySecretHash;
};

// By id. Pointers are valid until the next entry is applied.
const Account* findAccount(const State& state, std::string_view id);
// By user name, exact spelling.
const Account* findAccountByName(const State& state, std::string_view userName);
const Session* findSession(const State& state, std::string_view id);
const PrefixAssignment* findPrefix(const State& state, std::string_view tenant, std::string_view connector);
const Property* findProperty(const State& state, std::string_view uri);
const Task* findTask(const State& state, std::string_view id);
const Source* findSource(const State& state, std::string_view id);
// Of that connector. Looks at all sources.
const Source* findSourceOf(const State& state, std::string_view tenant, std::string_view connector);
// That this node could open as it is now, or nullptr.
const SealedPassword* passwordFor(const Source& source, const Node& node);
// By what SealedPassword::key names it; empty: the node has told none.
std::string sealingKeyId(const Node& node);
// No node is left that could log in at its BMC: after a restore, or since the last one that could has lost its keys.
bool needsPassword(const State& state, const Source& source);
const Document* findDocument(const State& state, const DocumentName& name);
ConfigurationView configurationView(const State& state, const std::string& tenant);
// Empty: nothing was delivered yet.
std::string findCursor(const State& state, std::string_view tenant, std::string_view subscription);
const Node* findNode(const State& state, std::uint64_t id);
const Node* findNodeByName(const State& state, std::string_view name);  // any case
const Node* findNodeByKey(const State& state, std::string_view z85);

// Of a predefined or custom role; none for a role that does not exist.
tenants::PrivilegeSet privilegesOf(const State& state, std::string_view roleId);
bool roleExists(const State& state, std::string_view roleId);

// Gives every connector of `registry` the prefix that the state has for it, where it has one. For a registry from a
// file as for the state's own. The error is the first refusal, naming the connector, which is left without a prefix
// (another of the file has it); the others are done.
Result<void> applyPrefixes(tenants::Registry& registry, const State& state);

}  // namespace mesh::cluster
