#include "shoset/base/rng.hpp"

namespace mesh {

std::uint64_t Rng::below(std::uint64_t bound)
{
    const std::uint64_t unbiased = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t draw = next();
    while (draw >= unbiased) {
        draw = next();
    }
    return draw % bound;
}

std::string Rng::bytes(std::size_t count)
{
    std::string out;
    out.reserve(count + 7);
    while (out.size() < count) {
        const std::uint64_t draw = next();
        for (int shift = 0; shift < 64; shift += 8) {
            out.push_back(static_cast<char>(draw >> shift));
        }
    }
    out.resize(count);
    return out;
}

}  // namespace mesh
