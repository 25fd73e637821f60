#include "tests/bench/worker_line.hpp"

#include <zmq.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace mesh::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto beat = 500ms;     // a connector that began anew says so when it hears anything
constexpr auto patience = 6s;    // without a word
constexpr auto answerPatience = 300ms;  // for a registration; what is said meanwhile to what was sent before it counts for nothing
constexpr int wordsAtOnce = 4096;

}  // namespace

[[noreturn]] void fail(const std::string& reason)
{
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::_Exit(EXIT_FAILURE);
}

std::uint64_t microsNow()
{
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count());
}

std::optional<std::uint64_t> numberBehind(std::string_view word, std::string_view label)
{
    const std::size_t at = word.find(label);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const char* const begin = word.data() + at + label.size();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(begin, word.data() + word.size(), number);
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::string_view textBehind(std::string_view word, std::string_view label)
{
    const std::size_t at = word.find(label);
    if (at == std::string_view::npos || word.substr(at + label.size()).substr(0, 1) != "\"") {
        return {};
    }
    const std::string_view rest = word.substr(at + label.size() + 1);
    return rest.substr(0, rest.find('"'));
}

WorkerLine::WorkerLine(void* zmq, std::string socketPath, std::string workerName)
    : context(zmq), path(std::move(socketPath)), name(std::move(workerName))
{
    dial();
}

WorkerLine::~WorkerLine()
{
    zmq_close(socket);
}

void WorkerLine::dial()
{
    if (socket != nullptr) {
        zmq_close(socket);
    }
    socket = zmq_socket(context, ZMQ_DEALER);
    const auto set = [this](int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); };
    set(ZMQ_LINGER, 500);
    set(ZMQ_IMMEDIATE, 1);
    set(ZMQ_RECONNECT_IVL, 50);
    set(ZMQ_RECONNECT_IVL_MAX, 200);
    if (zmq_connect(socket, ("ipc://" + path).c_str()) != 0) {
        fail(path + ": " + zmq_strerror(zmq_errno()));
    }
    asked = registered = false;
    heardAt = Clock::now();
}

bool WorkerLine::send(std::string_view word)
{
    return zmq_send(socket, word.data(), word.size(), ZMQ_DONTWAIT) >= 0;
}

void WorkerLine::turn(std::chrono::milliseconds pause)
{
    zmq_pollitem_t ready{socket, 0, ZMQ_POLLIN, 0};
    zmq_poll(&ready, 1, static_cast<long>(pause.count()));
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (int i = 0; i < wordsAtOnce && zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0; ++i) {
        take({static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
    }
    zmq_msg_close(&message);
    keepInTouch();
}

void WorkerLine::take(std::string_view word)
{
    heardAt = Clock::now();
    const std::string_view kind = textBehind(word, "\"message\":");
    if (kind == "registered") {
        if (!std::exchange(registered, true)) {
            ++registrations;
            onRegistered();
        }
    } else if (kind == "bye" || (kind == "stranger" && heardAt > askedAt + answerPatience)) {
        asked = registered = false;
    } else if (kind == "refused") {
        fail(name + " at " + path + ": " + std::string(word));
    } else if (kind != "pong" && kind != "stranger") {
        onWord(kind, word);
    }
}

void WorkerLine::keepInTouch()
{
    const Clock::time_point now = Clock::now();
    if (!asked) {
        asked = send(R"({"message":"register","protocol":1,"worker":")" + name + R"(","type":"bench","version":"1.0","commands":[]})");
        askedAt = now;
        heardAt = asked ? now : heardAt;
    } else if (now - beatAt >= beat) {
        beatAt = now;
        send(R"({"message":"ping"})");
    }
    if (asked && now - heardAt > patience) {
        dial();
    }
}

}  // namespace mesh::bench
