#include "cluster/core/apply_support.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

// BMCs without an agent: which there are, and who runs their connectors.
namespace mesh::cluster {

namespace {

Error hasAnAgent(const std::string& tenant, const std::string& name)
{
    return Error{Code::preconditionFailed, "connector " + tenants::describe(tenant, name) + " is run by its BMC's own agent"};
}

}  // namespace

StateMachine::Outcome StateMachine::run(const AssignHost& op, Entry& entry)
{
    if (op.node != 0 && findNode(current, op.node) == nullptr) {
        return Error{Code::notFound, "there is no node " + std::to_string(op.node)};
    }
    const Source* known = findSourceOf(current, op.tenant, op.name);
    if (known != nullptr && std::tie(op.generation, op.term) < std::tie(known->generation, known->term)) {
        return Error{Code::refused, "it was ordered by a primary that was replaced"};
    }
    bool changed = false;
    const auto assign = [&op, &entry, &changed](tenants::Connector& connector) -> Result<void> {
        if (!connector.agentless) {
            return hasAnAgent(op.tenant, op.name);
        }
        changed = connector.host != op.node;
        if (changed) {
            connector.host = op.node;
            connector.assignment = entry.revision;
            connector.key.clear();
        }
        return {};
    };
    const Outcome assigned = changeConnector(op.tenant, op.name, assign, entry);
    if (!assigned.ok() || !changed || known == nullptr) {
        return assigned;
    }
    Source source = *known;
    source.generation = op.generation;
    source.term = op.term;
    if (auto stored = storeSource(std::move(source), entry); !stored) {
        return stored.error();
    }
    return assigned;
}

StateMachine::Outcome StateMachine::run(const RegisterHostKey& op, Entry& entry)
{
    if (const Node* node = findNodeByKey(current, op.key)) {
        return Error{Code::alreadyExists, "the key belongs to node " + node->name};
    }
    const auto enter = [&op](tenants::Connector& connector) -> Result<void> {
        if (!connector.agentless) {
            return hasAnAgent(op.tenant, op.name);
        }
        if (op.node == 0 || connector.host != op.node || connector.assignment != op.assignment) {
            return Error{Code::preconditionFailed, "another assignment is in force"};
        }
        if (op.key.empty() || (!connector.key.empty() && connector.key != op.key)) {
            return Error{Code::alreadyExists, "the assignment has a key already"};
        }
        connector.key = op.key;
        return {};
    };
    return changeConnector(op.tenant, op.name, enter, entry);
}

// Fits always: what there is becomes shorter.
void StateMachine::freeHosts(std::uint64_t node, Entry& entry)
{
    std::vector<tenants::Connector> hosted;
    for (const auto& [name, connector] : current.registry.connectors()) {
        if (connector.host == node) {
            hosted.push_back(connector);
        }
    }
    for (tenants::Connector& connector : hosted) {
        connector.host = 0;
        connector.key.clear();
        (void)replaceConnector(std::move(connector), entry);
    }
    std::vector<Source> readable;
    const auto isFor = [node](const SealedPassword& password) { return password.node == node; };
    for (const auto& [id, source] : current.sources) {
        if (std::any_of(source.passwords.begin(), source.passwords.end(), isFor)) {
            readable.push_back(source);
        }
    }
    for (Source& source : readable) {
        std::erase_if(source.passwords, isFor);
        (void)storeSource(std::move(source), entry);
    }
}

Result<void> StateMachine::checkSource(const Source& source, const Source* old) const
{
    if (source.hostName.empty() || !isPrintable(source.hostName) || !isPrintable(source.userName) ||
        !isPrintable(source.fingerprint)) {
        return Error{Code::invalidArgument, "a source has the URL of its BMC, and a user's name and a fingerprint without "
                                            "spaces where it has them"};
    }
    if (old != nullptr && (old->tenant != source.tenant || old->connector != source.connector)) {
        return Error{Code::invalidArgument, "a source keeps its tenant and connector"};
    }
    if (old == nullptr && !isValidPrefix(source.id)) {
        return Error{Code::invalidArgument, "a source's id is the prefix of its satellite: 1 to 16 letters and digits"};
    }
    if (old == nullptr && current.registry.find(source.tenant, source.connector) != nullptr) {
        return Error{Code::alreadyExists, "there is a connector " + tenants::describe(source.tenant, source.connector) +
                                              " already"};
    }
    if (old == nullptr && current.sources.size() >= limits::maxSources) {
        return tooMany(limits::maxSources, "sources");
    }
    return {};
}

StateMachine::Outcome StateMachine::run(const PutSource& op, Entry& entry)
{
    Source source = op.source;
    const Source* old = findSource(current, source.id);
    const Source none;
    source.revision = old == nullptr ? 0 : old->revision;
    source.generation = (old == nullptr ? none : *old).generation;
    source.term = (old == nullptr ? none : *old).term;
    if (!matches(op.ifRevision, source.revision)) {
        return changedMeanwhile("source " + source.id);
    }
    if (old != nullptr && *old == source) {
        return std::string();
    }
    if (auto valid = checkSource(source, old); !valid) {
        return valid.error();
    }
    if (auto fit = fits(Table::sources, old == nullptr ? 0 : sizeOf(*old), sizeOf(source)); !fit) {
        return fit.error();
    }
    if (old == nullptr) {
        tenants::Connector connector{source.tenant, source.connector, {}, source.id, {}, {}};
        connector.agentless = true;
        if (auto registered = putConnector(std::move(connector), entry); !registered) {
            return registered.error();
        }
    }
    if (auto stored = storeSource(std::move(source), entry); !stored) {
        return stored.error();
    }
    return std::string();
}

Result<void> StateMachine::storeSource(Source source, Entry& entry)
{
    source.revision = entry.revision;
    const Source* old = findSource(current, source.id);
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(source);
    if (auto fit = fits(Table::sources, before, after); !fit) {
        return fit;
    }
    used.sources += after - before;
    entry.changed(ChangeKind::source, source.id);
    std::string id = source.id;
    current.sources[std::move(id)] = std::move(source);
    return {};
}

StateMachine::Outcome StateMachine::run(const RemoveSource& op, Entry& entry)
{
    const Source* old = findSource(current, op.id);
    if (old == nullptr) {
        return Error{Code::notFound, "there is no source " + op.id};
    }
    if (!matches(op.ifRevision, old->revision)) {
        return changedMeanwhile("source " + op.id);
    }
    return run(RemoveConnector{old->tenant, old->connector}, entry);
}

void StateMachine::dropSourcesOf(const tenants::ConnectorName& name, Entry& entry)
{
    for (auto next = current.sources.begin(); next != current.sources.end();) {
        const auto source = next++;
        if (source->second.tenant == name.tenant && source->second.connector == name.name) {
            used.sources -= sizeOf(source->second);
            entry.changed(ChangeKind::source, source->first);
            current.sources.erase(source);
        }
    }
}

}  // namespace mesh::cluster
