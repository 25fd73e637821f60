#include "connector/core/bmc_request.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <array>

namespace mesh::connector {

namespace {

constexpr std::array connectionHeaders{"Connection", "Keep-Alive", "Proxy-Connection",    "TE",
                                       "Trailer",    "Upgrade",    "Transfer-Encoding", "Proxy-Authenticate",
                                       "Proxy-Authorization"};
constexpr std::array ownHeaders{"Host",   "Content-Length", "Authorization", "X-Auth-Token",
                                "Cookie", "Expect",         "Accept-Encoding"};

template <class Names>
bool contains(const Names& names, std::string_view name)
{
    return std::any_of(names.begin(), names.end(), [&](const char* one) { return equalsIgnoreCase(one, name); });
}

bool isTokenChar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool isToken(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar);
}

bool isVisible(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool isFieldValue(std::string_view text)
{
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < ' ' && c != '\t') || byte == 0x7f;
    });
}

// Comma-separated, as in Connection and Content-Encoding; whitespace around each is dropped.
std::vector<std::string> listItems(std::string_view value)
{
    std::vector<std::string> items;
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        std::string_view item = value.substr(0, comma);
        value.remove_prefix(std::min(comma + 1, value.size()));
        const std::size_t first = item.find_first_not_of(" \t");
        if (first == std::string_view::npos) {
            continue;
        }
        item = item.substr(first, item.find_last_not_of(" \t") - first + 1);
        items.emplace_back(item);
    }
    return items;
}

bool isPort(std::string_view text)
{
    return !text.empty() && text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(std::string(text)) > 0 && std::stoi(std::string(text)) <= 65535;
}

void appendHeader(std::string& out, std::string_view name, std::string_view value)
{
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

Result<BmcUrl> parseBmcUrl(std::string_view text)
{
    const Error bad{Code::invalidArgument,
                    "\"" + std::string(text) + "\" is not http://host[:port] or https://host[:port]"};
    BmcUrl url;
    const std::size_t schemeEnd = text.find("://");
    if (schemeEnd == std::string_view::npos) {
        return bad;
    }
    const std::string scheme = toLower(text.substr(0, schemeEnd));
    if (scheme != "http" && scheme != "https") {
        return bad;
    }
    url.tls = scheme == "https";
    std::string_view rest = text.substr(schemeEnd + 3);
    if (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
    if (bracket == std::string_view::npos) {
        return bad;
    }
    const std::size_t colon = rest.find(':', bracket);
    const std::string_view host = rest.substr(0, std::min(colon, rest.size()));
    const char* const schemePort = url.tls ? "443" : "80";
    url.port = colon == std::string_view::npos ? schemePort : std::string(rest.substr(colon + 1));
    url.host = bracket > 0 ? host.substr(1, bracket - 1) : host;
    const bool bracketClean = bracket == 0 || bracket + 1 == host.size();
    if (url.host.empty() || !bracketClean || !isPort(url.port) || !isVisible(url.host) ||
        url.host.find_first_of("/?#@[]\\") != std::string::npos) {
        return bad;
    }
    url.authority = std::string(host) + (url.port == schemePort ? "" : ":" + url.port);
    return url;
}

Result<void> checkBmcRequest(const RequestHead& head)
{
    const auto bad = [](std::string what) { return Error{Code::invalidArgument, std::move(what)}; };
    if (!isToken(head.method)) {
        return bad("the method is not a token");
    }
    if (!head.target.starts_with('/') || !isVisible(head.target) || head.target.size() > limits::maxHttpTargetBytes) {
        return bad("the target is not a path of visible ASCII within " + std::to_string(limits::maxHttpTargetBytes) +
                   " bytes");
    }
    std::size_t total = 0;
    for (const Header& header : head.headers) {
        if (!isToken(header.name) || !isFieldValue(header.value)) {
            return bad("header " + std::to_string(&header - head.headers.data()) + " has characters it must not have");
        }
        total += header.name.size() + header.value.size() + 4;
    }
    if (head.headers.size() > limits::maxHttpHeaders || total > limits::maxHttpHeaderBytes) {
        return bad("too many headers");
    }
    return {};
}

void appendBmcRequest(std::string& out, const RequestHead& head, const BmcUrl& url, const Header* credential,
                      const BmcBody& body)
{
    std::vector<std::string> named;
    if (const std::string* connection = findHeader(head.headers, "Connection")) {
        named = listItems(*connection);
    }
    const auto isNamed = [&](const std::string& name) {
        return std::any_of(named.begin(), named.end(), [&](const auto& one) { return equalsIgnoreCase(one, name); });
    };
    out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
    appendHeader(out, "Host", url.authority);
    for (const Header& header : head.headers) {
        if (!contains(connectionHeaders, header.name) && !contains(ownHeaders, header.name) && !isNamed(header.name) &&
            !overridesRequestLine(header.name)) {
            appendHeader(out, header.name, header.value);
        }
    }
    appendHeader(out, "Accept-Encoding", "identity");
    if (credential != nullptr) {
        appendHeader(out, credential->name, credential->value);
    }
    const bool expectsBody = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
    if (body.framing() == BmcBody::Framing::chunked) {
        appendHeader(out, "Transfer-Encoding", "chunked");
    } else if (body.framing() == BmcBody::Framing::length || expectsBody) {
        appendHeader(out, "Content-Length", std::to_string(body.length()));
    }
    out.append("\r\n");
}

void removeConnectionHeaders(Headers& headers)
{
    std::vector<std::string> named;
    for (const Header& header : headers) {
        if (equalsIgnoreCase(header.name, "Connection")) {
            for (std::string& item : listItems(header.value)) {
                named.push_back(std::move(item));
            }
        }
    }
    std::erase_if(headers, [&](const Header& header) {
        return contains(connectionHeaders, header.name) || equalsIgnoreCase(header.name, "Set-Cookie") ||
               std::any_of(named.begin(), named.end(),
                           [&](const auto& one) { return equalsIgnoreCase(one, header.name); });
    });
}

BmcEncoding contentEncoding(const Headers& headers)
{
    std::vector<std::string> codings;
    for (const Header& header : headers) {
        if (equalsIgnoreCase(header.name, "Content-Encoding")) {
            for (std::string& item : listItems(header.value)) {
                if (!equalsIgnoreCase(item, "identity")) {
                    codings.push_back(toLower(item));
                }
            }
        }
    }
    if (codings.empty()) {
        return BmcEncoding::identity;
    }
    if (codings.size() > 1) {
        return BmcEncoding::other;
    }
    if (codings.front() == "gzip" || codings.front() == "x-gzip") {
        return BmcEncoding::gzip;
    }
    return codings.front() == "deflate" ? BmcEncoding::deflate : BmcEncoding::other;
}

bool isEventStream(const Headers& headers)
{
    const std::string* type = findHeader(headers, "Content-Type");
    return type != nullptr && toLower(std::string_view(*type).substr(0, 17)) == "text/event-stream";
}

std::string locationPath(std::string_view location)
{
    const std::size_t scheme = location.find("://");
    if (!location.starts_with('/') && scheme != std::string_view::npos) {
        const std::size_t path = location.find('/', scheme + 3);
        location = path == std::string_view::npos ? std::string_view() : location.substr(path);
    }
    const bool usable = location.starts_with('/') && isVisible(location) &&
                        location.size() <= limits::maxHttpTargetBytes;
    return usable ? std::string(location.substr(0, location.find('#'))) : std::string();
}

std::string toBase64(std::string_view raw)
{
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((raw.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < raw.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, raw.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8 | (k < count ? static_cast<unsigned char>(raw[i + k]) : 0u);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out.push_back(k <= count ? digits[bits >> (18 - 6 * k) & 63] : '=');
        }
    }
    return out;
}

std::string toJsonString(std::string_view text)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(text.size() * 6 + 2);  // never moved, so that no copy of a password stays behind
    out.push_back('"');
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.append({'\\', c});
        } else if (byte < 0x20) {
            out.append("\\u00").append({digits[byte >> 4], digits[byte & 15]});
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
    return out;
}

}  // namespace mesh::connector
