#pragma once

#include "shoset/core/message.hpp"
#include "shoset/uri/uri_map.hpp"
#include "tenants/registry.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

struct Satellite {
    shoset::Address address;
    std::string tenant;
    std::string name;
    std::string prefix;  // empty: not assigned yet, so nothing of it shows
    std::uint64_t assignment = 0;  // of the node that runs its connector; 0: its BMC's own agent, or nobody yet
    std::string uuid;    // of its ServiceRoot, once announced
    std::string redfishVersion;
    std::vector<std::string> rootLinks;  // what its root links, below /redfish/v1/ on the satellite
    bool linked = false;                // there is a way to its connector
    bool announced = false;             // it has told what it has
    bool bmcReachable = false;
    std::string bmcReason;
    std::map<std::string, shoset::AnnouncedCollection> collections;  // by path, members as on the satellite
    std::string sealingKey;               // as announced, 32 bytes; empty: not known
    std::uint64_t incarnation = 0;        // of the connector, as it announced itself last
    std::uint64_t formerIncarnation = 0;  // nothing of it is taken any more
    std::uint64_t completeAt = 0;         // sequence of the last complete announcement
    // Why it cannot answer now; empty if it can.
    std::string trouble() const;
};

struct MissingSatellite {
    std::string name;
    std::string prefix;
    std::string reason;
};

// What one satellite contributes to a merged collection.
struct CollectionPart {
    const Satellite* satellite = nullptr;
    const shoset::AnnouncedCollection* known = nullptr;  // nullptr: whether it has the collection is not known
    std::string trouble;                                 // empty: all is well
};

struct MergedCollection {
    bool exists = false;
    std::vector<std::string> members;  // facade URIs, by satellite's name, then in the satellite's order; each once
    bool inlined = false;              // `members` are JSON text of whole resources instead
    std::vector<MissingSatellite> missing;
};

// What the satellites have told of themselves, and the collections that result. Prefixes and names are the registry's; an
// announcement can only fill what stands below its own prefix.
class Satellites {
public:
    explicit Satellites(std::string ownUuid) : serviceUuid(std::move(ownUuid)) {}

    void setServiceUuid(std::string uuid) { serviceUuid = std::move(uuid); }
    // Takes over who there is and their prefixes; what was announced stays.
    void setRegistry(const tenants::Registry& registry);
    void setLinked(const shoset::Address& address, bool linked);
    void onAnnounce(const shoset::Address& address, shoset::Announce announce);

    const Satellite* find(const shoset::Address& address) const;
    const Satellite* findByPrefix(std::string_view prefix) const;
    const std::map<shoset::Address, Satellite>& all() const { return byAddress; }
    // Raised by every change that a merged collection could show.
    std::uint64_t revision() const { return changes; }
    // Announcements that came after a later complete one.
    std::uint64_t overtaken() const { return overtakenCount; }

    // `tenant` "" sees all.
    // By satellite's name: those that have the collection, and those that have not told yet what they have.
    std::vector<CollectionPart> parts(std::string_view path, std::string_view tenant) const;
    // Those that have this published registry, by its id ("Base.1.8.1"); those that are in trouble come last.
    std::vector<const Satellite*> registryHolders(std::string_view id, std::string_view tenant) const;
    MergedCollection merge(std::string_view path, std::string_view tenant) const;
    // Whether any satellite that the tenant sees has it.
    bool anyHas(std::string_view path, std::string_view tenant) const;
    bool anyHasService(std::string_view segment, std::string_view tenant) const;

private:
    void takeCollection(Satellite& satellite, shoset::AnnouncedCollection collection);
    std::vector<std::string> mapMembers(const Satellite& satellite, const std::vector<std::string>& members) const;

    std::string serviceUuid;
    std::map<shoset::Address, Satellite> byAddress;
    std::map<std::string, shoset::Address> byLowerPrefix;
    std::map<std::pair<shoset::Address, std::string>, std::vector<std::string>> partial;  // members that came so far
    std::uint64_t changes = 1;
    std::uint64_t overtakenCount = 0;
};

}  // namespace mesh::aggregator
