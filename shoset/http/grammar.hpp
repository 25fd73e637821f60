#pragma once

#include <string_view>

// Character rules of RFC 9110 and RFC 3986 that more than one file here needs.
namespace mesh::http {

bool isTokenCharacter(char c);
bool isToken(std::string_view text);  // one or more token characters
// What a Host header may hold (uri-host and optional port), by characters only.
bool isHost(std::string_view text);

}  // namespace mesh::http
