#pragma once

#include "aggregator/core/event_intake.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

struct EventFillingCounters {
    std::uint64_t begun = 0, filled = 0, givenUp = 0, asked = 0, answered = 0, notAnswered = 0, unasked = 0, epochs = 0, noSlot = 0,
                  looksForgotten = 0;
};

// What a connector does not have any more, because a majority of the aggregators had it, is asked for from the others: the database
// first, which may be shared, then one node after the other, a slice at a time. While that goes on, nothing else of the connector is
// taken. What all others were asked for in vain, or who could not be asked until limits::eventFillPatience, is stored as a loss, if the
// connector went on offering only what comes behind it. Also what an epoch ended with is asked for, when another one begins, and the whole
// epochs between the two that another node knows of. Where some node could not be asked for that, a loss says so.
//
// Each tenant may have one of them at any time; beyond that there are limits::maxEventFills of all, maxTenantEventFills of one. Those that only look
// (onConnectorUp) take their turns, tenant by tenant, and leave room for what is missing.
class EventFilling {
public:
    // The other nodes that store events, whether they can be reached or not; nullopt: not known yet.
    using Others = std::function<std::optional<std::vector<shoset::Address>>()>;
    EventFilling(EventStorePort& store, EventLinks& links, EventIntake& intake, Others others);

    // `event` was offered by its connector, and something is missing before it. True: nothing can be, offer it again.
    bool onMissing(const shoset::Address& source, const shoset::Event& event, Offered outcome, Now now);
    // It has linked: what others have of it beyond what is here is asked for, as it may have nothing left to tell.
    void onConnectorUp(const shoset::Address& source, Now now);
    // From another aggregator, whose name is proved.
    void onEvent(const shoset::Address& peer, const shoset::Address& source, const shoset::Event& event, std::string_view payload, Now now);
    void onWanted(const shoset::Address& peer, const shoset::EventsWanted& wanted, Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;
    std::size_t running() const { return fills.size(); }
    std::size_t waitingLooks() const { return toLook.size(); }
    const EventFillingCounters& counters() const { return count; }

private:
    struct Fill {
        std::uint64_t epoch = 0;
        std::uint64_t to = 0;
        std::uint64_t offered = 0;    // the connector's epoch, as far as it is known
        std::uint64_t nextEpoch = 0;  // that other nodes have behind this one; 0: none
        std::uint64_t beyond = 0;     // others have this one of the epoch, behind some that they do not have; 0: none
        bool tail = false;     // of an epoch, nobody knows where it ended
        bool closes = false;   // and it did
        EventPlace begunAt;    // as far as it was taken then
        Instant begun{};
        Instant seen{};        // when the connector last offered something behind it
        Instant actAt{};
        bool databaseRead = false;
        bool busy = false;     // with the database
        bool progressed = false;
        bool helped = false;   // somebody had some of it
        bool refused = false;  // the one who is asked may have more than it says, as where there was no room here for that
        shoset::Address asked;             // empty: nobody
        std::set<shoset::Address> inVain;  // those that had nothing more
        bool onlyLooks() const { return tail && !closes; }
    };
    void answer(const shoset::Address& peer, const shoset::EventsWanted& wanted, Now now);
    void step(const shoset::Address& source, Fill& fill, Now now);
    void close(Fill& fill, Now now);
    void lookFurther(const shoset::Address& source, Fill& fill, Now now);
    // Of its tenant; those that only look may also have none of all (mayLook).
    bool hasSlot(const shoset::Address& source, bool onlyLooks) const;
    bool mayLook() const;
    void startLooks(Now now);
    void noteNextEpoch(const shoset::Address& source, Fill& fill, std::uint64_t epoch, Now now);
    bool storeLoss(const shoset::Address& source, std::uint64_t epoch, std::uint64_t to, Now now);
    std::uint64_t nextOf(const shoset::Address& source, std::uint64_t epoch) const;
    void readDatabase(const shoset::Address& source, Fill& fill);
    void askNext(const shoset::Address& source, Fill& fill, Now now);
    void ask(const shoset::Address& peer, const shoset::Address& source, Fill& fill, Now now);
    void giveUp(const shoset::Address& source, Fill& fill, bool allInVain, Now now);
    void endTail(const shoset::Address& source, Fill& fill, bool allInVain, Now now);
    bool isDone(const shoset::Address& source, const Fill& fill) const;

    EventStorePort& store;
    EventLinks& links;
    EventIntake& intake;
    const Others others;
    std::map<shoset::Address, Fill> fills;
    std::set<shoset::Address> ended;  // to be erased
    std::map<shoset::Address, Instant> toLook;  // and not before
    std::string lookedFor;            // the tenant that had its turn last
    std::set<std::string> unread;     // tenants that wait for their store to have told what it has
    std::size_t reading = 0;          // for others
    EventFillingCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
