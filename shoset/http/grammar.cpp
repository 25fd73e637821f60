#include "shoset/http/grammar.hpp"

#include <algorithm>
#include <array>

namespace mesh::http {

namespace {

constexpr std::string_view alphanumerics = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

using Table = std::array<bool, 256>;

constexpr Table tableOf(std::string_view marks)
{
    Table table{};
    for (const std::string_view part : {alphanumerics, marks}) {
        for (const char c : part) {
            table[static_cast<unsigned char>(c)] = true;
        }
    }
    return table;
}

constexpr Table tokenCharacters = tableOf("!#$%&'*+-.^_`|~");
constexpr Table hostCharacters = tableOf("-._~!$&'()*+,;=:[]%");

}  // namespace

bool isTokenCharacter(char c)
{
    return tokenCharacters[static_cast<unsigned char>(c)];
}

bool isToken(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), isTokenCharacter);
}

bool isHost(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return hostCharacters[static_cast<unsigned char>(c)]; });
}

}  // namespace mesh::http
