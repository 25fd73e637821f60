#pragma once

#include "shoset/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace mesh::cluster {

// What members say to each other, one message each: [u8 type][u8 version][...], at most limits::maxRaftMessageBytes.
// Any of them may be lost. Views are into the message.

// Checked by checkRpc().
struct RpcMessage {
    std::string_view rpc;
};
// To the primary: propose this within `millis`. It answers only if it does not; what it did propose, the asker sees when
// the entry is applied.
struct ProposeMessage {
    std::uint64_t tag;  // the asker's, for the answer
    std::uint32_t millis;
    std::string_view entry;
};
// From the primary: what was asked under this tag was not done, or (outcomeUnknown) perhaps was.
struct RefuseMessage {
    std::uint64_t tag;
    Error error;
};
// To the primary: which entry must be applied to see everything that is committed by now?
struct BarrierMessage {
    std::uint64_t tag;
    std::uint32_t millis;
};
struct BarrierAnswerMessage {
    std::uint64_t tag;
    std::uint64_t index;
};
// To one that is no member: it was removed, and raft did not tell it.
struct RemovedMessage {
    std::uint64_t term;
};

using PeerMessage =
    std::variant<RpcMessage, ProposeMessage, RefuseMessage, BarrierMessage, BarrierAnswerMessage, RemovedMessage>;

std::string encodePeerMessage(const PeerMessage& message);
// corrupt or unsupported: not to be listened to.
Result<PeerMessage> decodePeerMessage(std::string_view bytes);

}  // namespace mesh::cluster
