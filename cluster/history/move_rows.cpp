#include "cluster/history/move_rows.hpp"

#include "cluster/history/audit_rows.hpp"
#include "cluster/history/event_rows.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace mesh::history {

namespace {

using soci::into;
using soci::use;

Error anotherHistory(const Chain& chain)
{
    return {Code::refused, "there is another audit trail of " + chain.node + " for tenant " + chain.tenant +
                               " already, which this one does not go on from"};
}

// Empty: it is not there.
std::string hashAt(soci::session& sql, const Chain& chain, std::uint64_t position)
{
    const auto wanted = static_cast<long long>(position);
    std::string hash;
    sql << "select hash from mesh_audit where node = :node and tenant = :tenant and position = :position", use(chain.node),
        use(chain.tenant), use(wanted), into(hash);
    return sql.got_data() ? hash : std::string();
}

// Nothing of it is here any more.
Chain anew(soci::session& sql, const Chain& from)
{
    sql << "delete from mesh_audit where node = :node and tenant = :tenant", use(from.node), use(from.tenant);
    return {from.node, from.tenant, from.floor, from.floor, 0};
}

// Records went without a move of its floor: as a clearing left it that was cut off, of programs that removed a chain last.
bool lacksItsBegin(soci::session& sql, const Chain& here)
{
    return here.head.position > here.floor.position && hashAt(sql, here, here.floor.position + 1).empty();
}

// The chain here that `from` goes on with. Records without a chain are what a clearing left that was cut off.
Result<Chain> joint(soci::session& sql, const Chain& from, const std::vector<StoredAudit>& records)
{
    std::optional<Chain> here = readChain(sql, from.node, from.tenant);
    if (!here || here->head.position < from.floor.position) {
        return anew(sql, from);
    }
    if (from.head.position >= here->head.position && lacksItsBegin(sql, *here)) {
        const auto first = std::find_if(records.begin(), records.end(), [&from](const StoredAudit& stored) {
            return stored.record.node == from.node && stored.record.tenant == from.tenant;
        });
        if (from.head.position == here->head.position && from.head != here->head) {
            return anotherHistory(from);
        }
        const bool begins = first != records.end() && first->link.position == from.floor.position + 1;
        if (begins || from.floor.position == here->head.position) {
            return anew(sql, from);
        }
        if (first != records.end() && first->link.position <= here->head.position) {
            return Error{Code::unavailable, "the audit trail of " + from.node + " for tenant " + from.tenant +
                                                " lacks its first records here: it has to be copied from its begin"};
        }
    }
    if (here->head.position == from.floor.position && here->head != from.floor) {
        return anotherHistory(from);
    }
    return std::move(*here);
}

// 0: it is not there.
std::uint64_t idOf(soci::session& sql, const std::string& tenant, const EventKey& key)
{
    const auto epoch = static_cast<long long>(key.epoch);
    const auto sequence = static_cast<long long>(key.sequence);
    long long id = 0;
    sql << "select id from mesh_event where tenant = :tenant and connector = :connector and epoch = :epoch and sequence = :sequence",
        use(tenant), use(key.connector), use(epoch), use(sequence), into(id);
    return sql.got_data() ? static_cast<std::uint64_t>(id) : 0;
}

// The least id of what the connector told later; 0: there is nothing.
std::uint64_t firstBehind(soci::session& sql, const EventHead& head)
{
    const auto epoch = static_cast<long long>(head.epoch);
    const auto sequence = static_cast<long long>(head.sequence);
    long long id = 0;
    sql << "select coalesce(min(id), 0) from mesh_event where tenant = :tenant and connector = :connector and "
           "(epoch, sequence) > (:epoch, :sequence)",
        use(head.tenant), use(head.connector), use(epoch), use(sequence), into(id);
    return static_cast<std::uint64_t>(id);
}

}  // namespace

Result<std::uint64_t> takeAudit(soci::session& sql, const AuditPage& page)
{
    std::map<std::pair<std::string, std::string>, Chain> chains;
    for (const Chain& from : page.chains) {
        Result<Chain> here = joint(sql, from, page.records);
        if (!here) {
            return here.error();
        }
        chains.emplace(std::pair(from.node, from.tenant), std::move(*here));
    }
    std::vector<StoredAudit> fresh;
    std::map<std::pair<std::string, std::string>, ChainLink> there;  // the last of each that is here already
    for (const StoredAudit& stored : page.records) {
        const std::pair name(stored.record.node, stored.record.tenant);
        const auto chain = chains.find(name);
        if (chain == chains.end() || stored.link.position <= chain->second.head.position) {
            there[name] = stored.link;
            continue;
        }
        if (stored.link.position != chain->second.head.position + 1) {
            return Error{Code::corrupt, "the audit trail of " + name.first + " for tenant " + name.second + " has a gap before record " +
                                            std::to_string(stored.link.position)};
        }
        chain->second.head = stored.link;
        chain->second.bytes += storedBytes(stored.record);
        fresh.push_back(stored);
    }
    for (const auto& [name, link] : there) {
        const auto chain = chains.find(name);
        const std::string here = chain == chains.end() ? std::string() : hashAt(sql, chain->second, link.position);
        if (!here.empty() && here != link.hash) {
            return anotherHistory(chain->second);
        }
    }
    insertAudit(sql, fresh);
    for (const auto& [name, chain] : chains) {
        writeChain(sql, chain);
    }
    return fresh.size();
}

EventIds readEventIds(Connection& connection, const std::string& tenant)
{
    soci::session& sql = *connection.session;
    EventIds out;
    out.heads = readHeads(sql, tenant);  // first: what others store meanwhile is then read twice, not taken for seen
    out.greatest = std::max(newestEver(connection, "mesh_event"), newestEver(connection, "mesh_audit"));
    long long last = 0;
    sql << "select coalesce(max(id), 0) from mesh_event where tenant = :tenant", use(tenant), into(last);
    out.last = static_cast<std::uint64_t>(last);
    const auto most = static_cast<long long>(limits::historyMoveRecent);
    EventKey key;
    long long id = 0;
    long long epoch = 0;
    long long sequence = 0;
    soci::statement read = (sql.prepare << "select id, connector, epoch, sequence from mesh_event where tenant = :tenant "
                                           "order by id desc limit :most",
                            use(tenant), use(most), into(id), into(key.connector), into(epoch), into(sequence));
    read.execute();
    while (read.fetch()) {
        out.recent.push_back({key.connector, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(sequence),
                              static_cast<std::uint64_t>(id)});
    }
    std::reverse(out.recent.begin(), out.recent.end());
    return out;
}

// Events become visible in the order of their ids: what is not visible when the newest is read has a greater one. Those of other
// nodes themselves ("@agg-b") are passed on to nobody, so that where there were none readers were never to see them.
EventLanding findLanding(soci::session& sql, const std::string& tenant, const EventIds& seenElsewhere)
{
    std::map<std::string, EventHead> seen;
    for (const EventHead& head : seenElsewhere.heads) {
        seen[head.connector] = head;
    }
    EventLanding out{newestId(sql), {}};
    for (const EventHead& here : readHeads(sql, tenant)) {
        const bool promised = seen.contains(here.connector) || !here.connector.starts_with('@');
        const EventHead there = seen.try_emplace(here.connector, EventHead{tenant, here.connector, 0, 0}).first->second;
        const bool isBehind = std::pair(there.epoch, there.sequence) < std::pair(here.epoch, here.sequence);
        const std::uint64_t later = promised && isBehind ? firstBehind(sql, there) : 0;
        out.at = later == 0 ? out.at : std::min(out.at, later - 1);
    }
    for (const EventKey& key : seenElsewhere.recent) {
        out.recent.emplace_back(key, idOf(sql, tenant, key));
    }
    return out;
}

bool dropSome(soci::session& sql, const std::string& tenant, std::size_t limit)
{
    const auto most = static_cast<long long>(limit);
    sql << "delete from mesh_chain where tenant = :tenant", use(tenant);  // before its records: no half of a chain is taken for one
    sql << "delete from mesh_event where id in (select id from mesh_event where tenant = :tenant order by id limit :most)", use(tenant),
        use(most);
    sql << "delete from mesh_audit where id in (select id from mesh_audit where tenant = :tenant order by id limit :most)", use(tenant),
        use(most);
    long long left = 0;
    sql << "select (select count(*) from mesh_event where tenant = :of) + (select count(*) from mesh_audit where tenant = :tenant)",
        use(tenant), use(tenant), into(left);
    if (left == 0) {
        sql << "delete from mesh_event_source where tenant = :tenant", use(tenant);
    }
    return left > 0;
}

}  // namespace mesh::history
