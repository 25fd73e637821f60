#include "cluster/history/schema.hpp"

#include "cluster/history/core/database_url.hpp"

#include <string>
#include <vector>

namespace mesh::history {

namespace {

// Of all programs that may migrate one database: any number that nobody else uses.
constexpr long long migrationLock = 0x626d636d657368;

// One list of statements for each version; what a released program has stays as it is. @id@ is a number that the database
// counts up.
const std::vector<std::vector<std::string>>& migrations()
{
    static const std::vector<std::vector<std::string>> all{
        {
            "create table mesh_chain (node text not null, tenant text not null, floor_position bigint not null, "
            "floor_hash text not null, head_position bigint not null, head_hash text not null, bytes bigint not null, "
            "primary key (node, tenant))",
            "create table mesh_audit (id @id@, node text not null, tenant text not null, position bigint not null, "
            "time_us bigint not null, account text not null, client text not null, method text not null, uri text not null, "
            "request text not null, phase integer not null, status integer not null, hash text not null, "
            "bytes bigint not null, unique (node, tenant, position))",
            "create index mesh_audit_time on mesh_audit (time_us)",
            "create table mesh_event (id @id@, tenant text not null, connector text not null, epoch bigint not null, "
            "sequence bigint not null, time_us bigint not null, topic text not null, name text not null, "
            "payload text not null, payload_hex integer not null, bytes bigint not null, "
            "unique (tenant, connector, epoch, sequence))",
            "create index mesh_event_time on mesh_event (time_us)",
        },
        {
            "alter table mesh_event add column lost_to bigint not null default 0",
            "alter table mesh_event add column stored_us bigint not null default 0",
            "update mesh_event set stored_us = time_us",
            "drop index mesh_event_time",
            "create index mesh_event_stored on mesh_event (stored_us)",
            "create table mesh_event_source (tenant text not null, connector text not null, epoch bigint not null, "
            "sequence bigint not null, primary key (tenant, connector))",
            "insert into mesh_event_source (tenant, connector, epoch, sequence) select tenant, connector, epoch, max(sequence) "
            "from mesh_event e where epoch = (select max(epoch) from mesh_event o where o.tenant = e.tenant and "
            "o.connector = e.connector) group by tenant, connector, epoch",
        },
    };
    return all;
}

std::string statementFor(Dialect dialect, std::string statement)
{
    const std::size_t at = statement.find("@id@");
    if (at != std::string::npos) {
        statement.replace(at, 4, dialect == Dialect::sqlite ? "integer primary key autoincrement" : "bigserial primary key");
    }
    return statement;
}

}  // namespace

int newestSchema()
{
    return static_cast<int>(migrations().size());
}

Result<void> migrate(Connection& connection, const std::string& url)
{
    Transaction transaction(connection);
    soci::session& sql = *connection.session;
    if (connection.dialect == Dialect::postgresql) {
        std::string nothing;
        soci::statement lock = (sql.prepare << "select cast(pg_advisory_xact_lock(:key) as text)", soci::use(migrationLock),
                                soci::into(nothing));
        lock.execute(true);
    }
    sql << "create table if not exists mesh_schema (version integer not null)";
    int version = 0;
    sql << "select coalesce(max(version), 0) from mesh_schema", soci::into(version);
    if (version > newestSchema()) {
        return Error{Code::unsupported, shownUrl(url) + " has version " + std::to_string(version) + " of the history's schema, and this "
                                            "program knows " + std::to_string(newestSchema()) + ": it was made by a newer one"};
    }
    if (version == newestSchema()) {
        return {};
    }
    for (int next = version; next < newestSchema(); ++next) {
        for (const std::string& statement : migrations()[static_cast<std::size_t>(next)]) {
            sql << statementFor(connection.dialect, statement);
        }
    }
    const int newest = newestSchema();
    sql << "delete from mesh_schema";
    sql << "insert into mesh_schema (version) values (:version)", soci::use(newest);
    transaction.commit();
    return {};
}

}  // namespace mesh::history
