#pragma once

#include "aggregator/core/event_intake.hpp"
#include "aggregator/core/recent_events.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::aggregator {

struct EventSubscriptionCounters {
    std::uint64_t delivered = 0, losses = 0, pages = 0, failedReads = 0, refused = 0, foreign = 0;
};

// What connectors want to be told: events of their tenant, never their own. Of each source they go out in its order, from what was
// stored last where that reaches back to the subscriber's place, else page by page from the store; against credit, and at most
// limits::subscriptionBytes of payload in limits::subscriptionPause. What is not there any more is told as lost to who had what came before it. A
// subscription ends with its connector's link.
class EventSubscriptions {
public:
    EventSubscriptions(EventStorePort& store, EventLinks& links, const EventIntake& intake, const RecentEvents& recent);

    // `subscriber` is proved.
    void onSubscribe(const shoset::Address& subscriber, shoset::Subscribe wish, Now now);
    void onTaken(const shoset::Address& subscriber, const shoset::EventsTaken& taken, Now now);
    void onLinkDown(const shoset::Address& subscriber);
    // More of this source is stored.
    void onStored(const StoredRun& run, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;
    std::size_t size() const { return count; }
    const EventSubscriptionCounters& counters() const { return counted; }

private:
    using Key = std::pair<shoset::Address, std::uint64_t>;  // subscriber, its number
    struct Subscription {
        std::uint64_t serial = 0;  // of all there ever were
        std::vector<std::string> topics;
        std::vector<shoset::EventCursor> cursors;  // until it begins
        bool begun = false;
        bool fromNow = false;
        std::uint64_t total = 0;   // may be sent
        std::uint64_t sent = 0;
        std::size_t burst = 0;     // bytes that were sent
        Instant burstEnd{};        // until then
        std::map<shoset::Address, EventPlace> places;
        std::deque<shoset::Address> behind;  // sources that have more, the next one first
        std::set<shoset::Address> isBehind;
        std::deque<EventPtr> page;           // of the first of them
        bool reading = false;
        bool hasRoom(Now now) const;
    };
    Subscription* find(const Key& key);
    void erase(const Key& key);
    void begin(const Key& key, Subscription& to, Now now);
    void tellBeginning(const Key& key, const std::vector<shoset::EventCursor>& places, Now now);
    void pump(const Key& key, Subscription& to, Now now);
    bool sendPage(const Key& key, Subscription& to, Now now);
    bool send(const Key& key, Subscription& to, const history::EventRecord& record, EventPlace& place, Now now);
    bool tellLoss(const Key& key, const shoset::Address& source, std::uint64_t epoch, std::uint64_t from, std::uint64_t last, Now now);
    void readLater(const Key& key, Subscription& to);
    void read(Now now);
    void onPage(const Key& key, std::uint64_t serial, const shoset::Address& source, const Result<history::SourcePage>& page, Now now);
    void passOver(const Key& key, const shoset::Address& source, EventPlace& place, Now now);

    EventStorePort& store;
    EventLinks& links;
    const EventIntake& intake;
    const RecentEvents& recent;
    std::map<shoset::Address, std::map<std::uint64_t, Subscription>> all;
    std::deque<std::pair<Key, std::uint64_t>> toRead;  // and their serials
    std::size_t reading = 0;
    std::size_t count = 0;
    std::uint64_t lastSerial = 0;
    bool someWait = false;  // for the store to have told what it has
    Instant retryAt = never;
    Instant pacedUntil = never;  // some have sent what they may in a while
    EventSubscriptionCounters counted;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
