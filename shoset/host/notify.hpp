#pragma once

#include "shoset/base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mesh::host {

// What systemd wants to hear of a Type=notify service (sd_notify(3)), one datagram each. Does nothing where there is no
// NOTIFY_SOCKET. Never blocks; what cannot be sent is lost, as systemd's own library does it.
class Notify {
public:
    // Reads NOTIFY_SOCKET and WATCHDOG_USEC and removes them, so that children do not speak for us.
    static Notify fromEnvironment();
    // `path`: of the socket, or '@' and an abstract name; empty: silent.
    explicit Notify(std::string path, std::optional<Duration> limit = {});

    void ready() const;
    void reloading(Instant now) const;  // ready() follows when it is done
    void stopping() const;
    void watchdog() const;
    void status(std::string_view line) const;
    // How often watchdog() should be called: half of what systemd waits. Empty: not watched.
    std::optional<Duration> watchdogInterval() const;

private:
    void send(std::string_view message) const;

    std::string socket;
    std::optional<Duration> watchdogLimit;
};

}  // namespace mesh::host
