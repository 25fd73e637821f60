#pragma once

#include "aggregator/core/event_store.hpp"
#include "shoset/core/outbox.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::simulation {

// The files of a connector's outbox, on a disk that does all in its order and loses what was not synced.
class OutboxDisk {
public:
    OutboxDisk(World& virtualWorld, const Fault& injected) : world(virtualWorld), fault(injected) {}

    // `written` is not called if the power fails before.
    void write(std::uint64_t segment, std::string bytes, bool fresh, std::function<void()> written);
    void remove(std::uint64_t segment);
    // The power fails: of what is being written nothing is there, or a part, or all; a new file is there whole or not at all.
    void crash();
    std::vector<shoset::Outbox::Segment> content() const;
    bool has(std::string_view text) const;

private:
    struct Job {
        std::uint64_t segment = 0;
        std::string bytes;
        bool fresh = false;
        bool removes = false;
    };
    void add(Job job, Duration time, std::function<void()> done);
    void apply(const Job& job);

    World& world;
    const Fault& fault;
    std::map<std::uint64_t, std::string> files;
    std::deque<Job> jobs;  // under way
    Instant idleAt{};
    std::uint64_t power = 0;  // grows when it fails
};

// An aggregator's database of events. A transaction may fail; one that was under way when the power failed is there or not.
class SimEventStore final : public aggregator::EventStorePort {
public:
    SimEventStore(World& virtualWorld, const Fault& injected) : world(virtualWorld), fault(injected) {}

    // Of a new process; `turn` runs after each answer.
    void start(std::function<void()> turn);
    void crash();

    void appendEvents(aggregator::EventBatch events, Stored done) override;
    void readHeads(const shoset::Address& connector, Heads done) override;
    void readSource(history::SourceQuery query, Source done) override;
    void readEvents(history::EventQuery query, Page done) override;

    // What is on disk: by connector, in order.
    using Rows = std::map<aggregator::EventPlace, history::EventRecord>;
    const std::map<shoset::Address, Rows>& content() const { return rows; }
    aggregator::EventPlace head(const shoset::Address& connector) const;

private:
    void later(Duration delay, std::function<void()> step);
    void put(const std::vector<history::EventRecord>& events);

    World& world;
    const Fault& fault;
    std::map<shoset::Address, Rows> rows;
    std::vector<history::StoredEvent> byTime;
    std::function<void()> turn;
    std::uint64_t power = 0;
};

}  // namespace mesh::simulation
