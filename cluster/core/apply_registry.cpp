#include "cluster/core/apply_support.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"
#include "tenants/prefix.hpp"

#include <algorithm>

namespace mesh::cluster {

StateMachine::Outcome StateMachine::run(const PutConnector& op, Entry& entry)
{
    tenants::Connector connector = op.connector;
    connector.agentless = false;  // that is for PutSource to say
    if (auto put = putConnector(std::move(connector), entry); !put) {
        return put.error();
    }
    return std::string();
}

Result<void> StateMachine::putConnector(tenants::Connector connector, Entry& entry)
{
    const tenants::ConnectorName name{connector.tenant, connector.name};
    const tenants::Connector* old = current.registry.find(connector.tenant, connector.name);
    if (old != nullptr && old->revoked && old->key == connector.key) {
        return Error{Code::refused, "the key of connector " + tenants::describe(name.tenant, name.name) +
                                        " was revoked: it needs another one"};
    }
    if (old != nullptr && old->agentless) {
        return Error{Code::preconditionFailed, "connector " + tenants::describe(name.tenant, name.name) +
                                                   " is run by a node, for a BMC without an agent"};
    }
    if (old != nullptr) {
        connector.rotating = old->rotating && old->key == connector.key;
        connector.pendingKey = connector.rotating ? old->pendingKey : "";
    }
    if (old != nullptr && *old == connector) {
        return {};
    }
    if (auto fit = fits(Table::registry, old == nullptr ? 0 : sizeOf(*old), sizeOf(connector)); !fit) {
        return fit;
    }
    if (!connector.prefix.empty() && prefixTaken(connector.prefix, name)) {
        return Error{Code::alreadyExists, "prefix " + connector.prefix + " belongs to another satellite"};
    }
    if (auto valid = current.registry.check(connector); !valid) {
        return valid;
    }
    if (const Node* node = findNodeByKey(current, connector.key)) {
        return Error{Code::alreadyExists, "key " + connector.key + " belongs to node " + node->name};
    }
    if (!connector.prefix.empty()) {
        const PrefixAssignment* assigned = findPrefix(current, name.tenant, name.name);
        const std::string uuid = assigned == nullptr ? "" : assigned->uuid;
        if (auto stored = storePrefix(name, {connector.prefix, uuid}, entry); !stored) {
            return stored;
        }
    }
    return replaceConnector(std::move(connector), entry);
}

// As a whole, and nothing but the record.
Result<void> StateMachine::replaceConnector(tenants::Connector connector, Entry& entry)
{
    const tenants::ConnectorName name{connector.tenant, connector.name};
    const tenants::Connector* old = current.registry.find(connector.tenant, connector.name);
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(connector);
    if (auto fit = fits(Table::registry, before, after); !fit) {
        return fit;
    }
    if (auto put = current.registry.put(std::move(connector)); !put) {
        return put;
    }
    used.registry += after - before;
    entry.changed(ChangeKind::connector, changeKey(name));
    return {};
}

StateMachine::Outcome StateMachine::run(const RemoveConnector& op, Entry& entry)
{
    const tenants::ConnectorName name{op.tenant, op.name};
    const tenants::Connector* connector = current.registry.find(op.tenant, op.name);
    if (connector == nullptr) {
        return Error{Code::notFound, "there is no connector " + tenants::describe(op.tenant, op.name)};
    }
    used.registry -= sizeOf(*connector);
    current.registry.remove(op.tenant, op.name);
    entry.changed(ChangeKind::connector, changeKey(name));
    dropPrefix(name, entry);
    dropEnrolmentsFor(name, entry);
    dropSourcesOf(name, entry);
    const DocumentName component{DocumentKind::component, op.tenant, op.name};
    if (current.featureLevel >= configurationFeatureLevel && findDocument(current, component) != nullptr) {
        dropDocument(component, entry);
    }
    return std::string();
}

StateMachine::Outcome StateMachine::run(const AssignPrefix& op, Entry& entry)
{
    const tenants::ConnectorName name{op.tenant, op.connector};
    if (!isValidName(op.tenant) || !isValidName(op.connector)) {
        return Error{Code::invalidArgument, "a prefix is assigned to a connector, by tenant and name"};
    }
    if (!isPrintable(op.uuid)) {
        return Error{Code::invalidArgument, "the satellite's UUID has characters that no UUID has"};
    }
    const PrefixAssignment* old = findPrefix(current, op.tenant, op.connector);
    PrefixAssignment assignment = old == nullptr ? PrefixAssignment{} : *old;
    assignment.uuid = tenants::isUsableUuid(op.uuid) ? op.uuid : assignment.uuid;
    if (old == nullptr || !op.configured.empty()) {
        auto prefix = tenants::choosePrefix(
            {op.configured, op.uuid, op.key}, [&](std::string_view wanted) { return prefixTaken(wanted, name); },
            [&](std::string_view uuid) { return uuidTaken(uuid, name); });
        if (!prefix) {
            return prefix.error();
        }
        assignment.prefix = std::move(*prefix);
    }
    const std::string prefix = assignment.prefix;
    if (auto stored = storePrefix(name, std::move(assignment), entry); !stored) {
        return stored.error();
    }
    return prefix;
}

StateMachine::Outcome StateMachine::run(const SetServiceUuid& op, Entry& entry)
{
    if (!current.serviceUuid.empty()) {
        return current.serviceUuid;
    }
    if (!tenants::isUsableUuid(op.uuid) || !isPrintable(op.uuid)) {
        return Error{Code::invalidArgument, "a service's UUID is neither empty nor nil"};
    }
    current.serviceUuid = op.uuid;
    entry.changed(ChangeKind::service, "");
    return current.serviceUuid;
}

StateMachine::Outcome StateMachine::run(const PutProperty& op, Entry& entry)
{
    if (op.uri.empty() || !isPrintable(op.uri)) {
        return Error{Code::invalidArgument, "a property belongs to a URI"};
    }
    const Property* old = findProperty(current, op.uri);
    if (!matches(op.ifRevision, old == nullptr ? 0 : old->revision)) {
        return changedMeanwhile("this resource");
    }
    if (old != nullptr && old->json == op.json) {
        return std::string();
    }
    Property property{op.json, entry.revision};
    const std::size_t before = old == nullptr ? 0 : sizeOf(op.uri, *old);
    const std::size_t after = sizeOf(op.uri, property);
    if (auto fit = fits(Table::properties, before, after); !fit) {
        return fit.error();
    }
    used.properties += after - before;
    current.properties[op.uri] = std::move(property);
    entry.changed(ChangeKind::property, op.uri);
    return std::string();
}

StateMachine::Outcome StateMachine::run(const RemoveProperty& op, Entry& entry)
{
    const Property* old = findProperty(current, op.uri);
    if (old == nullptr) {
        return Error{Code::notFound, "this resource keeps no properties"};
    }
    if (!matches(op.ifRevision, old->revision)) {
        return changedMeanwhile("this resource");
    }
    used.properties -= sizeOf(op.uri, *old);
    current.properties.erase(op.uri);
    entry.changed(ChangeKind::property, op.uri);
    return std::string();
}

bool StateMachine::prefixTaken(std::string_view prefix, const tenants::ConnectorName& asker) const
{
    const auto owner = current.connectorByLowerPrefix.find(toLower(prefix));
    return owner != current.connectorByLowerPrefix.end() && owner->second != asker;
}

// Asked once in a satellite's life, so that an index would cost more than it saves.
bool StateMachine::uuidTaken(std::string_view uuid, const tenants::ConnectorName& asker) const
{
    return std::any_of(current.prefixes.begin(), current.prefixes.end(), [&](const auto& entry) {
        return equalsIgnoreCase(entry.second.uuid, uuid) && entry.first != asker;
    });
}

Result<void> StateMachine::storePrefix(const tenants::ConnectorName& name, PrefixAssignment assignment, Entry& entry)
{
    const PrefixAssignment* old = findPrefix(current, name.tenant, name.name);
    if (old != nullptr && *old == assignment) {
        return {};
    }
    if (old == nullptr && current.prefixes.size() >= limits::maxConnectors) {
        return tooMany(limits::maxConnectors, "satellites");
    }
    const std::size_t before = old == nullptr ? 0 : sizeOf(name, *old);
    const std::size_t after = sizeOf(name, assignment);
    if (auto fit = fits(Table::prefixes, before, after); !fit) {
        return fit;
    }
    used.prefixes += after - before;
    if (old != nullptr) {
        current.connectorByLowerPrefix.erase(toLower(old->prefix));
    }
    current.connectorByLowerPrefix[toLower(assignment.prefix)] = name;
    current.prefixes[name] = std::move(assignment);
    entry.changed(ChangeKind::prefix, changeKey(name));
    return {};
}

void StateMachine::dropPrefix(const tenants::ConnectorName& name, Entry& entry)
{
    const PrefixAssignment* old = findPrefix(current, name.tenant, name.name);
    if (old == nullptr) {
        return;
    }
    used.prefixes -= sizeOf(name, *old);
    current.connectorByLowerPrefix.erase(toLower(old->prefix));
    current.prefixes.erase(name);
    entry.changed(ChangeKind::prefix, changeKey(name));
}

}  // namespace mesh::cluster
