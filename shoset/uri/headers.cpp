#include "shoset/uri/headers.hpp"

#include "shoset/uri/text_rules.hpp"

#include <algorithm>
#include <vector>

namespace mesh::uri {

namespace {

// Characters with the offset of what stands for each; one more offset for the end.
struct Decoded {
    std::string text;
    std::vector<std::size_t> offsets;
};

Decoded decodePercent(std::string_view raw)
{
    Decoded out;
    for (std::size_t i = 0; i < raw.size();) {
        const bool encoded =
            raw[i] == '%' && raw.size() - i >= 3 && hexDigit(raw[i + 1]) >= 0 && hexDigit(raw[i + 2]) >= 0;
        out.offsets.push_back(i);
        out.text.push_back(encoded ? static_cast<char>(hexDigit(raw[i + 1]) * 16 + hexDigit(raw[i + 2])) : raw[i]);
        i += encoded ? 3 : 1;
    }
    out.offsets.push_back(raw.size());
    return out;
}

// The path of a URI at the beginning of `text`, by the rules of sentences.
std::string_view pathInText(std::string_view text)
{
    const auto stop = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), endsPath) - text.begin());
    const std::string_view path = text.substr(0, stop);
    return stop == text.size() || endsUri(text[stop]) ? withoutSentenceEnd(path) : path;
}

std::string mapUri(const UriMap& map, const AskedRules& rules, Direction direction, std::string_view uri)
{
    const std::string_view local = uri.substr(map.ownHost(uri));
    if (direction == Direction::toSatellite) {
        return map.toSatellite(local).value_or(std::string(uri));
    }
    if (const std::string_view path = pathOf(local); rules.isSelf(path)) {
        return applyMapping(rules.forward(map, path), local);
    }
    return map.toFacade(uri, Outside::map).value_or(std::string(uri));
}

// RFC 8288: <uri>; name="quoted, <text>", <uri>; ...
std::string mapLink(const UriMap& map, const AskedRules& rules, Direction direction, std::string_view value)
{
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        out.push_back(c);
        if (quoted && c == '\\' && i + 1 < value.size()) {
            out.push_back(value[++i]);
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '<') {
            const std::size_t stop = value.find('>', i);
            if (stop == std::string_view::npos) {
                continue;
            }
            out.append(mapUri(map, rules, direction, value.substr(i + 1, stop - i - 1)));
            i = stop - 1;
        }
    }
    return out;
}

}  // namespace

void localiseHeaders(const UriMap& map, Direction direction, Format format, Headers& headers, const Asked& asked)
{
    const AskedRules rules(map, direction, asked);
    for (Header& header : headers) {
        if (equalsIgnoreCase(header.name, "Location") || equalsIgnoreCase(header.name, "Content-Location")) {
            header.value = mapUri(map, rules, direction, header.value);
        } else if (equalsIgnoreCase(header.name, "Link")) {
            header.value = mapLink(map, rules, direction, header.value);
        }
    }
    if (format != Format::passthrough) {
        for (const char* name : {"Digest", "Content-Digest", "Repr-Digest", "Content-MD5", "Accept-Ranges"}) {
            removeHeader(headers, name);
        }
    }
}

std::string queryToSatellite(const UriMap& map, std::string_view query)
{
    const Decoded decoded = decodePercent(query);
    const std::string_view text = decoded.text;
    std::string out;
    std::size_t copied = 0;
    for (std::size_t i = text.find('/'); i != std::string_view::npos; i = text.find('/', i + 1)) {
        if (i > 0 && !mayPrecedeUri(text[i - 1])) {
            continue;
        }
        // '&' separates the values of a query.
        const std::string_view rest = text.substr(i);
        const Mapping mapping = map.back(pathInText(rest.substr(0, rest.find('&'))));
        if (mapping.owner == Owner::satellite) {
            const std::size_t begin = decoded.offsets[i + mapping.at];
            out.append(query.substr(copied, begin - copied)).append(mapping.insert);
            copied = decoded.offsets[i + mapping.at + mapping.erase];
        }
    }
    return out.append(query.substr(copied));
}

}  // namespace mesh::uri
