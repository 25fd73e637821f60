#pragma once

#include "connector/core/worker_event_words.hpp"
#include "connector/core/workers.hpp"
#include "shoset/core/link.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
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
    std::uint64_t delivered = 0, gaps = 0, duplicates = 0, unwanted = 0, malformed = 0, moved = 0, workerFull = 0, refused = 0;
};

// What workers listen to: each subscription of a worker is one of the connector's, so that none takes another's events. It goes
// to one linked aggregator that knows events; when that link ends, to another one, from where it stood at each source. What comes
// twice is dropped. At most limits::subscriptionWindow events wait for a worker, as the aggregator gets credit for no more: a slow
// one slows itself only. One that gets too much beyond its credit leaves, and asks anew when its worker has caught up. What its socket does not take just now waits here.
class Subscriptions {
public:
    explicit Subscriptions(SubscriptionHost& host);

    void add(WorkerId worker, WorkerSubscribe word, Now now);
    void remove(WorkerId worker, const std::string& name, Now now);
    void onTaken(WorkerId worker, const WorkerTaken& word, Now now);
    void onWorkerEnded(WorkerId worker, Now now);

    // Of an aggregator that knows events.
    void onLinkUp(shoset::LinkId link, Now now);
    void onLinkDown(shoset::LinkId link, Now now);
    void onEvent(shoset::LinkId link, const shoset::Address& source, const shoset::Event& event, std::string_view payload, Now now);
    // Where it begins at these sources, says the aggregator.
    void onBegun(shoset::LinkId link, const shoset::Subscribe& word, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const { return retryAt; }
    std::size_t size() const { return subscriptions.size(); }
    const SubscriptionCounters& counters() const { return count; }

private:
    using Place = std::pair<std::uint64_t, std::uint64_t>;  // epoch, sequence
    struct Subscription {
        WorkerId worker = 0;
        std::string name;
        std::vector<std::string> topics;
        bool fromNow = false;
        std::map<shoset::Address, Place> had;
        std::optional<shoset::LinkId> link;
        std::uint64_t received = 0;   // over this link
        std::uint64_t credit = 0;     // told over this link
        std::uint64_t delivered = 0;  // to the worker, since it subscribed
        std::uint64_t taken = 0;      // by it
        std::deque<std::string> waiting;
        std::uint64_t room() const;
        std::uint64_t outstanding() const;
    };
    using Numbered = std::map<std::uint64_t, Subscription>;

    Numbered::iterator find(WorkerId worker, std::string_view name);
    Numbered::iterator end(Numbered::iterator at, Now now);
    void leave(std::uint64_t number, Subscription& subscription, Now now);
    void place(std::uint64_t number, Subscription& subscription, Now now);
    void grant(std::uint64_t number, Subscription& subscription, Now now);
    void deliver(Subscription& subscription, std::string word, Now now);
    void drain(Subscription& subscription, Now now);
    bool raise(Subscription& subscription, const shoset::Address& source, Place place);

    SubscriptionHost& host;
    Numbered subscriptions;
    std::map<shoset::LinkId, std::size_t> links;  // and how many subscriptions each has
    std::uint64_t lastNumber = 0;
    Instant retryAt = never;
    SubscriptionCounters count;
};

}  // namespace mesh::connector
