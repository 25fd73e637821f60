#pragma once

#include "aggregator/core/event_store.hpp"
#include "aggregator/core/node_view.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// Events of one connector that are stored now: those of the batch from `begin` to before `end`, which follow `before`. None where
// somebody else had stored them.
struct StoredRun {
    shoset::Address source;
    EventPlace before;
    EventBatch batch;
    std::size_t begin = 0;
    std::size_t end = 0;
};

struct EventIntakeCounters {
    std::uint64_t stored = 0, lost = 0, duplicates = 0, holes = 0, newEpochs = 0, early = 0, full = 0, overQuota = 0, reserved = 0, malformed = 0,
                  farEpochs = 0, failedWrites = 0;
};

// What became of an event that was offered.
enum class Offered : std::uint8_t {
    taken,     // it waits to be stored
    had,       // it is stored, or waits for that
    hole,      // others are missing before it
    newEpoch,  // it begins another epoch, and what the one before ended with has to be looked for first (closeEpoch)
    refused,   // the connector will be told when to send it again
};

// Takes the events of connectors: of each the next one only, into one transaction of a lane (HistoryPort::laneOf) at a time, each
// connector with its share of that, and says what is on disk. A store that fails gets the same transaction again later; nothing is
// acknowledged before, and what waits is bounded, for a node, a tenant and a connector. Until the store has told what it has, nothing is
// taken. An epoch that no clock of a connector can have come to (isCredible) is nobody's: a higher one could not follow, and its connector
// would be dumb for good.
class EventIntake {
public:
    using OnStored = std::function<void(const StoredRun& run, Now now)>;
    // Whether the tenant's quota lets one more in.
    using Admits = std::function<bool(std::string_view tenant, std::size_t bytes, Now now)>;
    EventIntake(EventStorePort& store, EventLinks& links, Admits admits, OnStored onStored);

    // A connector that knows events is linked, or not any more.
    void onLinkUp(const shoset::Address& connector, Now now);
    void onLinkDown(const shoset::Address& connector);

    // `source` is proved, and belongs to the mesh, or an own one of this node.
    Offered offer(const shoset::Address& source, const shoset::Event& event, std::string_view payload, Now now);
    // Nothing more of its epoch will come. `next`: then that one has to be taken before a higher one; 0: any.
    void closeEpoch(const shoset::Address& source, std::uint64_t next = 0);
    // Somebody else has stored this much of it in the same database.
    void adopt(const shoset::Address& source, EventPlace head, Now now);
    // Says to it what is stored, so that it goes on from there: where nothing of it waits, and not twice in limits::eventHolePause.
    void repeat(const shoset::Address& source, Now now);
    // The same as soon as nothing of it waits: what was missing is there.
    void resume(const shoset::Address& source, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;

    bool isReady(std::string_view tenant) const;
    // For people: "recording", or why nothing is.
    std::string condition() const;
    // Not of this node's own source, whose epochs are finer.
    static bool isCredible(const shoset::Address& source, std::uint64_t epoch, Now now);
    // A tenant may have another lane.
    void onLanes();
    EventPlace taken(const shoset::Address& source) const;
    EventPlace stored(const shoset::Address& source) const;
    // All of a tenant, with what is stored of them.
    void forEachOf(std::string_view tenant, const std::function<void(const shoset::Address&, EventPlace)>& visit) const;
    void addMetrics(std::vector<Counter>& out) const;
    const EventIntakeCounters& counters() const { return count; }

private:
    enum class State : std::uint8_t { unread, reading, recording, failing };
    struct Amount {
        std::size_t events = 0;
        std::size_t bytes = 0;
    };
    struct Source {
        EventPlace stored;
        EventPlace taken;
        EventPlace told;
        bool linked = false;
        bool refused = false;         // what it sent did not fit; it is told when there is room again
        Instant refusedUntil{};       // by its tenant's quota
        bool resumes = false;         // it is told when nothing of it waits
        std::uint64_t closed = 0;     // an epoch of which nothing more will come
        std::uint64_t follows = 0;    // the one behind it that others have; 0: none is known
        Instant repeatAt{};           // not before
        std::deque<history::EventRecord> waiting;
        Amount amount;
    };
    struct Lane {
        std::string name;
        State state = State::unread;
        std::string reason;                 // why the store failed last
        std::deque<shoset::Address> turns;  // those with waiting events, whose turn is next
        Amount waiting;
        EventBatch underWay;          // the transaction that is, or is to be tried again
        std::vector<StoredRun> runs;  // in it
        bool writing = false;
        bool isBehind = false;        // the common lane's transaction has some of its tenant, which come first
        Instant retryAt = never;
        Duration backoff{};
        bool isReady() const { return state != State::unread && state != State::reading; }
        Instant nextDeadline() const;
    };
    Lane& laneFor(std::string_view tenant);
    const Lane* findLane(std::string_view tenant) const;
    void readHeads(Lane& lane);
    void onHeads(Lane& lane, const Result<std::vector<history::EventHead>>& heads, Now now);
    bool hasRoom(const Lane& lane, const Source& source, std::string_view tenant, std::size_t bytes) const;
    void take(Lane& lane, const shoset::Address& address, Source& source, history::EventRecord record);
    void write(Lane& lane);
    void append(Lane& lane);
    void appendAgain(Lane& lane);
    void split(Lane& common);
    void onWritten(Lane& lane, const Result<void>& outcome, Now now);
    void afterFailure(Lane& lane, const Error& error, Now now);
    void step(Lane& lane, Now now);
    void tell(const shoset::Address& address, Source& source, Now now);
    void tellRefused(Now now);

    EventStorePort& store;
    EventLinks& links;
    const Admits admits;
    const OnStored onStored;
    std::map<std::string, Lane> lanes;          // by name, never erased
    std::map<shoset::Address, Source> sources;  // as many as there ever were connectors with events
    std::map<std::string, Amount, std::less<>> ofTenant;  // that wait
    Amount elsewhere;            // that wait in lanes of tenants
    bool someRefused = false;    // or resume
    Instant refusedUntil = never;  // those whose quota was used up
    EventIntakeCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
