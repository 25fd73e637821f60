#include "cluster/core/apply_support.hpp"
#include "cluster/core/generation.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::cluster {

namespace {

constexpr std::size_t sealingKeyBytes = 32;  // X25519

Error noNode(std::uint64_t id)
{
    return Error{Code::notFound, "there is no node " + std::to_string(id)};
}

// Of an entry, the same on every node.
std::uint64_t randomOf(const MessageId& request)
{
    std::uint64_t value = 0;
    for (const char byte : request.bytes().substr(MessageId::size - sizeof value)) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

}  // namespace

StateMachine::Outcome StateMachine::run(const RaiseFeatureLevel& op, Entry& entry)
{
    if (op.level <= current.featureLevel) {
        return std::to_string(current.featureLevel);
    }
    if (auto known = allNodesKnow(current, op.level); !known) {
        return known.error();
    }
    const FeatureLevel before = current.featureLevel;
    current.featureLevel = op.level;
    const limits::TableBytes bytes = measure();
    if (auto within = withinBudgets(bytes); !within) {
        current.featureLevel = before;
        return within.error();
    }
    used = bytes;
    entry.changed(ChangeKind::featureLevel, "");
    return std::to_string(current.featureLevel);
}

StateMachine::Outcome StateMachine::run(const RaiseGeneration&, Entry& entry)
{
    current.generation = current.featureLevel < generationFeatureLevel
                             ? current.generation + 1
                             : generationAfter(current.generation, entry.stamp, randomOf(entry.request));
    entry.changed(ChangeKind::service, "");
    if (current.featureLevel >= clusterFeatureLevel) {
        endSessions([](const Session&) { return true; }, entry);
        dropEnrolments([](const Enrolment&) { return true; }, entry);
    }
    return std::to_string(current.generation);
}

Result<void> StateMachine::checkNode(const Node& node) const
{
    if (!isValidName(node.name) || !tenants::isValidKey(node.key)) {
        return Error{Code::invalidArgument, "a node has a name (1 to 63 letters, digits and . _ -, the first a letter or "
                                            "digit) and a public key of 40 characters"};
    }
    const std::string texts = node.peerEndpoint + node.meshEndpoint + node.enrolEndpoint + node.facadeUrl + node.storage + node.software;
    if (!isPrintable(texts)) {
        return Error{Code::invalidArgument, "endpoints, URL, storage and software of node " + node.name +
                                                " are printable ASCII without spaces"};
    }
    if (!node.sealingKey.empty() && node.sealingKey.size() != sealingKeyBytes) {
        return Error{Code::invalidArgument, "a sealing key has " + std::to_string(sealingKeyBytes) + " bytes"};
    }
    const Node* sameName = findNodeByName(current, node.name);
    const Node* sameKey = findNodeByKey(current, node.key);
    for (const Node* same : {sameName, sameKey}) {
        if (same != nullptr && same->id != node.id) {
            return Error{Code::alreadyExists, (same == sameName ? "name " + node.name + " (case does not count)"
                                                                : "key " + node.key) +
                                                  " belongs to node " + std::to_string(same->id) + ", " + same->name};
        }
    }
    if (const tenants::Connector* connector = current.registry.findByKey(node.key)) {
        return Error{Code::alreadyExists, "key " + node.key + " belongs to connector " +
                                              tenants::describe(connector->tenant, connector->name)};
    }
    if (node.featureLevel < current.featureLevel) {
        return Error{Code::unsupported, "the program of node " + node.name + " knows feature level " +
                                            std::to_string(node.featureLevel) + ", and the cluster is at " +
                                            std::to_string(current.featureLevel) + ": upgrade it first"};
    }
    return {};
}

bool StateMachine::isFreeNodeId(std::uint64_t id) const
{
    if (id < current.nextNodeId) {
        return current.unusedNodeIds.contains(id);
    }
    return id - current.nextNodeId <= limits::maxUnusedNodeIds - current.unusedNodeIds.size();
}

void StateMachine::takeNodeId(std::uint64_t id)
{
    current.unusedNodeIds.erase(id);
    for (; current.nextNodeId <= id; ++current.nextNodeId) {
        if (current.nextNodeId < id) {
            current.unusedNodeIds.insert(current.nextNodeId);
        }
    }
}

StateMachine::Outcome StateMachine::run(const PutNode& op, Entry& entry)
{
    Node node = op.node;
    node.id = node.id == 0 ? current.nextNodeId : node.id;
    const Node* old = findNode(current, node.id);
    node.revision = old == nullptr ? 0 : old->revision;
    if (!matches(op.ifRevision, node.revision)) {
        return changedMeanwhile("node " + std::to_string(node.id));
    }
    if (old != nullptr && *old == node) {
        return std::to_string(node.id);
    }
    if (old == nullptr && !isFreeNodeId(node.id)) {
        return Error{Code::refused, "no node can have id " + std::to_string(node.id) +
                                        ": it was another's, or is too far beyond the last one"};
    }
    if (old == nullptr && current.nodes.size() >= limits::maxAggregators) {
        return tooMany(limits::maxAggregators, "nodes");
    }
    if (auto valid = checkNode(node); !valid) {
        return valid.error();
    }
    if (old != nullptr && !old->storage.empty() && old->storage != node.storage) {
        return Error{Code::refused, "node " + old->name + " has lost its data, or has those of another: remove it and "
                                                          "add it as a new one"};
    }
    node.revision = entry.revision;
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(node);
    if (auto fit = fits(Table::nodes, before, after); !fit) {
        return fit.error();
    }
    used.nodes += after - before;
    takeNodeId(node.id);
    const std::string id = std::to_string(node.id);
    entry.changed(ChangeKind::node, id);
    current.nodes[node.id] = std::move(node);
    return id;
}

StateMachine::Outcome StateMachine::run(const RemoveNode& op, Entry& entry)
{
    const Node* node = findNode(current, op.id);
    if (node == nullptr) {
        return noNode(op.id);
    }
    if (!matches(op.ifRevision, node->revision)) {
        return changedMeanwhile("node " + node->name);
    }
    used.nodes -= sizeOf(*node);
    current.nodes.erase(op.id);
    entry.changed(ChangeKind::node, std::to_string(op.id));
    freeHosts(op.id, entry);
    return std::string();
}

}  // namespace mesh::cluster
