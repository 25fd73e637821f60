#include "cluster/core/apply_support.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <utility>

// BMCs without an agent: who runs their connectors, and which of them were added through the facade.
namespace mesh::cluster {

StateMachine::Outcome StateMachine::run(const AssignHost& op, Entry& entry)
{
    if (op.node != 0 && findNode(current, op.node) == nullptr) {
        return Error{Code::notFound, "there is no node " + std::to_string(op.node)};
    }
    const auto assign = [&op](tenants::Connector& connector) {
        connector.host = op.node;
        return Result<void>();
    };
    return changeConnector(op.tenant, op.name, assign, entry);
}

// Fits always: 0 is the shortest number.
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
        (void)replaceConnector(std::move(connector), entry);
    }
}

StateMachine::Outcome StateMachine::run(const PutSource& op, Entry& entry)
{
    Source source = op.source;
    if (!isValidName(source.id) || source.hostName.empty() || !isPrintable(source.hostName)) {
        return Error{Code::invalidArgument, "a source has an id and the host name or URL of its BMC"};
    }
    if (current.registry.find(source.tenant, source.connector) == nullptr) {
        return Error{Code::notFound, "there is no connector " + tenants::describe(source.tenant, source.connector)};
    }
    const Source* old = findSource(current, source.id);
    source.revision = old == nullptr ? 0 : old->revision;
    if (!matches(op.ifRevision, source.revision)) {
        return changedMeanwhile("source " + source.id);
    }
    if (old != nullptr && *old == source) {
        return std::string();
    }
    if (old == nullptr && current.sources.size() >= limits::maxSources) {
        return tooMany(limits::maxSources, "sources");
    }
    source.revision = entry.revision;
    const std::size_t before = old == nullptr ? 0 : sizeOf(*old);
    const std::size_t after = sizeOf(source);
    if (auto fit = fits(Table::sources, before, after); !fit) {
        return fit.error();
    }
    used.sources += after - before;
    entry.changed(ChangeKind::source, source.id);
    current.sources[op.source.id] = std::move(source);
    return std::string();
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
    used.sources -= sizeOf(*old);
    current.sources.erase(op.id);
    entry.changed(ChangeKind::source, op.id);
    return std::string();
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
