#include "aggregator/syslog_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace mesh::aggregator {

SyslogSocket::SyslogSocket(std::string given) : path(std::move(given)) {}

SyslogSocket::~SyslogSocket()
{
    if (fd >= 0) {
        ::close(fd);
    }
}

bool SyslogSocket::send(std::string_view line)
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return false;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (fd < 0) {
        fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    return fd >= 0 && ::sendto(fd, line.data(), line.size(), MSG_NOSIGNAL, to, sizeof address) == static_cast<ssize_t>(line.size());
}

}  // namespace mesh::aggregator
