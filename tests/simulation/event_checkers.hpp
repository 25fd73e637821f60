#pragma once

#include "tests/simulation/disks.hpp"
#include "tests/simulation/world.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesh::simulation {

// What workers emitted and were told of it, what aggregators have on disk and say that they have, and what listeners heard.
// Each worker numbers its events from 1; a payload says whose it is and which number it has.
class EventCheckers {
public:
    explicit EventCheckers(World& virtualWorld) : world(virtualWorld) {}

    // A disk that events are stored on; all before anything else.
    void addStore(const SimEventStore& store) { stores.push_back(&store); }
    // Who hears all that is emitted in its tenant by others, from the beginning on.
    void addListener(const shoset::Address& listener) { heard[listener]; }
    // It has forgotten what it heard, and wants all from the beginning.
    void beginsAnew(const shoset::Address& listener) { heard[listener].clear(); }

    void emitted(const shoset::Address& source, std::uint64_t number);
    // `onDisk`: of its connector.
    void accepted(const shoset::Address& source, std::uint64_t number, bool onDisk);
    void refused(const shoset::Address& source, std::uint64_t number, const std::string& code);
    // An aggregator says that it has all of them up to `place` on disk.
    void acknowledged(const std::string& node, const SimEventStore& its, const shoset::Address& source, aggregator::EventPlace place);
    // A connector's outbox has nothing of this epoch below that sequence any more.
    void trimmed(const shoset::Address& source, std::uint64_t epoch, std::uint64_t below);
    void holds(const shoset::Address& source, std::size_t bytes, std::size_t most);

    // The listener is told an event of `source`, that stands there at `place`.
    void delivered(const shoset::Address& listener, const shoset::Address& source, aggregator::EventPlace place, const std::string& payload);
    // It is told that some are lost, or has more than it may be given at once.
    void lost(const shoset::Address& listener, const shoset::Address& source);
    void outstanding(const shoset::Address& listener, std::uint64_t events, std::uint64_t most);

    // At the end of a run, when all is healed: what was accepted is on every disk, in its order and once, and every listener
    // of its tenant has heard it.
    void finish();

    std::size_t acceptedEvents() const { return acceptedCount; }
    std::size_t deliveredEvents() const { return deliveredCount; }
    std::size_t refusedEvents() const { return refusedCount; }

private:
    struct Heard {
        std::uint64_t number = 0;  // the last one
        aggregator::EventPlace place;
        std::set<std::uint64_t> numbers;
    };
    void checkStore(const SimEventStore& store);
    void checkListeners();

    World& world;
    std::vector<const SimEventStore*> stores;
    std::map<shoset::Address, std::set<std::uint64_t>> emittedBy;
    std::map<shoset::Address, std::set<std::uint64_t>> acceptedOf;
    std::map<shoset::Address, std::map<std::uint64_t, std::uint64_t>> trimmedBelow;  // by epoch
    std::map<shoset::Address, std::map<shoset::Address, Heard>> heard;               // by listener and source
    std::size_t acceptedCount = 0;
    std::size_t deliveredCount = 0;
    std::size_t refusedCount = 0;
};

// The payload of that event, JSON in its shortest form.
std::string eventPayload(const shoset::Address& source, std::uint64_t number);

}  // namespace mesh::simulation
