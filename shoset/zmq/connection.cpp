#include "shoset/zmq/connection.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mesh::shoset {
namespace {

// 0 when the descriptor is not a socket.
std::uint64_t cookieOf(int descriptor)
{
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

struct NumericName {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
};

bool numericName(const sockaddr_storage& address, socklen_t size, NumericName& name)
{
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    return getnameinfo(raw, size, name.host.data(), name.host.size(), name.port.data(), name.port.size(),
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0;
}

}  // namespace

std::string formatOrigin(std::uint64_t serial, std::string_view userId)
{
    std::string text = std::to_string(serial);
    text += ' ';
    text += userId;
    return text;
}

std::optional<ProvedOrigin> parseOrigin(const char* property)
{
    if (property == nullptr) {
        return std::nullopt;
    }
    const std::string_view text(property);
    ProvedOrigin origin;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), origin.serial);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || digits + 1 >= text.size() || text[digits] != ' ') {
        return std::nullopt;
    }
    origin.userId = text.substr(digits + 1);
    return origin;
}

Connection identifyConnection(int descriptor, std::string_view localEndpoint, std::string_view peerIp)
{
    sockaddr_storage local{};
    sockaddr_storage remote{};
    socklen_t localSize = sizeof local;
    socklen_t remoteSize = sizeof remote;
    NumericName here;
    NumericName there;
    if (descriptor < 0 || getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &localSize) != 0) {
        return {};
    }
    if (local.ss_family == AF_UNIX && localEndpoint.starts_with("ipc://")) {
        return {descriptor, cookieOf(descriptor)};
    }
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&remote), &remoteSize) != 0 ||
        (local.ss_family != AF_INET && local.ss_family != AF_INET6) || !numericName(local, localSize, here) ||
        !numericName(remote, remoteSize, there)) {
        return {};
    }
    if (!localEndpoint.ends_with(":" + std::string(here.port.data())) || peerIp != there.host.data()) {
        return {};
    }
    return {descriptor, cookieOf(descriptor)};
}

bool isOpen(const Connection& connection)
{
    return connection.known() && cookieOf(connection.descriptor) == connection.cookie;
}

bool shutDown(const Connection& connection)
{
    if (!connection.known()) {
        return false;
    }
    // The copy pins what the number means now; only then is it compared.
    const int pinned = fcntl(connection.descriptor, F_DUPFD_CLOEXEC, 0);
    if (pinned < 0) {
        return false;
    }
    const bool same = cookieOf(pinned) == connection.cookie;
    const bool done = same && ::shutdown(pinned, SHUT_RDWR) == 0;
    ::close(pinned);
    return done;
}

}  // namespace mesh::shoset
