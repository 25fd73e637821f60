#include "cluster/history/event_rows.hpp"

#include "cluster/history/audit_rows.hpp"
#include "shoset/base/ids.hpp"

#include <algorithm>

namespace mesh::history {

namespace {

using soci::into;
using soci::use;

// Any other is stored as hexadecimal digits: PostgreSQL takes neither a NUL nor broken UTF-8.
bool isPlainPayload(const std::string& payload)
{
    return std::all_of(payload.begin(), payload.end(), [](char c) { return c != '\0' && static_cast<unsigned char>(c) < 0x80; });
}

std::uint64_t countEvents(soci::session& sql)
{
    long long count = 0;
    sql << "select count(*) from mesh_event", into(count);
    return static_cast<std::uint64_t>(count);
}

// Of each tenant with a quota, the oldest that are over it.
void pruneOverQuota(soci::session& sql, const RetentionPolicy& policy)
{
    for (const auto& [tenant, most] : policy.maxEvents) {
        const auto kept = static_cast<long long>(most);
        long long newestToGo = 0;
        if (most == 0) {
            continue;
        }
        sql << "select id from mesh_event where tenant = :tenant order by id desc limit 1 offset :kept", use(tenant), use(kept),
            into(newestToGo);
        if (sql.got_data()) {
            sql << "delete from mesh_event where tenant = :tenant and id <= :last", use(tenant), use(newestToGo);
        }
    }
}

}  // namespace

void insertEvents(soci::session& sql, const std::vector<EventRecord>& events)
{
    EventRecord at;
    long long epoch = 0;
    long long sequence = 0;
    long long time = 0;
    long long bytes = 0;
    int hex = 0;
    soci::statement insert =
        (sql.prepare << "insert into mesh_event (tenant, connector, epoch, sequence, time_us, topic, name, payload, payload_hex, "
                        "bytes) values (:tenant, :connector, :epoch, :sequence, :time, :topic, :name, :payload, :hex, :bytes) "
                        "on conflict (tenant, connector, epoch, sequence) do nothing",
         use(at.tenant), use(at.connector), use(epoch), use(sequence), use(time), use(at.topic), use(at.name), use(at.payload),
         use(hex), use(bytes));
    for (const EventRecord& event : events) {
        at = event;
        bytes = static_cast<long long>(storedBytes(event));
        hex = isPlainPayload(event.payload) ? 0 : 1;
        if (hex == 1) {
            at.payload = toHex(event.payload);
        }
        epoch = static_cast<long long>(event.epoch);
        sequence = static_cast<long long>(event.sequence);
        time = toMicroseconds(event.time);
        insert.execute(true);
    }
}

EventPage readEvents(soci::session& sql, const EventQuery& query)
{
    const int all = query.tenant ? 0 : 1;
    const std::string tenant = query.tenant.value_or("");
    const int anyConnector = query.connector.empty() ? 1 : 0;
    const int anyTopic = query.topic.empty() ? 1 : 0;
    const auto after = static_cast<long long>(query.after);
    const long long since = toMicroseconds(query.since);
    const long long until = toMicroseconds(query.until);
    const auto limit = static_cast<long long>(query.limit) + 1;
    EventPage page;
    StoredEvent row;
    EventRecord& at = row.record;
    long long id = 0;
    long long epoch = 0;
    long long sequence = 0;
    long long time = 0;
    int hex = 0;
    soci::statement read =
        (sql.prepare << "select id, tenant, connector, epoch, sequence, time_us, topic, name, payload, payload_hex from mesh_event "
                        "where id > :after and time_us >= :since and time_us < :until and (:every = 1 or tenant = :tenant) and "
                        "(:any_connector = 1 or connector = :connector) and (:any_topic = 1 or topic = :topic) order by id limit :most",
         use(after), use(since), use(until), use(all), use(tenant), use(anyConnector), use(query.connector), use(anyTopic),
         use(query.topic), use(limit), into(id), into(at.tenant), into(at.connector), into(epoch), into(sequence), into(time),
         into(at.topic), into(at.name), into(at.payload), into(hex));
    read.execute();
    while (read.fetch()) {
        if (page.records.size() == query.limit) {
            page.more = true;
            break;
        }
        page.records.push_back(row);
        StoredEvent& added = page.records.back();
        added.id = static_cast<std::uint64_t>(id);
        added.record.epoch = static_cast<std::uint64_t>(epoch);
        added.record.sequence = static_cast<std::uint64_t>(sequence);
        added.record.time = fromMicroseconds(time);
        if (const Result<std::string> raw = fromHex(at.payload); hex == 1 && raw) {
            added.record.payload = *raw;
        }
    }
    return page;
}

std::uint64_t pruneEvents(soci::session& sql, const RetentionPolicy& policy, WallTime now)
{
    const std::uint64_t before = countEvents(sql);
    pruneOverQuota(sql, policy);
    const long long oldest = toMicroseconds(oldestKept(policy, now));
    sql << "delete from mesh_event where time_us < :oldest", use(oldest);
    std::vector<std::string> tenants;
    std::vector<std::uint64_t> sizes;
    std::string tenant;
    long long bytes = 0;
    soci::statement sums = (sql.prepare << "select tenant, cast(sum(bytes) as bigint) from mesh_event group by tenant", into(tenant),
                            into(bytes));
    sums.execute();
    while (sums.fetch()) {
        tenants.push_back(tenant);
        sizes.push_back(static_cast<std::uint64_t>(bytes));
    }
    const std::vector<std::uint64_t> kept = shares(sizes, policy.maxBytes);
    for (std::size_t i = 0; i < tenants.size(); ++i) {
        std::uint64_t surplus = sizes[i] - kept[i];
        long long id = 0;
        long long last = 0;
        soci::statement read = (sql.prepare << "select id, bytes from mesh_event where tenant = :tenant order by id", use(tenants[i]),
                                into(id), into(bytes));
        if (surplus > 0) {
            read.execute();
        }
        while (surplus > 0 && read.fetch()) {
            surplus -= std::min(surplus, static_cast<std::uint64_t>(bytes));
            last = id;
        }
        if (last > 0) {
            sql << "delete from mesh_event where tenant = :tenant and id <= :last", use(tenants[i]), use(last);
        }
    }
    return before - countEvents(sql);
}

}  // namespace mesh::history
