#include "aggregator/core/configurations.hpp"

#include "aggregator/core/configuration_rules.hpp"

#include <algorithm>
#include <utility>

namespace mesh::aggregator {

namespace {

// Of the state's keys of documents, "kind/tenant/name"; empty where it is no configuration.
std::string tenantOfKey(const std::string& key)
{
    const std::size_t first = key.find('/');
    const std::size_t second = key.find('/', first + 1);
    const auto is = [&key, first](cluster::DocumentKind kind) {
        return key.substr(0, first) == std::to_string(static_cast<unsigned>(kind));
    };
    const bool isOne = second != std::string::npos && (is(cluster::DocumentKind::pivot) || is(cluster::DocumentKind::product) ||
                                                       is(cluster::DocumentKind::component));
    return isOne ? key.substr(first + 1, second - first - 1) : std::string();
}

}  // namespace

Configurations::Configurations(Mesh& links, cluster::StateEngine& stateEngine, Find finder)
    : mesh(links), engine(stateEngine), find(std::move(finder))
{
}

void Configurations::onChange(const std::string& key)
{
    const std::string tenant = tenantOfKey(key);
    if (key.empty() || !tenant.empty()) {
        changed.insert(tenant);
    }
}

void Configurations::onConnectorChange(const shoset::Address& connector)
{
    changedConnectors.insert(connector);
}

void Configurations::tell(const shoset::Address& address, Now now)
{
    const tenants::Connector* known = find(address);
    if (known == nullptr) {
        return;
    }
    const cluster::State& state = engine.state();
    const ConnectorConfiguration wanted = configurationFor(state, known->tenant, known->name, known->type);
    const shoset::Configure what{state.generation, state.revision, wanted.version, wanted.document};
    toldCount += mesh.tellConfiguration(address, what, wanted.body, now) ? 1 : 0;
}

void Configurations::onTimer(Now now)
{
    const std::set<std::string> tenants = std::exchange(changed, {});
    const std::set<shoset::Address> connectors = std::exchange(changedConnectors, {});
    if (tenants.empty() && connectors.empty()) {
        return;
    }
    std::erase_if(heard, [this](const auto& entry) { return find(entry.first) == nullptr; });
    for (const shoset::Address& connector : mesh.linkedConnectors()) {
        if (tenants.contains("") || tenants.contains(std::string(shoset::tenantOf(connector))) ||
            connectors.contains(connector)) {
            tell(connector, now);
        }
    }
}

void Configurations::onConfigured(const shoset::Address& connector, shoset::Configured told)
{
    if (find(connector) == nullptr) {
        return;
    }
    Heard& entry = heard[connector];
    if (!turnsTo(entry, told.incarnation) || told.sequence <= entry.word.sequence) {
        ++overtaken;
        return;
    }
    entry.word = std::move(told);
}

// False: that process was replaced before.
bool Configurations::turnsTo(Heard& entry, std::uint64_t incarnation)
{
    if (incarnation == entry.word.incarnation) {
        return true;
    }
    if (entry.former != 0 && incarnation == entry.former) {
        return false;
    }
    entry.former = entry.word.incarnation;
    entry.word = {};
    entry.word.incarnation = incarnation;
    return true;
}

void Configurations::onIncarnation(const shoset::Address& connector, std::uint64_t incarnation)
{
    const auto found = heard.find(connector);
    if (found != heard.end() && incarnation != 0) {
        turnsTo(found->second, incarnation);
    }
}

const shoset::Configured* Configurations::of(const shoset::Address& connector) const
{
    const auto found = heard.find(connector);
    return found == heard.end() || found->second.word.sequence == 0 ? nullptr : &found->second.word;
}

void Configurations::addMetrics(std::vector<Counter>& out) const
{
    const auto refused = std::count_if(heard.begin(), heard.end(), [](const auto& entry) {
        return entry.second.word.state == shoset::ConfiguredState::refused;
    });
    out.push_back({"bmcmesh_configurations_refused", "Connectors that have refused their configuration", static_cast<std::uint64_t>(refused), true});
    out.push_back({"bmcmesh_configurations_told_total", "Times that a connector was told its configuration", toldCount, false});
    out.push_back({"bmcmesh_configurations_overtaken_total", "Words of connectors on it that a later one had overtaken", overtaken, false});
}

}  // namespace mesh::aggregator
