#pragma once

#include "aggregator/core/event_intake.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mesh::aggregator {

// The mesh's own events, such as errors: stored for a tenant (empty: the system's) with this node as their source ("@agg-a", which no
// connector can be called), shown to people, passed on to nobody. At most limits::eventNotesPerSecond for each tenant.
class EventLog {
public:
    EventLog(EventIntake& intake, std::string node);

    // `payload`: JSON, at most limits::maxNoteBytes; what is longer, or too much, is left out and counted.
    void note(const std::string& tenant, std::string_view topic, std::string_view name, std::string_view payload, Now now);

    std::uint64_t noted() const { return count; }
    std::uint64_t dropped() const { return droppedCount; }

private:
    struct Own {
        EventPlace place;
        Instant second{};  // that is counted
        std::size_t inIt = 0;
    };
    EventIntake& intake;
    const std::string name;
    std::map<std::string, Own> ofTenants;
    std::uint64_t count = 0;
    std::uint64_t droppedCount = 0;
};

}  // namespace mesh::aggregator
