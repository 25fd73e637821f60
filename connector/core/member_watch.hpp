#pragma once

#include "connector/core/bmc.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/core/message.hpp"
#include "shoset/uri/collections.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mesh::connector {

// What the watch tells its owner, during a call into it.
class WatchEvents {
public:
    virtual ~WatchEvents() = default;
    virtual void onAnnounce(const shoset::Announce& changed, Now now) = 0;
    virtual void onRefreshed(std::uint64_t ticket, Now now) = 0;
};

// Knows the members of the satellite's top-level collections: finds the collections from the ServiceRoot, reads them one
// after the other, polls with If-None-Match every limits::memberPollInterval, and reads again at once what a write may
// have changed, once for all writes that wait for it. Of collections that are fetched when
// somebody asks (log entries) it tells that they exist and no more.
// Asks the BMC for one thing at a time, so that a slow BMC is not burdened.
class MemberWatch {
public:
    MemberWatch(BmcPort& bmc, WatchEvents& events, Rng& rng);

    void start(Now now);
    // Reads these collections (paths below /redfish/v1/) soon, then says onRefreshed(ticket); at once where there is nothing to
    // read, or limits::maxRefreshTickets wait.
    void refresh(const std::vector<std::string>& paths, std::uint64_t ticket, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const { return nextPoll; }
    // All that is known, for a link that has just come up.
    // Complete once everything was looked at; that moment is announced, too. Before, it tells what is known so far.
    shoset::Announce snapshot() const;

    static bool owns(BmcExchange id) { return (id & watchExchange) != 0; }
    void onHead(BmcExchange id, ResponseHead head, bool bodyFollows, Now now);
    void onBody(BmcExchange id, std::string_view piece, bool last, Now now);
    void onFailure(BmcExchange id, Error error, Now now);

private:
    enum class What { root, service, collection };
    struct Job {
        What what = What::root;
        std::string path;  // below /redfish/v1/
        std::string uri;   // what to ask for: the path, or the next page
        std::vector<std::uint64_t> tickets;  // of those who wait for it
    };
    struct Known {
        std::string uri;  // as the satellite spells it; empty: not read
        std::string etag;
        shoset::AnnouncedCollection collection;
    };

    void refreshOne(const std::string& path, const std::string& uri, std::uint64_t ticket);
    void next(Now now);
    bool isFresh(const Known& known) const;
    void ask(Now now);
    void finishJob(Now now);
    void endJob(Now now);
    void fail(const std::string& reason, Now now);
    void leave(Now now);
    void take(Now now);
    void takeRoot(Now now);
    void takeService(Now now);
    void takeCollection(Now now);
    void takeLinks(const std::vector<std::string>& links, Now now);
    void takeCollectionLink(const uri::TopCollection& top, const std::string& uri, Now now);
    void publish(shoset::AnnouncedCollection collection, Now now);
    void setReachable(bool reachable, const std::string& reason, Now now);
    shoset::Announce header() const;

    BmcPort& bmc;
    WatchEvents& events;
    Rng& rng;

    std::deque<Job> jobs;       // of the poll
    std::deque<Job> refreshes;  // after writes; one for each collection
    std::map<std::uint64_t, std::size_t> tickets;  // and how many reads each waits for
    bool refreshedLast = false;
    std::optional<Job> current;
    BmcExchange exchange = 0;
    std::uint64_t nextExchange = 0;
    ResponseHead head;
    std::string body;
    std::vector<std::string> pages;  // members of the pages before this one
    std::size_t pageCount = 0;

    std::map<std::string, Known> collections;  // by path
    std::map<std::string, std::string> services;  // path -> uri, those that may have collections below
    std::vector<std::string> rootLinks;
    std::string uuid;
    std::string redfishVersion;
    bool complete = false;  // all that the BMC has was looked at once
    bool reachable = false;
    std::string reason = "not asked yet";
    shoset::Announce lastHeader;
    Duration backoff{};
    Instant nextPoll = never;
};

}  // namespace mesh::connector
