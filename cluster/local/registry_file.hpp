#pragma once

#include "shoset/base/result.hpp"
#include "tenants/registry.hpp"

#include <string>
#include <string_view>

namespace mesh::cluster {

// The registry as a file (registry.yaml, see the interfaces):
//   tenants: [ { name: acme, quota: { messages_per_second: 100, bytes_in_flight: 1000000, stored_events: 50000, connectors: 20 } } ]
//   connectors: [ { name: sled07, tenant: acme, key: "<z85>", prefix: 5B247A, product: R750, type: server } ]
// prefix, product and type may be missing, a quota or any part of it (see tenants/quota.hpp), and so may either list. Everything is checked before anything is accepted.
// Errors begin with "file:line: " and say what was expected; unknown and repeated keys are errors.
Result<tenants::Registry> parseRegistry(std::string_view yaml, const std::string& fileName);

// Reads and parses it; ioError when it cannot be read, tooLarge beyond limits::maxRegistryFileBytes.
Result<tenants::Registry> readRegistryFile(const std::string& path);

}  // namespace mesh::cluster
