#include "shoset/uri/text_rules.hpp"

#include <algorithm>

namespace mesh::uri {

namespace {

constexpr std::array<std::uint8_t, 256> makeClasses()
{
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = 0; c <= ' '; ++c) {
        classes[c] = character::ends;
    }
    for (const char c : std::string_view("\"'`<>,;)]\\")) {
        classes[static_cast<unsigned char>(c)] = character::ends;
    }
    for (const char c : std::string_view("?#")) {
        classes[static_cast<unsigned char>(c)] = character::suffix;
    }
    for (const char c : std::string_view("0123456789_/.:-")) {
        classes[static_cast<unsigned char>(c)] = character::joins;
    }
    for (unsigned c = 'a'; c <= 'z'; ++c) {
        classes[c] = character::joins;
        classes[c - 'a' + 'A'] = character::joins;
    }
    return classes;
}

Escape readUnicode(std::string_view text, bool last)
{
    unsigned value = 0;
    for (std::size_t i = 2; i < 6; ++i) {
        if (i >= text.size()) {
            return last ? Escape{'\\', 2} : Escape{};
        }
        const int digit = hexDigit(text[i]);
        if (digit < 0) {
            return {'\\', 2};
        }
        value = value * 16 + static_cast<unsigned>(digit);
    }
    if (value >= 0x80) {
        return {'\x80', 6};
    }
    return {value == 0 ? '\x01' : static_cast<char>(value), 6};
}

}  // namespace

const std::array<std::uint8_t, 256> characterClass = makeClasses();

int hexDigit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string_view withoutSentenceEnd(std::string_view path)
{
    while (!path.empty() && (path.back() == '.' || path.back() == ':')) {
        path.remove_suffix(1);
    }
    return path;
}

Escape readEscape(std::string_view text, bool last)
{
    if (text.size() < 2) {
        return last ? Escape{'\\', static_cast<std::uint8_t>(text.size())} : Escape{};
    }
    switch (text[1]) {
        case 'u': return readUnicode(text, last);
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't': return {'\n', 2};
        case '/':
        case '"': return {text[1], 2};
        default: return {'\\', 2};
    }
}

std::size_t rawLength(std::string_view raw, std::size_t count)
{
    std::size_t length = 0;
    for (; count > 0 && length < raw.size(); --count) {
        length += raw[length] == '\\' ? readEscape(raw.substr(length), true).length : 1;
    }
    return std::min(length, raw.size());
}

}  // namespace mesh::uri
