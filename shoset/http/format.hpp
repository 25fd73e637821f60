#pragma once

#include "shoset/base/http.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace mesh::http {

// The bytes of a message head including the empty line. Framing headers are the caller's: Content-Length or
// Transfer-Encoding must be among `headers` already. Never emits what could split the message: in values CR, LF and NUL
// become spaces (RFC 9110, 5.5), in a target spaces and controls become %XX, a header whose name is not a token is left
// out.
std::string formatRequest(const RequestHead& head);
std::string formatResponse(const ResponseHead& head);
// formatResponse to the end of `out`.
void appendResponse(std::string& out, const ResponseHead& head);

// "Not Found" for 404; "Unknown" for a status without a registered phrase.
std::string_view reasonPhrase(int status);

// One chunk of a chunked body around `size` bytes: the line before; "\r\n" follows the data. lastChunk ends the body.
std::string chunkPrefix(std::size_t size);
inline constexpr std::string_view lastChunk = "0\r\n\r\n";

}  // namespace mesh::http
