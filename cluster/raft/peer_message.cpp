#include "cluster/raft/peer_message.hpp"

#include "cluster/raft/bytes.hpp"
#include "cluster/raft/rpc.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::size_t headBytes = 2;
constexpr std::uint8_t version = 1;
constexpr std::size_t maxSentence = 512;

enum Type : std::uint8_t { rpc = 1, propose, refuse, barrier, barrierAnswer, removed };

struct Encoder {
    std::string& out;

    void head(Type type) { (out += static_cast<char>(type)) += static_cast<char>(version); }
    void operator()(const RpcMessage& message)
    {
        head(rpc);
        out += message.rpc;
    }
    void operator()(const ProposeMessage& message)
    {
        head(propose);
        putNumber(out, message.tag, 8);
        putNumber(out, message.millis, 4);
        out += message.entry;
    }
    void operator()(const RefuseMessage& message)
    {
        head(refuse);
        putNumber(out, message.tag, 8);
        putNumber(out, static_cast<std::uint8_t>(message.error.code), 1);
        out += message.error.message.substr(0, maxSentence);
    }
    void operator()(const BarrierMessage& message)
    {
        head(barrier);
        putNumber(out, message.tag, 8);
        putNumber(out, message.millis, 4);
    }
    void operator()(const BarrierAnswerMessage& message)
    {
        head(barrierAnswer);
        putNumber(out, message.tag, 8);
        putNumber(out, message.index, 8);
    }
    void operator()(const RemovedMessage& message)
    {
        head(removed);
        putNumber(out, message.term, 8);
    }
};

}  // namespace

std::string encodePeerMessage(const PeerMessage& message)
{
    std::string out;
    std::visit(Encoder{out}, message);
    return out;
}

Result<PeerMessage> decodePeerMessage(std::string_view bytes)
{
    const Error malformed{Code::corrupt, "a malformed message from a member"};
    if (bytes.size() < headBytes || bytes.size() > limits::maxRaftMessageBytes + headBytes) {
        return malformed;
    }
    if (static_cast<std::uint8_t>(bytes[1]) != version) {
        return Error{Code::unsupported, "a message of another version from a member"};
    }
    const auto type = static_cast<std::uint8_t>(bytes[0]);
    bytes.remove_prefix(headBytes);
    const std::size_t size = bytes.size();
    if (type == rpc) {
        if (auto checked = checkRpc(bytes); !checked) {
            return checked.error();
        }
        return PeerMessage(RpcMessage{bytes});
    }
    if (type == propose && size > 12 && size <= 12 + limits::maxEntryBytes) {
        return PeerMessage(ProposeMessage{getNumber(bytes, 0, 8), static_cast<std::uint32_t>(getNumber(bytes, 8, 4)),
                                          bytes.substr(12)});
    }
    if (type == refuse && size >= 9 && size <= 9 + maxSentence) {
        const std::uint64_t code = getNumber(bytes, 8, 1);
        if (code > 0 && code <= static_cast<std::uint64_t>(Code::unsupported)) {
            return PeerMessage(
                RefuseMessage{getNumber(bytes, 0, 8), Error{static_cast<Code>(code), std::string(bytes.substr(9))}});
        }
    }
    if (type == barrier && size == 12) {
        return PeerMessage(BarrierMessage{getNumber(bytes, 0, 8), static_cast<std::uint32_t>(getNumber(bytes, 8, 4))});
    }
    if (type == barrierAnswer && size == 16) {
        return PeerMessage(BarrierAnswerMessage{getNumber(bytes, 0, 8), getNumber(bytes, 8, 8)});
    }
    if (type == removed && size == 8) {
        return PeerMessage(RemovedMessage{getNumber(bytes, 0, 8)});
    }
    return malformed;
}

}  // namespace mesh::cluster
