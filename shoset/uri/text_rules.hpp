#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mesh::uri {

// Where a URI begins and ends inside a text (conformance/aggregation-cases.md, "a sentence"). Bytes of UTF-8 sequences
// are neither letters before a URI nor its end.
namespace character {
inline constexpr std::uint8_t joins = 1;    // a URI does not start after it: letter, digit, _ / . : -
inline constexpr std::uint8_t ends = 2;     // white space, control, quotes, < > , ; ) ] and the backslash
inline constexpr std::uint8_t suffix = 4;   // ? and #: the path ends, the URI goes on
}  // namespace character

extern const std::array<std::uint8_t, 256> characterClass;

inline std::uint8_t classOf(char c) { return characterClass[static_cast<unsigned char>(c)]; }
inline bool endsUri(char c) { return (classOf(c) & character::ends) != 0; }
inline bool endsPath(char c) { return (classOf(c) & (character::ends | character::suffix)) != 0; }
inline bool mayPrecedeUri(char c) { return (classOf(c) & character::joins) == 0; }

// The value of a hexadecimal digit, or -1.
int hexDigit(char c);

// A path at the end of a URI without the sentence's full stop or colon.
std::string_view withoutSentenceEnd(std::string_view path);

// One JSON escape sequence. Characters beyond ASCII are given as '\x80' and NUL as '\x01': both are only compared.
struct Escape {
    char value = 0;
    std::uint8_t length = 0;  // 0: cut off, more input is needed
};
// text[0] is the backslash. What is no escape sequence counts as a backslash that takes its follower along.
// `last`: nothing follows, what is cut off is no escape sequence.
Escape readEscape(std::string_view text, bool last);

// Length of the first `count` characters of `raw`, the inside of a JSON string, whose escapes are complete.
std::size_t rawLength(std::string_view raw, std::size_t count);

}  // namespace mesh::uri
