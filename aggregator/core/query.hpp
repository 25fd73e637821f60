#pragma once

#include "aggregator/core/messages.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <string_view>

namespace mesh::aggregator {

// Query options of a merged collection (DSP0266, "Query parameters").
struct CollectionQuery {
    std::size_t skip = 0;
    std::size_t top = SIZE_MAX;
    bool only = false;
};

// Unknown $options are Code::unsupported (501), wrong values Code::invalidArgument (400), with the option as it stands in
// the query for a message; others are ignored, as the specification asks.
Result<CollectionQuery> parseCollectionQuery(std::string_view query);
// The same check where a resource takes no options at all.
Result<void> checkNoQuery(std::string_view query);
// Of an error of these two.
Answer queryFailure(const Error& error);

}  // namespace mesh::aggregator
