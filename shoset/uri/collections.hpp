#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mesh::uri {

inline constexpr std::string_view redfishRoot = "/redfish/v1";

enum class NodeKind : std::uint8_t { singleton, collection };

// One name of the tree of top-level collections and of the singletons above and beside them.
struct Node {
    std::string_view name;
    NodeKind kind = NodeKind::singleton;
    bool listed = true;  // false: maps like a collection, but nobody lists it (TaskService/TaskMonitors)
    std::span<const Node> children;
};

// The names directly below /redfish/v1.
std::span<const Node> topNodes();

// The node of that name among `nodes`, or nullptr. ASCII case does not matter. Allocates nothing.
const Node* findNode(std::span<const Node> nodes, std::string_view name);

// A collection whose members carry a prefix on the facade, in canonical spelling.
struct TopCollection {
    std::string_view path;  // below /redfish/v1/: "Systems", "TelemetryService/LogService/Entries"
    bool listed = true;
    bool inlined = false;  // its members stand in it whole (log entries), and are fetched when somebody asks
};
std::span<const TopCollection> topCollections();
// By its path below /redfish/v1/, without regard to case; nullptr if there is none.
const TopCollection* findTopCollection(std::string_view path);

enum class PlaceKind : std::uint8_t {
    nowhere,     // not below /redfish/v1, or an empty segment inside
    root,        // exactly /redfish/v1, with any number of trailing slashes
    singleton,   // exactly a singleton
    collection,  // exactly a top-level collection
    member,      // a member of one, or anything below a member
    other,       // anything else below /redfish/v1
};

// Where a path stands, by its structure alone. Offsets are into the path; trailing slashes belong to no segment.
struct Place {
    PlaceKind kind = PlaceKind::nowhere;
    bool direct = false;        // member: nothing below the id
    std::size_t first = 0;      // first segment below the root (not for nowhere and root)
    std::size_t firstEnd = 0;
    std::size_t id = 0;         // member: its id
    std::size_t idEnd = 0;
    std::size_t end = 0;        // end of the last segment
};

// `path` has neither query nor fragment and is taken as it is written: percent-encoding is not decoded.
Place locate(std::string_view path);

// `path` without its trailing slashes.
std::string_view withoutTrailingSlashes(std::string_view path);

// True for "/redfish/v1" and what is below it, also with doubled slashes: what a careless server could take for its tree.
bool inRedfishTree(std::string_view path);

// True for "", ".", "..", their percent-encoded forms, and those followed by ";parameters": segments that a prefix must
// neither be put before nor be taken from.
bool isDotSegment(std::string_view segment);

}  // namespace mesh::uri
