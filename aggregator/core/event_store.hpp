#pragma once

#include "cluster/history/core/query.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// A place in the events of one connector: behind this one.
struct EventPlace {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    auto operator<=>(const EventPlace&) const = default;
};

// Where it stands behind `record`, which may be a loss.
EventPlace placeBehind(const history::EventRecord& record);

// As it goes to a subscriber, or (0) to another aggregator.
shoset::Event eventOf(const history::EventRecord& record, std::uint64_t subscription);

using EventBatch = std::shared_ptr<const std::vector<history::EventRecord>>;
using EventPtr = std::shared_ptr<const history::EventRecord>;

// Where events are kept. Implemented by the shell over the history's database, and by tests. Never calls back from inside a call.
class EventStorePort {
public:
    using Stored = std::function<void(Result<void>, Now)>;
    using Heads = std::function<void(Result<std::vector<history::EventHead>>, Now)>;
    using Source = std::function<void(Result<history::SourcePage>, Now)>;
    using Page = std::function<void(Result<history::EventPage>, Now)>;
    virtual ~EventStorePort() = default;
    // As HistoryPort::laneOf().
    virtual std::string laneOf(std::string_view tenant) const;
    // Names of all but the node's own.
    virtual std::vector<std::string> lanes() const;
    // Of one lane; all or none, on disk when `done` says so; what is there already is left out.
    virtual void appendEvents(EventBatch events, Stored done) = 0;
    // Of all connectors whose lane is the node's own, of a tenant's ("acme/"), or of this one.
    virtual void readHeads(const shoset::Address& connector, Heads done) = 0;
    virtual void readSource(history::SourceQuery query, Source done) = 0;
    virtual void readEvents(history::EventQuery query, Page done) = 0;
};

// How events leave.
class EventLinks {
public:
    virtual ~EventLinks() = default;
    // Over the direct link to it, where that is up and its end knows events; `source`: whose record it is. False: it went nowhere.
    virtual bool tellEvents(const shoset::Address& to, const shoset::Address& source, shoset::Content content, std::string_view body,
                            Now now) = 0;
    virtual bool takesEvents(const shoset::Address& peer) const = 0;
    // Whether a loss costs its credit, and it is told of a subscription that was refused.
    virtual bool creditsLosses(const shoset::Address& peer) const = 0;
};

}  // namespace mesh::aggregator
