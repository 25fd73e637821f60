#include "cluster/core/state.hpp"

#include "shoset/base/http.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

template <class Map, class Key>
auto find(const Map& map, const Key& key) -> const typename Map::mapped_type*
{
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

// They are limits::maxAggregators at most, so that an index would cost more than it saves.
template <class Predicate>
const Node* findNodeIf(const State& state, Predicate predicate)
{
    const auto found = std::find_if(state.nodes.begin(), state.nodes.end(),
                                    [&](const auto& entry) { return predicate(entry.second); });
    return found == state.nodes.end() ? nullptr : &found->second;
}

}  // namespace

const Account* findAccount(const State& state, std::string_view id)
{
    return find(state.accounts, std::string(id));
}

const Account* findAccountByName(const State& state, std::string_view userName)
{
    const std::string* id = find(state.accountIdByLowerName, toLower(userName));
    const Account* account = id == nullptr ? nullptr : findAccount(state, *id);
    return account != nullptr && account->userName == userName ? account : nullptr;
}

const Session* findSession(const State& state, std::string_view id)
{
    return find(state.sessions, std::string(id));
}

const PrefixAssignment* findPrefix(const State& state, std::string_view tenant, std::string_view connector)
{
    return find(state.prefixes, tenants::ConnectorName{std::string(tenant), std::string(connector)});
}

const Property* findProperty(const State& state, std::string_view uri)
{
    return find(state.properties, std::string(uri));
}

const Task* findTask(const State& state, std::string_view id)
{
    return find(state.tasks, std::string(id));
}

const Source* findSource(const State& state, std::string_view id)
{
    return find(state.sources, std::string(id));
}

const Source* findSourceOf(const State& state, std::string_view tenant, std::string_view connector)
{
    const auto found = std::find_if(state.sources.begin(), state.sources.end(), [&](const auto& entry) {
        return entry.second.tenant == tenant && entry.second.connector == connector;
    });
    return found == state.sources.end() ? nullptr : &found->second;
}

// Four bytes tell keys of one node apart; whoever opens it proves the rest.
std::string sealingKeyId(const Node& node)
{
    return node.sealingKey.substr(0, 4);
}

const SealedPassword* passwordFor(const Source& source, const Node& node)
{
    const std::string key = sealingKeyId(node);
    const auto found = std::find_if(source.passwords.begin(), source.passwords.end(), [&](const SealedPassword& password) {
        return password.node == node.id && (password.key.empty() || password.key == key);
    });
    return found == source.passwords.end() ? nullptr : &*found;
}

bool needsPassword(const State& state, const Source& source)
{
    return !source.userName.empty() && std::none_of(state.nodes.begin(), state.nodes.end(), [&source](const auto& entry) {
        return !entry.second.witness && passwordFor(source, entry.second) != nullptr;
    });
}

const Document* findDocument(const State& state, const DocumentName& name)
{
    return find(state.documents, name);
}

ConfigurationView configurationView(const State& state, const std::string& tenant)
{
    ConfigurationView view;
    for (const auto& [name, document] : state.documents) {
        if (isConfiguration(name.kind) && name.tenant == tenant) {
            ++view.documents;
            view.newest = std::max(view.newest, document.revision);
        }
    }
    return view;
}

std::string findCursor(const State& state, std::string_view tenant, std::string_view subscription)
{
    const std::string* position =
        find(state.cursors, DocumentName{DocumentKind::subscription, std::string(tenant), std::string(subscription)});
    return position == nullptr ? std::string() : *position;
}

const Node* findNode(const State& state, std::uint64_t id)
{
    return find(state.nodes, id);
}

const Node* findNodeByName(const State& state, std::string_view name)
{
    return findNodeIf(state, [name](const Node& node) { return equalsIgnoreCase(node.name, name); });
}

const Node* findNodeByKey(const State& state, std::string_view z85)
{
    return findNodeIf(state, [z85](const Node& node) { return node.key == z85; });
}

tenants::PrivilegeSet privilegesOf(const State& state, std::string_view roleId)
{
    if (const auto predefined = tenants::predefinedRole(roleId)) {
        return *predefined;
    }
    const Role* role = find(state.roles, std::string(roleId));
    return role == nullptr ? tenants::PrivilegeSet{} : role->privileges;
}

bool roleExists(const State& state, std::string_view roleId)
{
    return tenants::predefinedRole(roleId).has_value() || state.roles.contains(std::string(roleId));
}

Result<void> applyPrefixes(tenants::Registry& registry, const State& state)
{
    std::map<tenants::ConnectorName, std::string> changed;
    for (const auto& [name, assignment] : state.prefixes) {
        const tenants::Connector* connector = registry.find(name.tenant, name.name);
        if (connector != nullptr && connector->prefix != assignment.prefix) {
            changed.emplace(name, assignment.prefix);
            (void)registry.setPrefix(name.tenant, name.name, "");  // so that two may exchange theirs
        }
    }
    Result<void> first;
    for (const auto& [name, prefix] : changed) {
        const auto set = registry.setPrefix(name.tenant, name.name, prefix);
        if (!set && first) {
            first = Error{set.error().code,
                          "connector " + tenants::describe(name.tenant, name.name) + ": " + set.error().message};
        }
    }
    return first;
}

}  // namespace mesh::cluster
