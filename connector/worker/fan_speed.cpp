// fan_speed SOCKET FILE: an example of a worker. It serves `fan.speed` {"percent": 20 to 100} by writing 0 to 255 into FILE, which
// is a pwm of /sys/class/hwmon on a board, and any file elsewhere.
#include "connector/worker/worker.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <fstream>
#include <iostream>

namespace {

mesh::worker::Worker* toStop = nullptr;  // for the signal handler

mesh::worker::Outcome setSpeed(const std::string& file, const std::string& payload, mesh::worker::Call& call)
{
    const int percent = nlohmann::json::parse(payload).at("percent");
    call.progress(10, "setting it");
    std::ofstream out(file);
    out << percent * 255 / 100 << std::endl;
    if (!out) {
        return mesh::worker::Outcome::failed("not_written", file + " cannot be written");
    }
    return mesh::worker::Outcome::done(nlohmann::json{{"percent", percent}}.dump());
}

}  // namespace

int main(int count, char** arguments)
{
    if (count != 3) {
        std::cerr << "usage: fan_speed SOCKET FILE\n";
        return 2;
    }
    mesh::worker::Worker worker({"fan", "chassis", "1.0", arguments[1]});
    worker.serve("fan.speed", R"({"type": "object", "required": ["percent"], "additionalProperties": false,
                                  "properties": {"percent": {"type": "integer", "minimum": 20, "maximum": 100}}})",
                 [file = std::string(arguments[2])](const std::string& payload, mesh::worker::Call& call) {
                     return setSpeed(file, payload, call);
                 });
    toStop = &worker;
    std::signal(SIGTERM, [](int) { toStop->stop(); });
    std::signal(SIGINT, [](int) { toStop->stop(); });
    const mesh::Result<void> ended = worker.run();
    if (!ended) {
        std::cerr << "fan_speed: " << ended.error().message << '\n';
        return 1;
    }
    return 0;
}
