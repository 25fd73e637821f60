#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::connector {

// The few facts that the member watch takes from bodies of the BMC. nullopt: no JSON object. Lists keep the body's order.
struct RootFacts {
    std::string uuid;
    std::string redfishVersion;
    std::vector<std::string> links;  // every @odata.id but the root's own
};
std::optional<RootFacts> rootFactsIn(std::string_view body);

struct CollectionFacts {
    std::vector<std::string> members;  // @odata.id
    std::string nextLink;
};
std::optional<CollectionFacts> collectionFactsIn(std::string_view body);

std::optional<std::vector<std::string>> linksIn(std::string_view body);

// The part below /redfish/v1/ without trailing slashes, query and fragment; empty for the root or anything else.
std::string_view relativePath(std::string_view uri);

}  // namespace mesh::connector
