#pragma once

#include "aggregator/core/audit_trail.hpp"
#include "aggregator/core/event_store.hpp"
#include "aggregator/history_moves.hpp"
#include "aggregator/setup/config.hpp"
#include "shoset/host/loop.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// The history's databases, each on a thread of its own: one elsewhere may keep who asks it waiting for seconds, which password checks,
// the cluster's files and other tenants must not. What is asked goes to the database that the tenant's history is in; what is asked of
// all tenants, to the node's own. Loop thread; `turn` after each event that was given to the core. Where nothing is recorded there is
// no thread.
class HistoryShell final : public HistoryPort, public EventStorePort {
public:
    HistoryShell(host::Loop& loop, const Config& config, const std::string& stateDirectory, std::function<void()> turn);
    ~HistoryShell() override;

    // Where tenants' history is; blocks.
    Result<void> load() { return moves == nullptr ? Result<void>{} : moves->load(); }
    // Opens it off the loop. What is wrong then is logged, and tried again with each request that is to be recorded.
    void start();
    // How many events may be stored of a tenant, of those that have such a quota; asked for before each look.
    void setEventQuotas(std::function<std::map<std::string, std::uint64_t>()> ofTenants) { eventQuotas = std::move(ofTenants); }
    // Returns when what was given to it is stored. Nothing is taken any more.
    void stop();

    void append(std::vector<history::AuditRecord> records, HistoryPort::Stored done) override;
    // full: limits::maxHistoryReads are under way of that database; refused: it moved since the page before.
    void read(history::AuditQuery query, Read done) override;
    EventStorePort* events() override { return moves == nullptr ? nullptr : this; }
    HistoryPlacesPort* places() override { return moves.get(); }
    std::string laneOf(const std::string& tenant) const override { return laneOf(std::string_view(tenant)); }
    std::string laneOf(std::string_view tenant) const override;
    std::vector<std::string> lanes() const override;
    void appendEvents(EventBatch events, EventStorePort::Stored done) override;
    void readHeads(const shoset::Address& connector, Heads done) override;
    void readSource(history::SourceQuery query, Source done) override;
    // As read().
    void readEvents(history::EventQuery query, Page done) override;
    std::uint64_t syslogDropped() const { return syslogDrops; }

private:
    Result<HistoryMoves::Database> databaseOf(const std::string& tenant);
    void later(std::function<void()> work);
    void sweep(HistoryDatabase& database);
    void sweepEvents(HistoryDatabase& database);
    template <class Answer>
    void ask(const std::string& tenant, std::function<Result<Answer>(history::HistoryStore&)> question,
             std::function<void(Result<Answer>, Now)> done);
    void sweepLater();

    host::Loop& loop;
    const std::string node;
    const history::RetentionPolicy policy;
    const history::RetentionPolicy eventPolicy;
    const std::function<void()> turn;
    boost::asio::steady_timer sweeper;
    std::unique_ptr<HistoryMoves> moves;  // null: nothing is recorded
    std::function<std::map<std::string, std::uint64_t>()> eventQuotas;
    std::uint64_t syslogDrops = 0;
};

}  // namespace mesh::aggregator
