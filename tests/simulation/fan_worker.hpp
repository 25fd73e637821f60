#pragma once

#include "tests/simulation/satellite.hpp"
#include "tests/simulation/worker.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mesh::simulation {

// A worker that serves fan.speed, whose payload has to have a "percent" of 0 to 1000, and may send it to others.
class FanWorker {
public:
    // `work`: how long one command takes.
    FanWorker(World& world, SimSatellite& at, std::string version = "1.0", Duration work = 1ms);

    void start() { worker.start(); }
    bool isRegistered() const { return worker.isRegistered(); }
    // Its connector has told it that its last command has ended, so that it may go.
    bool isDrained() const { return drained; }
    // The percentages that it was given, in their order.
    const std::vector<int>& given() const { return percentages; }

    // Has `target` ("{"name":"s2"}") execute it. `payload` is JSON.
    void send(std::uint64_t ref, const std::string& target, const std::string& payload);
    // The words `answer` that it has heard.
    const std::vector<std::string>& answers() const { return answered; }

private:
    void onWord(const nlohmann::json& word);

    World& world;
    const Duration work;
    bool drained = false;
    std::vector<int> percentages;
    std::vector<std::string> answered;
    SimWorker worker;
};

// How a command ended that was asked for over HTTP: "SUCCESS yes", "FAIL unknown" (state and whether it was executed), or the
// reply's status where it was not taken.
std::string outcomeOf(int status, const std::string& document);

}  // namespace mesh::simulation
