#pragma once

#include "aggregator/core/messages.hpp"
#include "aggregator/core/resource_call.hpp"
#include "shoset/base/date_time.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/time.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

inline constexpr std::string_view readOnly = "GET, HEAD";

// A resource as it goes out.
struct Representation {
    std::string type;   // value of @odata.type
    std::string body;   // JSON
    std::string allow;  // methods, for Allow
    std::string etag;   // with quotes; empty: the body's hash
};

// 16 bytes of BLAKE2b as a strong ETag (RFC 9110, 8.8.3).
std::string hashTag(std::string_view body);

// The resource with all headers that DSP0266 wants of an answer; 304 where a read's If-None-Match names the ETag.
Answer representationAnswer(const RequestHead& request, Representation resource, int status = 200, Headers extra = {});
// Plain JSON that is no Redfish resource.
Answer documentAnswer(int status, std::string contentType, std::string body);
// A page of the collection by $skip and $top. Errors as for merged collections.
Answer ownCollectionAnswer(const OwnCollection& collection, std::string_view allow, const OwnRequest& request);

// 204, of something that was deleted.
Answer noContent();
Answer notFound(std::string_view path);
Answer forbidden();
Answer methodNotAllowed(std::string_view allow);
// The request has an If-Match: it changes what the client has seen, or nothing, also where another change comes between.
bool isConditional(const RequestHead& request);
// The request has an If-Match that does not name `etag`: 412.
bool failsIfMatch(const RequestHead& request, std::string_view etag);
Answer preconditionFailed();
// A user's error of the replicated state as an answer; `uri` is the resource's.
Answer refusedChange(const Error& error, std::string_view uri);

}  // namespace mesh::aggregator
