#pragma once

#include "cluster/core/command.hpp"
#include "cluster/core/feature_level.hpp"
#include "cluster/core/state.hpp"
#include "shoset/base/result.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace mesh::cluster {

// How entries, snapshots and records become bytes. Numbers are LEB128, texts a length and their bytes, records their
// fields in order, tables a count and their records in order of key. Every text and count is bounded when read, and
// every byte must be used. The format's number is a feature level: of an entry, the one at which its operation came; of a
// snapshot, the one that the cluster had. All up to `knows` are read (tests play older programs with it).

// tooLarge beyond limits::maxEntryBytes.
Result<std::string> encodeCommand(const Command& command);
// unsupported for a format, operation or level that this program does not know; corrupt for anything malformed.
Result<Command> decodeCommand(std::string_view entry, FeatureLevel knows = newestFeatureLevel);

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
Result<Snapshot> decodeSnapshot(std::string_view snapshot, FeatureLevel knows = newestFeatureLevel);

// The errors of both.
Error malformed(const char* what);
Error newer(const char* what, std::uint64_t found, std::uint64_t known);

// What a record takes of its table's budget: its bytes, and those by which it may grow without being asked.
std::size_t encodedSize(const Account& account, FeatureLevel level);
std::size_t encodedSize(const Role& role, FeatureLevel level);
std::size_t encodedSize(const Session& session, FeatureLevel level);
std::size_t encodedSize(const TenantRecord& tenant, FeatureLevel level);
std::size_t encodedSize(const tenants::Connector& connector, FeatureLevel level);
std::size_t encodedSize(const tenants::ConnectorName& name, const PrefixAssignment& assignment, FeatureLevel level);
std::size_t encodedSize(const std::string& uri, const Property& property, FeatureLevel level);
std::size_t encodedSize(const Remembered& remembered, FeatureLevel level);
std::size_t encodedSize(const Node& node, FeatureLevel level);
std::size_t encodedSize(const Enrolment& enrolment, FeatureLevel level);
std::size_t encodedSize(const Task& task, FeatureLevel level);
std::size_t encodedSize(const Source& source, FeatureLevel level);
std::size_t encodedSize(const DocumentName& name, const Document& document, FeatureLevel level);
std::size_t encodedSize(const DocumentName& name, const std::string& cursor, FeatureLevel level);

}  // namespace mesh::cluster
