#include "aggregator/history_database.hpp"

#include "cluster/history/core/database_url.hpp"
#include "cluster/history/core/syslog.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/log.hpp"

namespace mesh::aggregator {

HistoryDatabase::HistoryDatabase(host::Loop& ownLoop, std::string url, std::string password, const std::string& syslogPath,
                                 std::function<void()> afterwards)
    : loop(ownLoop), where(std::move(url)), turn(std::move(afterwards)), closer(loop.context()), store(where, password),
      syslog(syslogPath.empty() ? nullptr : std::make_unique<SyslogSocket>(syslogPath)), knownPassword(std::move(password)),
      worker(loop.context(), limits::maxHistoryJobs)
{
}

HistoryDatabase::~HistoryDatabase() = default;

void HistoryDatabase::stop()
{
    closer.cancel();
    worker.stop();
}

bool HistoryDatabase::setPassword(const std::string& password)
{
    if (password == knownPassword) {
        return false;
    }
    knownPassword = password;
    submit([this, password] {
        store.setPassword(password);
        store.close();
    },
           [] {});
    return true;
}

void HistoryDatabase::append(std::vector<history::AuditRecord> records, std::function<void(Result<void>, std::uint64_t)> done)
{
    auto dropped = std::make_shared<std::uint64_t>(0);
    ask<bool>(
        [this, dropped, records = std::move(records)](history::HistoryStore& history) -> Result<bool> {
            const Result<std::vector<history::StoredAudit>> stored = history.append(records);
            for (std::size_t i = 0; syslog && stored && i < stored->size(); ++i) {
                *dropped += syslog->send(history::syslogLine((*stored)[i])) ? 0 : 1;
            }
            return stored ? Result<bool>(true) : stored.error();
        },
        [dropped, done = std::move(done)](const Result<bool>& stored) {
            done(stored ? Result<void>{} : Result<void>(stored.error()), *dropped);
        });
}

// `done` runs later in any case, also where the job does not.
void HistoryDatabase::submit(std::function<void()> job, std::function<void()> done)
{
    auto ended = [self = shared_from_this(), done = std::move(done)] { done(); };
    if (!worker.submit(std::move(job), ended)) {
        boost::asio::post(loop.context(), std::move(ended));
    }
}

// The first of a series is logged, and its end.
void HistoryDatabase::onOutcome(const Result<void>& outcome)
{
    if (!outcome && !failing) {
        log::error("history_not_available", {{"reason", outcome.error().message}});
    } else if (outcome && failing) {
        log::info("history_available", {{"database", history::shownUrl(where)}});
    }
    failing = !outcome;
    closeLater();
}

void HistoryDatabase::closeLater()
{
    closer.expires_after(limits::historyIdle);
    closer.async_wait([this, owner = std::weak_ptr<int>(alive)](const boost::system::error_code& error) {
        if (!error && !owner.expired()) {
            worker.submit([this] { store.close(); }, {});
        }
    });
}

}  // namespace mesh::aggregator
