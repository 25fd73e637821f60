#include "tests/simulation/event_worker.hpp"

#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace mesh::simulation {

namespace {

constexpr std::size_t burst = 20;  // events that are emitted at once, now and then

aggregator::EventPlace placeOf(const std::string& cursor)
{
    aggregator::EventPlace place;
    const char* const end = cursor.data() + cursor.size();
    const auto epoch = std::from_chars(cursor.data(), end, place.epoch);
    std::from_chars(epoch.ptr + 1, end, place.sequence);
    return place;
}

}  // namespace

EventWorker::EventWorker(World& w, EventCheckers& c, SimSatellite& at, Duration average, Instant end)
    : world(w), checkers(c), satellite(at), source(at.processName()), pause(average), until(end),
      worker(w, at, "events", "1.0", "[]", [this](const nlohmann::json& word) { onWord(word); })
{
    checkers.addListener(source);
}

void EventWorker::start()
{
    worker.start();
    emitLater();
}

void EventWorker::emitLater()
{
    world.after(world.between(pause / 10, 2 * pause), [this] {
        if (world.now().mono >= until) {
            return;
        }
        for (std::size_t left = world.chance(5) ? burst : 1; left > 0; --left) {
            emit();
        }
        emitLater();
    });
}

void EventWorker::emit()
{
    const std::uint64_t number = emitted + 1;
    const std::string topic = world.chance(50) ? "sensor.fan" : "sensor.power";
    if (!worker.isRegistered()) {
        return;
    }
    ++emitted;
    checkers.emitted(source, number);
    worker.say(R"({"message":"event","ref":)" + std::to_string(number) + R"(,"topic":")" + topic + R"(","name":"low","payload":)" +
               eventPayload(source, number) + "}");
}

void EventWorker::onWord(const nlohmann::json& word)
{
    const std::string kind = word.value("message", "");
    if (kind == "registered") {
        subscribe();
    } else if (kind == "accepted") {
        const auto number = word["ref"].get<std::uint64_t>();
        checkers.accepted(source, number, satellite.hasOnDisk(eventPayload(source, number)));
    } else if (kind == "not_accepted") {
        checkers.refused(source, word["ref"].get<std::uint64_t>(), word["code"].get<std::string>());
    } else if (kind == "gap") {
        checkers.lost(source, word["source"].get<std::string>());
    } else if (kind == "event") {
        const std::string from = word["source"].get<std::string>();
        const std::string cursor = word["cursor"].get<std::string>();
        checkers.delivered(source, from, placeOf(cursor), word["payload"].dump());
        cursors[from] = cursor;
        checkers.outstanding(source, ++heard - taken, limits::subscriptionWindow);
        take();
    } else if (kind != "subscribed") {
        world.fail("the worker of " + source + " is told " + word.dump());
    }
}

void EventWorker::subscribe()
{
    heard = taken = 0;
    if (world.chance(30)) {
        cursors.clear();
        checkers.beginsAnew(source);
    }
    nlohmann::json word{{"message", "subscribe"}, {"subscription", "all"}, {"topics", nlohmann::json::array({"sensor.*"})}, {"from", "start"}};
    if (!cursors.empty()) {
        word["from"] = "cursor";
        word["cursor"] = cursors;
    }
    worker.say(word.dump());
}

void EventWorker::take()
{
    if (taking) {
        return;
    }
    taking = true;
    world.after(world.between(1ms, world.chance(5) ? 2s : 20ms), [this] {
        taking = false;
        if (worker.isRegistered() && heard > taken) {
            taken = heard;
            worker.say(R"({"message":"taken","subscription":"all","total":)" + std::to_string(taken) + "}");
        }
    });
}

}  // namespace mesh::simulation
