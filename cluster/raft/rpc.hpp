#pragma once

#include "shoset/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::cluster {

// Raft's messages as bytes: [u64 type][u64 length of the header][header][payload], little endian; of the type only the
// low byte is the type. What libraft decodes is checked here first, because it checks nothing.

// How long the message is that begins with `bytes`; 0: more of it is needed to tell. Code::corrupt: that is none.
Result<std::size_t> rpcLength(std::string_view bytes);

// Is this one whole message that libraft can decode? Code::corrupt with what is wrong.
Result<void> checkRpc(std::string_view rpc);

// Of a checked message: an answer of this term to AppendEntries which accepts it and acknowledges no more than `match`. A
// primary needs it for nothing but to know that its follower lives.
bool tellsNothingNew(std::string_view rpc, std::uint64_t term, std::uint64_t match);

// Cuts the stream that raft writes to one member. Holds at most one message of limits::maxRaftMessageBytes.
class RpcCutter {
public:
    // Appends whole messages to `out`. Code::corrupt: what raft writes is not understood, nothing more comes.
    Result<void> feed(std::string_view bytes, std::vector<std::string>& out);
    // A new stream begins.
    void reset() { held.clear(); }

private:
    std::string held;
};

}  // namespace mesh::cluster
