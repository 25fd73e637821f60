#include "shoset/uri/localiser.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/uri/byte_search.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

constexpr std::string_view dataField = "data:";
constexpr std::string_view uriAttribute = "Uri=";

bool isXmlSpace(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view mediaType(std::string_view contentType)
{
    contentType = contentType.substr(0, contentType.find(';'));
    const std::size_t begin = contentType.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return contentType.substr(begin, contentType.find_last_not_of(" \t") - begin + 1);
}

bool endsWithIgnoringCase(std::string_view text, std::string_view end)
{
    return text.size() >= end.size() && equalsIgnoreCase(text.substr(text.size() - end.size()), end);
}

}  // namespace

Format formatOf(std::string_view contentType, std::string_view path)
{
    const std::string_view type = mediaType(contentType);
    if (equalsIgnoreCase(type, "application/json") || equalsIgnoreCase(type, "text/json") ||
        endsWithIgnoringCase(type, "+json")) {
        return Format::json;
    }
    if (equalsIgnoreCase(type, "text/event-stream")) {
        return Format::eventStream;
    }
    const bool xml = equalsIgnoreCase(type, "application/xml") || equalsIgnoreCase(type, "text/xml") ||
                     endsWithIgnoringCase(type, "+xml");
    if (xml && endsWithIgnoringCase(withoutTrailingSlashes(pathOf(path)), "$metadata")) {
        return Format::xml;
    }
    return Format::passthrough;
}

Localiser::Localiser(const UriMap& uriMap, Direction way, Format bodyFormat, const Asked& asked)
    : map(uriMap), direction(way), format(bodyFormat),
      json(uriMap, way, AskedRules(uriMap, way, bodyFormat == Format::json ? asked : Asked{}))
{
}

Result<void> Localiser::feed(std::string_view in, std::string& out)
{
    switch (format) {
        case Format::json: return json.feed(in, out);
        case Format::eventStream: return feedEvents(in, out);
        case Format::xml: feedXml(in, false, out); break;
        case Format::passthrough: out.append(in); break;
    }
    return {};
}

Result<void> Localiser::finish(std::string& out)
{
    if (format == Format::xml) {
        feedXml({}, true, out);
    } else if (const Result<void> flushed = json.flush(out); !flushed) {
        return flushed;
    }
    if (!foreign().empty()) {
        return Error{Code::invalidArgument, "the URI " + foreign().front().uri + " is not one of this satellite"};
    }
    return {};
}

Result<void> Localiser::feedEvents(std::string_view in, std::string& out)
{
    while (!in.empty()) {
        if (std::exchange(afterReturn, false) && in[0] == '\n') {
            out.push_back('\n');
            in.remove_prefix(1);
            continue;
        }
        if (line == Line::field) {
            const std::string_view expected = dataField.substr(matched, in.size());
            if (in.starts_with(expected)) {
                matched += expected.size();
                line = matched == dataField.size() ? Line::data : Line::field;
                out.append(expected);
                in.remove_prefix(expected.size());
                continue;
            }
            if (matched == 0 && (in[0] == '\n' || in[0] == '\r')) {
                json.reset();
            }
            line = Line::other;
        }
        const auto stop = static_cast<std::size_t>(findLineEnd(in.data(), in.data() + in.size()) - in.data());
        const bool ended = stop < in.size();
        const std::string_view piece = in.substr(0, stop + 1);
        if (line == Line::data) {
            Result<void> result = json.feed(piece, out);
            if (result && ended) {
                result = json.flush(out);
            }
            if (!result) {
                return result;
            }
        } else {
            out.append(piece);
        }
        if (ended) {
            line = Line::field;
            matched = 0;
            afterReturn = piece.back() == '\r';
        }
        in.remove_prefix(piece.size());
    }
    return {};
}

void Localiser::feedXml(std::string_view in, bool last, std::string& out)
{
    carry.append(in);
    std::string_view text = carry;
    while (!text.empty()) {
        const std::size_t at = std::min(text.find(uriAttribute[0]), text.size());
        if (at > 0) {
            previous = text[at - 1];
            out.append(text.substr(0, at));
            text.remove_prefix(at);
            continue;
        }
        const std::string_view name = text.substr(0, uriAttribute.size());
        std::size_t taken = 1;
        if (isXmlSpace(previous) && uriAttribute.starts_with(name)) {
            const std::size_t begin = uriAttribute.size() + 1;
            const char quote = text.size() < begin ? '\0' : text[begin - 1];
            const std::string_view value = text.substr(std::min(begin, text.size()));
            const std::size_t length = std::min(value.find(quote), value.size());
            if (!last && (quote == '\0' || length == value.size()) && length <= limits::maxUriBytes) {
                break;
            }
            if ((quote == '"' || quote == '\'') && length < value.size() && length <= limits::maxUriBytes) {
                const std::string_view uri = value.substr(0, length);
                const auto mapped =
                    direction == Direction::toFacade ? map.toFacade(uri, Outside::map) : map.toSatellite(uri);
                out.append(text.substr(0, begin)).append(mapped ? std::string_view(*mapped) : uri);
                text.remove_prefix(begin + length);
                previous = quote;
                continue;
            }
        }
        previous = text[0];
        out.append(text.substr(0, taken));
        text.remove_prefix(taken);
    }
    carry.erase(0, carry.size() - text.size());
}

Result<std::string> localise(const UriMap& map, Direction direction, Format format, std::string_view body,
                             const Asked& asked)
{
    Localiser localiser(map, direction, format, asked);
    std::string out;
    Result<void> result = localiser.feed(body, out);
    if (result) {
        result = localiser.finish(out);
    }
    if (!result) {
        return result.error();
    }
    return out;
}

}  // namespace mesh::uri
