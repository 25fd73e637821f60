#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mesh::cluster {

// Little endian numbers of `width` bytes at a fixed place, as libraft writes them.
void putNumber(std::string& out, std::uint64_t value, std::size_t width);
// `offset + width` must be within `in`.
std::uint64_t getNumber(std::string_view in, std::size_t offset, std::size_t width);

}  // namespace mesh::cluster
