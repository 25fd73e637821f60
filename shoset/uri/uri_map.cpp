#include "shoset/uri/uri_map.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/uri/byte_search.hpp"
#include "shoset/uri/registries.hpp"
#include "shoset/uri/text_rules.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

struct Authority {
    bool secure = false;
    std::size_t length = 0;  // of scheme, "://" and authority; 0: not an absolute http(s) URL
    std::string_view text;
};

Authority authorityOf(std::string_view uri)
{
    Authority result;
    std::size_t begin = 0;
    if (equalsIgnoreCase(uri.substr(0, 8), "https://")) {
        result.secure = true;
        begin = 8;
    } else if (equalsIgnoreCase(uri.substr(0, 7), "http://")) {
        begin = 7;
    } else {
        return result;
    }
    result.length = std::min(uri.find_first_of("/?#", begin), uri.size());
    result.text = uri.substr(begin, result.length - begin);
    return result;
}

bool hasPort(std::string_view authority)
{
    const std::size_t colon = authority.rfind(':');
    return colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
}

std::string_view withoutDefaultPort(std::string_view authority, bool secure)
{
    const std::string_view port = secure ? ":443" : ":80";
    if (hasPort(authority) && authority.ends_with(port)) {
        authority.remove_suffix(port.size());
    }
    return authority;
}

}  // namespace

UriMap::UriMap(std::string prefix, std::vector<std::string> hostNames) : hosts(std::move(hostNames))
{
    if (isValidPrefix(prefix)) {
        underscored = prefix + '_';
        outsideSegment = std::string(redfishRoot) + '/' + underscored + '-';
    }
    std::erase(hosts, std::string());
}

std::optional<std::string> UriMap::toFacade(std::string_view uri, Outside outsideRule) const
{
    const std::string_view local = uri.substr(ownHost(uri));
    const std::string_view path = pathOf(local);
    Mapping mapping = forward(path);
    if (mapping.owner == Owner::nobody && outsideRule == Outside::map) {
        mapping = outside(path);
    }
    if (mapping.owner == Owner::nobody) {
        return std::nullopt;
    }
    return applyMapping(mapping, local);
}

std::optional<std::string> UriMap::toSatellite(std::string_view uri) const
{
    const Mapping mapping = back(pathOf(uri));
    if (mapping.owner != Owner::satellite && mapping.owner != Owner::shared) {
        return std::nullopt;
    }
    return applyMapping(mapping, uri);
}

Owner UriMap::ownerOf(std::string_view facadeUri) const
{
    return back(pathOf(facadeUri)).owner;
}

Mapping UriMap::forward(std::string_view path) const
{
    Mapping mapping;
    mapping.place = locate(path);
    const Place& place = mapping.place;
    switch (place.kind) {
        case PlaceKind::nowhere: return mapping;
        case PlaceKind::root:
        case PlaceKind::singleton:
        case PlaceKind::collection: mapping.owner = Owner::shared; return mapping;
        case PlaceKind::member:
            mapping.at = place.id;
            if (isDotSegment(path.substr(place.id, place.idEnd - place.id))) {
                return mapping;
            }
            break;
        case PlaceKind::other: {
            mapping.at = place.first;
            // "-" is where outside() puts what is not in the tree.
            const std::string_view first = path.substr(place.first, place.firstEnd - place.first);
            if (first == "-" || isDotSegment(first)) {
                return mapping;
            }
            break;
        }
    }
    if (!underscored.empty()) {
        mapping.owner = Owner::satellite;
        mapping.insert = underscored;
    }
    return mapping;
}

Mapping UriMap::back(std::string_view path) const
{
    Mapping mapping;
    mapping.place = locate(path);
    const Place& place = mapping.place;
    if (place.kind == PlaceKind::nowhere) {
        return mapping;
    }
    if (place.kind != PlaceKind::member && place.kind != PlaceKind::other) {
        mapping.owner = Owner::shared;
        return mapping;
    }
    const bool member = place.kind == PlaceKind::member;
    mapping.at = member ? place.id : place.first;
    const std::string_view segment = path.substr(mapping.at, (member ? place.idEnd : place.firstEnd) - mapping.at);
    if (isDotSegment(segment) || (!member && segment == "-")) {
        return mapping;
    }
    if (!member && segment.size() == underscored.size() + 1 && startsWithOwn(segment) && segment.back() == '-') {
        const bool possible = outside(path.substr(place.firstEnd)).owner == Owner::satellite;
        mapping.owner = possible ? Owner::satellite : Owner::facade;
        mapping.at = 0;
        mapping.erase = possible ? place.firstEnd : 0;
        return mapping;
    }
    if (startsWithOwn(segment)) {
        const std::string_view rest = segment.substr(underscored.size());
        // Taking the prefix away must not make a "..".
        const bool possible = !isDotSegment(rest);
        mapping.owner = possible ? Owner::satellite : Owner::facade;
        mapping.erase = possible ? underscored.size() : 0;
        return mapping;
    }
    mapping.owner = prefixOf(segment).empty() ? Owner::facade : Owner::otherSatellite;
    return mapping;
}

// In any case, like all that is classified in a path.
bool UriMap::startsWithOwn(std::string_view segment) const
{
    return !underscored.empty() && equalsIgnoreCase(segment.substr(0, underscored.size()), underscored);
}

Mapping UriMap::outside(std::string_view path) const
{
    Mapping mapping;
    const std::string_view trimmed = withoutTrailingSlashes(path);
    const char* const end = trimmed.data() + trimmed.size();
    if (!outsideSegment.empty() && path.starts_with('/') && !path.starts_with("//") && !inRedfishTree(path) &&
        findDoubleSlash(trimmed.data(), end) == end) {
        mapping.owner = Owner::satellite;
        mapping.insert = outsideSegment;
    }
    return mapping;
}

Mapping UriMap::own(std::string_view path) const
{
    Mapping mapping;
    mapping.place = locate(path);
    if (mapping.place.first != 0 && !underscored.empty()) {
        mapping.owner = Owner::satellite;
        mapping.at = mapping.place.first;
        mapping.insert = underscored;
    }
    return mapping;
}

std::size_t UriMap::ownHost(std::string_view uri) const
{
    if (hosts.empty()) {
        return 0;
    }
    const Authority authority = authorityOf(uri);
    const std::string_view name = withoutDefaultPort(authority.text, authority.secure);
    for (const std::string& host : hosts) {
        if (authority.length != 0 && equalsIgnoreCase(withoutDefaultPort(host, authority.secure), name)) {
            return authority.length;
        }
    }
    return 0;
}

std::string_view prefixOf(std::string_view segment)
{
    const std::size_t end = segment.find('_');
    if (end == std::string_view::npos || !isValidPrefix(segment.substr(0, end))) {
        return {};
    }
    return segment.substr(0, end);
}

std::string applyMapping(const Mapping& mapping, std::string_view path)
{
    std::string out;
    if (mapping.owner != Owner::satellite) {
        out = path;
        return out;
    }
    out.reserve(path.size() + mapping.insert.size());
    out.append(path.substr(0, mapping.at)).append(mapping.insert).append(path.substr(mapping.at + mapping.erase));
    return out;
}

std::string_view pathOf(std::string_view uri)
{
    const auto end = std::find_if(uri.begin(), uri.end(), [](char c) { return c == '?' || c == '#'; });
    return uri.substr(0, static_cast<std::size_t>(end - uri.begin()));
}

AskedRules::AskedRules(const UriMap& map, Direction direction, const Asked& asked)
    : known(!asked.satelliteUri.empty() && !asked.facadeUri.empty())
{
    if (!known) {
        return;
    }
    const std::string_view satellite = withoutTrailingSlashes(pathOf(asked.satelliteUri));
    const std::string_view facade = withoutTrailingSlashes(pathOf(asked.facadeUri));
    const Place place = locate(facade);
    const Mapping back = map.back(facade);
    if (place.kind == PlaceKind::member && place.direct && back.owner == Owner::satellite) {
        id = facade.substr(place.id, place.idEnd - place.id);
        if (direction == Direction::toFacade) {
            id.erase(0, back.erase);
        }
    }
    if (place.kind == PlaceKind::other && direction == Direction::toFacade &&
        equalsIgnoreCase(applyMapping(map.own(satellite), satellite), facade)) {
        self = satellite;
    }
    bare = !publishedRegistry(facade).empty() && equalsIgnoreCase(satellite, facade);
    if (bare && direction == Direction::toFacade) {
        self = satellite;
    }
}

Mapping AskedRules::forward(const UriMap& map, std::string_view path) const
{
    if (!isSelf(path)) {
        return map.forward(path);
    }
    if (!bare) {
        return map.own(path);
    }
    Mapping mapping;
    mapping.owner = Owner::shared;
    mapping.place = locate(path);
    return mapping;
}

bool AskedRules::isSelf(std::string_view path) const
{
    return !self.empty() && equalsIgnoreCase(withoutTrailingSlashes(path), self);
}

bool sameId(std::string_view id, std::string_view segment)
{
    while (!id.empty() && !segment.empty()) {
        char expected = segment[0];
        std::size_t length = 1;
        if (expected == '%' && segment.size() >= 3 && hexDigit(segment[1]) >= 0 && hexDigit(segment[2]) >= 0 &&
            !id.starts_with(segment.substr(0, 3))) {
            expected = static_cast<char>(hexDigit(segment[1]) * 16 + hexDigit(segment[2]));
            length = 3;
        }
        if (id[0] != expected) {
            return false;
        }
        id.remove_prefix(1);
        segment.remove_prefix(length);
    }
    return id.empty() && segment.empty();
}

}  // namespace mesh::uri
