#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/event_store.hpp"
#include "aggregator/setup/config.hpp"
#include "aggregator/syslog_socket.hpp"
#include "cluster/history/history_store.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/loop.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mesh::aggregator {

// The history's database, on a thread of its own: a database elsewhere may keep it waiting for seconds, which password checks
// and the cluster's files must not. Loop thread; `turn` after each event that was given to the core. Where nothing is recorded
// there is no thread.
class HistoryShell final : public HistoryPort, public EventStorePort {
public:
    HistoryShell(host::Loop& loop, const Config& config, const std::string& stateDirectory, std::function<void()> turn);
    ~HistoryShell() override;

    // Opens it off the loop. What is wrong then is logged, and tried again with each request that is to be recorded.
    void start();
    // How many events may be stored of a tenant, of those that have such a quota; asked for before each look.
    void setEventQuotas(std::function<std::map<std::string, std::uint64_t>()> ofTenants) { eventQuotas = std::move(ofTenants); }
    // Returns when what was given to it is stored. Nothing is taken any more.
    void stop();

    void append(std::vector<history::AuditRecord> records, HistoryPort::Stored done) override;
    // full: limits::maxHistoryReads are under way.
    void read(history::AuditQuery query, Read done) override;
    EventStorePort* events() override { return worker == nullptr ? nullptr : this; }
    void appendEvents(EventBatch events, EventStorePort::Stored done) override;
    void readHeads(const shoset::Address& connector, Heads done) override;
    void readSource(history::SourceQuery query, Source done) override;
    // full: as read().
    void readEvents(history::EventQuery query, Page done) override;
    std::uint64_t syslogDropped() const { return syslogDrops; }

private:
    void submit(std::function<void()> job, std::function<void()> done);
    void onOutcome(const Result<void>& outcome);
    void sweep();
    void sweepEvents();
    template <class Answer>
    void ask(std::function<Result<Answer>()> question, std::function<void(Result<Answer>, Now)> done);
    void sweepLater();
    void closeLater();

    host::Loop& loop;
    const std::string node;
    const history::RetentionPolicy policy;
    const history::RetentionPolicy eventPolicy;
    const std::string url;
    const std::function<void()> turn;
    boost::asio::steady_timer sweeper;
    boost::asio::steady_timer closer;
    std::unique_ptr<history::HistoryStore> store;      // the worker's, but for its making and its end
    std::unique_ptr<SyslogSocket> syslog;              // as well; null: not wanted
    std::unique_ptr<host::BlockingWorker> worker;      // null: nothing is recorded
    std::size_t sinceSweep = 0;                        // records that were stored
    std::function<std::map<std::string, std::uint64_t>()> eventQuotas;
    std::uint64_t eventBytesSinceSweep = 0;
    std::size_t eventsSinceSweep = 0;
    std::size_t reading = 0;                           // reads under way
    std::uint64_t syslogDrops = 0;
    bool failing = false;
};

}  // namespace mesh::aggregator
