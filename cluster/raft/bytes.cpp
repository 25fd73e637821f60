#include "cluster/raft/bytes.hpp"

namespace mesh::cluster {

void putNumber(std::string& out, std::uint64_t value, std::size_t width)
{
    for (std::size_t i = 0; i < width; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
    }
}

std::uint64_t getNumber(std::string_view in, std::size_t offset, std::size_t width)
{
    std::uint64_t value = 0;
    for (std::size_t i = width; i > 0; --i) {
        value = value << 8 | static_cast<unsigned char>(in[offset + i - 1]);
    }
    return value;
}

}  // namespace mesh::cluster
