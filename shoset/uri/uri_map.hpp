#pragma once

#include "shoset/uri/collections.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri {

enum class Direction : std::uint8_t { toFacade, toSatellite };

// Whose a URI is, as seen from one satellite and its prefix.
enum class Owner : std::uint8_t {
    nobody,          // not ours to map: another host, not in the tree, an empty segment inside. Stays as it is
    satellite,       // this satellite's: mapped
    shared,          // the root, a singleton, a top-level collection: the same URI on both sides. Stays as it is
    facade,          // on the way back: below the facade's own resources, or an address that cannot exist
    otherSatellite,  // on the way back: has another prefix
};

// What to do to a path: `erase` bytes at `at`, then put `insert` there. Nothing to do unless owner is satellite.
struct Mapping {
    Owner owner = Owner::nobody;
    std::size_t at = 0;
    std::size_t erase = 0;
    std::string_view insert;  // into the UriMap
    Place place;              // of the path that was given; not for paths outside the tree
};

// Whether a path outside the Redfish tree is the satellite's: only where the place itself says that it is a URI.
enum class Outside : std::uint8_t { leave, map };

// The mapping between one satellite's URIs and the facade's, by structure alone and exactly once, so that back and
// forth is the identity. Immutable: may be used by several threads.
// Source: "URI mapping" of the architecture, conformance/aggregation-cases.md.
class UriMap {
public:
    // prefix: isValidPrefix() holds (else nothing is mapped). hosts: "host" or "host:port" of the satellite itself as it
    // may name itself in absolute URLs, its configured target and aliases. A host without port stands for the scheme's
    // default port, too.
    explicit UriMap(std::string prefix, std::vector<std::string> hosts = {});

    // The satellite's URI (a path with or without query and fragment, or an absolute URL of one of its own hosts) on the
    // facade. Shared URIs stay as they are. nullopt: not ours.
    std::optional<std::string> toFacade(std::string_view uri, Outside outside = Outside::leave) const;
    // The facade's URI on this satellite. Shared URIs stay as they are. nullopt: not this satellite's; ownerOf() says
    // whose.
    std::optional<std::string> toSatellite(std::string_view uri) const;
    Owner ownerOf(std::string_view facadeUri) const;

    // The same for the path of a URI, without query and fragment, without allocation.
    Mapping forward(std::string_view path) const;
    Mapping back(std::string_view path) const;
    // forward() for a path outside the tree; nobody if it is inside, begins with "//" or has an empty segment inside.
    Mapping outside(std::string_view path) const;
    // The address of a shared path as this satellite's own resource: /redfish/v1/<P>_Systems.
    Mapping own(std::string_view path) const;

    // Length of "https://host[:port]" at the beginning of `uri` if that is one of the satellite's own hosts, else 0.
    std::size_t ownHost(std::string_view uri) const;
    bool hasHosts() const { return !hosts.empty(); }
    // "5B247A_"
    std::string_view idPrefix() const { return underscored; }

private:
    bool startsWithOwn(std::string_view segment) const;

    std::string underscored;      // "5B247A_"
    std::string outsideSegment;   // "/redfish/v1/5B247A_-"
    std::vector<std::string> hosts;
};

// The prefix that an id or first segment on the facade has: the text before its first '_' if that is a valid prefix,
// else empty. Whether such a satellite exists is the registry's to say.
std::string_view prefixOf(std::string_view segment);

// Applies a mapping to the path it was made for.
std::string applyMapping(const Mapping& mapping, std::string_view path);

// `uri` up to its query or fragment.
std::string_view pathOf(std::string_view uri);

// The resource that a message is about: its URI on the satellite, and the URI on the facade that it was asked for.
// Both empty: unknown; then no Id changes and no resource names itself.
struct Asked {
    std::string satelliteUri;
    std::string facadeUri;
};

// The rules that depend on what was asked for.
class AskedRules {
public:
    AskedRules(const UriMap& map, Direction direction, const Asked& asked);

    // Ids change at all.
    bool ids() const { return known; }
    // The last segment that the resource's own Id is compared with, in the spelling of the side the message comes from;
    // empty if the resource is not a member of a top-level collection.
    const std::string& ownId() const { return id; }
    // The satellite's `path` is the resource's own, and the URI that it was asked for is not what UriMap::forward() makes
    // of it: it begins with the prefix, or is that of a published registry and has none.
    bool isSelf(std::string_view path) const;
    // UriMap::forward(), but the resource itself is named by the URI that it was asked for.
    Mapping forward(const UriMap& map, std::string_view path) const;

private:
    bool known = false;
    bool bare = false;  // asked for without the prefix
    std::string id;
    std::string self;
};

// An Id as written in a body and the last segment of a URI are the same, percent-encoding aside.
bool sameId(std::string_view id, std::string_view segment);

}  // namespace mesh::uri
