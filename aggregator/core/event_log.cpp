#include "aggregator/core/event_log.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mesh::aggregator {

EventLog::EventLog(EventIntake& eventIntake, std::string node) : intake(eventIntake), name("@" + std::move(node)) {}

void EventLog::note(const std::string& tenant, std::string_view topic, std::string_view eventName, std::string_view payload, Now now)
{
    if (payload.size() > limits::maxNoteBytes || (ofTenants.size() >= limits::maxNotedTenants && !ofTenants.contains(tenant))) {
        ++droppedCount;
        return;
    }
    Own& own = ofTenants[tenant];
    if (now.mono - own.second >= 1s) {
        own.second = now.mono;
        own.inIt = 0;
    }
    if (own.inIt >= limits::eventNotesPerSecond) {
        ++droppedCount;
        return;
    }
    ++own.inIt;
    const shoset::Address source = shoset::connectorAddress(tenant, name);
    if (own.place.epoch == 0) {  // of this process: behind whatever it said before, also where its clock was set back
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.wall.time_since_epoch()).count();
        own.place.epoch = std::max(static_cast<std::uint64_t>(std::max<std::int64_t>(micros, 1)), intake.taken(source).epoch + 1);
    }
    intake.closeEpoch(source);
    shoset::Event event;
    event.epoch = own.place.epoch;
    event.sequence = own.place.sequence + 1;
    event.topic = topic;
    event.name = eventName;
    event.time = now.wall;
    if (intake.offer(source, event, payload, now) == Offered::taken) {
        own.place.sequence = event.sequence;
        ++count;
    } else {
        own.place.epoch = own.place.sequence == 0 ? 0 : own.place.epoch;
        ++droppedCount;
    }
}

}  // namespace mesh::aggregator
