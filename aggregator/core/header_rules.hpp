#pragma once

#include "shoset/base/http.hpp"

#include <string_view>

namespace mesh::aggregator {

// Which headers cross the facade (redfish.md, "Headers"): all but hop-by-hop ones and those that belong to one side only.
// To the satellite: without the client's credentials, Host and framing, and without what would make another request of it; Via
// tells where the request has been.
Headers requestHeadersForSatellite(const Headers& headers, std::string_view serviceUuid);
// From the satellite: each single-valued header once, never cookies, authentication or Strict-Transport-Security; with
// X-Content-Type-Options and a sandboxing Content-Security-Policy, since a body is as trustworthy as its satellite.
Headers responseHeadersFromSatellite(Headers headers);

// Whether the client takes an answer of this Content-Type (RFC 9110, 12.5.1): the most specific range that fits it decides.
// Parameters other than q do not count; without an Accept header everything is taken.
bool accepts(const Headers& request, std::string_view contentType);

}  // namespace mesh::aggregator
