#pragma once

#include "aggregator/setup/config.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <optional>
#include <string>

// What a node's sealing keys follow from. Blocking; for the start.
namespace mesh::aggregator {

// The one in the file, 0600, which is made where it is missing, with its folder.
Result<sealing::Seed> loadSealingKey(const std::string& file, Rng& rng);

// The one that passwords of databases are sealed to for this node: STATE/NAME.sealing; its own, and no CURVE key. Its public half is logged,
// so that an operator can compare what he seals to. None where tenants stand in a file, nothing is recorded, or for a witness.
Result<std::optional<sealing::Seed>> loadDatabaseKey(const Config& config, const std::string& stateDirectory, Rng& rng);

}  // namespace mesh::aggregator
