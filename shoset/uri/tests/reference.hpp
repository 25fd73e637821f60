#pragma once

#include "shoset/uri/uri_map.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri::testing {

// The rules of conformance/aggregation-cases.md once more, for comparison: slow, simple, on parsed values, sharing no
// code and no table with the module. Only towards the facade.
class Reference {
public:
    Reference(std::string prefix, std::vector<std::string> hosts, Asked asked = {});

    // nullopt: not ours. Shared paths as they are. `isUri`: the place says that it is one, so paths outside the tree count.
    std::optional<std::string> path(const std::string& path, bool isUri) const;
    // `uriProperty`: the property's name says that the value is a URI. `start`: where the text begins to be one.
    std::string text(const std::string& text, bool uriProperty, std::size_t start = 0) const;
    nlohmann::json document(const nlohmann::json& document) const;

private:
    nlohmann::json value(const nlohmann::json& value, const std::string& name, int depth) const;
    std::string memberId(const nlohmann::json& object, int depth) const;
    bool isOwn(std::string host, bool secure) const;
    std::optional<std::string> pathInTree(const std::string& path) const;

    std::string prefix;
    std::vector<std::string> hosts;
    Asked asked;
    std::vector<std::string> collections;
    std::vector<std::string> singletons;
};

}  // namespace mesh::uri::testing
