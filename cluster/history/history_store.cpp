#include "cluster/history/history_store.hpp"

#include "cluster/history/audit_rows.hpp"
#include "cluster/history/connection.hpp"
#include "cluster/history/core/database_url.hpp"
#include "cluster/history/event_rows.hpp"
#include "cluster/history/move_rows.hpp"
#include "cluster/history/schema.hpp"
#include "shoset/base/limits.hpp"

namespace mesh::history {

struct HistoryStore::Open {
    Connection connection;
    soci::session& sql() { return *connection.session; }
    // A server may have been started anew since the last call; that must not fail the next one.
    bool isAlive()
    {
        if (connection.session == nullptr) {
            return false;
        }
        int one = 0;
        try {
            if (connection.dialect == Dialect::postgresql) {
                sql() << "select 1", soci::into(one);
            }
        } catch (const soci::soci_error&) {
            return false;
        }
        return true;
    }
};

HistoryStore::HistoryStore(std::string given, std::string word) : url(std::move(given)), password(std::move(word)) {}

HistoryStore::~HistoryStore() = default;

Result<void> HistoryStore::open()
{
    if (database) {
        return {};
    }
    Result<Connection> connected = connect(url, password);
    if (!connected) {
        return connected.error();
    }
    try {
        if (Result<void> migrated = migrate(*connected, url); !migrated) {
            return migrated;
        }
    } catch (const soci::soci_error& thrown) {
        return errorOf(thrown, url);
    }
    // A transaction that could not even be undone leaves none, and tells nobody.
    if (connected->session == nullptr) {
        return Error{Code::unavailable, shownUrl(url) + ": the connection was lost"};
    }
    database = std::make_unique<Open>(Open{std::move(*connected)});
    return {};
}

void HistoryStore::close()
{
    database.reset();
}

// What is known of chains may not be so after an error: another call reads it anew.
template <class Work>
auto HistoryStore::run(Work work) -> Result<decltype(work())>
{
    if (database && !database->isAlive()) {
        database.reset();
    }
    if (Result<void> opened = open(); !opened) {
        return opened.error();
    }
    std::optional<Error> failure;
    try {
        return work();
    } catch (const soci::soci_error& thrown) {
        failure = errorOf(thrown, url);
    }
    chains.clear();
    // SQLite's connection is good for the next call, unless its transaction could not even be undone.
    if (database->connection.session == nullptr || database->connection.dialect == Dialect::postgresql) {
        database.reset();
    }
    return *failure;
}

Result<std::vector<StoredAudit>> HistoryStore::append(const std::vector<AuditRecord>& records)
{
    return run([this, &records] {
        std::map<std::pair<std::string, std::string>, Chain> next;
        std::vector<StoredAudit> stored;
        Transaction transaction(database->connection);
        for (const AuditRecord& record : records) {
            const std::pair name(record.node, record.tenant);
            auto chain = next.find(name);
            if (chain == next.end()) {
                const auto known = chains.find(name);
                std::optional<Chain> kept = known == chains.end() ? readChain(database->sql(), record.node, record.tenant) : known->second;
                chain = next.emplace(name, kept ? std::move(*kept) : Chain{record.node, record.tenant, {}, {}, 0}).first;
            }
            chain->second.head = linkAfter(chain->second.head, record);
            chain->second.bytes += storedBytes(record);
            stored.push_back({0, record, chain->second.head});
        }
        insertAudit(database->sql(), stored);
        for (const auto& [name, chain] : next) {
            writeChain(database->sql(), chain);
        }
        transaction.commit();
        if (chains.size() + next.size() > limits::maxKnownChains) {
            chains.clear();
        }
        for (auto& [name, chain] : next) {
            chains[name] = std::move(chain);
        }
        return stored;
    });
}

Result<void> HistoryStore::append(const std::vector<EventRecord>& events, WallTime now)
{
    const Result<bool> done = run([this, &events, now] {
        Transaction transaction(database->connection);
        lockEvents(database->connection);
        insertEvents(database->sql(), events, now);
        transaction.commit();
        return true;
    });
    return done ? Result<void>{} : done.error();
}

Result<AuditPage> HistoryStore::audit(const AuditQuery& query)
{
    return run([this, &query] { return readAudit(database->sql(), query); });
}

Result<EventPage> HistoryStore::events(const EventQuery& query)
{
    return run([this, &query] {
        EventPage page = readEvents(database->sql(), query);
        page.isBeyond = page.isBeyond && query.after > newestEver(database->connection, "mesh_event");  // retention may have taken them
        return page;
    });
}

Result<SourcePage> HistoryStore::eventsOf(const SourceQuery& query)
{
    return run([this, &query] { return readSource(database->sql(), query); });
}

Result<std::vector<EventHead>> HistoryStore::eventHeads(const std::optional<std::string>& tenant, const std::string& connector)
{
    return run([this, &tenant, &connector] { return readHeads(database->sql(), tenant, connector); });
}

Result<std::vector<EventTotal>> HistoryStore::eventTotals()
{
    return run([this] { return readTotals(database->sql()); });
}

Result<std::uint64_t> HistoryStore::pruneAudit(const std::string& node, const RetentionPolicy& policy, WallTime now)
{
    return run([this, &node, &policy, now] {
        std::vector<Chain> own;
        std::vector<std::uint64_t> sizes;
        for (Chain& chain : readChains(database->sql(), std::nullopt)) {
            if (chain.node == node) {
                sizes.push_back(chain.bytes);
                own.push_back(std::move(chain));
            }
        }
        const std::vector<std::uint64_t> kept = shares(sizes, policy.maxBytes);
        std::uint64_t removed = 0;
        for (std::size_t i = 0; i < own.size(); ++i) {
            const std::uint64_t upTo = goesUpTo(database->sql(), own[i], oldestKept(policy, now), kept[i]);
            if (upTo > own[i].floor.position) {
                Transaction transaction(database->connection);
                removed += cutChain(database->sql(), own[i], upTo);
                transaction.commit();
                chains.erase({own[i].node, own[i].tenant});
            }
        }
        return removed;
    });
}

Result<std::uint64_t> HistoryStore::pruneEvents(const RetentionPolicy& policy, WallTime now)
{
    return run([this, &policy, now] {
        Transaction transaction(database->connection);
        const std::uint64_t removed = history::pruneEvents(database->sql(), policy, now);
        if (removed > 0) {
            transaction.commit();
        }
        return removed;
    });
}

Result<AuditPage> HistoryStore::exportAudit(const std::string& tenant, const std::string& node, std::uint64_t after, std::size_t limit)
{
    return run([&] {
        std::vector<Chain> now = readChains(database->sql(), tenant);
        std::erase_if(now, [&node](const Chain& chain) { return !node.empty() && chain.node != node; });
        AuditQuery query;
        query.tenant = tenant;
        query.node = node;
        query.after = after;
        query.limit = limit;
        AuditPage page = readAudit(database->sql(), query);
        page.chains = std::move(now);
        return page;
    });
}

Result<std::uint64_t> HistoryStore::importAudit(const AuditPage& page)
{
    chains.clear();
    std::optional<Error> other;
    const Result<std::uint64_t> taken = run([this, &page, &other]() -> std::uint64_t {
        Transaction transaction(database->connection);
        const Result<std::uint64_t> count = takeAudit(database->sql(), page);
        if (!count) {
            other = count.error();
            return 0;
        }
        transaction.commit();
        return *count;
    });
    return other ? Result<std::uint64_t>(Error{other->code, shownUrl(url) + ": " + other->message}) : taken;
}

Result<EventExport> HistoryStore::exportEvents(const std::string& tenant, std::uint64_t after, std::size_t limit, std::size_t maxBytes)
{
    return run([&] {
        EventQuery query;
        query.tenant = tenant;
        query.after = after;
        query.limit = limit;
        query.maxBytes = maxBytes;
        // First: one that is stored meanwhile must not be in them without being in the page.
        std::vector<EventHead> heads = readHeads(database->sql(), tenant);
        EventExport out{readEvents(database->sql(), query), {}};
        if (!out.page.more) {  // what retention has removed is known by them alone
            out.heads = std::move(heads);
        }
        return out;
    });
}

Result<void> HistoryStore::importEvents(const EventExport& page)
{
    const Result<bool> done = run([this, &page] {
        Transaction transaction(database->connection);
        lockEvents(database->connection);
        insertStored(database->sql(), page.page.records);
        for (const EventHead& head : page.heads) {
            writeHead(database->sql(), head);
        }
        transaction.commit();
        return true;
    });
    return done ? Result<void>{} : done.error();
}

Result<EventIds> HistoryStore::eventIds(const std::string& tenant)
{
    return run([this, &tenant] { return readEventIds(database->connection, tenant); });
}

Result<EventLanding> HistoryStore::landing(const std::string& tenant, const EventIds& seenElsewhere)
{
    return run([&] { return findLanding(database->sql(), tenant, seenElsewhere); });
}

Result<bool> HistoryStore::drop(const std::string& tenant, std::size_t limit)
{
    chains.clear();
    return run([this, &tenant, limit] {
        Transaction transaction(database->connection);
        const bool more = dropSome(database->sql(), tenant, limit);
        transaction.commit();
        return more;
    });
}

}  // namespace mesh::history
