#pragma once

#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

namespace mesh::aggregator {

// How long a node that has lost the majority goes on ordering on its own: its accounts and privileges may have been changed
// elsewhere since. Reads always go on; writes to satellites do for the lease, and then only while an operator has broken the
// glass. Pure.
class Authority {
public:
    explicit Authority(Duration authorityLease) : lease(authorityLease) {}

    // Whether a primary is known, each time that changes.
    void setPrimaryKnown(bool known, Instant now);
    // An operator's word on this machine: writes go on until then, whatever the cluster says. WallTime{} takes it back.
    void breakGlass(WallTime until) { brokenUntil = until; }

    // unavailable, with the sentence for the client, when a write may not be ordered now.
    Result<void> mayWrite(Now now) const;

private:
    const Duration lease;
    bool primaryKnown = true;
    Instant lostAt{};
    WallTime brokenUntil{};
};

}  // namespace mesh::aggregator
