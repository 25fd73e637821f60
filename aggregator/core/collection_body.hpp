#pragma once

#include "aggregator/core/messages.hpp"
#include "aggregator/core/satellites.hpp"

#include <string_view>

namespace mesh::aggregator {

// The answer to GET or HEAD of a merged collection. Its ETag is a hash of members and missing satellites, so it is the
// same on every node; If-None-Match is honoured. Query: $skip, $top and only; another $option is 501, a value for `only`
// 400. Where satellites are missing, @Message.ExtendedInfo has an entry that names each.
Answer collectionAnswer(std::string_view path, const MergedCollection& collection, const RequestHead& request,
                        std::string_view query);

}  // namespace mesh::aggregator
