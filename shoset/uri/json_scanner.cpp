#include "shoset/uri/json_scanner.hpp"

#include "shoset/uri/byte_search.hpp"
#include "shoset/uri/text_rules.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

// What is taken from a new piece at a time to complete what was carried over from the last one.
constexpr std::size_t carrySliceBytes = 4096;
// What the prefix can add to a path, so that what was mapped on the way there is mapped back.
constexpr std::size_t mappingGrowth = 64;

// The shortest member that scanMembers() takes up and that leaves no doubt about what follows: ":\"\"".
constexpr std::ptrdiff_t minMemberBytes = 4;

bool maySpecialNameEndIn(char c)
{
    return c == 'd' || c == 'e' || c == 'f' || c == 'i' || c == 'I' || c == 's';
}

// By the last two characters first: nearly every name is told from the special ones by them.
Property propertyOf(std::string_view name)
{
    if (name.size() < 2) {
        return Property::plain;
    }
    bool special = false;
    Property property = Property::uri;
    switch (static_cast<unsigned char>(name[name.size() - 2]) << 8 | static_cast<unsigned char>(name.back())) {
        case 'I' << 8 | 'd':
            special = name == "Id";
            property = Property::id;
            break;
        case 'i' << 8 | 'd':
            special = name == "@odata.id";
            property = Property::odataId;
            break;
        case 'r' << 8 | 's':
            special = name == "HttpHeaders";
            property = Property::httpHeaders;
            break;
        case 'r' << 8 | 'i': special = name.ends_with("Uri") || name == "uri"; break;
        case 'R' << 8 | 'I': special = name.ends_with("URI"); break;
        case 'g' << 8 | 'e': special = name == "Image"; break;
        case 'e' << 8 | 'f': special = name == "extref"; break;
        default: break;
    }
    return special ? property : Property::plain;
}

}  // namespace

JsonScanner::JsonScanner(const UriMap& uriMap, Direction way, AskedRules askedRules)
    : map(uriMap), direction(way), rules(std::move(askedRules)),
      maxPathBytes(limits::maxUriBytes + (way == Direction::toSatellite ? mappingGrowth : 0))
{
}

Result<void> JsonScanner::feed(std::string_view in, std::string& out)
{
    out.reserve(out.size() + carry.size() + in.size() + in.size() / 8 + mappingGrowth);
    while (!carry.empty() && !in.empty()) {
        const std::size_t before = carry.size();
        const std::size_t taken = std::min(in.size(), carrySliceBytes);
        carry.append(in.substr(0, taken));
        const Result<std::size_t> used = scan(carry, false, out);
        if (!used) {
            return used.error();
        }
        if (*used >= before) {
            in.remove_prefix(*used - before);
            carry.clear();
        } else {
            in.remove_prefix(taken);
            carry.erase(0, *used);
        }
    }
    if (in.empty()) {
        return {};
    }
    const Result<std::size_t> used = scan(in, false, out);
    if (!used) {
        return used.error();
    }
    carry = in.substr(*used);
    return {};
}

Result<void> JsonScanner::flush(std::string& out)
{
    const Result<std::size_t> used = scan(carry, true, out);
    if (!used) {
        return used.error();
    }
    carry.clear();
    if (holding) {
        copied = end;
        resolveHeld(end, false);
    }
    return {};
}

void JsonScanner::reset()
{
    mode = Mode::gap;
    separator = 0;
    previous = 0;
    property = Property::plain;
    propertyName.clear();
    depth = 0;
    object = false;
    memberCount = 0;
}

Result<std::size_t> JsonScanner::scan(std::string_view in, bool last, std::string& out)
{
    const char* p = in.data();
    end = p + in.size();
    copied = p;
    anchor = p;
    target = &out;
    sink = holding ? &held : target;
    final = last;
    starved = false;
    while (p != end && !starved && !tooDeep) {
        switch (mode) {
            case Mode::gap: p = scanGap(p); break;
            case Mode::name: p = scanName(p); break;
            case Mode::text: p = scanText(p); break;
            case Mode::uriTail: p = scanUriTail(p); break;
        }
    }
    if (tooDeep) {
        return Error{Code::tooLarge, "JSON is nested deeper than " + std::to_string(limits::maxJsonDepth) + " levels"};
    }
    copyUpTo(p);
    if (p != in.data()) {  // else nothing was taken, and what came before is still what came before
        previous = charBefore(p);
    }
    if (direction == Direction::toSatellite && memberName.data() != nullptr) {
        propertyName = memberName;
    }
    memberName = {};
    return static_cast<std::size_t>(p - in.data());
}

const char* JsonScanner::scanGap(const char* p)
{
    while (p != end) {
        switch (*p) {
            case '"':
                p = object && separator != ':' ? scanMembers(p) : scanValue(p);
                if (mode != Mode::gap || starved) {
                    return p;
                }
                break;
            case ',':
            case ':':
                separator = *p;
                [[fallthrough]];
            case ' ': ++p; break;
            case '\n': p = skipBlanks(p + 1, end); break;
            case '{':
            case '[':
                if (!open(*p == '{')) {
                    return p;
                }
                ++p;
                break;
            case '}':
            case ']':
                close(p);
                ++p;
                break;
            default: p = findStructure(p, end, separator); break;
        }
    }
    return p;
}

// At the quote before a name: takes as many members with plain strings as follow each other, in the two usual layouts.
// Everything else is left to scanGap(), which this only saves from looking at each byte.
const char* JsonScanner::scanMembers(const char* p)
{
    for (;;) {
        p = readName(p);
        if (end - p < minMemberBytes || *p != ':') {
            return p;
        }
        const char* const value = p + (p[1] == ' ' ? 2 : 1);
        if (*value != '"') {
            return p;
        }
        separator = ':';
        p = scanValue(value);
        if (mode != Mode::gap || starved || end - p < minMemberBytes || *p != ',') {
            return p;
        }
        const char* const name = p[1] == '\n' ? skipBlanks(p + 2, end) : p + 1;
        if (name == end || *name != '"') {
            return p;
        }
        separator = ',';
        p = name;
    }
}

const char* JsonScanner::readName(const char* quote)
{
    const char* const begin = quote + 1;
    const char* const p = findStringEnd(begin, end);
    const auto length = static_cast<std::size_t>(p - begin);
    if (p == end || *p == '\\' || length > limits::maxPropertyNameBytes) {
        return readOddName(quote);
    }
    memberName = {begin, length};
    property = length > 1 && maySpecialNameEndIn(p[-1]) ? propertyOf(memberName) : Property::plain;
    separator = '"';
    return p + 1;
}

// A name that has escapes, is too long, or is not complete in this piece.
const char* JsonScanner::readOddName(const char* quote)
{
    const char* const begin = quote + 1;
    const char* p = findStringEnd(begin, end);
    while (p != end && *p == '\\') {
        p = end - p < 2 ? end : findStringEnd(p + 2, end);
    }
    const auto length = static_cast<std::size_t>(p - begin);
    if (p == end && !final && length <= limits::maxPropertyNameBytes) {
        return starve(quote);
    }
    memberName = std::string_view(begin, length <= limits::maxPropertyNameBytes ? length : 0);
    property = propertyOf(unescape(memberName));
    if (p == end) {
        mode = Mode::name;
        return begin;
    }
    separator = '"';
    return p + 1;
}

// The rest of a name that was cut: it began in the mode `gap` and is plain.
const char* JsonScanner::scanName(const char* p)
{
    while ((p = findStringEnd(p, end)) != end) {
        if (*p == '"') {
            mode = Mode::gap;
            separator = '"';
            return p + 1;
        }
        if (end - p < 2) {
            return final ? end : starve(p);
        }
        p += 2;
    }
    return p;
}

bool JsonScanner::open(bool isObject)
{
    if (depth == limits::maxJsonDepth) {
        tooDeep = true;
        return false;
    }
    object = isObject;
    namedItself[depth] = false;
    objects[depth++] = isObject;
    separator = isObject ? '{' : '[';
    if (isObject) {
        property = Property::plain;
    }
    return true;
}

void JsonScanner::close(const char* p)
{
    if (holding && heldDepth == depth) {
        resolveHeld(p, false);
    }
    while (memberCount > 0 && members[memberCount - 1].depth >= depth) {
        --memberCount;
    }
    depth -= depth > 0 ? 1 : 0;
    object = depth > 0 && objects[depth - 1];
    separator = *p;
    property = Property::plain;
}

const char* JsonScanner::scanValue(const char* quote)
{
    const char* p = quote + 1;
    restart(p, 0);
    mode = Mode::text;
    textIsUri = property == Property::uri;
    if (property == Property::odataId && depth > 0) {
        namedItself[depth - 1] = true;
    }
    switch (property) {
        case Property::plain:
        case Property::odataId: return scanText(p);
        case Property::uri: p = beginUri(p); break;
        case Property::httpHeaders: p = beginHeader(p); break;
        case Property::id:
            if (rules.ids() && object && !beginId(p)) {
                starve(p);
            }
            break;
    }
    if (starved) {
        mode = Mode::gap;
        return quote;
    }
    return mode == Mode::text ? scanText(p) : p;
}

const char* JsonScanner::scanText(const char* p)
{
    while ((p = findTextStop(p, end)) != end) {
        if (*p == '"') {
            mode = Mode::gap;
            separator = '"';
            return p + 1;
        }
        if (*p == '/') {
            p = slash(p, 1);
        } else {
            const Escape escape = readEscape(from(p), final);
            if (escape.length == 0) {
                return starve(schemePart(p));
            }
            if (escape.value == '/') {
                p = slash(p, escape.length);
            } else {
                p += escape.length;
                restart(p, escape.value);
            }
        }
        if (starved || mode != Mode::text) {
            return p;
        }
    }
    const char* const part = final ? end : schemePart(end);
    return part == end ? end : starve(part);
}

std::string_view JsonScanner::unescape(std::string_view raw)
{
    scratch.clear();
    while (!raw.empty()) {
        const Escape escape = raw[0] == '\\' ? readEscape(raw, true) : Escape{raw[0], 1};
        scratch.push_back(escape.value);
        raw.remove_prefix(escape.length);
    }
    return scratch;
}

void JsonScanner::copyUpTo(const char* p)
{
    append({copied, static_cast<std::size_t>(p - copied)});
    copied = p;
}

void JsonScanner::append(std::string_view bytes)
{
    sink->append(bytes);
    if (holding && held.size() > limits::maxHeldBytes) {
        target->append(held);
        holding = false;
        sink = target;
    }
}

void JsonScanner::edit(const char* at, std::size_t erase, std::string_view insert)
{
    copyUpTo(at);
    append(insert);
    copied = at + erase;
}

const char* JsonScanner::starve(const char* p)
{
    starved = true;
    return p;
}

void JsonScanner::restart(const char* p, char before)
{
    anchor = p;
    previous = before;
}

}  // namespace mesh::uri
