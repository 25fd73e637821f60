#pragma once

#include "shoset/base/result.hpp"
#include "shoset/uri/json_scanner.hpp"
#include "shoset/uri/uri_map.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::uri {

// What a body is, for localising.
enum class Format : std::uint8_t {
    json,
    eventStream,  // text/event-stream: JSON in `data:` lines, one document per event
    xml,          // $metadata: Uri="..." attributes
    passthrough,  // byte for byte
};

// By the value of Content-Type (empty if there is none) and the path that was asked for, on either side, with or without
// query. XML is localised in $metadata only.
Format formatOf(std::string_view contentType, std::string_view path);

// Localises one body as a stream. Changes the bytes of URIs (and of Ids, where `asked` says so) and nothing else.
// Independent of how the body is cut into pieces. Bounded memory, see JsonScanner. Not thread-safe.
class Localiser {
public:
    // `map` must outlive the localiser. `asked` empty: no Id changes and no resource names itself; it has no effect
    // in event streams.
    Localiser(const UriMap& map, Direction direction, Format format, const Asked& asked = {});

    // Appends what can be decided to `out`. Code::tooLarge: JSON nested deeper than maxJsonDepth; give the body up.
    Result<void> feed(std::string_view in, std::string& out);
    // The body is complete: appends the rest. Code::invalidArgument: foreign() is not empty, the message names the first.
    // The output is complete all the same.
    Result<void> finish(std::string& out);
    // After finish(): the text did not end within a JSON string, object or array. Of other formats nothing is known.
    bool whole() const { return format != Format::json || json.closed(); }

    // On the way to the satellite: URIs that are another satellite's or the facade's, to be refused with 400
    // PropertyValueNotInList before anything is sent. Complete after finish(), at most maxForeignUris.
    const std::vector<ForeignUri>& foreign() const { return json.foreign(); }

private:
    Result<void> feedEvents(std::string_view in, std::string& out);
    void feedXml(std::string_view in, bool last, std::string& out);

    const UriMap& map;
    const Direction direction;
    const Format format;
    JsonScanner json;

    // Event streams: where in its line the stream is.
    enum class Line : std::uint8_t { field, data, other };
    Line line = Line::field;
    std::size_t matched = 0;   // field: characters of "data:" so far, 0 at the start of the line
    bool afterReturn = false;  // the last byte was '\r': a '\n' belongs to it

    // XML: what may be the beginning of an attribute.
    std::string carry;
    char previous = ' ';
};

// A whole body at once. Errors as feed() and finish().
Result<std::string> localise(const UriMap& map, Direction direction, Format format, std::string_view body,
                             const Asked& asked = {});

}  // namespace mesh::uri
