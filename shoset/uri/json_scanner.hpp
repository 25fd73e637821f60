#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/uri/uri_map.hpp"

#include <array>
#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri {

// A URI of another satellite or of the facade in a body for this one: to be refused with PropertyValueNotInList.
struct ForeignUri {
    std::string uri;
    std::string property;  // the member that holds it, as written; empty outside an object
};

// What a member's name says about its value.
enum class Property : std::uint8_t { plain, uri, id, odataId, httpHeaders };

// Localises JSON as a stream: changes the bytes of URIs in strings that are values, and of Ids where AskedRules say so;
// every other byte passes as it is. The text may be cut anywhere: every cut gives the same output. It need not be valid
// JSON; the output is valid if and only if the input is.
//
// Memory is bounded. What must be seen whole to be decided is held back until it is: a property name
// (maxPropertyNameBytes), the path of a URI (maxUriBytes), an Id (maxPropertyNameBytes), and an object whose Id comes
// before its @odata.id (maxHeldBytes). What is longer passes unchanged, in pieces; the strings around it have no limit.
// The scheme of an absolute URL, and "Location:" in Payload.HttpHeaders, are not recognised where their letters are
// written as escapes ("h\u0074tp").
class JsonScanner {
public:
    // `map` must outlive the scanner.
    JsonScanner(const UriMap& map, Direction direction, AskedRules rules);

    // Appends to `out` what `in` allows to decide. Code::tooLarge: nested deeper than maxJsonDepth; the scanner is then
    // useless.
    Result<void> feed(std::string_view in, std::string& out);
    // Decides what is held back as if the text ended here, and appends it. More may follow.
    Result<void> flush(std::string& out);
    // Forget everything but the foreign URIs: another document follows. After flush() only.
    void reset();

    // After flush(): no string, object or array is left open.
    bool closed() const { return depth == 0 && mode == Mode::gap; }

    // On the way to the satellite; the first maxForeignUris of them.
    const std::vector<ForeignUri>& foreign() const { return foreignUris; }

private:
    enum class Mode : std::uint8_t {
        gap,      // between strings
        name,     // in a property name that is too long to matter
        text,     // in a value, at a place where a URI may begin
        uriTail,  // in a URI that is settled (its query or fragment, another host's): up to its end nothing changes
    };
    // The part of a text that may be a URI without query and fragment.
    struct Extent {
        enum class Kind : std::uint8_t { starved, tooLong, whole };
        Kind kind = Kind::starved;
        std::string_view text;  // decoded, without the sentence's end
        std::size_t raw = 0;    // bytes up to the end of the path, as written
        bool escaped = false;   // text is not what stands there
        bool suffixed = false;  // a query or fragment follows
        bool closed = false;    // the string ends here
    };
    // An expanded member of a top-level collection: an object that is open and has named itself.
    struct Member {
        std::size_t depth = 0;
        std::string segment;
    };

    // Structure.
    Result<std::size_t> scan(std::string_view in, bool last, std::string& out);
    const char* scanGap(const char* p);
    const char* scanName(const char* p);
    const char* scanText(const char* p);
    const char* scanUriTail(const char* p);
    const char* scanMembers(const char* p);
    const char* readName(const char* quote);
    const char* readOddName(const char* quote);
    bool open(bool isObject);
    void close(const char* p);
    const char* scanValue(const char* quote);

    // URIs. Those that return a position return where to go on.
    const char* beginUri(const char* p);
    const char* beginHeader(const char* p);
    const char* slash(const char* p, std::size_t length);
    const char* redfishPath(const char* p);
    const char* absolute(const char* p, std::size_t length);
    const char* schemeBefore(const char* p) const;
    Mapping mapOwnUrl(std::string_view path, bool whole) const;
    const char* afterSlash(const char* p, std::size_t length);
    const char* leaveUri(const char* p, const Extent& extent);
    bool matchesRoot(const char* p, bool& cut) const;
    const char* schemePart(const char* p) const;
    void findExtent(const char* p, Extent& extent);
    void decodeExtent(const char* p, Extent& extent);
    Mapping mapPath(std::string_view path) const;
    void noteForeign(Owner owner, const Extent& extent);

    // Ids.
    bool beginId(const char* p);
    void hold(const char* p, std::string_view id, std::size_t erase);
    void nameMember(const char* p, const Mapping& mapping, std::string_view path);
    void resolveHeld(const char* p, bool matches);

    // Output.
    void copyUpTo(const char* p);
    void append(std::string_view bytes);
    void edit(const char* at, std::size_t erase, std::string_view insert);
    void editExtent(const char* p, const Extent& extent, std::size_t offset, const Mapping& mapping);
    const char* starve(const char* p);
    std::string_view from(const char* p) const { return {p, static_cast<std::size_t>(end - p)}; }
    char charBefore(const char* p) const { return p == anchor ? previous : p[-1] == 0 ? '\x01' : p[-1]; }
    bool atTextStart(const char* p) const { return p == anchor && previous == 0; }
    void restart(const char* p, char before);
    std::string_view unescape(std::string_view raw);  // in `scratch`

    const UriMap& map;
    const Direction direction;
    const AskedRules rules;
    const std::size_t maxPathBytes;

    // Between calls.
    std::string carry;  // begins with what could not be decided
    Mode mode = Mode::gap;
    char separator = 0;  // the last structural character: a string after ':' in an object is a value
    char previous = 0;   // the character before `anchor`, NUL as '\x01'; 0 at the beginning of a string
    Property property = Property::plain;
    bool textIsUri = false;  // what the current text begins with is a URI, also if it is outside the tree
    std::string propertyName;  // of earlier pieces; kept towards the satellite only
    std::size_t depth = 0;
    bool object = false;  // what is open at `depth` is an object
    std::bitset<limits::maxJsonDepth> objects;
    std::bitset<limits::maxJsonDepth> namedItself;  // the object at that depth has had its @odata.id
    std::array<Member, limits::maxNestedMembers> members;
    std::size_t memberCount = 0;
    // An Id that waits for its object's @odata.id; `held` is the output from the Id's first character on.
    bool holding = false;
    std::size_t heldDepth = 0;
    std::size_t heldErase = 0;
    std::string heldId;
    std::string held;
    std::vector<ForeignUri> foreignUris;

    // Within one scan().
    const char* end = nullptr;
    const char* copied = nullptr;  // bytes before it are in the output
    const char* anchor = nullptr;  // bytes from here to the current position are no part of an escape sequence
    std::string* sink = nullptr;
    std::string* target = nullptr;
    std::string_view memberName;  // of the last member, if it began in this piece
    std::string scratch;
    bool final = false;
    bool starved = false;
    bool tooDeep = false;
};

}  // namespace mesh::uri
