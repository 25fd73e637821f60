#pragma once

#include "aggregator/core/history_places.hpp"
#include "aggregator/history_database.hpp"
#include "cluster/history/core/history_move.hpp"
#include "cluster/history/core/place.hpp"
#include "shoset/base/limits.hpp"
#include "shoset/host/blocking_worker.hpp"
#include "shoset/host/files.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mesh::aggregator {

// The history's databases of this node, which tenant's is where, and the moves from one to another (history::HistoryMove says what
// to do). Where each is stands in STATE/history.places, 0600; files of tenants stand in STATE/tenants/TENANT/, 0700. Loop thread.
class HistoryMoves final : public HistoryPlacesPort {
public:
    struct Environment {
        std::string node;
        std::string stateDirectory;  // absolute
        std::string ownUrl;          // of the node's own database
        std::string syslog;          // as HistoryDatabase has it
        std::size_t maxDatabases = limits::maxHistoryDatabases;
        // A file, as that does; on a thread of its own.
        std::function<Result<void>(const std::string& file, std::string_view text, mode_t)> write = host::writeFileAtomic;
    };
    using Database = std::shared_ptr<HistoryDatabase>;
    HistoryMoves(host::Loop& loop, Environment environment, std::function<void()> turn);
    ~HistoryMoves() override { stop(); }

    // Blocks; for the start.
    Result<void> load();
    void stop();

    HistoryDatabase& own() { return *ownDatabase; }
    void forEach(const std::function<void(HistoryDatabase&)>& visit);
    bool hasLane(std::string_view tenant) const { return movers.find(tenant) != movers.end(); }
    std::vector<std::string> lanes() const;
    // The one that a tenant's history is in now; full: there are too many. Who holds it keeps it open.
    Result<Database> databaseOf(const std::string& tenant);
    history::Place placeOf(const std::string& tenant) const;
    // What a reader of events goes on from, in that database; see history::idAtPlace().
    Result<std::uint64_t> idOf(const std::string& tenant, std::uint64_t shown) const;
    // Its history is about to be somewhere else: what is to be written has to wait until it is, or is not after all.
    bool holds(const std::string& tenant) const;
    // Runs then.
    void hold(const std::string& tenant, std::function<void()> write);

    void start(Secrets secrets, News news) override;
    void setPlaces(std::map<std::string, WantedPlace> places) override;
    std::vector<PlaceStatus> statuses() const override;

private:
    struct Mover {
        Mover(std::string place, bool ownIsFile) : move(std::move(place), ownIsFile) {}
        history::HistoryMove move;
        WantedPlace wanted;
        std::string problem;  // why its password cannot be read
        std::vector<std::function<void()>> held;
        history::Place ids;                      // what a reader goes on from once it has moved; without name and secret
        std::vector<history::MovedEvent> events;  // as `recent`, then
    };
    using Reply = std::function<void(Result<history::MoveReply>)>;
    Result<Database> at(const std::string& tenant, const std::string& name, const std::string& secret);
    Result<std::string> passwordFor(const std::string& tenant, const std::string& secret) const;
    std::string urlOf(const std::string& tenant, const std::string& name) const;
    std::string keyOf(const std::string& tenant, const std::string& name, const std::string& secret) const;
    bool isFile(const std::string& name) const;
    bool makeRoom();
    void refreshPassword(const std::string& tenant);
    void setPlace(const std::string& tenant, const WantedPlace& wanted);
    void drive(const std::string& tenant);
    void arm();
    void carryOut(const std::string& tenant, const history::MoveStep& step);
    void open(const std::string& tenant, HistoryDatabase& to, const std::string& name, Reply reply);
    void copyAudit(const std::string& tenant, HistoryDatabase& from, const Database& to, const history::MoveStep& step, Reply reply);
    void copyEvents(const std::string& tenant, HistoryDatabase& from, const Database& to, const history::MoveStep& step, Reply reply);
    void readIds(const std::string& tenant, HistoryDatabase& from, const Database& to, Reply reply);
    void noteIds(const std::string& tenant, const history::EventIds& seen, const history::EventLanding& landing);
    void settle(const std::string& tenant, const history::Place& place, Reply reply);
    void writePlace(const std::string& tenant, const history::Place& place, Reply reply);

    host::Loop& loop;
    const Environment environment;
    const std::function<void()> turn;
    boost::asio::steady_timer timer;
    const Database ownDatabase;
    std::map<std::string, Database> others;  // by keyOf()
    history::Places places;                  // of those that have moved
    std::map<std::string, std::vector<history::MovedEvent>> recent;  // of those that moved since the start
    std::map<std::string, Mover, std::less<>> movers;                // by tenant, never erased
    bool settling = false;                                           // the file is being written, or is going to be
    std::deque<std::function<void()>> settleNext;
    Secrets secretOf;
    News tell;
    host::BlockingWorker disk;  // for that file: what is asked of a database may wait for others that hang there
};

}  // namespace mesh::aggregator
