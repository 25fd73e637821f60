#pragma once

#include <string>
#include <string_view>

namespace mesh::aggregator {

// A Unix datagram socket as syslog daemons have it (/dev/log). Never waits. One thread at a time.
class SyslogSocket {
public:
    explicit SyslogSocket(std::string path);
    ~SyslogSocket();
    SyslogSocket(const SyslogSocket&) = delete;
    SyslogSocket& operator=(const SyslogSocket&) = delete;

    // False: nobody listens, or not fast enough; the line is lost to it.
    bool send(std::string_view line);

private:
    const std::string path;
    int fd = -1;
};

}  // namespace mesh::aggregator
