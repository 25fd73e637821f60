#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace mesh::shoset {

// One JSON document of a stranger, in its shortest form: what was looked at is what is passed on, also where a name stands
// twice. Code::tooLarge beyond `maxBytes`; Code::invalidArgument beyond `maxDepth`, for anything that is not JSON in UTF-8, and
// for numbers that a double cannot hold.
Result<std::string> compactJson(std::string_view text, std::size_t maxBytes, std::size_t maxDepth);

// The bounds of compactJson, to be asked before a parser is.
Result<void> checkJsonBounds(std::string_view text, std::size_t maxBytes, std::size_t maxDepth);
Error notJson();

// How deep its lists and objects are in each other; also of what is not JSON.
std::size_t nestingOfJson(std::string_view text);
// Of UTF-8.
std::size_t codePoints(std::string_view text);
// For messages: cut after 64 bytes, between two characters.
std::string shownName(std::string_view name);

// Where in a document; only as long as the call that looks at it.
struct JsonPlace {
    const JsonPlace* parent = nullptr;  // of the whole document: none
    std::string_view name;              // of a property, or none and
    std::size_t index = 0;              // of an item
};
// RFC 6901, `root` for the whole.
std::string pointerOf(const JsonPlace& place);

// Of a check that ends with its first problem.
struct JsonComplaint {
    std::string problem;
    // Keeps it, and is false.
    bool fail(const JsonPlace& place, const std::string& said);
};

}  // namespace mesh::shoset
