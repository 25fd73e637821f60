#pragma once

#include "connector/core/bmc_body.hpp"
#include "shoset/base/http.hpp"
#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::connector {

// Where a BMC's HTTP service is.
struct BmcUrl {
    bool tls = false;
    std::string host;       // without the brackets of an IPv6 address
    std::string port;       // "443"
    std::string authority;  // value of the Host header: the port only where it is not the scheme's
};

// "http://host[:port]" or "https://host[:port]", a final "/" allowed; no user, path, query or fragment.
Result<BmcUrl> parseBmcUrl(std::string_view url);

// Whether the head can be written without becoming something else: method and header names are tokens, the target is
// an absolute path of visible ASCII, values have no control characters, all within limits.hpp. Code::invalidArgument.
Result<void> checkBmcRequest(const RequestHead& head);

// Appends the head as RFC 9112 wants it. Host, framing and hop-by-hop headers, and everything that authenticates
// (Authorization, X-Auth-Token, Cookie) is ours alone: what `head` has of it is left out, as is what would have the BMC execute
// another request than the one that was judged (overridesRequestLine()). `credential` may be nullptr.
void appendBmcRequest(std::string& out, const RequestHead& head, const BmcUrl& url, const Header* credential,
                      const BmcBody& body);

// Removes what concerns the connection only (RFC 9110, 7.6.1), also what Connection names, and cookies.
void removeConnectionHeaders(Headers& headers);

enum class BmcEncoding { identity, gzip, deflate, other };
BmcEncoding contentEncoding(const Headers& headers);
bool isEventStream(const Headers& headers);

// A local path out of a Location header, absolute URIs reduced to theirs; empty if it is not one.
std::string locationPath(std::string_view location);
std::string toBase64(std::string_view raw);
// Quotes included.
std::string toJsonString(std::string_view text);

}  // namespace mesh::connector
