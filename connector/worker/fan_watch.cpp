// fan_watch SOCKET FILE RPM: an example of a worker that is there for events. FILE, a fan1_input of /sys/class/hwmon on a board, has a
// fan's speed; when that falls below RPM it emits `sensor.fan` `low`, and `normal` when it is back. It prints what other connectors'
// fans do.
#include "connector/worker/worker.hpp"

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

namespace {

mesh::worker::Worker* toStop = nullptr;  // for the signal handler

void print(const mesh::worker::Event& event)
{
    std::cout << event.time << ' ' << event.source << ' ' << (event.lost > 0 ? "events are lost" : event.name) << ' ' << event.payload
              << std::endl;
}

}  // namespace

int main(int count, char** arguments)
{
    long least = 0;
    if (count != 4 || !(std::istringstream(arguments[3]) >> least)) {
        std::cerr << "usage: fan_watch SOCKET FILE RPM\n";
        return 2;
    }
    mesh::worker::Worker worker({"fan-watch", "chassis", "1.0", arguments[1]});
    worker.listen({"sensor.fan"}, print, mesh::worker::From::now,
                  [](const mesh::Error& why) { std::cerr << "hears nothing: " << why.message << std::endl; });
    toStop = &worker;
    std::signal(SIGTERM, [](int) { toStop->stop(); });
    std::signal(SIGINT, [](int) { toStop->stop(); });

    std::mutex mutex;
    std::condition_variable wake;
    bool over = false;
    std::thread watch([&, file = std::string(arguments[2])] {
        std::string was = "normal";
        for (std::unique_lock lock(mutex); !over; wake.wait_for(lock, std::chrono::seconds(1), [&over] { return over; })) {
            long speed = least;
            std::ifstream(file) >> speed;
            const std::string is = speed < least ? "low" : "normal";
            lock.unlock();
            if (is != was) {
                const auto accepted = worker.emit("sensor.fan", is, "{\"rpm\": " + std::to_string(speed) + "}");
                std::cerr << is << (accepted ? "" : ": " + accepted.error().message) << '\n';
                was = accepted ? is : was;  // else it is tried again
            }
            lock.lock();
        }
    });
    const mesh::Result<void> ended = worker.run();
    {
        const std::lock_guard lock(mutex);
        over = true;
    }
    wake.notify_all();
    watch.join();
    if (!ended) {
        std::cerr << "fan_watch: " << ended.error().message << '\n';
        return 1;
    }
    return 0;
}
