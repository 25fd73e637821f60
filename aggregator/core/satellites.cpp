#include "aggregator/core/satellites.hpp"

#include "shoset/base/limits.hpp"
#include "shoset/uri/registries.hpp"
#include "tenants/policy.hpp"

#include <algorithm>
#include <utility>
#include <set>

namespace mesh::aggregator {

using shoset::CollectionState;

namespace {

// Collections that a rack of machines always has, also while none of them has answered yet.
bool alwaysExists(std::string_view path)
{
    return path == "Systems" || path == "Chassis" || path == "Managers";
}

// Announcements may come on several ways. What was said before the last complete one, or by a connector process that has
// been replaced, is out of date: false. A new process begins anew to count, on top of what the last one knew.
bool keepsOrder(Satellite& satellite, const shoset::Announce& announce)
{
    if (announce.incarnation != satellite.incarnation) {
        if (satellite.formerIncarnation != 0 && announce.incarnation == satellite.formerIncarnation) {
            return false;
        }
        satellite.formerIncarnation = std::exchange(satellite.incarnation, announce.incarnation);
        satellite.completeAt = 0;
    } else if (announce.sequence < satellite.completeAt) {
        return false;
    }
    if (announce.complete) {
        satellite.completeAt = announce.sequence;
    }
    return true;
}

}  // namespace

std::string Satellite::trouble() const
{
    if (!linked) {
        return "its connector is not linked";
    }
    if (!announced) {
        return "its connector has not told what it has";
    }
    return bmcReachable ? std::string() : "its BMC cannot be reached: " + bmcReason;
}

void Satellites::setRegistry(const tenants::Registry& registry)
{
    std::map<shoset::Address, Satellite> next;
    byLowerPrefix.clear();
    for (const auto& [name, connector] : registry.connectors()) {
        if (connector.revoked) {
            continue;
        }
        const shoset::Address address = shoset::connectorAddress(connector.tenant, connector.name);
        const auto known = byAddress.find(address);
        Satellite satellite = known == byAddress.end() ? Satellite{} : std::move(known->second);
        satellite.address = address;
        satellite.tenant = connector.tenant;
        satellite.name = connector.name;
        satellite.prefix = connector.prefix;
        satellite.assignment = connector.assignment;
        if (!satellite.prefix.empty()) {
            byLowerPrefix[toLower(satellite.prefix)] = address;
        }
        next.emplace(address, std::move(satellite));
    }
    byAddress = std::move(next);
    ++changes;
}

void Satellites::setLinked(const shoset::Address& address, bool linked)
{
    const auto found = byAddress.find(address);
    if (found != byAddress.end() && found->second.linked != linked) {
        found->second.linked = linked;
        ++changes;
    }
}

void Satellites::onAnnounce(const shoset::Address& address, shoset::Announce announce)
{
    const auto found = byAddress.find(address);
    if (found == byAddress.end()) {
        return;
    }
    Satellite& satellite = found->second;
    if (!keepsOrder(satellite, announce)) {
        ++overtakenCount;
        return;
    }
    satellite.uuid = std::move(announce.uuid);
    satellite.redfishVersion = std::move(announce.redfishVersion);
    satellite.rootLinks = std::move(announce.rootLinks);
    satellite.bmcReachable = announce.bmcReachable;
    satellite.bmcReason = std::move(announce.bmcReason);
    satellite.sealingKey = std::move(announce.sealingKey);
    if (!serviceUuid.empty() && equalsIgnoreCase(satellite.uuid, serviceUuid)) {
        satellite.bmcReachable = false;
        satellite.bmcReason = "its target is this service itself";
    }
    satellite.announced = satellite.announced || announce.complete || !announce.bmcReachable;
    std::map<std::string, shoset::AnnouncedCollection> replaced;
    if (announce.complete) {
        replaced = std::exchange(satellite.collections, {});
        std::erase_if(partial, [&](const auto& entry) { return entry.first.first == address; });
    }
    const auto& before = announce.complete ? replaced : satellite.collections;
    for (shoset::AnnouncedCollection& collection : announce.collections) {
        const auto known = before.find(collection.path);
        if (collection.state == shoset::CollectionState::failing && collection.members.empty() && known != before.end()) {
            collection.members = known->second.members;  // not read since the connector started: they are still the last ones known
        }
        takeCollection(satellite, std::move(collection));
    }
    ++changes;
}

void Satellites::takeCollection(Satellite& satellite, shoset::AnnouncedCollection collection)
{
    const uri::TopCollection* top = uri::findTopCollection(collection.path);
    if (top == nullptr || !top->listed) {
        return;
    }
    const std::string path(top->path);
    std::vector<std::string>& soFar = partial[{satellite.address, path}];
    for (std::string& member : collection.members) {
        if (soFar.size() < limits::maxMembersPerSatellite && member.size() <= limits::maxUriBytes) {
            soFar.push_back(std::move(member));
        }
    }
    if (collection.more) {
        return;
    }
    collection.path = path;
    collection.members = top->inlined ? std::vector<std::string>{} : std::move(soFar);
    partial.erase({satellite.address, path});
    satellite.collections[path] = std::move(collection);
}

// Whatever a satellite writes, what becomes of it stands below its own prefix; members that a satellite lists under one
// of our own prefixes would lead back here and are dropped. Published registries are the same everywhere.
std::vector<std::string> Satellites::mapMembers(const Satellite& satellite, const std::vector<std::string>& members) const
{
    const uri::UriMap map(satellite.prefix);
    std::vector<std::string> mapped;
    for (const std::string& member : members) {
        if (const std::string_view id = uri::publishedRegistry(uri::pathOf(member)); !id.empty()) {
            mapped.push_back("/redfish/v1/Registries/" + std::string(id));
            continue;
        }
        const uri::Mapping mapping = map.forward(uri::pathOf(member));
        if (mapping.owner != uri::Owner::satellite) {
            continue;
        }
        const std::string_view id = std::string_view(member).substr(mapping.place.id, mapping.place.idEnd - mapping.place.id);
        if (mapping.place.kind == uri::PlaceKind::member && findByPrefix(uri::prefixOf(id)) != nullptr) {
            continue;
        }
        mapped.push_back(*map.toFacade(member));
    }
    return mapped;
}

const Satellite* Satellites::find(const shoset::Address& address) const
{
    const auto found = byAddress.find(address);
    return found == byAddress.end() ? nullptr : &found->second;
}

const Satellite* Satellites::findByPrefix(std::string_view prefix) const
{
    const auto found = byLowerPrefix.find(toLower(prefix));
    return found == byLowerPrefix.end() ? nullptr : find(found->second);
}

std::vector<CollectionPart> Satellites::parts(std::string_view path, std::string_view tenant) const
{
    std::vector<CollectionPart> out;
    for (const auto& [address, satellite] : byAddress) {
        if (!tenants::mayReach(tenant, satellite.tenant) || satellite.prefix.empty()) {
            continue;
        }
        const auto found = satellite.collections.find(std::string(path));
        const bool has = found != satellite.collections.end() && found->second.state != CollectionState::absent;
        if (!has && satellite.announced) {
            continue;
        }
        CollectionPart part{&satellite, has ? &found->second : nullptr, satellite.trouble()};
        if (part.trouble.empty() && has && found->second.state == CollectionState::failing) {
            part.trouble = found->second.reason;
        }
        out.push_back(std::move(part));
    }
    return out;
}

MergedCollection Satellites::merge(std::string_view path, std::string_view tenant) const
{
    MergedCollection merged;
    merged.exists = alwaysExists(path);
    std::set<std::string> seen;
    for (CollectionPart& part : parts(path, tenant)) {
        if (part.known != nullptr) {
            merged.exists = true;
            for (std::string& member : mapMembers(*part.satellite, part.known->members)) {
                if (seen.insert(member).second) {
                    merged.members.push_back(std::move(member));
                }
            }
        }
        if (!part.trouble.empty()) {
            merged.missing.push_back({part.satellite->name, part.satellite->prefix, std::move(part.trouble)});
        }
    }
    return merged;
}

std::vector<const Satellite*> Satellites::registryHolders(std::string_view id, std::string_view tenant) const
{
    std::vector<const Satellite*> holders;
    std::vector<const Satellite*> troubled;
    for (const CollectionPart& part : parts("Registries", tenant)) {
        const bool has = part.known != nullptr &&
                         std::any_of(part.known->members.begin(), part.known->members.end(), [id](const std::string& member) {
                             return uri::publishedRegistry(uri::pathOf(member)) == id;
                         });
        if (has) {
            (part.trouble.empty() ? holders : troubled).push_back(part.satellite);
        }
    }
    holders.insert(holders.end(), troubled.begin(), troubled.end());
    return holders;
}

bool Satellites::anyHas(std::string_view path, std::string_view tenant) const
{
    if (alwaysExists(path)) {
        return true;
    }
    return std::any_of(byAddress.begin(), byAddress.end(), [&](const auto& entry) {
        const Satellite& satellite = entry.second;
        const auto found = satellite.collections.find(std::string(path));
        return tenants::mayReach(tenant, satellite.tenant) && found != satellite.collections.end() &&
               found->second.state != CollectionState::absent;
    });
}

bool Satellites::anyHasService(std::string_view segment, std::string_view tenant) const
{
    return std::any_of(byAddress.begin(), byAddress.end(), [&](const auto& entry) {
        const Satellite& satellite = entry.second;
        return tenants::mayReach(tenant, satellite.tenant) &&
               std::any_of(satellite.rootLinks.begin(), satellite.rootLinks.end(), [&](const std::string& link) {
                   return equalsIgnoreCase(std::string_view(link).substr(0, link.find('/')), segment);
               });
    });
}

}  // namespace mesh::aggregator
