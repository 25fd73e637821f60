#pragma once

#include "shoset/core/link.hpp"
#include "shoset/core/outbox.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace mesh::connector {

// What the sender asks of the connector around it. Never calls back from inside a call.
class EventLinks {
public:
    virtual ~EventLinks() = default;
    // False: it did not leave, and is tried again when the link says or hears something.
    virtual bool sendEvent(shoset::LinkId link, const shoset::Event& event, std::string_view payload, Now now) = 0;
};

struct EventSenderCounters {
    std::uint64_t sent = 0, resent = 0, impatient = 0, refusedEpochs = 0;
};

// Tells every aggregator that knows events all that stands in the outbox, in order: when it has said what it has, from there on;
// of what it has not confirmed at most limits::eventWindow events and eventWindowBytes. An aggregator that says twice that it
// has the same while something is under way did not take it, so that it is sent again; so it is after limits::eventPatience
// without a word. One that lacks what is trimmed gets the first that is left, so that it asks the others. What a majority of all
// aggregators has is trimmed, also when they are not linked any more; but for the last one, which stays until all have it: by it
// alone one that lacks what is trimmed learns that, as long as nothing else happens.
//
// An epoch that is told and not credible (shoset::isCredibleEpoch) is as if nothing had been told of it: it may be a lie that is to end
// all events. So may be that more is known than was sent, which costs flash: beyond limits::epochsAtOnce it is believed once in epochPause.
class EventSender {
public:
    EventSender(shoset::Outbox& outbox, EventLinks& links);

    // All that the connector knows, whether they are linked or not.
    void setAggregators(const std::vector<std::string>& names);
    // Of an aggregator that knows events.
    void onLinkUp(shoset::LinkId link, const shoset::Address& aggregator);
    void onLinkDown(shoset::LinkId link);
    void onStored(shoset::LinkId link, const shoset::EventsStored& told, Now now);
    // Sends what may be sent; after each of the above, and when the outbox has something new on disk.
    void pump(Now now);
    Instant nextDeadline() const;

    const EventSenderCounters& counters() const { return count; }

private:
    struct Aggregator {
        std::optional<shoset::LinkId> link;
        bool heard = false;                      // since the link is up
        std::optional<shoset::EventsStored> told;  // last, by whichever link
        bool knowsMore = false;                  // `told` is of events that this disk has lost: what is here may be other ones
        std::uint64_t sent = 0;                  // all of the outbox's epoch up to here was sent, or need not be
        std::deque<std::pair<std::uint64_t, std::size_t>> underWay;  // sequences and bytes that it has not confirmed
        std::size_t underWayBytes = 0;
        bool hole = false;                       // what is under way follows what is trimmed, and it does not have
        std::uint64_t highest = 0;               // that was ever sent over this link
        Instant heardAt{};                       // or when the first one that is under way was sent
        Instant resentAt{Duration::min()};
        Instant resendAt = never;
    };
    std::uint64_t confirmedBy(const Aggregator& aggregator) const;
    void goBack(Aggregator& aggregator);
    void confirm(Aggregator& aggregator, std::uint64_t sequence);
    bool isCredible(const shoset::EventsStored& told, Now now) const;
    bool mayRenew(Now now);
    void followEpoch(Now now);
    enum class Last { stays, goes };
    void trim(Last last);
    void sendTo(Aggregator& aggregator, Now now);

    shoset::Outbox& outbox;
    EventLinks& links;
    std::map<shoset::Address, Aggregator> aggregators;  // those that are known, and those that are linked
    std::vector<shoset::Address> known;
    std::uint64_t epoch = 0;  // that `sent` and `underWay` are of
    unsigned renewals = limits::epochsAtOnce;  // that may be
    Instant renewalsAt{};     // when the last one was earned
    bool renewalWaits = false;
    EventSenderCounters count;
};

}  // namespace mesh::connector
