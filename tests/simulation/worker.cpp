#include "tests/simulation/worker.hpp"

#include "shoset/base/limits.hpp"
#include "tests/simulation/satellite.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace mesh::simulation {

SimWorker::SimWorker(World& w, SimSatellite& at, std::string ownName, std::string ownVersion, std::string served, OnWord handler)
    : world(w), satellite(at), name(std::move(ownName)), version(std::move(ownVersion)), commands(std::move(served)),
      onWord(std::move(handler))
{
    satellite.addWorker(*this);
}

SimWorker::~SimWorker()
{
    satellite.removeWorker(*this);
}

void SimWorker::start()
{
    running = true;
    onConnectorUp();
}

void SimWorker::stop()
{
    running = registered = false;
    satellite.disconnectWorker(std::exchange(id, 0));
}

void SimWorker::onConnectorDown()
{
    registered = false;
    id = 0;
}

void SimWorker::onConnectorUp()
{
    if (!running || !satellite.isUp()) {
        return;
    }
    id = satellite.connectWorker(*this);
    ++attachments;
    world.after(world.between(1ms, 50ms), [this, attachedAs = id] {
        if (id == attachedAs) {
            say(R"({"message":"register","protocol":1,"worker":")" + name + R"(","type":"chassis","version":")" + version +
                R"(","commands":)" + commands + "}");
            ping(attachedAs);
        }
    });
}

void SimWorker::ping(std::uint64_t attachedAs)
{
    world.after(limits::workerHeartbeat, [this, attachedAs] {
        if (id == attachedAs) {
            say(R"({"message":"ping"})");
            ping(attachedAs);
        }
    });
}

bool SimWorker::say(const std::string& word)
{
    if (id != 0) {
        satellite.fromWorker(id, word);
    }
    return id != 0;
}

void SimWorker::hear(std::string_view text)
{
    const nlohmann::json word = nlohmann::json::parse(text, nullptr, false);
    const std::string kind = word.value("message", "");
    registered = registered || kind == "registered";
    if (kind == "drained") {
        stop();
    }
    if (kind != "pong") {
        onWord(word);
    }
}

}  // namespace mesh::simulation
