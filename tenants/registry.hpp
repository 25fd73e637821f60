#pragma once

#include "shoset/base/result.hpp"
#include "tenants/quota.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mesh::tenants {

// A connector's full name. Exact: "Sled07" does not name "sled07", although only one of them may exist in a tenant.
struct ConnectorName {
    std::string tenant;
    std::string name;
    auto operator<=>(const ConnectorName&) const = default;
};

struct Connector {
    std::string tenant;
    std::string name;
    std::string key;      // CURVE public key, Z85, 40 characters
    std::string prefix;   // configured or assigned; empty: not assigned yet
    std::string product;  // optional
    std::string type;     // optional
    // What follows is the cluster's alone; a registry file has none of it.
    std::string pendingKey = {};  // offered for a rotation; the old key dies when this one says hello
    bool rotating = false;        // the operator asked for a new key
    bool revoked = false;         // the key is dead, the record is kept for people to see
    bool agentless = false;       // its BMC carries no agent: a node runs the connector, whose key is empty while none does
    std::uint64_t host = 0;       // that node; 0: none
    std::uint64_t assignment = 0;  // which of all there ever were made it the host; each is larger than those before
    bool operator==(const Connector&) const = default;
};

// 40 characters of ZeroMQ RFC 32 that decode to 32 bytes.
bool isValidKey(std::string_view z85);
// Is it the one that `connector`'s rotation waits for, not the one in force?
bool isPendingKey(const Connector& connector, std::string_view z85);
// "sled07 of tenant acme", for sentences.
std::string describe(std::string_view tenant, std::string_view name);

// Who belongs to the mesh. Every change keeps the invariants or is refused with a sentence and leaves the registry as
// it was: names of tenants, names of connectors within a tenant, and prefixes across all tenants are unique without
// regard to case (Redfish clients and host names ignore it); keys are unique, pending and revoked ones too. Bounded by
// limits::maxTenants, maxConnectors. Pointers stay valid until that connector is replaced or removed.
class Registry {
public:
    using Connectors = std::map<ConnectorName, Connector>;

    Registry() = default;
    Registry(const Registry& other) { *this = other; }
    Registry& operator=(const Registry& other);
    Registry(Registry&&) noexcept = default;
    Registry& operator=(Registry&&) noexcept = default;
    ~Registry() = default;

    // invalidArgument, alreadyExists (also for one that differs in case only), full.
    Result<void> addTenant(std::string_view name);
    // With its quota. notFound; preconditionFailed while it has connectors.
    Result<void> removeTenant(std::string_view name);
    // notFound; invalidArgument as checkQuota(). Connectors that are there already stay, also where they are more.
    Result<void> setQuota(std::string_view tenant, const Quota& quota);
    // None of a tenant that does not exist.
    Quota quotaOf(std::string_view tenant) const;
    std::size_t connectorsOf(std::string_view tenant) const;
    // full: its quota allows no more connectors than it has.
    Result<void> mayHaveAnother(std::string_view tenant) const;
    // Adds, or replaces the connector of that tenant and name as a whole. invalidArgument for malformed values,
    // notFound for the tenant, alreadyExists for a name, key or prefix of another connector (named in the sentence),
    // full (also as mayHaveAnother() says). An agentless one may have no key.
    Result<void> put(Connector connector);
    // What put() would say.
    Result<void> check(const Connector& connector) const;
    // False: there was none.
    bool remove(std::string_view tenant, std::string_view name);
    // As put() with another prefix.
    Result<void> setPrefix(std::string_view tenant, std::string_view name, std::string prefix);

    bool hasTenant(std::string_view name) const;
    const Connector* find(std::string_view tenant, std::string_view name) const;
    // By its key in force or its pending one (isPendingKey() tells which); never a revoked one.
    const Connector* findByKey(std::string_view z85) const;
    const Connector* findByPrefix(std::string_view prefix) const;  // any case

    const std::set<std::string>& tenants() const { return tenantNames; }
    const Connectors& connectors() const { return byName; }

private:
    void addIndexes(const Connector& connector);
    void dropIndexes(const Connector& connector);

    std::set<std::string> tenantNames;
    std::set<std::string> lowerTenants;
    std::map<std::string, Quota, std::less<>> quotas;             // of tenants that have one
    std::map<std::string, std::size_t, std::less<>> connectorCounts;  // of tenants that have some
    Connectors byName;
    std::map<ConnectorName, const Connector*> byLowerName;
    std::unordered_map<std::string, const Connector*> byKey;
    std::unordered_map<std::string, const Connector*> byLowerPrefix;
};

}  // namespace mesh::tenants
