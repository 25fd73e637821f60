#pragma once

#include "aggregator/core/event_intake.hpp"
#include "aggregator/core/hop_notes.hpp"
#include "aggregator/core/recent_events.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::aggregator {

struct EventSubscriptionCounters {
    std::uint64_t delivered = 0, losses = 0, pages = 0, pagesDropped = 0, failedReads = 0, refused = 0, refusedTenant = 0, foreign = 0;
};

// What connectors want to be told: events of their tenant, never their own. Of each source they go out in its order, from what was
// stored last where that reaches back to the subscriber's place, else page by page from the store; against credit, and at most
// limits::subscriptionBytes of payload and limits::subscriptionLosses losses in limits::subscriptionPause. What is not there any more is told as lost to who
// had what came before it; so is the rest of an epoch of which nobody can say how far it went. A subscription ends with its connector's link.
//
// Each tenant has its share of their number, and who gets none is told so. Who waits for credit holds nothing of what was stored
// last, and of what was read for it no more than its tenant's share of limits::maxHeldPageBytes: the rest is read again.
class EventSubscriptions {
public:
    EventSubscriptions(EventStorePort& store, EventLinks& links, const EventIntake& intake, const RecentEvents& recent);

    // Where it is noted what was sent; without it, nowhere.
    void setNotes(HopNotes& ofMessages) { notes = &ofMessages; }

    // `subscriber` is proved.
    void onSubscribe(const shoset::Address& subscriber, shoset::Subscribe wish, Now now);
    void onTaken(const shoset::Address& subscriber, const shoset::EventsTaken& taken, Now now);
    void onLinkDown(const shoset::Address& subscriber);
    // More of this source is stored.
    void onStored(const StoredRun& run, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;
    std::size_t size() const { return count; }
    std::size_t heldBytes() const { return held; }
    const EventSubscriptionCounters& counters() const { return counted; }

private:
    bool someCanBegin() const;
    using Key = std::pair<shoset::Address, std::uint64_t>;  // subscriber, its number
    struct Subscription {
        std::uint64_t serial = 0;  // of all there ever were
        std::vector<std::string> topics;
        std::vector<shoset::EventCursor> cursors;  // until it begins
        bool begun = false;
        bool fromNow = false;
        bool creditsLosses = false;  // else a loss costs no credit
        std::uint64_t total = 0;   // may be sent
        std::uint64_t sent = 0;
        std::size_t burst = 0;     // bytes that were sent
        std::size_t burstLosses = 0;
        Instant burstEnd{};        // until then
        std::map<shoset::Address, EventPlace> places;
        std::deque<shoset::Address> behind;  // sources that have more, the next one first
        std::set<shoset::Address> isBehind;
        std::deque<EventPtr> page;           // of the first of them
        bool pageWasRead = false;            // else it was remembered, and is not kept
        bool restLost = false;               // before the page: of the epoch in which its place is
        std::size_t heldEvents = 0;          // of the page, that are counted
        std::size_t heldBytes = 0;
        bool reading = false;
        bool hasRoom(Now now) const;
        bool hasRoomForLoss(Now now) const;
        void spend(std::size_t bytes, bool isLoss, Now now);
    };
    struct Share {
        std::size_t subscriptions = 0;
        std::size_t heldBytes = 0;
    };
    struct Run {  // events that follow each other; epoch 0: none
        EventPlace first, last;
    };
    Subscription* find(const Key& key);
    void erase(const Key& key);
    void release(const shoset::Address& subscriber, const Subscription& gone);
    // Why the connector gets no further one; empty: it does.
    std::string whyRefused(const shoset::Address& subscriber);
    void begin(const Key& key, Subscription& to, Now now);
    void tellBeginning(const Key& key, const std::vector<shoset::EventCursor>& places, Now now);
    void pump(const Key& key, Subscription& to, Now now);
    bool sendPage(const Key& key, Subscription& to, Now now);
    void noteRun(const Key& key, const shoset::Address& source, Run& run, EventPlace next, Now now);
    bool send(const Key& key, Subscription& to, const history::EventRecord& record, EventPlace& place, Now now);
    bool tellLoss(const Key& key, Subscription& to, const shoset::Address& source, EventPlace from, std::uint64_t last, Now now);
    void rest(const Key& key, Subscription& to, Now now);
    void hold(const shoset::Address& subscriber, Subscription& to);
    void readLater(const Key& key, Subscription& to);
    void read(Now now);
    void onPage(const Key& key, std::uint64_t serial, const shoset::Address& source, const Result<history::SourcePage>& page, Now now);
    bool passOver(const Key& key, Subscription& to, const shoset::Address& source, Now now);

    EventStorePort& store;
    EventLinks& links;
    const EventIntake& intake;
    const RecentEvents& recent;
    std::map<shoset::Address, std::map<std::uint64_t, Subscription>> all;
    std::map<std::string, Share, std::less<>> shares;   // of tenants that have any
    std::deque<std::pair<Key, std::uint64_t>> toRead;  // and their serials
    std::size_t reading = 0;
    std::size_t count = 0;
    std::size_t held = 0;  // bytes of pages, of all of them
    std::uint64_t lastSerial = 0;
    std::set<std::string> tenantsWait;  // for the store to have told what it has of them
    Instant retryAt = never;
    Instant pacedUntil = never;  // some have sent what they may in a while
    EventSubscriptionCounters counted;
    HopNotes* notes = nullptr;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
