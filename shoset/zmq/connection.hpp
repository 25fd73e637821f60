#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Inner header of this module: what is known of the connection that a message came from.
namespace mesh::shoset {

// The User-Id that Zap gives a connection and that libzmq attaches to each of its messages: "<serial> <registry id>".
// The serial tells connections apart, also those of one key and one routing id.
struct ProvedOrigin {
    std::uint64_t serial = 0;
    std::string_view userId;
};
std::string formatOrigin(std::uint64_t serial, std::string_view userId);
std::optional<ProvedOrigin> parseOrigin(const char* property);

// A TCP connection of libzmq's, which may close it and reuse the number at any moment. The kernel's cookie names the
// connection itself.
struct Connection {
    int descriptor = -1;
    std::uint64_t cookie = 0;  // 0: unknown

    bool known() const { return cookie != 0; }
};

// The connection behind a descriptor that a message named. Unknown unless it leads from `peerIp` to `localEndpoint`:
// the number may already belong to something else of this process.
Connection identifyConnection(int descriptor, std::string_view localEndpoint, std::string_view peerIp);
// Whether that connection still has its descriptor.
bool isOpen(const Connection& connection);
// Ends that connection and no other; false when it is gone. libzmq then sees an end of file.
bool shutDown(const Connection& connection);

}  // namespace mesh::shoset
