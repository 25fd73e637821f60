#include "cluster/history/core/chain.hpp"

#include "shoset/base/ids.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <chrono>

namespace mesh::history {

namespace {

// Length and bytes of one field, so that no two records are the same text.
class Digest {
public:
    Digest() { crypto_hash_sha256_init(&state); }
    Digest& field(std::string_view text)
    {
        const std::string length = std::to_string(text.size()) + ":";
        add(length);
        add(text);
        return *this;
    }
    Digest& number(std::int64_t value) { return field(std::to_string(value)); }
    std::string hex()
    {
        unsigned char digest[crypto_hash_sha256_BYTES];
        crypto_hash_sha256_final(&state, digest);
        return toHex({reinterpret_cast<const char*>(digest), sizeof(digest)});
    }

private:
    void add(std::string_view text)
    {
        crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    }
    crypto_hash_sha256_state state;
};

std::int64_t micros(WallTime time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

std::string nameOf(const Chain& chain, std::uint64_t position)
{
    return "record " + std::to_string(position) + " of " + chain.node + " for " +
           (chain.tenant.empty() ? std::string("the system") : "tenant " + chain.tenant);
}

}  // namespace

ChainLink linkAfter(const ChainLink& before, const AuditRecord& record)
{
    Digest digest;
    digest.field("bmcmesh-audit-1").field(before.hash).number(static_cast<std::int64_t>(before.position + 1));
    digest.number(micros(record.time)).field(record.tenant).field(record.account).field(record.client).field(record.node);
    digest.field(record.method).field(record.uri).field(record.request);
    digest.number(static_cast<int>(record.phase)).number(record.status);
    return {before.position + 1, digest.hex()};
}

TrailVerifier::TrailVerifier(const std::vector<Chain>& chains)
{
    for (const Chain& chain : chains) {
        walks[{chain.node, chain.tenant}] = {chain.floor, chain.head};
    }
}

std::optional<std::string> TrailVerifier::take(const StoredAudit& stored)
{
    Walk& walk = walks[{stored.record.node, stored.record.tenant}];
    const Chain named{stored.record.node, stored.record.tenant, {}, {}, 0};
    ++count;
    if (stored.link.position != walk.last.position + 1) {
        return stored.link.position <= walk.last.position
                   ? nameOf(named, stored.link.position) + " is there twice, or out of order"
                   : nameOf(named, walk.last.position + 1) + " is missing";
    }
    if (linkAfter(walk.last, stored.record) != stored.link) {
        return nameOf(named, stored.link.position) + " is not as it was stored";
    }
    walk.last = stored.link;
    // Every hash behind a change made anew would pass, were it not for what the node remembers of the last one.
    if (stored.link.position == walk.head.position && stored.link != walk.head) {
        return nameOf(named, stored.link.position) + " is not the one that was stored last";
    }
    return std::nullopt;
}

std::optional<std::string> TrailVerifier::finish() const
{
    for (const auto& [name, walk] : walks) {
        if (walk.last.position < walk.head.position) {
            return nameOf({name.first, name.second, {}, {}, 0}, walk.last.position + 1) + " is missing, and all behind it";
        }
    }
    return std::nullopt;
}

}  // namespace mesh::history
