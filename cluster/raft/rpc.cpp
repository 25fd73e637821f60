#include "cluster/raft/rpc.hpp"

#include "cluster/raft/bytes.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>

namespace mesh::cluster {

namespace {

constexpr std::size_t preambleBytes = 16;
constexpr std::size_t appendBytes = 4 * 8;   // term, previous index and term, commit index; then the batch
constexpr std::size_t installBytes = 5 * 8;  // term, index, term, configuration's index and length; then that
constexpr std::size_t spareBytes = 8;        // unused, at the end of both headers
constexpr std::size_t maxShortHeader = 128;  // of messages that newer versions may have made longer

enum RpcType : std::uint8_t {
    appendEntries = 1,
    appendEntriesResult,
    requestVote,
    requestVoteResult,
    installSnapshot,
    timeoutNow,
};

enum EntryType : std::uint8_t { commandEntry = 1, barrierEntry, changeEntry };

Error malformedRpc(const char* what)
{
    return Error{Code::corrupt, std::string("not a message of raft: ") + what};
}

std::size_t shortestHeader(std::uint8_t type)
{
    switch (type) {
        case appendEntriesResult:
            return 32;
        case requestVote:
            return 40;
        case requestVoteResult:
        case timeoutNow:
            return 24;
        default:
            return 0;
    }
}

// [u8 format = 1][u64 count], then of each server [u64 id][name, NUL][u8 role].
bool isConfiguration(std::string_view bytes)
{
    constexpr std::size_t headBytes = 9;
    if (bytes.size() < headBytes || bytes[0] != 1) {
        return false;
    }
    const std::uint64_t count = getNumber(bytes, 1, 8);
    std::size_t at = headBytes;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::size_t end = bytes.size() - at < 8 ? std::string_view::npos : bytes.find('\0', at + 8);
        if (end == std::string_view::npos || end + 1 >= bytes.size() || getNumber(bytes, at, 8) == 0 || bytes[end + 1] > 2) {
            return false;
        }
        at = end + 2;
    }
    return count <= limits::maxAggregators && bytes.size() - at < 8;
}

// Number of entries; the batch begins at `appendBytes` of the header. UINT64_MAX: malformed.
std::uint64_t countEntries(std::string_view header)
{
    if (header.size() < appendBytes + 8 + spareBytes) {
        return UINT64_MAX;
    }
    const std::uint64_t count = getNumber(header, appendBytes, 8);
    const std::size_t room = header.size() - appendBytes - 8 - spareBytes;
    return count == room / 16 && room % 16 == 0 ? count : UINT64_MAX;
}

struct EntryHead {
    std::uint8_t type;
    std::size_t length;
};
EntryHead entryHead(std::string_view header, std::size_t index)
{
    const std::size_t at = appendBytes + 8 + 16 * index;
    return {static_cast<std::uint8_t>(header[at + 8]), getNumber(header, at + 12, 4)};
}

// Of AppendEntries and InstallSnapshot, whose header must be whole. SIZE_MAX: malformed.
std::size_t payloadLength(std::uint8_t type, std::string_view header)
{
    if (type == appendEntries) {
        const std::uint64_t count = countEntries(header);
        if (count > limits::maxRaftMessageBytes) {
            return SIZE_MAX;
        }
        std::size_t total = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            total += entryHead(header, i).length;
        }
        return total;
    }
    if (type == installSnapshot) {
        if (header.size() < installBytes + 8 + spareBytes) {
            return SIZE_MAX;
        }
        const std::uint64_t configuration = getNumber(header, installBytes - 8, 8);
        if (configuration != header.size() - installBytes - 8 - spareBytes) {
            return SIZE_MAX;
        }
        return std::min<std::uint64_t>(getNumber(header, installBytes + configuration, 8), limits::maxRaftMessageBytes);
    }
    return 0;
}

Result<void> checkEntries(std::string_view header, std::string_view payload)
{
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < countEntries(header); ++i) {
        const EntryHead entry = entryHead(header, i);
        if (entry.length == 0 || entry.length % 8 != 0 || entry.length > payload.size() - at) {
            return malformedRpc("an entry's length");
        }
        const std::string_view bytes = payload.substr(at, entry.length);
        if (entry.type < commandEntry || entry.type > changeEntry ||
            (entry.type == changeEntry && !isConfiguration(bytes))) {
            return malformedRpc("an entry's type");
        }
        at += entry.length;
    }
    return {};
}

}  // namespace

Result<std::size_t> rpcLength(std::string_view bytes)
{
    if (bytes.size() < preambleBytes) {
        return std::size_t{0};
    }
    const auto type = static_cast<std::uint8_t>(bytes[0]);
    const std::uint64_t headerLength = getNumber(bytes, 8, 8);
    const bool shortType = shortestHeader(type) > 0;
    if (type < appendEntries || type > timeoutNow) {
        return malformedRpc("its type");
    }
    if (headerLength < std::max<std::size_t>(shortestHeader(type), 1) || headerLength > limits::maxRaftMessageBytes / 2 ||
        (shortType && headerLength > maxShortHeader)) {
        return malformedRpc("its header's length");
    }
    if (shortType) {
        return preambleBytes + static_cast<std::size_t>(headerLength);
    }
    if (bytes.size() - preambleBytes < headerLength) {
        return std::size_t{0};
    }
    const std::size_t payload = payloadLength(type, bytes.substr(preambleBytes, headerLength));
    if (payload > limits::maxRaftMessageBytes - preambleBytes - headerLength) {
        return malformedRpc("its length");
    }
    return preambleBytes + static_cast<std::size_t>(headerLength) + payload;
}

Result<void> checkRpc(std::string_view rpc)
{
    const auto length = rpcLength(rpc);
    if (!length) {
        return length.error();
    }
    if (*length == 0 || *length != rpc.size()) {
        return malformedRpc("it is not whole");
    }
    const auto type = static_cast<std::uint8_t>(rpc[0]);
    const std::string_view header = rpc.substr(preambleBytes, getNumber(rpc, 8, 8));
    const std::string_view payload = rpc.substr(preambleBytes + header.size());
    if (type == appendEntries) {
        return checkEntries(header, payload);
    }
    if (type == installSnapshot &&
        (payload.empty() || !isConfiguration(header.substr(installBytes, getNumber(header, installBytes - 8, 8))))) {
        return malformedRpc("its snapshot");
    }
    return {};
}

// [u64 term][u64 rejected][u64 last index], then version and features.
bool tellsNothingNew(std::string_view rpc, std::uint64_t term, std::uint64_t match)
{
    if (rpc.size() < preambleBytes + shortestHeader(appendEntriesResult) || static_cast<std::uint8_t>(rpc[0]) != appendEntriesResult) {
        return false;
    }
    return getNumber(rpc, preambleBytes, 8) == term && getNumber(rpc, preambleBytes + 8, 8) == 0 &&
           getNumber(rpc, preambleBytes + 16, 8) <= match;
}

Result<void> RpcCutter::feed(std::string_view bytes, std::vector<std::string>& out)
{
    held += bytes;
    std::size_t at = 0;
    while (true) {
        const auto length = rpcLength(std::string_view(held).substr(at));
        if (!length) {
            held.clear();
            return length.error();
        }
        if (*length == 0 || *length > held.size() - at) {
            break;
        }
        out.push_back(held.substr(at, *length));
        at += *length;
    }
    held.erase(0, at);
    return {};
}

}  // namespace mesh::cluster
