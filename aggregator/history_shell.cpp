#include "aggregator/history_shell.hpp"

#include "cluster/history/core/database_url.hpp"
#include "cluster/history/core/syslog.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>

namespace mesh::aggregator {

namespace {

constexpr std::size_t sweepAfter = 1024;  // records: what is over the size by then is little
constexpr std::uint64_t sweepParts = 16;  // of the events' size: what was added, before it is looked at again
constexpr std::size_t sweepAfterEvents = 4096;  // where tenants have quotas of them
constexpr std::uint64_t leastSweepBytes = 1024 * 1024;

std::string databaseOf(const Config& config, const std::string& stateDirectory)
{
    return config.historyDatabase.empty() ? "sqlite:" + std::filesystem::absolute(stateDirectory).string() + "/history.db"
                                          : config.historyDatabase;
}

}  // namespace

HistoryShell::HistoryShell(host::Loop& ownLoop, const Config& config, const std::string& stateDirectory, std::function<void()> afterwards)
    : loop(ownLoop), node(config.name), policy{config.historyKeep, config.historyMaxSize},
      eventPolicy{config.eventsKeep, config.eventsMaxSize}, url(databaseOf(config, stateDirectory)),
      turn(std::move(afterwards)), sweeper(loop.context()), closer(loop.context())
{
    if (config.audit == AuditWish::off) {
        return;
    }
    store = std::make_unique<history::HistoryStore>(url);
    if (!config.historySyslog.empty()) {
        syslog = std::make_unique<SyslogSocket>(config.historySyslog);
    }
    worker = std::make_unique<host::BlockingWorker>(loop.context(), limits::maxHistoryJobs);
}

HistoryShell::~HistoryShell() = default;

void HistoryShell::start()
{
    if (worker) {
        sweep();
        sweepEvents();
    }
}

void HistoryShell::stop()
{
    sweeper.cancel();
    closer.cancel();
    if (worker) {
        worker->stop();
    }
}

void HistoryShell::append(std::vector<history::AuditRecord> records, HistoryPort::Stored done)
{
    struct Outcome {
        Result<void> stored;
        std::uint64_t dropped = 0;
    };
    auto outcome = std::make_shared<Outcome>(Outcome{Error{Code::full, "too much waits for the history's database"}});
    const std::size_t count = records.size();
    submit(
        [this, outcome, records = std::move(records)] {
            const Result<std::vector<history::StoredAudit>> stored = store->append(records);
            outcome->stored = stored ? Result<void>{} : stored.error();
            for (std::size_t i = 0; syslog && stored && i < stored->size(); ++i) {
                outcome->dropped += syslog->send(history::syslogLine((*stored)[i])) ? 0 : 1;
            }
        },
        [this, outcome, count, done = std::move(done)] {
            syslogDrops += outcome->dropped;
            onOutcome(outcome->stored);
            sinceSweep += outcome->stored ? count : 0;
            done(outcome->stored, loop.now());
            if (sinceSweep >= sweepAfter) {
                sweep();
            }
            turn();
        });
}

void HistoryShell::read(history::AuditQuery query, Read done)
{
    if (reading >= limits::maxHistoryReads) {
        boost::asio::post(loop.context(), [this, done = std::move(done)] {
            done(Error{Code::full, "too many read the history at once; ask again"}, loop.now());
            turn();
        });
        return;
    }
    ++reading;
    auto page = std::make_shared<Result<history::AuditPage>>(Error{Code::full, "too much waits for the history's database"});
    submit([this, page, query = std::move(query)] { *page = store->audit(query); },
           [this, page, done = std::move(done)] {
               --reading;
               onOutcome(*page ? Result<void>{} : page->error());
               done(std::move(*page), loop.now());
               turn();
           });
}

template <class Answer>
void HistoryShell::ask(std::function<Result<Answer>()> question, std::function<void(Result<Answer>, Now)> done)
{
    auto answer = std::make_shared<Result<Answer>>(Error{Code::full, "too much waits for the history's database"});
    submit([answer, question = std::move(question)] { *answer = question(); },
           [this, answer, done = std::move(done)] {
               onOutcome(*answer ? Result<void>{} : answer->error());
               done(std::move(*answer), loop.now());
               turn();
           });
}

void HistoryShell::appendEvents(EventBatch events, EventStorePort::Stored done)
{
    std::uint64_t bytes = 0;
    for (const history::EventRecord& event : *events) {
        bytes += history::storedBytes(event);
    }
    ask<bool>([this, events, now = loop.now().wall]() -> Result<bool> {
        const Result<void> stored = store->append(*events, now);
        return stored ? Result<bool>(true) : stored.error();
    },
              [this, bytes, count = events->size(), done = std::move(done)](const Result<bool>& stored, Now now) {
                  eventBytesSinceSweep += stored ? bytes : 0;
                  eventsSinceSweep += stored ? count : 0;
                  done(stored ? Result<void>{} : stored.error(), now);
                  const bool large = eventPolicy.maxBytes > 0 && eventBytesSinceSweep >= std::max(eventPolicy.maxBytes / sweepParts, leastSweepBytes);
                  if (large || (eventsSinceSweep >= sweepAfterEvents && eventQuotas && !eventQuotas().empty())) {
                      sweepEvents();
                  }
              });
}

void HistoryShell::readHeads(const shoset::Address& connector, Heads done)
{
    std::optional<std::pair<std::string, std::string>> which;
    if (!connector.empty()) {
        which.emplace(shoset::tenantOf(connector), shoset::nameOf(connector));
    }
    ask<std::vector<history::EventHead>>([this, which = std::move(which)] { return store->eventHeads(which); }, std::move(done));
}

void HistoryShell::readSource(history::SourceQuery query, Source done)
{
    ask<history::SourcePage>([this, query = std::move(query)] { return store->eventsOf(query); }, std::move(done));
}

void HistoryShell::readEvents(history::EventQuery query, Page done)
{
    if (reading >= limits::maxHistoryReads) {
        boost::asio::post(loop.context(), [this, done = std::move(done)] {
            done(Error{Code::full, "too many read the history at once; ask again"}, loop.now());
            turn();
        });
        return;
    }
    ++reading;
    ask<history::EventPage>([this, query = std::move(query)] { return store->events(query); },
                            [this, done = std::move(done)](Result<history::EventPage> page, Now now) {
                                --reading;
                                done(std::move(page), now);
                            });
}

// `done` runs later in any case, also where the job does not.
void HistoryShell::submit(std::function<void()> job, std::function<void()> done)
{
    if (!worker || !worker->submit(std::move(job), done)) {
        boost::asio::post(loop.context(), std::move(done));
    }
}

// The first of a series is logged, and its end.
void HistoryShell::onOutcome(const Result<void>& outcome)
{
    if (!outcome && !failing) {
        log::error("history_not_available", {{"reason", outcome.error().message}});
    } else if (outcome && failing) {
        log::info("history_available", {{"database", history::shownUrl(url)}});
    }
    failing = !outcome;
    closeLater();
}

void HistoryShell::closeLater()
{
    closer.expires_after(limits::historyIdle);
    closer.async_wait([this](const boost::system::error_code& error) {
        if (!error && worker) {
            worker->submit([this] { store->close(); }, {});
        }
    });
}

void HistoryShell::sweep()
{
    sinceSweep = 0;
    auto removed = std::make_shared<Result<std::uint64_t>>(std::uint64_t{0});
    submit([this, removed, now = loop.now().wall] { *removed = store->pruneAudit(node, policy, now); },
           [this, removed] {
               onOutcome(*removed ? Result<void>{} : removed->error());
               if (*removed && **removed > 0) {
                   log::info("history_pruned", {{"records", **removed}});
               }
           });
    sweepLater();
}

void HistoryShell::sweepEvents()
{
    eventBytesSinceSweep = 0;
    eventsSinceSweep = 0;
    history::RetentionPolicy within = eventPolicy;
    within.maxEvents = eventQuotas ? eventQuotas() : within.maxEvents;
    ask<std::uint64_t>([this, within = std::move(within), now = loop.now().wall] { return store->pruneEvents(within, now); },
                       [](const Result<std::uint64_t>& removed, Now) {
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
            sweep();
            sweepEvents();
        }
    });
}

}  // namespace mesh::aggregator
