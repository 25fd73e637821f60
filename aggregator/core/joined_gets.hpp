#pragma once

#include "shoset/base/http.hpp"
#include "shoset/core/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

// Which GETs wait for the answer to another one that is in flight and asks a satellite for the same thing, so that the BMC
// is asked once. Knows names only; who follows whom was authorised before.
class JoinedGets {
public:
    using Id = std::uint64_t;
    // What was asked, by whom: empty for what is never joined.
    using Key = std::string;

    // The same key: the same satellite, tenant, path and query, and whatever else of the request could change the answer,
    // with no write to the satellite through this node in between; of others' writes the answer tells. `headers`: as the
    // satellite gets them. Empty for what wants an answer of its own (Cache-Control: no-cache) or an endless one (event streams).
    Key keyOf(const shoset::Address& satellite, std::string_view tenant, const std::string& target, const Headers& headers) const;
    // Whether `id` follows a GET in flight; else it has to be sent, and others may follow it until take().
    bool join(const Key& key, Id id);
    // The answer to `sent` has come, or none will: nobody follows it any more. Those that do.
    std::vector<Id> take(const Key& key, Id sent);
    // A follower wants no answer any more.
    void leave(const Key& key, Id follower);
    // A write to the satellite begins or ends: GETs that began before are not followed by later ones.
    void written(const shoset::Address& satellite) { ++writes[satellite]; }

    std::uint64_t joined() const { return count; }

private:
    struct Flight {
        Id leader = 0;
        std::vector<Id> followers;
    };
    std::unordered_map<Key, Flight> flights;
    std::unordered_map<shoset::Address, std::uint64_t> writes;  // of satellites, so no more than there are connectors
    std::uint64_t count = 0;
};

}  // namespace mesh::aggregator
