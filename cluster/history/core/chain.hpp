#pragma once

#include "cluster/history/core/records.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mesh::history {

// A record's place in the chain of its node and tenant. Each hash is SHA-256 over the one before and the record, so that
// what was changed, taken out or put in later shows, unless every hash behind it was made anew as well: against that helps a
// hash that was kept elsewhere, as syslog does.
struct ChainLink {
    std::uint64_t position = 0;  // 0: before the first record
    std::string hash;            // 64 hexadecimal digits; empty at 0
    bool operator==(const ChainLink&) const = default;
};

ChainLink linkAfter(const ChainLink& before, const AuditRecord& record);

struct StoredAudit {
    std::uint64_t id = 0;  // in its database, growing
    AuditRecord record;
    ChainLink link;
};

struct Chain {
    std::string node;
    std::string tenant;
    ChainLink floor;  // the last record that retention has removed
    ChainLink head;   // the last one that was stored
    std::uint64_t bytes = 0;  // of those between
    bool operator==(const Chain&) const = default;
};

// Walks the records of chains in the order of their positions, other chains' in between as they come, and finds the first
// that is not as it was stored.
class TrailVerifier {
public:
    // `chains` as they were before the first record was read: what comes behind their heads was stored meanwhile.
    explicit TrailVerifier(const std::vector<Chain>& chains);

    // Of no more use once it has found something.
    std::optional<std::string> take(const StoredAudit& stored);
    // All records were taken: is one missing at the end?
    std::optional<std::string> finish() const;
    std::uint64_t taken() const { return count; }

private:
    struct Walk {
        ChainLink last;
        ChainLink head;
    };
    std::map<std::pair<std::string, std::string>, Walk> walks;
    std::uint64_t count = 0;
};

}  // namespace mesh::history
