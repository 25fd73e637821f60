#include "cluster/history/history_store.hpp"

#include "cluster/history/audit_rows.hpp"
#include "cluster/history/connection.hpp"
#include "cluster/history/core/database_url.hpp"
#include "cluster/history/event_rows.hpp"
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

HistoryStore::HistoryStore(std::string given) : url(std::move(given)) {}

HistoryStore::~HistoryStore() = default;

Result<void> HistoryStore::open()
{
    if (database) {
        return {};
    }
    Result<Connection> connected = connect(url);
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
    return run([this, &query] { return readEvents(database->sql(), query); });
}

Result<SourcePage> HistoryStore::eventsOf(const SourceQuery& query)
{
    return run([this, &query] { return readSource(database->sql(), query); });
}

Result<std::vector<EventHead>> HistoryStore::eventHeads(const std::optional<std::pair<std::string, std::string>>& connector)
{
    return run([this, &connector] { return readHeads(database->sql(), connector); });
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

}  // namespace mesh::history
