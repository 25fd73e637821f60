#include "tenants/registry.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace mesh::tenants {

namespace {

const std::string nameRule = "1 to 63 letters, digits, dots, underscores and hyphens, the first a letter or digit";

bool isLabel(std::string_view text)
{
    return text.size() <= limits::maxLabelBytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

ConnectorName lowerName(const Connector& connector)
{
    return {connector.tenant, toLower(connector.name)};
}

Error malformed(const std::string& what, const std::string& value, const std::string& rule)
{
    return Error{Code::invalidArgument, "\"" + value + "\" is not " + what + ": " + rule + " are expected"};
}

Error taken(const std::string& what, const Connector& owner)
{
    return Error{Code::alreadyExists,
                 what + " belongs to connector " + describe(owner.tenant, owner.name) + " already"};
}

template <class Map, class Key>
const Connector* lookUp(const Map& map, const Key& key)
{
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
}

}  // namespace

bool isValidKey(std::string_view z85)
{
    return isPublicKey(z85);
}

bool isPendingKey(const Connector& connector, std::string_view z85)
{
    return !connector.pendingKey.empty() && connector.pendingKey == z85;
}

std::string describe(std::string_view tenant, std::string_view name)
{
    return std::string(name) + " of tenant " + std::string(tenant);
}

Registry& Registry::operator=(const Registry& other)
{
    if (this == &other) {
        return *this;
    }
    tenantNames = other.tenantNames;
    lowerTenants = other.lowerTenants;
    quotas = other.quotas;
    connectorCounts.clear();
    byName = other.byName;
    byLowerName.clear();
    byKey.clear();
    byLowerPrefix.clear();
    for (const auto& [name, connector] : byName) {
        addIndexes(connector);
    }
    return *this;
}

Result<void> Registry::addTenant(std::string_view name)
{
    if (!isValidName(name)) {
        return malformed("a tenant's name", std::string(name), nameRule);
    }
    if (lowerTenants.contains(toLower(name))) {
        return Error{Code::alreadyExists, "tenant " + std::string(name) + " exists already (case does not count)"};
    }
    if (tenantNames.size() >= limits::maxTenants) {
        return Error{Code::full,
                     "there are " + std::to_string(limits::maxTenants) + " tenants already, the most there can be"};
    }
    tenantNames.emplace(name);
    lowerTenants.insert(toLower(name));
    return {};
}

Result<void> Registry::removeTenant(std::string_view name)
{
    if (!hasTenant(name)) {
        return Error{Code::notFound, "there is no tenant " + std::string(name)};
    }
    const auto first = byName.lower_bound({std::string(name), ""});
    if (first != byName.end() && first->first.tenant == name) {
        return Error{Code::preconditionFailed, "tenant " + std::string(name) + " still has connectors, " +
                                                   first->first.name + " among them; remove those first"};
    }
    tenantNames.erase(std::string(name));
    lowerTenants.erase(toLower(name));
    quotas.erase(std::string(name));
    return {};
}

Result<void> Registry::setQuota(std::string_view tenant, const Quota& quota)
{
    if (!hasTenant(tenant)) {
        return Error{Code::notFound, "there is no tenant " + std::string(tenant)};
    }
    if (auto valid = checkQuota(quota); !valid) {
        return valid;
    }
    if (quota == Quota{}) {
        quotas.erase(std::string(tenant));
    } else {
        quotas.insert_or_assign(std::string(tenant), quota);
    }
    return {};
}

Quota Registry::quotaOf(std::string_view tenant) const
{
    const auto found = quotas.find(tenant);
    return found == quotas.end() ? Quota{} : found->second;
}

std::size_t Registry::connectorsOf(std::string_view tenant) const
{
    const auto found = connectorCounts.find(tenant);
    return found == connectorCounts.end() ? 0 : found->second;
}

Result<void> Registry::mayHaveAnother(std::string_view tenant) const
{
    const std::uint64_t most = quotaOf(tenant).connectors;
    const std::size_t has = connectorsOf(tenant);
    if (most != 0 && has >= most) {
        return Error{Code::full, "tenant " + std::string(tenant) + " has reached its quota of connectors: it has " + std::to_string(has) +
                                     ", and " + std::to_string(most) + " are allowed"};
    }
    return {};
}

Result<void> Registry::check(const Connector& connector) const
{
    if (!isValidName(connector.name)) {
        return malformed("a connector's name", connector.name, nameRule);
    }
    if (!hasTenant(connector.tenant)) {
        return Error{Code::notFound, "connector " + connector.name + " names tenant \"" + connector.tenant +
                                         "\", which does not exist"};
    }
    for (const std::string* key : {&connector.key, &connector.pendingKey}) {
        const bool mayBeEmpty = key == &connector.pendingKey || connector.agentless;
        if (!isValidKey(*key) && !(key->empty() && mayBeEmpty)) {
            return malformed("a public key", *key, "40 characters of Z85 (as mesh-connectord prints them)");
        }
    }
    if (!connector.prefix.empty() && !isValidPrefix(connector.prefix)) {
        return malformed("a prefix", connector.prefix, "1 to 16 letters and digits");
    }
    for (const std::string* label : {&connector.product, &connector.type}) {
        if (!isLabel(*label)) {
            return malformed("a product or connector type", *label, "at most 64 printable ASCII characters");
        }
    }
    const Connector* self = find(connector.tenant, connector.name);
    const Connector* sameName = lookUp(byLowerName, lowerName(connector));
    if (sameName != self) {
        return taken("the name " + connector.name + " (case does not count)", *sameName);
    }
    for (const std::string* key : {&connector.key, &connector.pendingKey}) {
        const Connector* sameKey = key->empty() ? nullptr : lookUp(byKey, *key);
        if (sameKey != nullptr && sameKey != self) {
            return taken("key " + *key, *sameKey);
        }
    }
    const Connector* samePrefix = connector.prefix.empty() ? nullptr : findByPrefix(connector.prefix);
    if (samePrefix != nullptr && samePrefix != self) {
        return taken("prefix " + connector.prefix, *samePrefix);
    }
    if (self == nullptr && byName.size() >= limits::maxConnectors) {
        return Error{Code::full, "there are " + std::to_string(limits::maxConnectors) +
                                     " connectors already, the most there can be"};
    }
    return self == nullptr ? mayHaveAnother(connector.tenant) : Result<void>();
}

Result<void> Registry::put(Connector connector)
{
    if (auto valid = check(connector); !valid) {
        return valid;
    }
    ConnectorName name{connector.tenant, connector.name};
    const auto old = byName.find(name);
    if (old != byName.end()) {
        dropIndexes(old->second);
    }
    addIndexes(byName.insert_or_assign(std::move(name), std::move(connector)).first->second);
    return {};
}

bool Registry::remove(std::string_view tenant, std::string_view name)
{
    const auto found = byName.find({std::string(tenant), std::string(name)});
    if (found == byName.end()) {
        return false;
    }
    dropIndexes(found->second);
    byName.erase(found);
    return true;
}

Result<void> Registry::setPrefix(std::string_view tenant, std::string_view name, std::string prefix)
{
    const Connector* found = find(tenant, name);
    if (found == nullptr) {
        return Error{Code::notFound, "there is no connector " + describe(tenant, name)};
    }
    Connector changed = *found;
    changed.prefix = std::move(prefix);
    return put(std::move(changed));
}

bool Registry::hasTenant(std::string_view name) const
{
    return tenantNames.contains(std::string(name));
}

const Connector* Registry::find(std::string_view tenant, std::string_view name) const
{
    const auto found = byName.find({std::string(tenant), std::string(name)});
    return found == byName.end() ? nullptr : &found->second;
}

const Connector* Registry::findByKey(std::string_view z85) const
{
    const Connector* found = lookUp(byKey, std::string(z85));
    return found == nullptr || found->revoked ? nullptr : found;
}

const Connector* Registry::findByPrefix(std::string_view prefix) const
{
    return lookUp(byLowerPrefix, toLower(prefix));
}

void Registry::addIndexes(const Connector& connector)
{
    byLowerName.emplace(lowerName(connector), &connector);
    ++connectorCounts[connector.tenant];
    for (const std::string* key : {&connector.key, &connector.pendingKey}) {
        if (!key->empty()) {
            byKey.emplace(*key, &connector);
        }
    }
    if (!connector.prefix.empty()) {
        byLowerPrefix.emplace(toLower(connector.prefix), &connector);
    }
}

void Registry::dropIndexes(const Connector& connector)
{
    byLowerName.erase(lowerName(connector));
    if (const auto counted = connectorCounts.find(connector.tenant); --counted->second == 0) {
        connectorCounts.erase(counted);
    }
    for (const std::string* key : {&connector.key, &connector.pendingKey}) {
        if (!key->empty()) {
            byKey.erase(*key);
        }
    }
    if (!connector.prefix.empty()) {
        byLowerPrefix.erase(toLower(connector.prefix));
    }
}

}  // namespace mesh::tenants
