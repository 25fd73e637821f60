#pragma once

#include "cluster/core/state.hpp"
#include "shoset/sealing/envelope.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mesh::aggregator {

// Sealed secrets in the replicated state: documents of kind secret, each the text of an envelope. Nobody here can open one.
cluster::DocumentName secretDocument(std::string_view tenant, std::string_view name);

struct SealedDocument {
    sealing::Envelope envelope;
    cluster::Revision revision = 0;
};
// nullopt: there is none, or what is there is no sealed secret of that name and tenant.
std::optional<SealedDocument> findSealed(const cluster::State& state, std::string_view tenant, std::string_view name);
// By tenant and name; of one tenant, or, where that is empty, of all.
std::map<std::pair<std::string, std::string>, SealedDocument> allSealed(const cluster::State& state, std::string_view tenant);

}  // namespace mesh::aggregator
