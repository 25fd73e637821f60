#pragma once

#include "connector/worker/worker.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mesh::worker {

// The events of a worker: those that it emits, until they are answered, and those that it listens to. Of Worker only.
//
// A connector sends no more than limits::subscriptionWindow that were not heard, but another one does so again: it is asked for more
// when fewer than that wait. Should it send maxWaiting all the same, what comes then is dropped, and asked for again in the same way.
class EventDesk {
public:
    static constexpr std::size_t maxWaiting = 4 * limits::subscriptionWindow;  // for one listener

    // `poke` wakes the thread of the socket; from any thread.
    explicit EventDesk(std::function<void()> poke);
    ~EventDesk();
    EventDesk(const EventDesk&) = delete;
    EventDesk& operator=(const EventDesk&) = delete;

    // Any thread but that of the socket.
    Result<Accepted> emit(const std::string& topic, const std::string& name, const std::string& payload,
                          std::chrono::milliseconds patience);
    // Before start().
    void listen(std::vector<std::string> topics, Listener listener, From from, Unheard refused);

    // The rest is for the thread of the socket. Starts the listeners' threads.
    void start();
    // Registered with a connector, which may be another one: all that it had is told again.
    void attached();
    // `send` is false for what is to be sent later.
    void pump(const std::function<bool(const nlohmann::json&)>& send);
    // False: it is no word about events.
    bool take(const std::string& word, const nlohmann::json& message);
    bool isAnswered() const;
    std::size_t waitingEvents() const;
    // Ends the listeners, when they have heard what came, and fails what was not answered.
    void close();

private:
    struct Emission {
        nlohmann::json message;
        std::optional<Result<Accepted>> answer;
    };
    struct Subscription {
        std::vector<std::string> topics;
        Listener listener;
        From from;
        Unheard refused;
        nlohmann::json heard = nlohmann::json::object();  // cursors by source
        std::deque<std::pair<std::uint64_t, Event>> waiting;  // with the generation that they came in
        std::optional<Error> refusal;  // that it was not told yet
        bool isDue = false;           // to be asked for as soon as few enough wait
        bool isAskedAgain = false;    // what comes before the answer is of the generation before
        std::uint64_t generation = 0;
        std::uint64_t taken = 0;  // of this generation
        std::uint64_t told = 0;
        std::thread thread;
    };
    void hear(Subscription& subscription);
    static void tellRefusal(const Subscription& subscription, const Error& why);
    void askFor(const std::string& name, Subscription& subscription);
    void takeEvent(Subscription& subscription, const std::string& word, const nlohmann::json& message);
    void answer(Emission& emission, const std::string& word, const nlohmann::json& message);

    const std::function<void()> poke;
    mutable std::mutex mutex;  // guards all of the following
    std::condition_variable changed;
    std::deque<std::shared_ptr<Emission>> unsent;
    std::map<std::uint64_t, std::shared_ptr<Emission>> sent;  // by number
    std::map<std::string, std::unique_ptr<Subscription>> subscriptions;
    std::deque<nlohmann::json> words;
    std::uint64_t lastNumber = 0;
    bool registered = false;
    bool closed = false;
};

}  // namespace mesh::worker
