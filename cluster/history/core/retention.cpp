#include "cluster/history/core/retention.hpp"

#include <algorithm>
#include <numeric>

namespace mesh::history {

WallTime oldestKept(const RetentionPolicy& policy, WallTime now)
{
    const bool all = policy.keep <= Duration::zero() || now.time_since_epoch() <= policy.keep;
    return all ? WallTime{} : now - policy.keep;
}

std::vector<std::uint64_t> shares(const std::vector<std::uint64_t>& bytes, std::uint64_t maxBytes)
{
    if (maxBytes == 0 || std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}) <= maxBytes) {
        return bytes;
    }
    std::vector<std::uint64_t> rising = bytes;
    std::sort(rising.begin(), rising.end());
    std::uint64_t left = maxBytes - maxBytes / 8;
    std::uint64_t level = 0;  // what those that have more keep
    for (std::size_t at = 0; at < rising.size(); ++at) {
        level = left / (rising.size() - at);
        if (rising[at] > level) {
            break;
        }
        left -= rising[at];
    }
    std::vector<std::uint64_t> out;
    std::transform(bytes.begin(), bytes.end(), std::back_inserter(out),
                   [level](std::uint64_t mine) { return std::min(mine, level); });
    return out;
}

}  // namespace mesh::history
