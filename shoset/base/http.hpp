#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mesh {

// HTTP messages as plain values, for pure code. Header names keep their spelling; look-ups ignore case.
struct Header {
    std::string name;
    std::string value;
    bool operator==(const Header&) const = default;
};
using Headers = std::vector<Header>;

struct RequestHead {
    std::string method;  // upper case, any token
    std::string target;  // origin-form: path and query, undecoded
    Headers headers;
};

struct ResponseHead {
    int status = 0;  // 100..599
    Headers headers;
};

// ASCII only, as header names, URI segments of Redfish and hexadecimal digits are compared.
bool equalsIgnoreCase(std::string_view a, std::string_view b);
std::string toLower(std::string_view text);

// First value of that name, or nullptr.
const std::string* findHeader(const Headers& headers, std::string_view name);
void removeHeader(Headers& headers, std::string_view name);
// Replaces every occurrence by one.
void setHeader(Headers& headers, std::string_view name, std::string value);

// Whether servers take the method or URI of a request from a header of that name instead of the request line. '_' counts as
// '-': CGI does not tell them apart.
bool overridesRequestLine(std::string_view name);

}  // namespace mesh
