#include "cluster/raft/entry.hpp"

#include "cluster/raft/bytes.hpp"

namespace mesh::cluster {

namespace {

constexpr std::size_t entryHeadBytes = 8;      // [u32 format][u32 count]
constexpr std::size_t snapshotHeadBytes = 16;  // [u64 format][u64 index]
constexpr std::uint64_t snapshotFormatOfRaft = 1;

Error newer(const char* what)
{
    return Error{Code::unsupported, std::string(what) + " was written by a newer program; upgrade this one"};
}

}  // namespace

std::string encodeEntry(const std::vector<std::string>& operations)
{
    std::string out;
    putNumber(out, raftEntryFormat, 4);
    putNumber(out, operations.size(), 4);
    for (const std::string& operation : operations) {
        putNumber(out, operation.size(), entryOverhead);
        out += operation;
    }
    out.append((8 - out.size() % 8) % 8, '\0');
    return out;
}

Result<std::vector<std::string_view>> decodeEntry(std::string_view entry)
{
    const Error damaged{Code::corrupt, "an entry of the log is damaged"};
    if (entry.size() < entryHeadBytes) {
        return damaged;
    }
    if (getNumber(entry, 0, 4) != raftEntryFormat) {
        return newer("an entry of the log");
    }
    std::uint64_t count = getNumber(entry, 4, 4);
    std::vector<std::string_view> operations;
    for (entry.remove_prefix(entryHeadBytes); count > 0; --count) {
        const std::uint64_t length = entry.size() < entryOverhead ? UINT64_MAX : getNumber(entry, 0, entryOverhead);
        if (entry.size() < entryOverhead || length > entry.size() - entryOverhead) {
            return damaged;
        }
        operations.push_back(entry.substr(entryOverhead, length));
        entry.remove_prefix(entryOverhead + length);
    }
    return operations;
}

std::string encodeRaftSnapshot(const RaftSnapshot& snapshot)
{
    std::string out;
    out.reserve(snapshotHeadBytes + snapshot.state.size());
    putNumber(out, snapshotFormatOfRaft, 8);
    putNumber(out, snapshot.index, 8);
    return out += snapshot.state;
}

Result<RaftSnapshot> decodeRaftSnapshot(std::string_view bytes)
{
    if (bytes.size() < snapshotHeadBytes) {
        return Error{Code::corrupt, "a snapshot is damaged"};
    }
    if (getNumber(bytes, 0, 8) != snapshotFormatOfRaft) {
        return newer("a snapshot");
    }
    return RaftSnapshot{getNumber(bytes, 8, 8), bytes.substr(snapshotHeadBytes)};
}

}  // namespace mesh::cluster
