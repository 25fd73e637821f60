#include "cluster/core/generation.hpp"

#include <algorithm>
#include <chrono>

namespace mesh::cluster {

std::uint64_t generationAfter(std::uint64_t known, WallTime now, std::uint64_t random)
{
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    return std::max(known + 2 + random % generationSpread, static_cast<std::uint64_t>(std::max<std::int64_t>(millis, 0)));
}

}  // namespace mesh::cluster
