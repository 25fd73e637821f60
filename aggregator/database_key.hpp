#pragma once

#include "aggregator/setup/config.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <optional>
#include <string>

namespace mesh::aggregator {

// What the key follows from that passwords of databases are sealed to for this node: STATE/NAME.sealing, 0600, made at the first start;
// its own, and no CURVE key. Its public half is logged, so that an operator can compare what he seals to. None where tenants stand in a
// file, nothing is recorded, or for a witness. Blocks; for the start.
Result<std::optional<sealing::Seed>> loadDatabaseKey(const Config& config, const std::string& stateDirectory, Rng& rng);

}  // namespace mesh::aggregator
