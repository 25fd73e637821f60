#pragma once

#include "connector/worker/sends.hpp"
#include "connector/worker/worker.hpp"
#include "connector/worker/worker_events.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace mesh::worker {

constexpr std::chrono::milliseconds firstHeartbeat{2000};  // until the connector has said how often
constexpr std::chrono::milliseconds alonePatience{2000};   // without a connector, before that is said

// The loop of a worker, on the thread of run(), and what it shares with the threads of the functions. Inner header.
class Worker::Service {
public:
    explicit Service(About given);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    struct Served {
        nlohmann::json schema;
        Function function;
    };
    Result<void> run(std::size_t threads);
    // Async-signal-safe.
    void poke();
    void post(const nlohmann::json& reply);
    Result<std::string> secret(const std::string& name, std::chrono::milliseconds patience);

    const About about;
    std::map<std::string, Served> commands;
    Configure configure;
    std::atomic<bool> stopping = false;
    EventDesk events{[this] { poke(); }};
    Sends sends;

private:
    class Execution;
    enum class Next { goOn, ended, refused };
    void connect();
    void closeSocket();
    Next turn();
    Next take(const nlohmann::json& message);
    void detach();
    void sendReplies();
    bool sendUnsent();
    void keepUnsent(nlohmann::json reply);
    void forgetOldestUnsent();
    void keepInTouch();
    void sayIfAlone(std::chrono::steady_clock::time_point now);
    bool send(const nlohmann::json& message);
    std::string receive();
    void work();
    void configureNext();

    // Of the thread that runs run().
    const int wake;
    void* const context;
    void* socket = nullptr;
    bool registered = false;
    bool asked = false;
    bool drainSent = false;
    bool saidAlone = false;
    bool looksSoon = false;  // something to send was not taken
    std::chrono::milliseconds heartbeat = firstHeartbeat;
    std::chrono::steady_clock::time_point heardAt;
    std::chrono::steady_clock::time_point beatAt;
    std::chrono::steady_clock::time_point detachedAt;
    std::set<std::string> running;
    std::deque<nlohmann::json> unsent;  // ends of commands, whose ids are in `running`, too
    std::string refusal;

    // Shared with the threads of the functions.
    std::mutex mutex;
    std::condition_variable more;
    std::deque<nlohmann::json> tasks;
    std::deque<nlohmann::json> configurations;
    std::deque<nlohmann::json> replies;
    bool closed = false;
    bool hasSecrets = false;
    std::uint64_t questions = 0;
    std::map<std::string, nlohmann::json> answers;  // to questions for secrets, by id; null: not yet
    std::condition_variable answered;
};

}  // namespace mesh::worker
