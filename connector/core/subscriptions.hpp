#pragma once

#include "connector/core/worker_event_words.hpp"
#include "connector/core/workers.hpp"
#include "shoset/core/link.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::connector {

// What subscriptions ask of the connector around them. Never calls back from inside a call.
class SubscriptionHost {
public:
    virtual ~SubscriptionHost() = default;
    // To the aggregator at the link's other end. False: it did not leave.
    virtual bool tellAggregator(shoset::LinkId link, shoset::Content content, Now now) = 0;
    virtual Code tellWorker(WorkerId worker, std::string word) = 0;
};

struct SubscriptionCounters {
    std::uint64_t delivered = 0, gaps = 0, duplicates = 0, unwanted = 0, malformed = 0, moved = 0, workerFull = 0, refused = 0,
                  refusedThere = 0, wordsLost = 0;
};

// What workers listen to: each subscription of a worker is one of the connector's, so that none takes another's events. It goes
// to one linked aggregator that knows events; when that link ends, to another one, from where it stood at each source. What comes
// twice is dropped. At most limits::subscriptionWindow events wait for a worker, as the aggregator gets credit for no more: a slow
// one slows itself only. One that gets too much beyond its credit leaves, and asks anew when its worker has caught up, under another
// number, as more may be on its way under the first one. What its socket does not take just now waits here.
//
// An aggregator that refuses a subscription is not asked for it again while another one may have it. Refused by all, one that never
// began ends, and its worker is told; one that had begun asks again after limits::subscriptionRetry, for as long as it takes.
class Subscriptions {
public:
    explicit Subscriptions(SubscriptionHost& host);

    void add(WorkerId worker, WorkerSubscribe word, Now now);
    void remove(WorkerId worker, const std::string& name, Now now);
    void onTaken(WorkerId worker, const WorkerTaken& word, Now now);
    void onWorkerEnded(WorkerId worker, Now now);

    // Of an aggregator that knows events. `creditsLosses`: it has shoset::capabilityEventCredit.
    void onLinkUp(shoset::LinkId link, Now now, bool creditsLosses = false);
    void onLinkDown(shoset::LinkId link, Now now);
    void onEvent(shoset::LinkId link, const shoset::Address& source, const shoset::Event& event, std::string_view payload, Now now);
    // Where it begins at these sources, says the aggregator, or that it does not.
    void onBegun(shoset::LinkId link, const shoset::Subscribe& word, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const { return std::min(retryAt, placeAt); }
    std::size_t size() const { return subscriptions.size(); }
    const SubscriptionCounters& counters() const { return count; }

private:
    using Place = std::pair<std::uint64_t, std::uint64_t>;  // epoch, sequence
    struct Waiting {
        std::string word;
        bool isEvent = false;  // or a gap, which its worker counts
    };
    struct Subscription {
        WorkerId worker = 0;
        std::string name;
        std::vector<std::string> topics;
        bool fromNow = false;         // until an aggregator has said, of all sources, where it begins
        bool begun = false;           // some aggregator had it
        std::map<shoset::Address, Place> had;
        std::optional<shoset::LinkId> link;
        Instant placedAt{};           // on this link
        std::set<shoset::LinkId> refusedBy;
        std::string refusal;          // the last one
        std::uint64_t received = 0;   // over this link
        std::uint64_t credit = 0;     // told over this link
        std::uint64_t delivered = 0;  // to the worker, since it subscribed
        std::uint64_t taken = 0;      // by it
        std::deque<Waiting> waiting;
        std::size_t waitingEvents = 0;
        std::uint64_t room() const;
        std::uint64_t outstanding() const;
    };
    struct Way {
        bool creditsLosses = false;
        std::size_t subscriptions = 0;
    };
    using Numbered = std::map<std::uint64_t, Subscription>;

    Numbered::iterator find(WorkerId worker, std::string_view name);
    Numbered::iterator end(Numbered::iterator at, Now now);
    void leave(std::uint64_t number, Subscription& subscription, Now now);
    void renumber(Numbered::iterator at);
    void place(std::uint64_t number, Subscription& subscription, Now now);
    void grant(std::uint64_t number, Subscription& subscription, Now now);
    // It gets none of that name, and is told so, also where its socket is full just now.
    void refuse(WorkerId worker, const std::string& name, std::string_view code, std::string_view reason, Now now);
    bool isRefusedByAll(const Subscription& subscription) const;
    void placeAgain(const Subscription& subscription, Now now);
    void placeRefused(Now now);
    void onRefused(std::uint64_t number, Subscription& subscription, const std::string& reason, Now now);
    void put(Subscription& subscription, Waiting word, Now now);
    void tellUntold(Now now);
    void drain(Subscription& subscription, Now now);
    bool raise(Subscription& subscription, const shoset::Address& source, Place place);

    SubscriptionHost& host;
    Numbered subscriptions;
    std::map<shoset::LinkId, Way> links;
    std::deque<std::pair<WorkerId, std::string>> untold;  // of what there is no subscription any more
    std::uint64_t lastNumber = 0;
    Instant retryAt = never;
    Instant placeAt = never;  // some have no aggregator although there are links
    SubscriptionCounters count;
};

}  // namespace mesh::connector
