#pragma once

#include "aggregator/core/node_view.hpp"
#include "cluster/history/core/query.hpp"
#include "shoset/base/ids.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/rng.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace mesh::aggregator {

class EventStorePort;
class HistoryPlacesPort;

// Where history is kept, each tenant's in one database. Implemented by the shell over a database, and by tests. Never calls back from inside a call.
class HistoryPort {
public:
    using Stored = std::function<void(Result<void>, Now)>;
    using Read = std::function<void(Result<history::AuditPage>, Now)>;
    virtual ~HistoryPort() = default;
    // All or none, on disk when `done` says so. All of tenants of one lane.
    virtual void append(std::vector<history::AuditRecord> records, Stored done) = 0;
    virtual void read(history::AuditQuery query, Read done) = 0;
    // Where events go; null: nothing is recorded.
    virtual EventStorePort* events();
    // Where tenants' history lives, and how it is moved; null: all of it in one database.
    virtual HistoryPlacesPort* places();
    // Tenants of one lane share a database and its transactions. Each whose history is elsewhere, or is to be, has one of its own, so
    // that its database keeps nobody else waiting; empty: the node's own database. Changes from empty only, see AuditTrail::onLanes().
    virtual std::string laneOf(const std::string& tenant) const;
};

enum class AuditMode {
    required,    // what cannot be recorded is not done
    bestEffort,  // it is done, and counted
    off,
};

// Who does what to which resource, from where.
struct Deed {
    std::string tenant;  // whose the resource is
    std::string account;
    std::string client;
    std::string method;
    std::string uri;
};

// Names a deed under way; 0: one that nobody records.
using AuditToken = std::uint64_t;

struct AuditCounters {
    std::uint64_t stored = 0, refused = 0, unrecorded = 0, lostResults = 0, failedWrites = 0, unnoted = 0;
};

// Records deeds: the intent before the order is given, the result when it has ended. All of a lane that waits shares one transaction,
// and only one of a lane is under way: a deed costs one fsync at most, many at once the same one. Results are stored with the next
// intents or by themselves, nobody waits for them, and a database that does not answer gets them later. Who waits for one that
// hangs is told after limits::auditPatience, and nobody else waits for it until it has answered. Of those that were stored together,
// limits::auditsPerTurn of each tenant go on in one turn of the loop, the others in the next ones.
class AuditTrail {
public:
    // It can be carried out (the token is for end()), or the sentence why it cannot be recorded.
    using Go = std::function<void(Result<AuditToken>, Now)>;

    AuditTrail(AuditMode mode, std::string node, HistoryPort& port, Rng& rng);

    // Calls `go` once: at once where nothing is recorded, else when the intent is on disk or cannot be.
    void begin(Deed deed, Now now, Go go);
    // `status`: what the client was answered; 0 where he was not. Once for each token, 0 included.
    void end(AuditToken token, int status, Now now);
    // As which it is recorded; nil where nobody records it, or it has ended.
    MessageId requestOf(AuditToken token) const;
    // What was known only when it was done: the result alone.
    void note(Deed deed, int status, Now now);
    // What was refused before anything was ordered, because its tenant asks too much: at most limits::auditRefusalsPerMinute of a
    // tenant are recorded, so that who floods cannot push everything else out; the others are counted.
    void noteRefused(Deed deed, int status, Now now);
    // A tenant may have another lane.
    void onLanes(Now now);

    void onTimer(Now now);
    Instant nextDeadline() const;
    // Something is not stored yet.
    bool isBusy() const;
    AuditMode mode() const { return how; }
    HistoryPort& store() { return port; }
    void addMetrics(std::vector<Counter>& out) const;
    const AuditCounters& counters() const { return count; }

private:
    struct Waiting {
        AuditToken token = 0;
        Go go;
    };
    struct Ready {
        Waiting one;
        Result<void> stored;
    };
    struct Lane {
        std::deque<Waiting> intents;  // not under way yet; their records are in `open`
        std::vector<Waiting> underWay;
        std::set<AuditToken> gaveUp;  // under way, and refused since; their records are in `open`
        std::deque<history::AuditRecord> results;
        std::size_t mostResults = 0;
        bool writing = false;
        bool failing = false;        // the last attempt led to nothing
        Instant retryAt = never;     // of results that could not be stored
        Instant answerBy = never;    // of what is under way: then it hangs
    };
    struct Minute {
        Instant since{};
        std::size_t noted = 0;
    };
    Lane& laneFor(const std::string& tenant);
    history::AuditRecord recordOf(Deed deed, Now now);
    void keepResult(history::AuditRecord result, Now now);
    void write(Lane& lane, Now now);
    void onWritten(Lane& lane, std::size_t written, std::vector<history::AuditRecord> kept, const Result<void>& stored, Now now);
    void keepAgain(std::vector<history::AuditRecord> kept, Now now);
    void goOn(Now now);
    void tell(Waiting& one, const Result<void>& stored, Now now);
    void giveUp(Lane& lane, Now now);

    const AuditMode how;
    const std::string node;
    HistoryPort& port;
    Rng& rng;
    std::unordered_map<AuditToken, history::AuditRecord> open;
    std::map<std::string, Lane> lanes;  // by name; never erased
    std::map<std::string, std::deque<Ready>> ready;  // by tenant: no longer under way, and not told yet
    std::map<std::string, Minute> refusals;  // of the last minute, by tenant
    AuditToken lastToken = 0;
    AuditCounters count;
};

}  // namespace mesh::aggregator
