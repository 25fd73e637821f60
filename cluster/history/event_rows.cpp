#include "cluster/history/event_rows.hpp"

#include "cluster/history/audit_rows.hpp"
#include "shoset/base/ids.hpp"

#include <algorithm>
#include <map>

namespace mesh::history {

namespace {

using soci::into;
using soci::use;

// Of all nodes that store events in one database: any number that nobody else uses.
constexpr long long appendLock = 0x626d636576656e74;

// Any other is stored as hexadecimal digits: PostgreSQL takes neither a NUL nor broken UTF-8.
bool isPlainPayload(const std::string& payload)
{
    return std::all_of(payload.begin(), payload.end(), [](char c) { return c != '\0' && static_cast<unsigned char>(c) < 0x80; });
}

// Where SOCI takes one row of events from, and puts it.
struct EventRow {
    EventRecord record;
    long long id = 0;
    long long epoch = 0;
    long long sequence = 0;
    long long time = 0;
    long long lostTo = 0;
    long long stored = 0;
    long long bytes = 0;
    int hex = 0;

    void fill(const EventRecord& event)
    {
        record = event;
        bytes = static_cast<long long>(storedBytes(event));
        hex = isPlainPayload(event.payload) ? 0 : 1;
        if (hex == 1) {
            record.payload = toHex(event.payload);
        }
        epoch = static_cast<long long>(event.epoch);
        sequence = static_cast<long long>(event.sequence);
        time = toMicroseconds(event.time);
        lostTo = static_cast<long long>(event.lostTo);
    }
    EventRecord take() const
    {
        EventRecord out = record;
        out.epoch = static_cast<std::uint64_t>(epoch);
        out.sequence = static_cast<std::uint64_t>(sequence);
        out.time = fromMicroseconds(time);
        out.lostTo = static_cast<std::uint64_t>(lostTo);
        if (Result<std::string> raw = fromHex(hex == 1 ? record.payload : std::string()); hex == 1 && raw) {
            out.payload = std::move(*raw);
        }
        return out;
    }
};

// Where the connectors of some events stand with these.
class Heads {
public:
    void note(const EventRecord& event)
    {
        auto& head = heads[{event.tenant, event.connector}];
        head = std::max(head, std::pair(event.epoch, std::max(event.sequence, event.lostTo)));
    }
    void write(soci::session& sql) const
    {
        for (const auto& [connector, head] : heads) {
            writeHead(sql, {connector.first, connector.second, head.first, head.second});
        }
    }

private:
    std::map<std::pair<std::string, std::string>, std::pair<std::uint64_t, std::uint64_t>> heads;
};

constexpr const char* insertText =
    "insert into mesh_event (tenant, connector, epoch, sequence, time_us, topic, name, payload, payload_hex, bytes, lost_to, stored_us) "
    "values (:tenant, :connector, :epoch, :sequence, :time, :topic, :name, :payload, :hex, :bytes, :lost, :stored) "
    "on conflict (tenant, connector, epoch, sequence) do nothing";

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

std::uint64_t newestId(soci::session& sql)
{
    long long id = 0;
    sql << "select coalesce(max(id), 0) from mesh_event", into(id);
    return static_cast<std::uint64_t>(id);
}

std::uint64_t newestEver(Connection& connection, const std::string& table)
{
    long long counted = 0;
    long long there = 0;  // more, where rows were restored without what counts them
    if (connection.dialect == Dialect::sqlite) {
        *connection.session << "select coalesce(max(seq), 0) from sqlite_sequence where name = :name", use(table), into(counted);
    } else {
        *connection.session << "select case when is_called then last_value else 0 end from " + table + "_id_seq", into(counted);
    }
    *connection.session << "select coalesce(max(id), 0) from " + table, into(there);
    return static_cast<std::uint64_t>(std::max(counted, there));
}

void writeHead(soci::session& sql, const EventHead& head)
{
    const auto epoch = static_cast<long long>(head.epoch);
    const auto sequence = static_cast<long long>(head.sequence);
    sql << "insert into mesh_event_source (tenant, connector, epoch, sequence) values (:tenant, :connector, :epoch, :sequence) "
           "on conflict (tenant, connector) do update set epoch = excluded.epoch, sequence = excluded.sequence where "
           "(excluded.epoch, excluded.sequence) > (mesh_event_source.epoch, mesh_event_source.sequence)",
        use(head.tenant), use(head.connector), use(epoch), use(sequence);
}

void insertStored(soci::session& sql, const std::vector<StoredEvent>& events)
{
    EventRow row;
    EventRecord& at = row.record;
    soci::statement insert = (sql.prepare << insertText, use(at.tenant), use(at.connector), use(row.epoch), use(row.sequence),
                              use(row.time), use(at.topic), use(at.name), use(at.payload), use(row.hex), use(row.bytes),
                              use(row.lostTo), use(row.stored));
    Heads heads;
    for (const StoredEvent& event : events) {
        row.fill(event.record);
        row.stored = toMicroseconds(event.stored);
        insert.execute(true);
        heads.note(event.record);
    }
    heads.write(sql);
}

void lockEvents(Connection& connection)
{
    if (connection.dialect == Dialect::postgresql) {
        std::string nothing;
        soci::statement lock = (connection.session->prepare << "select cast(pg_advisory_xact_lock(:key) as text)", use(appendLock),
                                into(nothing));
        lock.execute(true);
    }
}

void insertEvents(soci::session& sql, const std::vector<EventRecord>& events, WallTime now)
{
    EventRow row;
    row.stored = toMicroseconds(now);
    EventRecord& at = row.record;
    soci::statement insert =
        (sql.prepare << insertText, use(at.tenant), use(at.connector), use(row.epoch), use(row.sequence), use(row.time), use(at.topic), use(at.name),
         use(at.payload), use(row.hex), use(row.bytes), use(row.lostTo), use(row.stored));
    Heads heads;
    for (const EventRecord& event : events) {
        row.fill(event);
        insert.execute(true);
        heads.note(event);
    }
    heads.write(sql);
}

EventPage readEvents(soci::session& sql, const EventQuery& query)
{
    EventPage page;
    page.end = query.after;
    const std::uint64_t newest = newestId(sql);
    if (query.fromEnd) {
        page.end = newest;
        return page;
    }
    const int all = query.tenant ? 0 : 1;
    const std::string tenant = query.tenant.value_or("");
    const int anyConnector = query.connector.empty() ? 1 : 0;
    const bool prefix = query.topic.ends_with('*');
    const int anyTopic = query.topic.empty() || query.topic == "*" ? 1 : 0;
    const std::string begins = prefix ? query.topic.substr(0, query.topic.size() - 1) : std::string();
    const int length = static_cast<int>(begins.size());
    const auto after = static_cast<long long>(query.after);
    const long long since = toMicroseconds(query.since);
    const long long until = toMicroseconds(query.until);
    const auto limit = static_cast<long long>(query.limit) + 1;
    EventRow row;
    EventRecord& at = row.record;
    soci::statement read =
        (sql.prepare << "select id, tenant, connector, epoch, sequence, time_us, topic, name, payload, payload_hex, lost_to, stored_us "
                        "from mesh_event where id > :after and stored_us >= :since and stored_us < :until and "
                        "(:every = 1 or tenant = :tenant) and (:any_connector = 1 or connector = :connector) and "
                        "(:any_topic = 1 or topic = :topic or lost_to > 0 or (:some > 0 and substr(topic, 1, :length) = :begins)) "
                        "order by id limit :most",
         use(after), use(since), use(until), use(all), use(tenant), use(anyConnector), use(query.connector), use(anyTopic),
         use(query.topic), use(length), use(length), use(begins), use(limit), into(row.id), into(at.tenant), into(at.connector),
         into(row.epoch), into(row.sequence), into(row.time), into(at.topic), into(at.name), into(at.payload), into(row.hex),
         into(row.lostTo), into(row.stored));
    read.execute();
    std::size_t bytes = 0;
    while (read.fetch()) {
        if (page.records.size() == query.limit || bytes > query.maxBytes) {
            page.more = true;
            break;
        }
        page.end = static_cast<std::uint64_t>(row.id);
        page.records.push_back({page.end, row.take(), fromMicroseconds(row.stored)});
        bytes += page.records.back().record.payload.size();
    }
    page.end = page.more ? page.end : std::max(page.end, newest);  // the others there are were looked at
    page.isBeyond = query.after > newest;
    return page;
}

SourcePage readSource(soci::session& sql, const SourceQuery& query)
{
    const auto epoch = static_cast<long long>(query.epoch);
    const auto sequence = static_cast<long long>(query.sequence);
    const auto limit = static_cast<long long>(query.limit) + 1;
    EventRow row;
    row.record.tenant = query.tenant;
    row.record.connector = query.connector;
    EventRecord& at = row.record;
    SourcePage page;
    // A loss may have begun before.
    sql << "select sequence, time_us, lost_to from mesh_event where tenant = :tenant and connector = :connector and epoch = :epoch "
           "and sequence <= :sequence order by sequence desc limit 1",
        use(query.tenant), use(query.connector), use(epoch), use(sequence), into(row.sequence), into(row.time), into(row.lostTo);
    if (sql.got_data() && row.lostTo > sequence) {
        row.epoch = epoch;
        page.records.push_back(row.take());
    }
    soci::statement read =
        (sql.prepare << "select epoch, sequence, time_us, topic, name, payload, payload_hex, lost_to from mesh_event where "
                        "tenant = :tenant and connector = :connector and (epoch, sequence) > (:epoch, :sequence) "
                        "order by epoch, sequence limit :most",
         use(query.tenant), use(query.connector), use(epoch), use(sequence), use(limit), into(row.epoch), into(row.sequence),
         into(row.time), into(at.topic), into(at.name), into(at.payload), into(row.hex), into(row.lostTo));
    read.execute();
    std::size_t bytes = 0;
    while (read.fetch()) {
        if (page.records.size() >= query.limit || bytes > query.maxBytes) {
            page.more = true;
            break;
        }
        page.records.push_back(row.take());
        bytes += page.records.back().payload.size();
    }
    return page;
}

std::vector<EventHead> readHeads(soci::session& sql, const std::optional<std::string>& tenant, const std::string& connector)
{
    const int all = tenant ? 0 : 1;
    const int any = connector.empty() ? 1 : 0;
    const std::string whose = tenant.value_or(std::string());
    EventHead head;
    long long epoch = 0;
    long long sequence = 0;
    soci::statement read = (sql.prepare << "select tenant, connector, epoch, sequence from mesh_event_source where "
                                           "(:every = 1 or tenant = :tenant) and (:any = 1 or connector = :connector) order by tenant, connector",
                            use(all), use(whose), use(any), use(connector), into(head.tenant), into(head.connector), into(epoch), into(sequence));
    read.execute();
    std::vector<EventHead> out;
    while (read.fetch()) {
        head.epoch = static_cast<std::uint64_t>(epoch);
        head.sequence = static_cast<std::uint64_t>(sequence);
        out.push_back(head);
    }
    return out;
}

std::vector<EventTotal> readTotals(soci::session& sql)
{
    std::string tenant;
    long long events = 0;
    long long bytes = 0;
    soci::statement sums = (sql.prepare << "select tenant, count(*), cast(sum(bytes) as bigint) from mesh_event group by tenant "
                                           "order by tenant",
                            into(tenant), into(events), into(bytes));
    sums.execute();
    std::vector<EventTotal> out;
    while (sums.fetch()) {
        out.push_back({tenant, static_cast<std::uint64_t>(events), static_cast<std::uint64_t>(bytes)});
    }
    return out;
}

std::uint64_t pruneEvents(soci::session& sql, const RetentionPolicy& policy, WallTime now)
{
    const std::uint64_t before = countEvents(sql);
    pruneOverQuota(sql, policy);
    const long long oldest = toMicroseconds(oldestKept(policy, now));
    sql << "delete from mesh_event where stored_us < :oldest", use(oldest);
    const std::vector<EventTotal> totals = readTotals(sql);
    std::vector<std::uint64_t> sizes;
    for (const EventTotal& total : totals) {
        sizes.push_back(total.bytes);
    }
    const std::vector<std::uint64_t> kept = shares(sizes, policy.maxBytes);
    for (std::size_t i = 0; i < totals.size(); ++i) {
        std::uint64_t surplus = sizes[i] - kept[i];
        long long id = 0;
        long long last = 0;
        long long bytes = 0;
        soci::statement read = (sql.prepare << "select id, bytes from mesh_event where tenant = :tenant order by id",
                                use(totals[i].tenant), into(id), into(bytes));
        if (surplus > 0) {
            read.execute();
        }
        while (surplus > 0 && read.fetch()) {
            surplus -= std::min(surplus, static_cast<std::uint64_t>(bytes));
            last = id;
        }
        if (last > 0) {
            sql << "delete from mesh_event where tenant = :tenant and id <= :last", use(totals[i].tenant), use(last);
        }
    }
    return before - countEvents(sql);
}

}  // namespace mesh::history
