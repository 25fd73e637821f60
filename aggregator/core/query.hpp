#pragma once

#include "aggregator/core/messages.hpp"
#include "tenants/privileges.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

namespace mesh::aggregator {

// Query options of a merged collection (DSP0266, "Query parameters").
struct CollectionQuery {
    std::size_t skip = 0;
    std::size_t top = SIZE_MAX;
    bool only = false;
};

// An Answer is the refusal: 501 for unknown $options, 400 for wrong values; it names the first such option. Other options are
// ignored, as the specification asks.
using ParsedQuery = std::variant<CollectionQuery, Answer>;
ParsedQuery parseCollectionQuery(std::string_view query);
// The same refusals where a resource takes no options at all.
std::optional<Answer> refuseQuery(std::string_view query);

// What a query that goes to a satellite may have it take in (`only`: the one member), however it is written: what is not clear is
// deep.
tenants::Expansion expansionOf(std::string_view query);

}  // namespace mesh::aggregator
