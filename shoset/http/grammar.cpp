#include "shoset/http/grammar.hpp"

#include <algorithm>

namespace mesh::http {

namespace {

bool isAlnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

bool isTokenCharacter(char c)
{
    return isAlnum(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool isToken(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), isTokenCharacter);
}

bool isHost(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        return isAlnum(c) || std::string_view("-._~!$&'()*+,;=:[]%").find(c) != std::string_view::npos;
    });
}

}  // namespace mesh::http
