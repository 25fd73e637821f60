#include "shoset/host/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace mesh::host {

namespace {

std::string takeVariable(const char* name)
{
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

std::optional<std::uint64_t> parseNumber(const std::string& text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return {};
    }
    return value;
}

}  // namespace

Notify Notify::fromEnvironment()
{
    std::string path = takeVariable("NOTIFY_SOCKET");
    const auto micros = parseNumber(takeVariable("WATCHDOG_USEC"));
    const std::string pidText = takeVariable("WATCHDOG_PID");
    const bool forUs = pidText.empty() || parseNumber(pidText) == static_cast<std::uint64_t>(::getpid());
    if (!micros || *micros == 0 || !forUs) {
        return Notify(std::move(path));
    }
    return Notify(std::move(path), std::chrono::microseconds(*micros));
}

Notify::Notify(std::string path, std::optional<Duration> limit)
    : socket(std::move(path)), watchdogLimit(limit)
{
}

void Notify::ready() const
{
    send("READY=1");
}

void Notify::reloading(Instant now) const
{
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(toMicros(now)));
}

void Notify::stopping() const
{
    send("STOPPING=1");
}

void Notify::watchdog() const
{
    send("WATCHDOG=1");
}

void Notify::status(std::string_view line) const
{
    send("STATUS=" + std::string(line.substr(0, line.find('\n'))));
}

std::optional<Duration> Notify::watchdogInterval() const
{
    if (!watchdogLimit) {
        return {};
    }
    return *watchdogLimit / 2;
}

void Notify::send(std::string_view message) const
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (socket.empty() || socket.size() >= sizeof(address.sun_path)) {
        return;
    }
    std::memcpy(address.sun_path, socket.data(), socket.size());
    const bool abstract = socket.front() == '@';
    if (abstract) {
        address.sun_path[0] = '\0';
    }
    // An abstract name ends with its length, a path with its null character.
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size() + (abstract ? 0 : 1));
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        ::sendto(fd, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 static_cast<const sockaddr*>(static_cast<const void*>(&address)), length);
        ::close(fd);
    }
}

}  // namespace mesh::host
