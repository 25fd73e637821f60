#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::soak {

// Packets between the parent and a member: [u64 peer][bytes]. Peer 0 is the parent itself; what it says and hears are
// words, separated by blanks:
//   propose SEQUENCE count | propose SEQUENCE put KEY   ->  done SEQUENCE CODE
//   report                                              ->  report HASH GENERATION ROLE GUARDED RESTORED SNAPSHOTS
//   get KEY                                             ->  value KEY TEXT
struct Packet {
    std::uint64_t peer = 0;
    std::string bytes;
};
// Never blocks; false: not sent.
bool sendPacket(int socket, std::uint64_t peer, std::string_view bytes);
// Reads one if there is one. false: none, or `ended`.
bool readPacket(int socket, Packet& packet, bool& ended);

std::vector<std::string> words(const std::string& text);

// Runs member `self` until the parent is gone; does not return otherwise. The exit status.
int runMember(std::uint64_t self, std::uint64_t members, const std::string& directory, int socket);

}  // namespace mesh::soak
