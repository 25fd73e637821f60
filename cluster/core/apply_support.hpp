#pragma once

#include "cluster/core/state_machine.hpp"
#include "shoset/base/ids.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the apply_*.cpp files share; nobody else includes it.
namespace mesh::cluster {

struct StateMachine::Entry {
    Revision revision;
    WallTime stamp;
    const MessageId& request;
    std::vector<Change>& changes;

    void changed(ChangeKind kind, std::string key) { changes.push_back({revision, kind, std::move(key)}); }
};

// "connector/name" of a change's key.
std::string changeKey(const tenants::ConnectorName& name);
std::string changeKey(const DocumentName& name);
// The record is still as the asker saw it, or he does not care.
bool matches(Revision ifRevision, Revision actual);
Error changedMeanwhile(const std::string& what);
Error tooMany(std::size_t limit, const char* what);
Error noAccount(const std::string& id);
// ASCII without spaces.
bool isPrintable(std::string_view text);

// A table with a budget of bytes.
struct StateMachine::Table {
    std::size_t limits::TableBytes::*bytes;
    const char* name;

    static const Table accounts, roles, sessions, registry, prefixes, properties, nodes, enrolments, tasks, sources,
        documents, cursors;
    static const Table* const all[12];
};

template <class... Record>
std::size_t StateMachine::sizeOf(const Record&... record) const
{
    return encodedSize(record..., current.featureLevel);
}

}  // namespace mesh::cluster
