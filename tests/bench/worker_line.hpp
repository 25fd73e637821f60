#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The protocol of workers (connector/worker/README.md), as a program speaks it that has nothing else to do. Words are searched for what
// is wanted, not parsed: connectors write them without blanks, and a payload stands at the end.
namespace mesh::bench {

using Clock = std::chrono::steady_clock;

// One connection to a connector's socket, which is made anew for ever. One thread.
class WorkerLine {
public:
    // `context`: of libzmq.
    WorkerLine(void* context, std::string socketPath, std::string workerName);
    virtual ~WorkerLine();
    WorkerLine(const WorkerLine&) = delete;
    WorkerLine& operator=(const WorkerLine&) = delete;

    // Takes what came, and sees to it that the connector knows us. Waits for it as long as this.
    void turn(std::chrono::milliseconds pause);
    bool isRegistered() const { return registered; }
    // How often it had to be done again.
    std::uint64_t registeredAgain() const { return registrations == 0 ? 0 : registrations - 1; }
    // False: there is no room now, or nobody.
    bool send(std::string_view word);

protected:
    virtual void onRegistered() = 0;
    // `kind`: of the word, "accepted" and the like.
    virtual void onWord(std::string_view kind, std::string_view word) = 0;

private:
    void dial();
    void take(std::string_view word);
    void keepInTouch();

    void* const context;
    const std::string path;
    const std::string name;
    void* socket = nullptr;
    bool asked = false;
    bool registered = false;
    std::uint64_t registrations = 0;
    Clock::time_point askedAt;
    Clock::time_point heardAt;
    Clock::time_point beatAt;
};

// The number, or the text, behind `label` ("\"ref\":").
std::optional<std::uint64_t> numberBehind(std::string_view word, std::string_view label);
std::string_view textBehind(std::string_view word, std::string_view label);
// By the clock that all processes of a machine share.
std::uint64_t microsNow();
[[noreturn]] void fail(const std::string& reason);

}  // namespace mesh::bench
