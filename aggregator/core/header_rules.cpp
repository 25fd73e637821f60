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

// Names that the Connection header declares hop-by-hop (RFC 9110, 7.6.1).
bool isNamedByConnection(const Headers& headers, std::string_view name)
{
    const std::string* connection = findHeader(headers, "Connection");
    if (connection == nullptr) {
        return false;
    }
    std::string_view rest = *connection;
    while (!rest.empty()) {
        std::string_view token = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), token.size() + 1));
        token.remove_prefix(std::min(token.size(), token.find_first_not_of(" \t")));
        token = token.substr(0, token.find_last_not_of(" \t") + 1);
        if (equalsIgnoreCase(token, name)) {
            return true;
        }
    }
    return false;
}

}  // namespace

Headers requestHeadersForSatellite(const Headers& headers, std::string_view serviceUuid)
{
    Headers out;
    std::string via;
    for (const Header& header : headers) {
        if (equalsIgnoreCase(header.name, "Via")) {
            via += header.value + ", ";
        } else if (!isAmong(hopByHop, header.name) && !isAmong(clientsOwn, header.name) &&
                   !isNamedByConnection(headers, header.name)) {
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
