#pragma once

#include "tests/simulation/event_checkers.hpp"
#include "tests/simulation/satellite.hpp"
#include "tests/simulation/worker.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace mesh::simulation {

// A worker that emits events, now and then many at once, and hears all of its tenant's others: slowly, and from where it
// stood when its connector was restarted, or from the beginning, as if it was a new one.
class EventWorker {
public:
    // Emits until `until`, each `pause` on average.
    EventWorker(World& world, EventCheckers& checkers, SimSatellite& at, Duration pause, Instant until);

    void start();

private:
    void emitLater();
    void emit();
    void onWord(const nlohmann::json& word);
    void subscribe();
    void take();

    World& world;
    EventCheckers& checkers;
    const SimSatellite& satellite;
    const shoset::Address source;
    const Duration pause;
    const Instant until;
    SimWorker worker;
    std::uint64_t emitted = 0;
    std::map<std::string, std::string> cursors;  // by source
    std::uint64_t heard = 0;                     // since it subscribed
    std::uint64_t taken = 0;
    bool taking = false;
};

}  // namespace mesh::simulation
