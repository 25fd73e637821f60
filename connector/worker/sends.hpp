#pragma once

#include "connector/worker/worker.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace mesh::worker {

// What a worker has sent to others and nobody has answered yet. Any thread, but for what belongs to the loop's. Inner header.
class Sends {
public:
    // Blocks until it has ended, or `timeout` and a little more has passed. `poke`: wakes the loop, which is to call flush().
    Answer send(const Target& target, const std::string& command, const std::string& payload, std::chrono::milliseconds timeout,
                const Progress& progress, const std::function<void()>& poke);

    // Of the loop's thread. Gives what has not left to `put`, in its order, until that takes no more; false: some are left.
    bool flush(const std::function<bool(const nlohmann::json&)>& put);
    // A word "sent" or "answer".
    void take(const nlohmann::json& word);
    // The connector has forgotten what it was sent: how that ends nobody will tell.
    void lose();
    // As lose(), and what has not left never will.
    void end();

private:
    struct Sent {
        nlohmann::json word;
        bool left = false;
        std::vector<nlohmann::json> heard;  // and not looked at yet
    };

    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::uint64_t, Sent> waiting;
    std::uint64_t lastRef = 0;
    bool ended = false;
};

}  // namespace mesh::worker
