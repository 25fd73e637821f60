#include "aggregator/history_shell.hpp"

#include "cluster/history/core/place.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

namespace mesh::aggregator {

namespace {

constexpr std::size_t sweepAfter = 1024;  // records: what is over the size by then is little
constexpr std::uint64_t sweepParts = 16;  // of the events' size: what was added, before it is looked at again
constexpr std::size_t sweepAfterEvents = 4096;  // where tenants have quotas of them
constexpr std::uint64_t leastSweepBytes = 1024 * 1024;

std::string databaseOfNode(const Config& config, const std::string& stateDirectory)
{
    return config.historyDatabase.empty() ? "sqlite:" + stateDirectory + "/history.db" : config.historyDatabase;
}

Error databaseReplaced()
{
    return {Code::refused, "there were never so many events in this database: it has taken another one's place; begin anew"};
}

Error tooManyReads()
{
    return {Code::full, "too many read the history at once; ask again"};
}

}  // namespace

HistoryShell::HistoryShell(host::Loop& ownLoop, const Config& config, const std::string& stateDirectory, std::function<void()> afterwards)
    : loop(ownLoop), node(config.name), policy{config.historyKeep, config.historyMaxSize},
      eventPolicy{config.eventsKeep, config.eventsMaxSize}, turn(std::move(afterwards)), sweeper(loop.context())
{
    if (config.audit == AuditWish::off) {
        return;
    }
    const std::string directory = std::filesystem::absolute(stateDirectory).string();
    moves = std::make_unique<HistoryMoves>(
        loop, HistoryMoves::Environment{node, directory, databaseOfNode(config, directory), config.historySyslog}, turn);
}

HistoryShell::~HistoryShell() = default;

void HistoryShell::start()
{
    if (moves) {
        sweep(moves->own());
        sweepEvents(moves->own());
        sweepLater();
    }
}

void HistoryShell::stop()
{
    sweeper.cancel();
    if (moves) {
        moves->stop();
    }
}

std::string HistoryShell::laneOf(std::string_view tenant) const
{
    return moves != nullptr && moves->hasLane(tenant) ? std::string(tenant) : std::string();
}

std::vector<std::string> HistoryShell::lanes() const
{
    return moves == nullptr ? std::vector<std::string>{} : moves->lanes();
}

Result<HistoryMoves::Database> HistoryShell::databaseOf(const std::string& tenant)
{
    return moves == nullptr ? Result<HistoryMoves::Database>(Error{Code::unavailable, "nothing is recorded here"}) : moves->databaseOf(tenant);
}

void HistoryShell::later(std::function<void()> work)
{
    boost::asio::post(loop.context(), [this, work = std::move(work)] {
        work();
        turn();
    });
}

template <class Answer>
void HistoryShell::ask(const std::string& tenant, std::function<Result<Answer>(history::HistoryStore&)> question,
                       std::function<void(Result<Answer>, Now)> done)
{
    const Result<HistoryMoves::Database> database = databaseOf(tenant);
    if (!database) {
        return later([this, done = std::move(done), error = database.error()] { done(error, loop.now()); });
    }
    (*database)->ask<Answer>(std::move(question), [this, done = std::move(done)](Result<Answer> answer) { done(std::move(answer), loop.now()); });
}

void HistoryShell::append(std::vector<history::AuditRecord> records, HistoryPort::Stored done)
{
    const std::string tenant = laneOf(records.front().tenant);
    if (moves != nullptr && moves->holds(tenant)) {
        return moves->hold(tenant, [this, records = std::move(records), done = std::move(done)] { append(records, done); });
    }
    const Result<HistoryMoves::Database> database = databaseOf(tenant);
    if (!database) {
        return later([this, done = std::move(done), error = database.error()] { done(error, loop.now()); });
    }
    HistoryDatabase& to = **database;
    const std::size_t count = records.size();
    to.append(std::move(records), [this, &to, count, done = std::move(done)](const Result<void>& stored, std::uint64_t dropped) {
        syslogDrops += dropped;
        to.sinceSweep += stored ? count : 0;
        done(stored, loop.now());
        if (to.sinceSweep >= sweepAfter) {
            sweep(to);
        }
    });
}

void HistoryShell::read(history::AuditQuery query, Read done)
{
    const std::string tenant = query.tenant.value_or(std::string());
    const Result<HistoryMoves::Database> database = databaseOf(tenant);
    const history::Place place = moves == nullptr ? history::Place{} : moves->placeOf(tenant);
    const bool moved = query.after != 0 && query.after <= place.base;
    if (!database || moved || (*database)->reading >= limits::maxHistoryReads) {
        const Error error = !database ? database.error()
                            : moved   ? Error{Code::refused, "the tenant's history has moved to another database meanwhile: begin anew"}
                                      : tooManyReads();
        return later([this, done = std::move(done), error] { done(error, loop.now()); });
    }
    HistoryDatabase& from = **database;
    ++from.reading;
    query.after = query.after == 0 ? 0 : query.after - place.base;
    from.ask<history::AuditPage>([query = std::move(query)](history::HistoryStore& store) { return store.audit(query); },
                                 [this, &from, base = place.base, done = std::move(done)](Result<history::AuditPage> page) {
                                     --from.reading;
                                     for (std::size_t i = 0; page && i < page->records.size(); ++i) {
                                         page->records[i].id += base;
                                     }
                                     done(std::move(page), loop.now());
                                 });
}

void HistoryShell::appendEvents(EventBatch events, EventStorePort::Stored done)
{
    const std::string tenant = laneOf(events->front().tenant);
    if (moves != nullptr && moves->holds(tenant)) {
        return moves->hold(tenant, [this, events = std::move(events), done = std::move(done)] { appendEvents(events, done); });
    }
    const Result<HistoryMoves::Database> database = databaseOf(tenant);
    if (!database) {
        return later([this, done = std::move(done), error = database.error()] { done(error, loop.now()); });
    }
    std::uint64_t bytes = 0;
    for (const history::EventRecord& event : *events) {
        bytes += history::storedBytes(event);
    }
    HistoryDatabase& to = **database;
    to.ask<bool>(
        [events, now = loop.now().wall](history::HistoryStore& store) -> Result<bool> {
            const Result<void> stored = store.append(*events, now);
            return stored ? Result<bool>(true) : stored.error();
        },
        [this, &to, bytes, count = events->size(), done = std::move(done)](const Result<bool>& stored) {
            to.eventBytesSinceSweep += stored ? bytes : 0;
            to.eventsSinceSweep += stored ? count : 0;
            done(stored ? Result<void>{} : Result<void>(stored.error()), loop.now());
            const bool large =
                eventPolicy.maxBytes > 0 && to.eventBytesSinceSweep >= std::max(eventPolicy.maxBytes / sweepParts, leastSweepBytes);
            if (large || (to.eventsSinceSweep >= sweepAfterEvents && eventQuotas && !eventQuotas().empty())) {
                sweepEvents(to);
            }
        });
}

void HistoryShell::readHeads(const shoset::Address& connector, Heads done)
{
    const std::string tenant(connector.empty() ? std::string_view() : shoset::tenantOf(connector));
    const std::string name(connector.empty() ? std::string_view() : shoset::nameOf(connector));
    ask<std::vector<history::EventHead>>(
        tenant,
        [tenant, name, every = connector.empty()](history::HistoryStore& store) {
            return every ? store.eventHeads() : store.eventHeads(tenant, name);
        },
        std::move(done));
}

void HistoryShell::readSource(history::SourceQuery query, Source done)
{
    const std::string tenant = query.tenant;
    ask<history::SourcePage>(tenant, [query = std::move(query)](history::HistoryStore& store) { return store.eventsOf(query); }, std::move(done));
}

void HistoryShell::readEvents(history::EventQuery query, Page done)
{
    const std::string tenant = query.tenant.value_or(std::string());
    const Result<HistoryMoves::Database> database = databaseOf(tenant);
    const history::Place place = moves == nullptr ? history::Place{} : moves->placeOf(tenant);
    const Result<std::uint64_t> after = moves == nullptr ? Result<std::uint64_t>(query.after) : moves->idOf(tenant, query.after);
    if (!database || !after || (*database)->reading >= limits::maxHistoryReads) {
        const Error error = !database ? database.error() : !after ? after.error() : tooManyReads();
        return later([this, done = std::move(done), error] { done(error, loop.now()); });
    }
    HistoryDatabase& from = **database;
    ++from.reading;
    query.after = *after;
    from.ask<history::EventPage>([query = std::move(query)](history::HistoryStore& store) { return store.events(query); },
                                 [this, &from, base = place.base, done = std::move(done)](Result<history::EventPage> page) {
                                     --from.reading;
                                     for (std::size_t i = 0; page && i < page->records.size(); ++i) {
                                         page->records[i].id += base;
                                     }
                                     if (page) {
                                         page->end += base;
                                     }
                                     done(page && page->isBeyond ? Result<history::EventPage>(databaseReplaced()) : std::move(page), loop.now());
                                 });
}

void HistoryShell::sweep(HistoryDatabase& database)
{
    database.sinceSweep = 0;
    database.ask<std::uint64_t>(
        [own = node, kept = policy, now = loop.now().wall](history::HistoryStore& store) { return store.pruneAudit(own, kept, now); },
        [](const Result<std::uint64_t>& removed) {
            if (removed && *removed > 0) {
                log::info("history_pruned", {{"records", *removed}});
            }
        });
}

void HistoryShell::sweepEvents(HistoryDatabase& database)
{
    database.eventBytesSinceSweep = 0;
    database.eventsSinceSweep = 0;
    history::RetentionPolicy within = eventPolicy;
    within.maxEvents = eventQuotas ? eventQuotas() : within.maxEvents;
    database.ask<std::uint64_t>(
        [within = std::move(within), now = loop.now().wall](history::HistoryStore& store) { return store.pruneEvents(within, now); },
        [](const Result<std::uint64_t>& removed) {
            if (removed && *removed > 0) {
                log::info("history_events_pruned", {{"events", *removed}});
            }
        });
}

void HistoryShell::sweepLater()
{
    sweeper.expires_after(limits::historySweep);
    sweeper.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            moves->forEach([this](HistoryDatabase& database) {
                sweep(database);
                sweepEvents(database);
            });
            sweepLater();
        }
    });
}

}  // namespace mesh::aggregator
