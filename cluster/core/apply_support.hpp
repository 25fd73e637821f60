#pragma once

#include "cluster/core/state_machine.hpp"

#include <string>
#include <utility>
#include <vector>

// What the apply_*.cpp files share; nobody else includes it.
namespace mesh::cluster {

struct StateMachine::Entry {
    Revision revision;
    WallTime stamp;
    std::vector<Change>& changes;

    void changed(ChangeKind kind, std::string key) { changes.push_back({revision, kind, std::move(key)}); }
};

// "connector/name" of a change's key.
std::string changeKey(const tenants::ConnectorName& name);
// The record is still as the asker saw it, or he does not care.
bool matches(Revision ifRevision, Revision actual);
Error changedMeanwhile(const std::string& what);
// Would replacing `before` bytes by `after` keep the table within `budget`? The error names the table.
Result<void> fits(std::size_t used, std::size_t before, std::size_t after, std::size_t budget, const char* table);

}  // namespace mesh::cluster
