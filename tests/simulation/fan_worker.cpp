#include "tests/simulation/fan_worker.hpp"

#include <nlohmann/json.hpp>

namespace mesh::simulation {

namespace {

constexpr const char* fanCommands = R"([{"name":"fan.speed","schema":{"type":"object","required":["percent"],)"
                                    R"("properties":{"percent":{"type":"integer","minimum":0,"maximum":1000}}}}])";

}  // namespace

FanWorker::FanWorker(World& w, SimSatellite& at, std::string version, Duration time)
    : world(w), work(time),
      worker(w, at, "fan", std::move(version), fanCommands, [this](const nlohmann::json& word) { onWord(word); })
{
}

void FanWorker::send(std::uint64_t ref, const std::string& target, const std::string& payload)
{
    worker.say(R"({"message":"send","ref":)" + std::to_string(ref) + R"(,"target":)" + target +
               R"(,"command":"fan.speed","payload":)" + payload + "}");
}

void FanWorker::onWord(const nlohmann::json& word)
{
    const std::string kind = word.value("message", "");
    drained = drained || kind == "drained";
    if (kind == "answer") {
        answered.push_back(word.dump());
    }
    if (kind != "command") {
        return;
    }
    percentages.push_back(word["payload"]["percent"].get<int>());
    world.after(work, [this, id = word["id"].get<std::string>()] {
        worker.say(R"({"message":"reply","id":")" + id + R"(","state":"SUCCESS"})");
    });
}

std::string outcomeOf(int status, const std::string& text)
{
    const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("replies") || document["replies"].size() != 1) {
        return std::to_string(status);
    }
    const nlohmann::json& reply = document["replies"][0];
    return reply.value("state", "") + " " + reply.value("executed", "");
}

}  // namespace mesh::simulation
