#include "shoset/base/http.hpp"

#include <algorithm>
#include <array>

namespace mesh {

namespace {

char lowerAscii(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::array<std::string_view, 5> overrides{"x-http-method-override", "x-http-method", "x-method-override",
                                                    "x-original-url", "x-rewrite-url"};

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

bool overridesRequestLine(std::string_view name)
{
    const auto isNamed = [name](std::string_view known) {
        return std::equal(known.begin(), known.end(), name.begin(), name.end(),
                          [](char expected, char c) { return expected == (c == '_' ? '-' : lowerAscii(c)); });
    };
    return std::any_of(overrides.begin(), overrides.end(), isNamed);
}

}  // namespace mesh
