#include "aggregator/core/header_rules.hpp"

#include <algorithm>
#include <array>

namespace mesh::aggregator {

namespace {

constexpr std::array<std::string_view, 9> hopByHop{"Connection", "Keep-Alive", "Proxy-Authenticate",
                                                   "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
                                                   "Upgrade", "Proxy-Connection"};
constexpr std::array<std::string_view, 9> clientsOwn{"Authorization", "X-Auth-Token", "Cookie", "Host", "Content-Length",
                                                     "Expect", "Accept-Encoding", "Via", "Range"};
constexpr std::array<std::string_view, 8> satellitesOwn{"Authorization", "X-Auth-Token", "Set-Cookie", "Cookie",
                                                        "WWW-Authenticate", "Strict-Transport-Security",
                                                        "X-Content-Type-Options", "Content-Security-Policy"};
// May stand in several lines that mean one list.
constexpr std::array<std::string_view, 4> lists{"Link", "Vary", "Warning", "Cache-Control"};

template <std::size_t N>
bool isAmong(const std::array<std::string_view, N>& names, std::string_view name)
{
    return std::any_of(names.begin(), names.end(), [name](std::string_view entry) { return equalsIgnoreCase(entry, name); });
}

std::string_view withoutBlanks(std::string_view text)
{
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
    return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// Up to the separator, which is taken too.
std::string_view takeUntil(std::string_view& rest, char separator)
{
    const std::string_view part = rest.substr(0, rest.find(separator));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return withoutBlanks(part);
}

// Names that the Connection header declares hop-by-hop (RFC 9110, 7.6.1).
bool isNamedByConnection(const Headers& headers, std::string_view name)
{
    const std::string* connection = findHeader(headers, "Connection");
    if (connection == nullptr) {
        return false;
    }
    std::string_view rest = *connection;
    while (!rest.empty()) {
        if (equalsIgnoreCase(takeUntil(rest, ','), name)) {
            return true;
        }
    }
    return false;
}

// How closely a media range names the type: 0 not at all, 3 exactly.
int closeness(std::string_view range, std::string_view type)
{
    if (range == "*/*") {
        return 1;
    }
    if (range.ends_with("/*")) {
        range.remove_suffix(1);
        return equalsIgnoreCase(range, type.substr(0, range.size())) ? 2 : 0;
    }
    return equalsIgnoreCase(range, type) ? 3 : 0;
}

// Of the parameters behind a media range: "q=0", "q=0.000".
bool isExcluded(std::string_view parameters)
{
    while (!parameters.empty()) {
        const std::string_view parameter = takeUntil(parameters, ';');
        if (equalsIgnoreCase(parameter.substr(0, 2), "q=")) {
            return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
        }
    }
    return false;
}

}  // namespace

bool accepts(const Headers& request, std::string_view contentType)
{
    const std::string_view type = takeUntil(contentType, ';');
    bool asked = false;
    bool taken = false;
    int closest = 0;
    for (const Header& header : request) {
        std::string_view ranges = equalsIgnoreCase(header.name, "Accept") ? std::string_view(header.value) : std::string_view();
        while (!ranges.empty()) {
            std::string_view parameters = takeUntil(ranges, ',');
            const std::string_view range = takeUntil(parameters, ';');
            asked = asked || !range.empty();
            const int close = closeness(range, type);
            if (close > closest) {
                closest = close;
                taken = !isExcluded(parameters);
            }
        }
    }
    return taken || !asked;
}

Headers requestHeadersForSatellite(const Headers& headers, std::string_view serviceUuid)
{
    Headers out;
    std::string via;
    for (const Header& header : headers) {
        if (equalsIgnoreCase(header.name, "Via")) {
            via += header.value + ", ";
        } else if (!isAmong(hopByHop, header.name) && !isAmong(clientsOwn, header.name) &&
                   !overridesRequestLine(header.name) && !isNamedByConnection(headers, header.name)) {
            out.push_back(header);
        }
    }
    out.push_back({"Via", via + "1.1 " + std::string(serviceUuid)});
    return out;
}

Headers responseHeadersFromSatellite(Headers headers)
{
    Headers out;
    out.reserve(headers.size() + 2);
    for (Header& header : headers) {
        const bool dropped = isAmong(hopByHop, header.name) || isAmong(satellitesOwn, header.name) ||
                             isNamedByConnection(headers, header.name);
        const bool again = !isAmong(lists, header.name) && findHeader(out, header.name) != nullptr;
        if (!dropped && !again) {
            out.push_back(header);
        }
    }
    out.push_back({"X-Content-Type-Options", "nosniff"});
    out.push_back({"Content-Security-Policy", "sandbox; default-src 'none'"});
    return out;
}

}  // namespace mesh::aggregator
