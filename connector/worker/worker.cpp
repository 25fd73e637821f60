#include "connector/worker/worker.hpp"

#include "connector/worker/secret_answer.hpp"
#include "connector/worker/worker_events.hpp"
#include "shoset/base/limits.hpp"

#include <nlohmann/json.hpp>

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::worker {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto firstHeartbeat = 2000ms;  // until the connector has said how often
constexpr auto unconnectedPause = 200ms;
constexpr auto unsentPause = 50ms;
constexpr std::size_t maxUnsent = 8 * limits::maxCommandsAtWorker;  // ends that the connector does not take just now

std::string compact(const json& message)
{
    return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Of what may be no JSON. Before a document is made of it: that is written by a function that calls itself.
std::size_t nestingOf(std::string_view text)
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool inText = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inText) {
            i += c == '\\' ? 1 : 0;
            inText = c != '"';
        } else if (c == '[' || c == '{') {
            deepest = std::max(deepest, ++depth);
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
        } else {
            inText = c == '"';
        }
    }
    return deepest;
}

// Of a command, its reply, a configuration or the answer to it.
std::string idOf(const json& message)
{
    return message.contains("id") ? message.at("id").get<std::string>() : "configuration " + message.at("version").dump();
}

// The payload of what a function answered, or null. One that the connector would not pass on makes a failure of the outcome.
json payloadOf(Outcome& outcome)
{
    if (outcome.payload.empty()) {
        return {};
    }
    if (nestingOf(outcome.payload) > limits::maxPayloadDepth) {
        outcome = Outcome::failed("reply_too_deep", "it was executed, but its answer nests deeper than " +
                                                        std::to_string(limits::maxPayloadDepth));
        return {};
    }
    json payload = json::parse(outcome.payload, nullptr, false);
    if (payload.is_discarded()) {
        outcome = Outcome::failed("reply_not_json", "it was executed, but its answer is no JSON");
        return {};
    }
    if (compact(payload).size() > limits::maxPayloadBytes) {
        outcome = Outcome::failed("reply_too_large", "it was executed, but its answer is longer than " +
                                                         std::to_string(limits::maxPayloadBytes) + " bytes");
        return {};
    }
    return payload;
}

}  // namespace

class Worker::Service {
public:
    explicit Service(About given) : about(std::move(given)), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), context(zmq_ctx_new()) {}
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service()
    {
        closeSocket();
        zmq_ctx_term(context);
        ::close(wake);
    }

    struct Served {
        json schema;
        Function function;
    };
    Result<void> run(std::size_t threads);
    // Async-signal-safe.
    void poke()
    {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto put = ::write(wake, &one, sizeof one);
    }
    void post(const json& reply);
    Result<std::string> secret(const std::string& name, std::chrono::milliseconds patience);

    const About about;
    std::map<std::string, Served> commands;
    Configure configure;
    std::atomic<bool> stopping = false;
    EventDesk events{[this] { poke(); }};

private:
    class Execution;
    enum class Next { goOn, ended, refused };
    void connect();
    void closeSocket();
    Next turn();
    Next take(const json& message);
    void detach() { registered = asked = drainSent = false; }
    void sendReplies();
    bool sendUnsent();
    void keepUnsent(json reply);
    void forgetOldestUnsent();
    void keepInTouch();
    bool send(const json& message);
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
    std::chrono::milliseconds heartbeat = firstHeartbeat;
    Clock::time_point heardAt;
    Clock::time_point beatAt;
    std::set<std::string> running;
    std::deque<json> unsent;  // ends of commands, whose ids are in `running`, too
    std::string refusal;

    // Shared with the threads of the functions.
    std::mutex mutex;
    std::condition_variable more;
    std::deque<json> tasks;
    std::deque<json> configurations;
    std::deque<json> replies;
    bool closed = false;
    bool hasSecrets = false;
    std::uint64_t questions = 0;
    std::map<std::string, json> answers;  // to questions for secrets, by id; null: not yet
    std::condition_variable answered;
};

class Worker::Service::Execution final : public Call {
public:
    Execution(Service& owner, const json& message)
        : service(owner), ownId(message.at("id").get<std::string>()), ownUser(message.value("user", "")),
          ends(Clock::now() + std::chrono::milliseconds(message.value("deadline_ms", 0)))
    {
    }
    void progress(unsigned percent, std::string_view text) override
    {
        service.post({{"message", "reply"}, {"id", ownId}, {"state", "ON_GOING"}, {"progress", std::min(percent, 100U)},
                      {"text", text.substr(0, limits::maxReplyTextBytes)}});
    }
    const std::string& id() const override { return ownId; }
    const std::string& user() const override { return ownUser; }
    std::chrono::milliseconds remaining() const override
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(ends - Clock::now());
    }
    void execute(const json& message);

private:
    Service& service;
    const std::string ownId;
    const std::string ownUser;
    const Clock::time_point ends;
};

void Worker::Service::Execution::execute(const json& message)
{
    Outcome outcome;
    try {
        outcome = service.commands.at(message.at("name").get<std::string>()).function(message.at("payload").dump(), *this);
    } catch (const std::exception& problem) {
        outcome = Outcome::failed("exception", problem.what());
    } catch (...) {
        outcome = Outcome::failed("exception", "of a type that is no std::exception");
    }
    json payload = payloadOf(outcome);
    json reply{{"message", "reply"}, {"id", ownId}, {"state", outcome.success ? "SUCCESS" : "FAIL"}};
    if (!outcome.success) {
        reply["failure"] = outcome.failure.substr(0, limits::maxFailureCodeBytes);
        reply["text"] = outcome.text.substr(0, limits::maxReplyTextBytes);
    }
    if (!outcome.payload.empty()) {
        reply["payload"] = std::move(payload);
    }
    service.post(reply);
}

void Worker::Service::post(const json& reply)
{
    {
        const std::lock_guard lock(mutex);
        replies.push_back(reply);
    }
    poke();
}

Result<std::string> Worker::Service::secret(const std::string& name, std::chrono::milliseconds patience)
{
    std::unique_lock lock(mutex);
    if (!hasSecrets) {
        return Error{Code::unsupported, "this connector has no secrets, or is not attached just now"};
    }
    const std::string id = std::to_string(++questions);
    answers[id] = nullptr;
    replies.push_back({{"message", "secret"}, {"id", id}, {"name", name}});
    poke();
    answered.wait_for(lock, patience, [&] { return !answers.at(id).is_null(); });
    const json answer = std::move(answers.at(id));
    answers.erase(id);
    if (!answer.is_object()) {
        return Error{Code::unavailable, "the connector said nothing of the secret " + name};
    }
    if (!answer.contains("value")) {
        return noSecret(answer.value("failure", ""), answer.value("text", ""));
    }
    return secretValue(answer.value("value", ""));
}

void Worker::Service::work()
{
    std::unique_lock lock(mutex);
    while (true) {
        more.wait(lock, [this] { return closed || !tasks.empty(); });
        if (tasks.empty()) {
            return;
        }
        const json task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        Execution(*this, task).execute(task);
        lock.lock();
    }
}

// On a thread of its own, so that versions stay in their order.
void Worker::Service::configureNext()
{
    std::unique_lock lock(mutex);
    while (true) {
        more.wait(lock, [this] { return closed || !configurations.empty(); });
        if (configurations.empty()) {
            return;
        }
        const json told = std::move(configurations.front());
        configurations.pop_front();
        lock.unlock();
        Result<void> taken;
        try {
            taken = configure(told.at("values").dump(), told.at("resources").dump());
        } catch (const std::exception& problem) {
            taken = Error{Code::refused, problem.what()};
        }
        json answer{{"message", taken ? "configured" : "not_configured"}, {"version", told.at("version")}};
        if (!taken) {
            answer["reason"] = taken.error().message;
        }
        post(answer);
        lock.lock();
    }
}

Result<void> Worker::Service::run(std::size_t threads)
{
    if (wake < 0 || context == nullptr) {
        return Error{Code::unavailable, "no descriptors are left"};
    }
    std::vector<std::thread> pool;
    for (std::size_t i = 0; i < threads; ++i) {
        pool.emplace_back([this] { work(); });
    }
    events.start();
    if (configure) {
        pool.emplace_back([this] { configureNext(); });
    }
    connect();
    Next next = Next::goOn;
    while (next == Next::goOn) {
        next = turn();
    }
    {
        const std::lock_guard lock(mutex);
        closed = true;
    }
    more.notify_all();
    events.close();
    for (std::thread& thread : pool) {
        thread.join();
    }
    return next == Next::refused ? Result<void>(Error{Code::refused, refusal}) : Result<void>();
}

void Worker::Service::closeSocket()
{
    if (socket != nullptr) {
        zmq_close(std::exchange(socket, nullptr));
    }
}

void Worker::Service::connect()
{
    closeSocket();
    socket = zmq_socket(context, ZMQ_DEALER);
    const auto set = [this](int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); };
    set(ZMQ_LINGER, 500);
    set(ZMQ_IMMEDIATE, 1);
    set(ZMQ_RECONNECT_IVL, 100);
    set(ZMQ_RECONNECT_IVL_MAX, 2000);
    zmq_connect(socket, ("ipc://" + about.socket).c_str());
    while (!unsent.empty()) {
        forgetOldestUnsent();  // on a new connection nobody waits for them: the connector has given them up
    }
    detach();
    heardAt = Clock::now();
}

Worker::Service::Next Worker::Service::turn()
{
    const std::chrono::milliseconds pause = !registered ? unconnectedPause : !unsent.empty() ? unsentPause : heartbeat;
    std::array<zmq_pollitem_t, 2> ready{{{socket, 0, ZMQ_POLLIN, 0}, {nullptr, wake, ZMQ_POLLIN, 0}}};
    zmq_poll(ready.data(), static_cast<int>(ready.size()), static_cast<long>(pause.count()));
    std::uint64_t pokes = 0;
    [[maybe_unused]] const auto got = ::read(wake, &pokes, sizeof pokes);
    sendReplies();
    events.pump([this](const json& message) { return send(message); });
    for (std::string word = receive(); !word.empty(); word = receive()) {
        const Next next = take(json::parse(word, nullptr, false));
        if (next != Next::goOn) {
            return next;
        }
    }
    keepInTouch();
    // Who is not registered has nobody that waits for what is unsent.
    return stopping && !registered && running.size() == unsent.size() ? Next::ended : Next::goOn;
}

Worker::Service::Next Worker::Service::take(const json& message)
{
    heardAt = Clock::now();
    const std::string word = message.is_object() ? message.value("message", "") : "";
    if (word == "command") {
        running.insert(message.at("id").get<std::string>());
        const std::lock_guard lock(mutex);
        tasks.push_back(message);
        more.notify_all();
    } else if (word == "configuration" && configure) {
        running.insert(idOf(message));
        const std::lock_guard lock(mutex);
        configurations.push_back(message);
        more.notify_all();
    } else if (word == "registered") {
        if (!std::exchange(registered, true)) {
            events.attached();
            poke();
        }
        heartbeat = std::chrono::milliseconds(message.value("heartbeat_ms", firstHeartbeat.count()));
        const std::lock_guard lock(mutex);
        hasSecrets = message.value("secrets", false);
    } else if (word == "secret") {
        const std::lock_guard lock(mutex);
        if (const auto question = answers.find(message.value("id", "")); question != answers.end()) {
            question->second = message;
            answered.notify_all();
        }
    } else if (word == "stranger" || word == "bye") {
        detach();  // the connector began anew, or ends: attach again
    } else if (word == "refused") {
        refusal = message.value("reason", "");
        if (asked && !registered) {
            return Next::refused;
        }
        std::fprintf(stderr, "worker %s: the connector refused a message: %s; registering anew\n", about.name.c_str(),
                     refusal.c_str());
        detach();
    } else if (word != "drain" && word != "drained" && word != "pong") {
        events.take(word, message);
    }
    return word == "drained" ? Next::ended : Next::goOn;
}

void Worker::Service::sendReplies()
{
    std::deque<json> out;
    {
        const std::lock_guard lock(mutex);
        out.swap(replies);
    }
    bool waits = !sendUnsent();
    for (json& reply : out) {
        const bool mayBeLost = reply.value("message", "") == "secret" || reply.value("state", "") == "ON_GOING";
        if (!mayBeLost) {
            keepUnsent(std::move(reply));
            waits = !sendUnsent();
        } else if (!waits) {
            send(reply);
        }
    }
}

// In their order; true when none is left.
bool Worker::Service::sendUnsent()
{
    while (!unsent.empty() && send(unsent.front())) {
        forgetOldestUnsent();
    }
    return unsent.empty();
}

void Worker::Service::keepUnsent(json reply)
{
    if (unsent.size() == maxUnsent) {
        std::fprintf(stderr, "worker %s: the end of a command is lost: the connector takes nothing\n", about.name.c_str());
        forgetOldestUnsent();
    }
    unsent.push_back(std::move(reply));
}

void Worker::Service::forgetOldestUnsent()
{
    running.erase(idOf(unsent.front()));
    unsent.pop_front();
}

void Worker::Service::keepInTouch()
{
    const Clock::time_point now = Clock::now();
    if (!asked) {
        json list = json::array();
        for (const auto& [name, served] : commands) {
            list.push_back({{"name", name}, {"schema", served.schema}});
        }
        asked = send({{"message", "register"}, {"protocol", 1}, {"worker", about.name}, {"type", about.type},
                      {"version", about.version}, {"commands", list}, {"configuration", static_cast<bool>(configure)}});
        heardAt = now;
    } else if (now - beatAt >= heartbeat) {
        beatAt = now;
        send({{"message", "ping"}});
    }
    if (stopping && registered && !drainSent && events.isAnswered()) {
        drainSent = send({{"message", "drain"}});
    }
    if (asked && now - heardAt > 3 * heartbeat) {
        connect();
    }
}

bool Worker::Service::send(const json& message)
{
    const std::string text = compact(message);
    return zmq_send(socket, text.data(), text.size(), ZMQ_DONTWAIT) >= 0;
}

std::string Worker::Service::receive()
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    std::string text;
    if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0) {
        text.assign(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    }
    zmq_msg_close(&message);
    return text;
}

Worker::Worker(About about) : service(std::make_unique<Service>(std::move(about))) {}
Worker::~Worker() = default;

void Worker::serve(const std::string& command, const std::string& schema, Function function)
{
    // What is no JSON is sent as a text, and refused by the connector with the command's name.
    json rules = schema.empty() ? json() : json::parse(schema, nullptr, false);
    service->commands[command] = {rules.is_discarded() ? json(schema) : std::move(rules), std::move(function)};
}

void Worker::listen(std::vector<std::string> topics, Listener listener, From from)
{
    service->events.listen(std::move(topics), std::move(listener), from);
}

Result<Accepted> Worker::emit(const std::string& topic, const std::string& name, const std::string& payload,
                              std::chrono::milliseconds patience)
{
    return service->events.emit(topic, name, payload, patience);
}

void Worker::configuration(Configure take)
{
    service->configure = std::move(take);
}

Result<void> Worker::run(std::size_t threads)
{
    return service->run(threads);
}

Result<std::string> Worker::secret(const std::string& name, std::chrono::milliseconds patience)
{
    return service->secret(name, patience);
}

void Worker::stop()
{
    service->stopping = true;
    service->poke();
}

}  // namespace mesh::worker
