#pragma once

#include "cluster/core/command.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

namespace mesh::cluster {

using ChangeHandler = std::function<void(const Change&)>;
using WatchId = std::uint64_t;  // never used again; 0: refused

// Remembers the last limits::maxRememberedChanges changes and tells them to watchers in order. Handlers may add and
// remove watches, also their own.
class ChangeFeed {
public:
    // Hands over the changes after `from` before it returns: those remembered, or one ChangeKind::everything when some
    // are forgotten; then each new one as it is published. 0 beyond limits::maxWatchers.
    WatchId watch(Revision from, ChangeHandler handler);
    // Nothing is told after it returned. Unknown ids are ignored.
    void unwatch(WatchId id);

    void publish(const std::vector<Change>& changes);
    // A snapshot was installed at `at`: everything before is forgotten, and watchers are told to read all again.
    void reset(Revision at);

private:
    void tell(const Change& change);

    std::deque<Change> recent;
    Revision forgotten = 0;  // changes up to here are not remembered
    std::map<WatchId, ChangeHandler> watchers;
    WatchId lastId = 0;
};

}  // namespace mesh::cluster
