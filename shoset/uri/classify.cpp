#include "shoset/uri/classify.hpp"

#include "shoset/base/http.hpp"
#include "shoset/uri/text_rules.hpp"
#include "shoset/uri/uri_map.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

Error bad(std::string message)
{
    return {Code::invalidArgument, std::move(message)};
}

// The octet at text[0] = '%', or -1.
int octetAt(std::string_view text)
{
    if (text.size() < 3 || hexDigit(text[1]) < 0 || hexDigit(text[2]) < 0) {
        return -1;
    }
    return hexDigit(text[1]) * 16 + hexDigit(text[2]);
}

// As octetAt(), with "%25..." decoded as often as it takes: what a server that decodes twice would see. `length`: what
// stands for it.
int innermostOctet(std::string_view text, std::size_t& length)
{
    int octet = octetAt(text);
    length = 3;
    while (octet == '%') {
        // "%252e": the percent sign that was decoded begins another sequence.
        const std::string_view rest = text.substr(length);
        if (rest.size() < 2 || hexDigit(rest[0]) < 0 || hexDigit(rest[1]) < 0) {
            return octet;
        }
        octet = hexDigit(rest[0]) * 16 + hexDigit(rest[1]);
        length += 2;
    }
    return octet;
}

bool isUnreserved(char c)
{
    const char lower = static_cast<char>(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' || c == '_' || c == '~' ||
           c == '$';
}

bool isDangerous(int octet)
{
    return octet < ' ' || octet == 0x7f || octet == '/' || octet == '\\';
}

// The segment with everything decoded that leads to a dot or semicolon, for isDotSegment().
std::string dotsOf(std::string_view segment)
{
    std::string out;
    while (!segment.empty() && out.size() < 4) {
        std::size_t length = 1;
        const int octet = segment[0] == '%' ? innermostOctet(segment, length) : segment[0];
        out.push_back(static_cast<char>(octet));
        segment.remove_prefix(std::min(length, segment.size()));
    }
    return out;
}

Result<std::string> decodePath(std::string_view path)
{
    std::string out;
    out.reserve(path.size());
    for (std::size_t i = 0; i < path.size();) {
        if (path[i] != '%') {
            out.push_back(path[i++]);
            continue;
        }
        const int octet = octetAt(path.substr(i));
        std::size_t length = 0;
        if (octet < 0) {
            return bad("the path has broken percent-encoding");
        }
        if (isDangerous(innermostOctet(path.substr(i), length))) {
            return bad("the path has an encoded slash, backslash or control character");
        }
        if (octet < 0x80 && isUnreserved(static_cast<char>(octet))) {
            out.push_back(static_cast<char>(octet));
        } else {
            out.append(path.substr(i, 3));
        }
        i += 3;
    }
    return out;
}

bool hasDotSegment(std::string_view path)
{
    for (std::size_t begin = 1; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (end > begin && isDotSegment(dotsOf(path.substr(begin, end - begin)))) {
            return true;
        }
        begin = end + 1;
    }
    return false;
}

}  // namespace

Result<Target> checkPath(std::string_view target)
{
    if (!target.starts_with('/')) {
        return bad("the target does not begin with a slash");
    }
    for (const char c : target) {
        if (c <= ' ' || c == 0x7f || c == '\\' || c == '#') {
            return bad("the target has a control character, blank, backslash, fragment or byte beyond ASCII");
        }
    }
    Target result;
    const std::size_t question = target.find('?');
    if (question != std::string_view::npos) {
        result.hasQuery = true;
        result.query = target.substr(question + 1);
    }
    Result<std::string> path = decodePath(target.substr(0, question));
    if (!path) {
        return path.error();
    }
    if (hasDotSegment(*path)) {
        return bad("the path has a dot segment");
    }
    result.path = std::move(*path);
    return result;
}

std::string decoded(std::string_view text)
{
    std::string out;
    while (!text.empty()) {
        std::size_t length = 1;
        const int octet = text[0] == '%' ? innermostOctet(text, length) : -1;
        out.push_back(octet < 0 ? text[0] : static_cast<char>(octet));
        text.remove_prefix(octet < 0 ? 1 : length);
    }
    return out;
}

Classified classify(std::string_view path)
{
    Classified result;
    const Place place = locate(path);
    switch (place.kind) {
        case PlaceKind::nowhere: return result;
        case PlaceKind::root: result.kind = PathKind::root; return result;
        case PlaceKind::singleton: result.kind = PathKind::singleton; break;
        case PlaceKind::collection: result.kind = PathKind::topCollection; break;
        case PlaceKind::member: result.kind = PathKind::member; break;
        case PlaceKind::other: break;
    }
    result.segment = path.substr(place.first, place.firstEnd - place.first);
    result.direct = place.firstEnd == place.end;
    if (place.kind == PlaceKind::other) {
        result.prefix = prefixOf(result.segment);
        const bool outside = result.segment.size() == result.prefix.size() + 2 && result.segment.ends_with('-');
        result.kind = result.prefix.empty() ? PathKind::facade : outside ? PathKind::outsideTree : PathKind::prefixed;
        return result;
    }
    if (place.kind == PlaceKind::collection) {
        result.collection = findTopCollection(path.substr(place.first, place.end - place.first))->path;
    } else if (place.kind == PlaceKind::member) {
        result.collection = findTopCollection(path.substr(place.first, place.id - 1 - place.first))->path;
        result.segment = path.substr(place.id, place.idEnd - place.id);
        result.direct = place.direct;
        result.prefix = prefixOf(result.segment);
    }
    return result;
}

}  // namespace mesh::uri
