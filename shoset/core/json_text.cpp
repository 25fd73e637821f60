#include "shoset/core/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mesh::shoset {

namespace {

constexpr std::size_t shownNameBytes = 64;

bool beginsCharacter(char c)
{
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::string pointerBelow(const JsonPlace& place)
{
    if (place.parent == nullptr) {
        return {};
    }
    std::string own = place.name.data() == nullptr ? std::to_string(place.index) : std::string();
    for (const char c : shownName(place.name)) {
        own += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return pointerBelow(*place.parent) + "/" + own;
}

}  // namespace

Result<std::string> compactJson(std::string_view text, std::size_t maxBytes, std::size_t maxDepth)
{
    if (Result<void> fits = checkJsonBounds(text, maxBytes, maxDepth); !fits) {
        return fits.error();
    }
    const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
    return document.is_discarded() ? Result<std::string>(notJson()) : Result<std::string>(document.dump());
}

Result<void> checkJsonBounds(std::string_view text, std::size_t maxBytes, std::size_t maxDepth)
{
    if (text.size() > maxBytes) {
        return Error{Code::tooLarge, "expected at most " + std::to_string(maxBytes) + " bytes"};
    }
    if (nestingOfJson(text) > maxDepth) {
        return Error{Code::invalidArgument, "expected a depth of at most " + std::to_string(maxDepth)};
    }
    return {};
}

Error notJson()
{
    return {Code::invalidArgument, "expected one JSON document in UTF-8"};
}

std::size_t nestingOfJson(std::string_view text)
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (quoted) {
            at += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        } else {
            quoted = c == '"';
        }
    }
    return deepest;
}

std::size_t codePoints(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), beginsCharacter));
}

std::string shownName(std::string_view name)
{
    if (name.size() <= shownNameBytes) {
        return std::string(name);
    }
    std::size_t end = shownNameBytes;
    while (end > 0 && !beginsCharacter(name[end])) {
        --end;
    }
    return std::string(name.substr(0, end)) + "...";
}

std::string pointerOf(const JsonPlace& place)
{
    return place.parent == nullptr ? "root" : pointerBelow(place);
}

bool JsonComplaint::fail(const JsonPlace& place, const std::string& said)
{
    problem = "at " + pointerOf(place) + ": " + said;
    return false;
}

}  // namespace mesh::shoset
