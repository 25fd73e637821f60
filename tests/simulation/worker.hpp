#pragma once

#include "connector/core/workers.hpp"
#include "tests/simulation/world.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mesh::simulation {

class SimSatellite;

// A worker's process beside a connector. It outlives the connector, attaches again when that is back, and says ping.
class SimWorker {
public:
    // Each word that it hears but the pongs, "registered" among them.
    using OnWord = std::function<void(const nlohmann::json& word)>;
    // `commands`: as they stand in the word `register`.
    SimWorker(World& world, SimSatellite& at, std::string name, std::string version, std::string commands, OnWord onWord);
    ~SimWorker();
    SimWorker(const SimWorker&) = delete;
    SimWorker& operator=(const SimWorker&) = delete;

    void start();
    // Its process ends.
    void stop();
    // False: it is not attached, and nobody has heard it.
    bool say(const std::string& word);
    // Grows each time that it attaches.
    std::uint64_t attachment() const { return attachments; }
    // It may say anything.
    bool isRegistered() const { return id != 0 && registered; }

    // By the satellite.
    void onConnectorUp();
    void onConnectorDown();
    void hear(std::string_view word);

private:
    void ping(std::uint64_t attachedAs);

    World& world;
    SimSatellite& satellite;
    const std::string name;
    const std::string version;
    const std::string commands;
    const OnWord onWord;
    bool running = false;
    bool registered = false;
    connector::WorkerId id = 0;  // 0: not attached
    std::uint64_t attachments = 0;
};

}  // namespace mesh::simulation
