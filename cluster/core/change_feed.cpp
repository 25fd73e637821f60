#include "cluster/core/change_feed.hpp"

#include "shoset/base/limits.hpp"

#include <utility>

namespace mesh::cluster {

WatchId ChangeFeed::watch(Revision from, ChangeHandler handler)
{
    if (watchers.size() >= limits::maxWatchers) {
        return 0;
    }
    const WatchId id = ++lastId;
    std::vector<Change> missed;
    if (from < forgotten) {
        missed.push_back({recent.empty() ? forgotten : recent.back().revision, ChangeKind::everything, ""});
    } else {
        for (const Change& change : recent) {
            if (change.revision > from) {
                missed.push_back(change);
            }
        }
    }
    watchers.emplace(id, handler);
    for (const Change& change : missed) {
        if (watchers.contains(id)) {
            handler(change);
        }
    }
    return id;
}

void ChangeFeed::unwatch(WatchId id)
{
    watchers.erase(id);
}

void ChangeFeed::publish(const std::vector<Change>& changes)
{
    for (const Change& change : changes) {
        recent.push_back(change);
        if (recent.size() > limits::maxRememberedChanges) {
            forgotten = recent.front().revision;
            recent.pop_front();
        }
    }
    for (const Change& change : changes) {
        tell(change);
    }
}

void ChangeFeed::reset(Revision at)
{
    recent.clear();
    forgotten = at;
    tell({at, ChangeKind::everything, ""});
}

void ChangeFeed::tell(const Change& change)
{
    std::vector<WatchId> ids;
    for (const auto& [id, handler] : watchers) {
        ids.push_back(id);
    }
    for (const WatchId id : ids) {
        const auto watcher = watchers.find(id);
        if (watcher != watchers.end()) {
            const ChangeHandler handler = watcher->second;  // a copy: it may unwatch itself
            handler(change);
        }
    }
}

}  // namespace mesh::cluster
