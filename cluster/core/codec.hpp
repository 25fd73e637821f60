#pragma once

#include "cluster/core/command.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace mesh::cluster {

// How entries, snapshots and records become bytes. Numbers are LEB128, texts a length and their bytes, records their
// fields in order, tables a count and their records in order of key. Every text and count is bounded when read, and
// every byte must be used. A new field or operation is a new format version, which the cluster's feature level admits.
constexpr std::uint64_t entryFormat = 1;
constexpr std::uint64_t snapshotFormat = 1;

// tooLarge beyond limits::maxEntryBytes.
Result<std::string> encodeCommand(const Command& command);
// unsupported for another format or an operation that this program does not know; corrupt for anything malformed.
Result<Command> decodeCommand(std::string_view entry);

// Of what was applied lately, oldest first; part of the state, because a repeat must be answered alike on every node.
struct Remembered {
    MessageId requestId;
    Applied applied;
};

std::string encodeSnapshot(const State& state, const std::deque<Remembered>& remembered);
// Fills tables, not look-ups. Errors as decodeCommand.
struct Snapshot {
    State state;
    std::deque<Remembered> remembered;
};
Result<Snapshot> decodeSnapshot(std::string_view snapshot);

// What a record takes of its table's budget.
std::size_t encodedSize(const Account& account);
std::size_t encodedSize(const Role& role);
std::size_t encodedSize(const Session& session);
std::size_t encodedSize(const tenants::Connector& connector);
std::size_t encodedSize(const tenants::ConnectorName& name, const PrefixAssignment& assignment);
std::size_t encodedSize(const std::string& uri, const Property& property);
std::size_t encodedSize(const Remembered& remembered);

}  // namespace mesh::cluster
