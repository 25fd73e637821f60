#include "shoset/uri/multipart.hpp"

#include "shoset/base/http.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

constexpr std::string_view parametersName = "UpdateParameters";

// The value of `name=` among the ;-separated parameters of a header's value, quotes removed; empty if there is none.
std::string_view parameter(std::string_view value, std::string_view name)
{
    for (std::size_t at = value.find(';'); at != std::string_view::npos; at = value.find(';', at)) {
        value.remove_prefix(value.find_first_not_of("; \t", at) == std::string_view::npos
                                ? value.size()
                                : value.find_first_not_of("; \t", at));
        at = 0;
        if (value.size() <= name.size() || !equalsIgnoreCase(value.substr(0, name.size()), name) ||
            value[name.size()] != '=') {
            continue;
        }
        value.remove_prefix(name.size() + 1);
        if (value.starts_with('"')) {
            return value.substr(1, value.find('"', 1) - 1);
        }
        return value.substr(0, value.find_first_of("; \t"));
    }
    return {};
}

// Calls visit(line, name, value) for each header line ("Name: value", without its end) of a part.
template <class Visit>
void eachHeader(std::string_view headers, Visit visit)
{
    while (!headers.empty()) {
        const std::size_t end = std::min(headers.find("\r\n"), headers.size());
        const std::string_view line = headers.substr(0, end);
        const std::size_t colon = line.find(':');
        visit(line, line.substr(0, colon), colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1));
        headers.remove_prefix(std::min(end + 2, headers.size()));
    }
}

bool isParameters(std::string_view headers)
{
    bool named = false;
    eachHeader(headers, [&named](std::string_view, std::string_view name, std::string_view value) {
        named = named || (equalsIgnoreCase(name, "Content-Disposition") &&
                          equalsIgnoreCase(parameter(value, "name"), parametersName));
    });
    return named;
}

std::string withContentLength(std::string_view headers, std::size_t length)
{
    std::string out;
    eachHeader(headers, [&out, length](std::string_view line, std::string_view name, std::string_view) {
        if (equalsIgnoreCase(name, "Content-Length")) {
            out.append(name).append(": ").append(std::to_string(length));
        } else {
            out.append(line);
        }
        out.append("\r\n");
    });
    return out;
}

}  // namespace

bool MultipartLocaliser::isMultipart(std::string_view contentType)
{
    constexpr std::string_view type = "multipart/form-data";
    return equalsIgnoreCase(contentType.substr(0, type.size()), type) && !parameter(contentType, "boundary").empty();
}

MultipartLocaliser::MultipartLocaliser(const UriMap& uriMap, std::string_view contentType)
    : map(uriMap), delimiter("--" + std::string(parameter(contentType, "boundary")))
{
    if (!isMultipart(contentType)) {
        phase = Phase::through;
    }
}

Result<void> MultipartLocaliser::feed(std::string_view in, std::string& out)
{
    if (settled()) {
        out.append(in);
        return {};
    }
    held.append(in);
    return examine(false, out);
}

Result<void> MultipartLocaliser::finish(std::string& out)
{
    return settled() ? Result<void>() : examine(true, out);
}

void MultipartLocaliser::pass(std::string& out)
{
    phase = Phase::through;
    out.append(held);
    held = {};
}

Result<void> MultipartLocaliser::examine(bool last, std::string& out)
{
    const std::string_view text = held;
    const std::string opening = delimiter + "\r\n";
    const std::size_t compared = std::min(text.size(), opening.size());
    const std::size_t headersEnd = text.find("\r\n\r\n");
    if (text.substr(0, compared) != std::string_view(opening).substr(0, compared)) {
        pass(out);
        return {};
    }
    if (headersEnd == std::string_view::npos || headersEnd + 2 < opening.size()) {
        if (last || text.size() > limits::maxUpdateParametersBytes) {
            pass(out);
        }
        return {};
    }
    const std::size_t headersBegin = opening.size();
    const std::size_t bodyBegin = headersEnd + 4;
    if (!isParameters(text.substr(headersBegin, headersEnd + 2 - headersBegin))) {
        pass(out);
        return {};
    }
    const std::size_t bodyEnd = text.find("\r\n" + delimiter, bodyBegin - 2);
    const std::size_t bodySize = (bodyEnd == std::string_view::npos ? text.size() : std::max(bodyEnd, bodyBegin)) - bodyBegin;
    if (bodySize > limits::maxUpdateParametersBytes) {
        return Error{Code::tooLarge, "UpdateParameters is longer than " +
                                         std::to_string(limits::maxUpdateParametersBytes) + " bytes"};
    }
    if (bodyEnd == std::string_view::npos) {
        if (last) {
            pass(out);
        }
        return {};
    }
    return mapParameters(headersBegin, bodyBegin, std::max(bodyEnd, bodyBegin), out);
}

Result<void> MultipartLocaliser::mapParameters(std::size_t headersBegin, std::size_t bodyBegin, std::size_t bodyEnd,
                                               std::string& out)
{
    const std::string_view text = held;
    Localiser localiser(map, Direction::toSatellite, Format::json);
    std::string body;
    Result<void> result = localiser.feed(text.substr(bodyBegin, bodyEnd - bodyBegin), body);
    if (result) {
        result = localiser.finish(body);
    }
    if (!result) {
        foreignUris = localiser.foreign();
        return result;
    }
    std::string mapped(text.substr(0, headersBegin));
    mapped.append(withContentLength(text.substr(headersBegin, bodyBegin - 2 - headersBegin), body.size()));
    mapped.append("\r\n").append(body).append(text.substr(bodyEnd));
    delta = static_cast<std::int64_t>(mapped.size()) - static_cast<std::int64_t>(held.size());
    held = std::move(mapped);
    pass(out);
    return {};
}

}  // namespace mesh::uri
