#include "connector/worker/service.hpp"

#include "shoset/base/limits.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace mesh::worker {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto unconnectedPause = 200ms;
constexpr auto unsentPause = 50ms;
constexpr std::size_t maxUnsent = 8 * limits::maxCommandsAtWorker;  // ends that the connector does not take just now

std::string compact(const json& message)
{
    return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Of a command, its reply, a configuration or the answer to it.
std::string idOf(const json& message)
{
    return message.contains("id") ? message.at("id").get<std::string>() : "configuration " + message.at("version").dump();
}

}  // namespace

Worker::Service::Service(About given) : about(std::move(given)), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), context(zmq_ctx_new()) {}

Worker::Service::~Service()
{
    closeSocket();
    zmq_ctx_term(context);
    ::close(wake);
}

void Worker::Service::poke()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto put = ::write(wake, &one, sizeof one);
}

void Worker::Service::detach()
{
    registered = asked = drainSent = saidAlone = false;
    detachedAt = std::chrono::steady_clock::now();
    sends.lose();
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
    sends.end();
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
    heardAt = std::chrono::steady_clock::now();
}

Worker::Service::Next Worker::Service::turn()
{
    const std::chrono::milliseconds pause = !registered ? unconnectedPause : !unsent.empty() || looksSoon ? unsentPause : heartbeat;
    std::array<zmq_pollitem_t, 2> ready{{{socket, 0, ZMQ_POLLIN, 0}, {nullptr, wake, ZMQ_POLLIN, 0}}};
    zmq_poll(ready.data(), static_cast<int>(ready.size()), static_cast<long>(pause.count()));
    std::uint64_t pokes = 0;
    [[maybe_unused]] const auto got = ::read(wake, &pokes, sizeof pokes);
    sendReplies();
    events.pump([this](const json& message) { return send(message); });
    const bool allSent = !registered || sends.flush([this](const json& word) { return send(word); });
    looksSoon = !allSent;
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
    heardAt = std::chrono::steady_clock::now();
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
    } else if (word == "sent" || word == "answer") {
        sends.take(message);
    } else if (word == "registered") {
        if (!std::exchange(registered, true)) {
            events.attached();
            poke();  // what was to be sent before
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
    const std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
    if (!asked) {
        json list = json::array();
        for (const auto& [name, served] : commands) {
            list.push_back({{"name", name}, {"schema", served.schema}});
        }
        asked = send({{"message", "register"}, {"protocol", 1}, {"worker", about.name}, {"type", about.type},
                      {"version", about.version}, {"commands", list}, {"configuration", static_cast<bool>(configure)}});
        heardAt = now;
        sayIfAlone(now);
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

// Once: who has named a wrong socket would see nothing else of it.
void Worker::Service::sayIfAlone(std::chrono::steady_clock::time_point now)
{
    if (!asked && !saidAlone && now - detachedAt >= alonePatience) {
        saidAlone = true;
        const char* why = ::access(about.socket.c_str(), W_OK) == 0 ? "nobody answers" : std::strerror(errno);
        std::fprintf(stderr, "worker %s: no connector at %s (%s); is it up, with 'workers' in its configuration? Trying on\n",
                     about.name.c_str(), about.socket.c_str(), why);
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

}  // namespace mesh::worker
