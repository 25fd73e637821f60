#include "shoset/host/signals.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace mesh::host {

namespace {

// All that a handler may touch: lock-free atomics and write(2).
std::atomic<int> eventFd{-1};
std::atomic<bool> stopAsked{false};
std::atomic<bool> reloadAsked{false};

constexpr std::array<int, 4> handled = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

void onSignal(int number)
{
    const int keptErrno = errno;
    if (number == SIGHUP) {
        reloadAsked = true;
    } else if (stopAsked.exchange(true)) {
        ::_exit(128 + number);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(eventFd, &one, sizeof(one));
    errno = keptErrno;
}

}  // namespace

struct Signals::Saved {
    std::array<struct sigaction, handled.size()> actions;
};

Signals::Signals(boost::asio::io_context& context, std::function<void()> stop, std::function<void()> reload)
    : onStop(std::move(stop)), onReload(std::move(reload)),
      events(context, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), saved(std::make_unique<Saved>())
{
    eventFd = events.native_handle();
    stopAsked = false;
    reloadAsked = false;
    for (std::size_t i = 0; i < handled.size(); ++i) {
        struct sigaction action = {};
        action.sa_handler = handled[i] == SIGPIPE ? SIG_IGN : onSignal;
        action.sa_flags = SA_RESTART;
        ::sigaction(handled[i], &action, &saved->actions[i]);
    }
    wait();
}

Signals::~Signals()
{
    for (std::size_t i = 0; i < handled.size(); ++i) {
        ::sigaction(handled[i], &saved->actions[i], nullptr);
    }
    eventFd = -1;
}

void Signals::wait()
{
    events.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
        if (error) {
            return;  // this object may be gone
        }
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(events.native_handle(), &count, sizeof(count));
        wait();
        if (reloadAsked.exchange(false) && onReload) {
            onReload();
        }
        if (stopAsked && onStop) {
            std::exchange(onStop, nullptr)();
        }
    });
}

}  // namespace mesh::host
