#pragma once

#include <cstdint>
#include <string_view>

namespace mesh::connector {

// Takes a decimal number and the character behind it from the front of `text`. False: it does not begin like that, and is
// left as it is.
bool takeNumber(std::string_view& text, char end, std::uint64_t& out);

}  // namespace mesh::connector
