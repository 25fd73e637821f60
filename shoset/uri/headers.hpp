#pragma once

#include "shoset/base/http.hpp"
#include "shoset/uri/localiser.hpp"
#include "shoset/uri/uri_map.hpp"

#include <string>
#include <string_view>

namespace mesh::uri {

// Maps Location, Content-Location and each URI in Link; what is not ours stays. If a body of this format may change,
// removes what describes its exact bytes: Digest, Content-Digest, Repr-Digest, Content-MD5, Accept-Ranges.
// Content-Length is the caller's.
void localiseHeaders(const UriMap& map, Direction direction, Format format, Headers& headers, const Asked& asked = {});

// Maps the URIs of this satellite that stand in the values of a client's query (without '?') back, also where they
// are percent-encoded; everything else stays as it is, URIs of others too.
std::string queryToSatellite(const UriMap& map, std::string_view query);

}  // namespace mesh::uri
