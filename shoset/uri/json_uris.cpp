// The parts of JsonScanner that know URIs and Ids; its walk through the text is in json_scanner.cpp.
#include "shoset/uri/json_scanner.hpp"

#include "shoset/base/http.hpp"
#include "shoset/uri/byte_search.hpp"
#include "shoset/uri/text_rules.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace mesh::uri {

namespace {

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// What may stand before the URI in "Location: /redfish/v1/...", with its blanks.
constexpr std::ptrdiff_t maxHeaderNameBytes = 32;

}  // namespace

// At the beginning of a text that is a URI by its property's name: maps a path outside the tree. What is inside is
// left to scanText().
const char* JsonScanner::beginUri(const char* p)
{
    if (direction != Direction::toFacade) {
        return p;
    }
    if (p == end) {
        return final ? p : starve(p);
    }
    const std::string_view text = from(p);
    if ((*p != '/' && *p != '\\') || text.starts_with("/redfish/v1/")) {
        return p;
    }
    Extent extent;
    findExtent(p, extent);
    if (extent.kind == Extent::Kind::starved) {
        return starve(p);
    }
    const Mapping mapping = extent.kind == Extent::Kind::whole ? map.outside(extent.text) : Mapping{};
    if (mapping.owner != Owner::satellite) {
        return p;
    }
    editExtent(p, extent, 0, mapping);
    return leaveUri(p, extent);
}

// At the beginning of an entry of Payload.HttpHeaders.
const char* JsonScanner::beginHeader(const char* p)
{
    for (const std::string_view name : {std::string_view("Location:"), std::string_view("Content-Location:")}) {
        const std::string_view text = from(p).substr(0, name.size());
        if (!equalsIgnoreCase(text, name.substr(0, text.size()))) {
            continue;
        }
        if (text.size() < name.size()) {
            return final ? p : starve(p);
        }
        const char* uri = p + name.size();
        while (uri != end && *uri == ' ' && uri - p < maxHeaderNameBytes) {
            ++uri;
        }
        if (uri == end && !final) {
            return starve(p);
        }
        restart(uri, 0);
        textIsUri = true;
        return beginUri(uri);
    }
    return p;
}

// At a slash, `length` bytes as written.
const char* JsonScanner::slash(const char* p, std::size_t length)
{
    const char before = charBefore(p);
    if (before == ':') {
        return absolute(p, length);
    }
    if (!mayPrecedeUri(before)) {
        return afterSlash(p, length);
    }
    bool cut = false;
    if (matchesRoot(p, cut)) {
        return redfishPath(p);
    }
    return cut ? starve(p) : afterSlash(p, length);
}

const char* JsonScanner::afterSlash(const char* p, std::size_t length)
{
    p += length;
    restart(p, '/');
    return p;
}

bool JsonScanner::matchesRoot(const char* p, bool& cut) const
{
    if (end - p >= std::ssize(redfishRoot) && std::memcmp(p, redfishRoot.data(), redfishRoot.size()) == 0) {
        return true;
    }
    for (const char expected : redfishRoot) {
        if (p == end) {
            cut = !final;
            return false;
        }
        Escape character{*p, 1};
        if (*p == '\\') {
            character = readEscape(from(p), final);
            if (character.length == 0) {
                cut = true;
                return false;
            }
        }
        if (lower(character.value) != expected) {
            return false;
        }
        p += character.length;
    }
    return true;
}

Mapping JsonScanner::mapPath(std::string_view path) const
{
    if (direction == Direction::toSatellite) {
        return map.back(path);
    }
    return rules.forward(map, path);
}

const char* JsonScanner::redfishPath(const char* p)
{
    Extent extent;
    findExtent(p, extent);
    if (extent.kind == Extent::Kind::starved) {
        return starve(p);
    }
    if (extent.kind == Extent::Kind::tooLong) {
        mode = Mode::uriTail;
        return afterSlash(p, rawLength(from(p), 1));
    }
    const Mapping mapping = mapPath(extent.text);
    if (property == Property::odataId && extent.closed && atTextStart(p)) {
        nameMember(p, mapping, extent.text);
    }
    if (mapping.owner == Owner::satellite) {
        editExtent(p, extent, 0, mapping);
    } else {
        noteForeign(mapping.owner, extent);
    }
    return leaveUri(p, extent);
}

// At a slash after a colon. An absolute URL of one of the own hosts (the satellite's, or on the way back the facade's)
// becomes a path, any other one passes as it is, with whatever is in it.
const char* JsonScanner::absolute(const char* p, std::size_t length)
{
    const char* const begin = map.hasHosts() ? schemeBefore(p) : nullptr;
    const char* const second = p + length;
    if (second == end) {
        return final ? afterSlash(p, length) : starve(begin == nullptr ? p : begin);
    }
    const Escape next = *second == '\\' ? readEscape(from(second), final) : Escape{*second, 1};
    if (next.length == 0) {
        return starve(begin == nullptr ? p : begin);
    }
    if (next.value != '/') {
        return afterSlash(p, length);
    }
    Extent extent;
    Mapping mapping;
    std::size_t host = 0;
    if (begin != nullptr) {
        findExtent(begin, extent);
        if (extent.kind == Extent::Kind::starved) {
            return starve(begin);
        }
        host = extent.kind == Extent::Kind::whole ? map.ownHost(extent.text) : 0;
        mapping = host == 0 ? Mapping{} : mapOwnUrl(extent.text.substr(host), atTextStart(begin));
    }
    if (mapping.owner == Owner::nobody) {
        mode = Mode::uriTail;
        return afterSlash(p, length);
    }
    if (property == Property::odataId && extent.closed && atTextStart(begin)) {
        nameMember(begin, mapping, extent.text.substr(host));
    }
    edit(begin, extent.escaped ? rawLength({begin, extent.raw}, host) : host, {});
    if (mapping.owner == Owner::satellite) {
        editExtent(begin, extent, host, mapping);
    } else {
        noteForeign(mapping.owner, extent);
    }
    return leaveUri(begin, extent);
}

// Where the scheme of a URL begins whose "://" has its first slash at `p`; nullptr if it is not http(s).
const char* JsonScanner::schemeBefore(const char* p) const
{
    const std::string_view text{anchor, static_cast<std::size_t>(p - anchor)};
    for (const std::string_view scheme : {std::string_view("https:"), std::string_view("http:")}) {
        if (text.size() >= scheme.size() && equalsIgnoreCase(text.substr(text.size() - scheme.size()), scheme)) {
            const char* const begin = p - scheme.size();
            return mayPrecedeUri(charBefore(begin)) ? begin : nullptr;
        }
    }
    return nullptr;
}

// `path` of a URL of an own host; `whole`: a text begins with it.
Mapping JsonScanner::mapOwnUrl(std::string_view path, bool whole) const
{
    const Mapping mapping = mapPath(path);
    const bool mayBeOutside = direction == Direction::toFacade && whole && textIsUri;
    return mapping.owner == Owner::nobody && mayBeOutside ? map.outside(path) : mapping;
}

// Where the text before `p` begins to be what may be the scheme of an absolute URL, which waits for the rest; else `p`.
const char* JsonScanner::schemePart(const char* p) const
{
    if (!map.hasHosts()) {
        return p;
    }
    const std::string_view text{anchor, static_cast<std::size_t>(p - anchor)};
    for (std::size_t length = std::min<std::size_t>(6, text.size()); length > 0; --length) {
        const std::string_view tail = text.substr(text.size() - length);
        if (equalsIgnoreCase(tail, std::string_view("https:").substr(0, length)) ||
            equalsIgnoreCase(tail, std::string_view("http:").substr(0, length))) {
            return p - length;
        }
    }
    return p;
}

void JsonScanner::findExtent(const char* p, Extent& extent)
{
    const char* const stop = findPathEnd(p, end);
    if (stop != end && *stop == '\\') {
        decodeExtent(p, extent);
        return;
    }
    extent.raw = static_cast<std::size_t>(stop - p);
    if (extent.raw > maxPathBytes) {
        extent.kind = Extent::Kind::tooLong;
    } else if (stop != end || final) {
        extent.kind = Extent::Kind::whole;
        extent.suffixed = stop != end && !endsUri(*stop);
        extent.closed = stop != end && *stop == '"';
        extent.text = {p, extent.raw};
        if (!extent.suffixed) {
            extent.text = withoutSentenceEnd(extent.text);
        }
    }
}

void JsonScanner::decodeExtent(const char* p, Extent& extent)
{
    extent.escaped = true;
    scratch.clear();
    const char* const begin = p;
    for (;;) {
        extent.raw = static_cast<std::size_t>(p - begin);
        if (extent.raw > maxPathBytes) {
            extent.kind = Extent::Kind::tooLong;
            return;
        }
        if (p == end && !final) {
            return;
        }
        const Escape character = p == end     ? Escape{'"', 1}
                                 : *p == '\\' ? readEscape(from(p), final)
                                              : Escape{*p, 1};
        if (character.length == 0) {
            return;
        }
        if (endsPath(character.value)) {
            extent.suffixed = !endsUri(character.value);
            extent.closed = p != end && *p == '"';
            break;
        }
        scratch.push_back(character.value);
        p += character.length;
    }
    extent.kind = Extent::Kind::whole;
    extent.text = extent.suffixed ? std::string_view(scratch) : withoutSentenceEnd(scratch);
}

const char* JsonScanner::leaveUri(const char* p, const Extent& extent)
{
    const char* const after = p + extent.raw;
    mode = extent.suffixed ? Mode::uriTail : Mode::text;
    restart(after, extent.escaped ? scratch.back() : after[-1]);
    return after;
}

const char* JsonScanner::scanUriTail(const char* p)
{
    while (p != end) {
        if (*p == '\\') {
            const Escape escape = readEscape(from(p), final);
            if (escape.length == 0) {
                return starve(p);
            }
            p += escape.length;
            restart(p, escape.value);
            if (endsUri(escape.value)) {
                mode = Mode::text;
                return p;
            }
        } else if (endsUri(*p)) {
            mode = Mode::text;
            return p;
        } else {
            ++p;
        }
    }
    return p;
}

void JsonScanner::noteForeign(Owner owner, const Extent& extent)
{
    if ((owner == Owner::facade || owner == Owner::otherSatellite) && foreignUris.size() < limits::maxForeignUris) {
        foreignUris.push_back({std::string(extent.text), memberName.data() == nullptr ? propertyName : std::string(memberName)});
    }
}

void JsonScanner::editExtent(const char* p, const Extent& extent, std::size_t offset, const Mapping& mapping)
{
    std::size_t at = offset + mapping.at;
    std::size_t erase = mapping.erase;
    if (extent.escaped) {
        const std::string_view raw{p, extent.raw};
        at = rawLength(raw, at);
        erase = rawLength(raw.substr(at), erase);
    }
    edit(p + at, erase, mapping.insert);
}

// At the beginning of the value of an Id. False: more input is needed.
bool JsonScanner::beginId(const char* p)
{
    const char* stop = findStringEnd(p, end);
    bool escaped = false;
    while (stop != end && *stop == '\\') {
        escaped = true;
        stop = end - stop < 2 ? end : findStringEnd(stop + 2, end);
    }
    const std::string_view raw{p, static_cast<std::size_t>(stop - p)};
    if (raw.size() > limits::maxPropertyNameBytes) {
        return true;
    }
    if (stop == end) {
        return final;
    }
    const std::string_view id = escaped ? unescape(raw) : raw;
    const bool back = direction == Direction::toSatellite;
    if (id.empty() || (back && !id.starts_with(map.idPrefix()))) {
        return true;
    }
    const std::size_t erase = back ? rawLength(raw, map.idPrefix().size()) : 0;
    const bool named = memberCount > 0 && members[memberCount - 1].depth == depth;
    if (depth > 1 && !named) {
        if (!holding && !namedItself[depth - 1]) {
            hold(p, id, erase);
        }
        return true;
    }
    const std::string_view segment = depth > 1 ? std::string_view(members[memberCount - 1].segment) : rules.ownId();
    if (sameId(id, segment)) {
        edit(p, erase, back ? std::string_view() : map.idPrefix());
    }
    return true;
}

void JsonScanner::hold(const char* p, std::string_view id, std::size_t erase)
{
    copyUpTo(p);
    holding = true;
    heldDepth = depth;
    heldErase = erase;
    heldId = id;
    held.clear();
    sink = &held;
}

// The object at `depth` is a member of a top-level collection, if the URI of its @odata.id says so.
void JsonScanner::nameMember(const char* p, const Mapping& mapping, std::string_view path)
{
    const Place& place = mapping.place;
    if (!rules.ids() || depth < 2 || !object || mapping.owner != Owner::satellite ||
        place.kind != PlaceKind::member || !place.direct) {
        return;
    }
    const std::string_view segment = path.substr(place.id, place.idEnd - place.id);
    if (holding && heldDepth == depth) {
        resolveHeld(p, sameId(heldId, segment));
    }
    const bool again = memberCount > 0 && members[memberCount - 1].depth == depth;
    if (!again && memberCount == members.size()) {
        return;
    }
    memberCount += again ? 0 : 1;
    members[memberCount - 1].depth = depth;
    members[memberCount - 1].segment = segment;
}

void JsonScanner::resolveHeld(const char* p, bool matches)
{
    copyUpTo(p);
    if (!holding) {
        return;
    }
    const bool back = direction == Direction::toSatellite;
    if (matches && !back) {
        target->append(map.idPrefix());
    }
    target->append(held, matches ? heldErase : 0);
    holding = false;
    sink = target;
}

}  // namespace mesh::uri
