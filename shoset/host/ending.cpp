#include "shoset/host/ending.hpp"

#include "shoset/host/log.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace mesh::host {

void endProcessWithin(Duration patience)
{
    // Signals belong to the loop's thread: a new thread inherits the mask of its maker.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([patience] {
        std::this_thread::sleep_for(std::chrono::duration_cast<std::chrono::milliseconds>(patience));
        log::error("ended_by_force", {{"after_ms", toMillis(patience)},
                                      {"reason", "not all threads had come to their end; a disk that hangs keeps one waiting"},
                                      {"status", endedByForce}});
        std::_Exit(endedByForce);
    }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace mesh::host
