#include "aggregator/core/authority.hpp"

namespace mesh::aggregator {

void Authority::setPrimaryKnown(bool known, Instant now)
{
    if (primaryKnown && !known) {
        lostAt = now;
    }
    primaryKnown = known;
}

Result<void> Authority::mayWrite(Now now) const
{
    if (primaryKnown || now.mono - lostAt < lease || now.wall < brokenUntil) {
        return {};
    }
    return Error{Code::unavailable, "this node has been without a majority of its cluster for longer than its authority "
                                    "lasts, so it only reads. Bring the other nodes back, or break the glass on this one"};
}

}  // namespace mesh::aggregator
