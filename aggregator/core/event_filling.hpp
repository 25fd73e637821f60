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
    std::uint64_t begun = 0, filled = 0, givenUp = 0, asked = 0, answered = 0, notAnswered = 0, unasked = 0;
};

// What a connector does not have any more, because a majority of the aggregators had it, is asked for from the others: the database
// first, which may be shared, then one node after the other, a slice at a time. While that goes on, nothing else of the connector is
// taken. What all others were asked for in vain, or who could not be asked until limits::eventFillPatience, is stored as a loss, if the
// connector went on offering only what comes behind it. Also what an epoch ended with is asked for, when another one begins.
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
    const EventFillingCounters& counters() const { return count; }

private:
    struct Fill {
        std::uint64_t epoch = 0;
        std::uint64_t to = 0;
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
        bool refused = false;  // there was no room here for what the one who is asked has
        shoset::Address asked;             // empty: nobody
        std::set<shoset::Address> inVain;  // those that had nothing more
        bool onlyLooks() const { return tail && !closes; }
    };
    void answer(const shoset::Address& peer, const shoset::EventsWanted& wanted, Now now);
    void step(const shoset::Address& source, Fill& fill, Now now);
    static void lookFurther(Fill& fill, Now now);
    void readDatabase(const shoset::Address& source, Fill& fill);
    void askNext(const shoset::Address& source, Fill& fill, Now now);
    void ask(const shoset::Address& peer, const shoset::Address& source, Fill& fill, Now now);
    void giveUp(const shoset::Address& source, const Fill& fill, Now now);
    bool isDone(const shoset::Address& source, const Fill& fill) const;

    EventStorePort& store;
    EventLinks& links;
    EventIntake& intake;
    const Others others;
    std::map<shoset::Address, Fill> fills;
    std::set<shoset::Address> ended;  // to be erased
    std::size_t reading = 0;          // for others
    EventFillingCounters count;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace mesh::aggregator
