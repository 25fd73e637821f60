#include "shoset/base/http.hpp"

#include <algorithm>

namespace mesh {

namespace {

char lowerAscii(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool equalsIgnoreCase(std::string_view a, std::string_view b)
{
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lowerAscii(x) == lowerAscii(y); });
}

std::string toLower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lowerAscii);
    return out;
}

const std::string* findHeader(const Headers& headers, std::string_view name)
{
    for (const Header& header : headers) {
        if (equalsIgnoreCase(header.name, name)) {
            return &header.value;
        }
    }
    return nullptr;
}

void removeHeader(Headers& headers, std::string_view name)
{
    std::erase_if(headers, [name](const Header& header) { return equalsIgnoreCase(header.name, name); });
}

void setHeader(Headers& headers, std::string_view name, std::string value)
{
    removeHeader(headers, name);
    headers.push_back({std::string(name), std::move(value)});
}

}  // namespace mesh
