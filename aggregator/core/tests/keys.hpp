#pragma once

#include <string>

namespace mesh::aggregator {

// A public key that tests tell from others by its last character.
inline std::string keyOf(char last)
{
    return std::string(39, '0') + last;
}

}  // namespace mesh::aggregator
