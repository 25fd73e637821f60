#pragma once

#include "shoset/base/result.hpp"
#include "shoset/sealing/secret_bytes.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace mesh::ctl {

// An operator's key for secrets: FILE, mode 0600, and beside it FILE.seen, what he has seen so far, so that no aggregator can
// show him another key in a connector's place, or an older secret in the place of a newer one.

// `given`, or what the environment says in BMCMESH_OPERATOR, or operator.key in ~/.config/bmcmesh.
std::string operatorFilePath(const std::string& given);
// A new file; the key that connectors have to trust. An existing one is never overwritten (Code::alreadyExists).
Result<std::string> makeOperatorFile(const std::string& path);
Result<sealing::Seed> loadOperatorFile(const std::string& path);

struct Seen {
    std::map<std::string, std::string> keys;        // sealing keys in base64, by "tenant/connector"
    std::map<std::string, std::uint64_t> versions;  // by "tenant/secret"
};
// Nothing yet where there is no file.
Result<Seen> loadSeen(const std::string& operatorFile);
Result<void> saveSeen(const std::string& operatorFile, const Seen& seen);

}  // namespace mesh::ctl
