// The lanes of the intake, and what goes from the common one to those of tenants.
#include "aggregator/core/event_intake.hpp"

#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace mesh::aggregator {

// One that comes while the common one records goes on from what is known.
EventIntake::Lane& EventIntake::laneFor(std::string_view tenant)
{
    const std::string name = store.laneOf(tenant);
    const auto [entry, made] = lanes.try_emplace(name);
    Lane& lane = entry->second;
    if (made) {
        lane.name = name;
        lane.backoff = limits::eventRetryInitial;
        const Lane& common = lanes.at({});
        lane.isBehind = std::any_of(common.runs.begin(), common.runs.end(),
                                    [&](const StoredRun& run) { return shoset::tenantOf(run.source) == name; });
        lane.state = &lane != &common && common.isReady() ? State::recording : State::unread;
    }
    return lane;
}

const EventIntake::Lane* EventIntake::findLane(std::string_view tenant) const
{
    const auto found = lanes.find(store.laneOf(tenant));
    return found == lanes.end() ? nullptr : &found->second;
}

bool EventIntake::isReady(std::string_view tenant) const
{
    const Lane* lane = findLane(tenant);
    return lane != nullptr ? lane->isReady() : lanes.at({}).isReady();
}

// What waits goes with its tenant. What is under way is divided if it has to be tried again.
void EventIntake::onLanes()
{
    Lane& common = lanes.at({});
    for (const shoset::Address& address : std::exchange(common.turns, {})) {
        const Source& source = sources[address];
        Lane& lane = laneFor(shoset::tenantOf(address));
        lane.turns.push_back(address);
        if (&lane != &common) {
            common.waiting.events -= source.amount.events;
            common.waiting.bytes -= source.amount.bytes;
            for (Amount* amount : {&lane.waiting, &elsewhere}) {
                amount->events += source.amount.events;
                amount->bytes += source.amount.bytes;
            }
        }
    }
    for (const std::string& name : store.lanes()) {
        laneFor(name);
    }
}

// Of a transaction that failed before its tenants had lanes of their own: each goes on in its own, before what came later.
void EventIntake::split(Lane& common)
{
    const EventBatch batch = std::exchange(common.underWay, nullptr);
    std::map<Lane*, std::shared_ptr<std::vector<history::EventRecord>>> parts;
    for (StoredRun& run : std::exchange(common.runs, {})) {
        Lane& lane = laneFor(shoset::tenantOf(run.source));
        auto& part = parts[&lane];
        part = part == nullptr ? std::make_shared<std::vector<history::EventRecord>>() : part;
        const auto records = batch->begin();
        part->insert(part->end(), records + static_cast<std::ptrdiff_t>(run.begin), records + static_cast<std::ptrdiff_t>(run.end));
        run.begin = part->size() - (run.end - run.begin);
        run.end = part->size();
        lane.runs.push_back(std::move(run));
    }
    for (const auto& [lane, part] : parts) {
        lane->underWay = part;
    }
    for (auto& [name, lane] : lanes) {
        lane.isBehind = false;
    }
    if (common.underWay == nullptr) {  // whether its database still fails shows with what comes next
        common.state = State::recording;
        common.reason.clear();
    }
}

void EventIntake::appendAgain(Lane& lane)
{
    const bool isMixed = std::any_of(lane.runs.begin(), lane.runs.end(),
                                     [&](const StoredRun& run) { return store.laneOf(shoset::tenantOf(run.source)) != lane.name; });
    if (isMixed) {
        split(lane);
    }
    if (lane.underWay != nullptr) {
        append(lane);
    }
}

}  // namespace mesh::aggregator
