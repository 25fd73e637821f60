#include "cluster/history/audit_rows.hpp"

#include <algorithm>

namespace mesh::history {

namespace {

using soci::into;
using soci::use;

constexpr const char* chainColumns = "select node, tenant, floor_position, floor_hash, head_position, head_hash, bytes from mesh_chain";

// Where SOCI puts one row of chains.
struct ChainRow {
    std::string node;
    std::string tenant;
    std::string floorHash;
    std::string headHash;
    long long floor = 0;
    long long head = 0;
    long long bytes = 0;

    Chain chain() const
    {
        return {node, tenant, {static_cast<std::uint64_t>(floor), floorHash}, {static_cast<std::uint64_t>(head), headHash},
                static_cast<std::uint64_t>(bytes)};
    }
};

}  // namespace

long long toMicroseconds(WallTime time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

WallTime fromMicroseconds(long long micros)
{
    return WallTime(std::chrono::microseconds(micros));
}

std::optional<Chain> readChain(soci::session& sql, const std::string& node, const std::string& tenant)
{
    ChainRow row;
    sql << chainColumns << " where node = :node and tenant = :tenant", use(node), use(tenant), into(row.node), into(row.tenant),
        into(row.floor), into(row.floorHash), into(row.head), into(row.headHash), into(row.bytes);
    return sql.got_data() ? std::optional<Chain>(row.chain()) : std::nullopt;
}

std::vector<Chain> readChains(soci::session& sql, const std::optional<std::string>& tenant)
{
    const int all = tenant ? 0 : 1;
    const std::string wanted = tenant.value_or("");
    ChainRow row;
    soci::statement read = (sql.prepare << chainColumns << " where (:every = 1 or tenant = :tenant) order by node, tenant", use(all),
                            use(wanted), into(row.node), into(row.tenant), into(row.floor), into(row.floorHash), into(row.head),
                            into(row.headHash), into(row.bytes));
    read.execute();
    std::vector<Chain> out;
    while (read.fetch()) {
        out.push_back(row.chain());
    }
    return out;
}

void writeChain(soci::session& sql, const Chain& chain)
{
    const auto floor = static_cast<long long>(chain.floor.position);
    const auto head = static_cast<long long>(chain.head.position);
    const auto bytes = static_cast<long long>(chain.bytes);
    sql << "insert into mesh_chain (node, tenant, floor_position, floor_hash, head_position, head_hash, bytes) "
           "values (:node, :tenant, :floor, :floor_hash, :head, :head_hash, :bytes) on conflict (node, tenant) do update set "
           "floor_position = excluded.floor_position, floor_hash = excluded.floor_hash, "
           "head_position = excluded.head_position, head_hash = excluded.head_hash, bytes = excluded.bytes",
        use(chain.node), use(chain.tenant), use(floor), use(chain.floor.hash), use(head), use(chain.head.hash), use(bytes);
}

void insertAudit(soci::session& sql, const std::vector<StoredAudit>& records)
{
    AuditRecord at;
    std::string hash;
    long long position = 0;
    long long time = 0;
    long long bytes = 0;
    int phase = 0;
    soci::statement insert =
        (sql.prepare << "insert into mesh_audit (node, tenant, position, time_us, account, client, method, uri, request, phase, "
                        "status, hash, bytes) values (:node, :tenant, :position, :time, :account, :client, :method, :uri, "
                        ":request, :phase, :status, :hash, :bytes)",
         use(at.node), use(at.tenant), use(position), use(time), use(at.account), use(at.client), use(at.method), use(at.uri),
         use(at.request), use(phase), use(at.status), use(hash), use(bytes));
    for (const StoredAudit& stored : records) {
        at = stored.record;
        hash = stored.link.hash;
        position = static_cast<long long>(stored.link.position);
        time = toMicroseconds(at.time);
        phase = static_cast<int>(at.phase);
        bytes = static_cast<long long>(storedBytes(at));
        insert.execute(true);
    }
}

AuditPage readAudit(soci::session& sql, const AuditQuery& query)
{
    AuditPage page;
    if (query.after == 0) {
        page.chains = readChains(sql, query.tenant);
    }
    const int all = query.tenant ? 0 : 1;
    const std::string tenant = query.tenant.value_or("");
    const auto after = static_cast<long long>(query.after);
    const long long since = toMicroseconds(query.since);
    const long long until = toMicroseconds(query.until);
    const int prefix = static_cast<int>(query.resource.size());
    const std::string below = query.resource + "/";
    const int belowLength = prefix + 1;
    const auto limit = static_cast<long long>(query.limit) + 1;
    const int anyNode = query.node.empty() ? 1 : 0;
    StoredAudit row;
    AuditRecord& at = row.record;
    long long id = 0;
    long long position = 0;
    long long time = 0;
    int phase = 0;
    soci::statement read =
        (sql.prepare << "select id, node, tenant, position, time_us, account, client, method, uri, request, phase, status, hash "
                        "from mesh_audit where id > :after and time_us >= :since and time_us < :until and "
                        "(:every = 1 or tenant = :tenant) and (:no_prefix = 0 or uri = :resource or substr(uri, 1, :length) = :below) and "
                        "(:any_node = 1 or node = :node) order by id limit :most",
         use(after), use(since), use(until), use(all), use(tenant), use(prefix), use(query.resource), use(belowLength), use(below),
         use(anyNode), use(query.node), use(limit), into(id), into(at.node), into(at.tenant), into(position), into(time), into(at.account), into(at.client),
         into(at.method), into(at.uri), into(at.request), into(phase), into(at.status), into(row.link.hash));
    read.execute();
    while (read.fetch()) {
        if (page.records.size() == query.limit) {
            page.more = true;
            break;
        }
        row.id = static_cast<std::uint64_t>(id);
        row.link.position = static_cast<std::uint64_t>(position);
        at.time = fromMicroseconds(time);
        at.phase = static_cast<Phase>(phase);
        page.records.push_back(row);
    }
    return page;
}

std::uint64_t goesUpTo(soci::session& sql, const Chain& chain, WallTime oldest, std::uint64_t keepBytes)
{
    auto upTo = static_cast<long long>(chain.head.position);
    if (const long long since = toMicroseconds(oldest); since > 0) {
        const long long none = upTo + 1;
        sql << "select coalesce(min(position), :none) - 1 from mesh_audit where node = :node and tenant = :tenant and "
               "time_us >= :since",
            use(none), use(chain.node), use(chain.tenant), use(since), into(upTo);
    } else {
        upTo = static_cast<long long>(chain.floor.position);
    }
    if (chain.bytes <= keepBytes) {
        return static_cast<std::uint64_t>(upTo);
    }
    std::uint64_t surplus = chain.bytes - keepBytes;
    long long position = 0;
    long long bytes = 0;
    soci::statement read = (sql.prepare << "select position, bytes from mesh_audit where node = :node and tenant = :tenant order by position",
                            use(chain.node), use(chain.tenant), into(position), into(bytes));
    read.execute();
    while (surplus > 0 && read.fetch()) {
        surplus -= std::min(surplus, static_cast<std::uint64_t>(bytes));
        upTo = std::max(upTo, position);
    }
    return static_cast<std::uint64_t>(upTo);
}

std::uint64_t cutChain(soci::session& sql, Chain chain, std::uint64_t upTo)
{
    const auto last = static_cast<long long>(upTo);
    long long count = 0;
    long long bytes = 0;
    sql << "select count(*), cast(coalesce(sum(bytes), 0) as bigint) from mesh_audit where node = :node and tenant = :tenant "
           "and position <= :last",
        use(chain.node), use(chain.tenant), use(last), into(count), into(bytes);
    std::string hash;
    sql << "select hash from mesh_audit where node = :node and tenant = :tenant and position = :last", use(chain.node),
        use(chain.tenant), use(last), into(hash);
    if (!sql.got_data()) {
        return 0;  // somebody else has removed it: what is left of the chain has to show that
    }
    sql << "delete from mesh_audit where node = :node and tenant = :tenant and position <= :last", use(chain.node),
        use(chain.tenant), use(last);
    chain.floor = {upTo, hash};
    chain.bytes -= std::min(chain.bytes, static_cast<std::uint64_t>(bytes));
    writeChain(sql, chain);
    return static_cast<std::uint64_t>(count);
}

}  // namespace mesh::history
