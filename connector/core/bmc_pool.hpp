#pragma once

#include "connector/core/bmc.hpp"
#include "shoset/base/limits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace mesh::connector {

// One connection to the BMC; never used again. 0 is none.
using BmcConnection = std::uint32_t;

// What the shell must do next, in the order given.
struct BmcAction {
    enum class Kind {
        connect,  // open `connection`, then connected() or connectFailed()
        send,     // write `exchange` on `connection`, from its beginning
        close,    // abruptly; say nothing more about `connection`
        fail,     // `exchange` is over
        stopped,  // nothing is left to do, see BmcDispatcher::stop()
    };
    Kind kind = Kind::fail;
    BmcConnection connection = 0;
    BmcExchange exchange = 0;
    Error error{};
};
using BmcActions = std::vector<BmcAction>;

// One exchange as the pool sees it.
struct BmcJob {
    BmcExchange id = 0;
    bool repeatable = false;
    bool urgent = false;  // before all others, and also while the pool is held
    bool early = false;   // before those that are neither, and with limits::watchPatience from when it is sent
    Instant deadline = never;
    // The credential it was sent with, and what became of it: kept here for BmcDispatcher.
    std::uint64_t generation = 0;
    bool unauthorized = false;
    bool reauthorized = false;
    // The pool's own.
    bool retried = false;   // a second time on a new connection: there is no third
    bool answered = false;  // at least one byte came back
};

// Which exchange gets which connection. Pure: the shell reports what happened to connections, and carries out the
// actions that are appended to `out`.
//
// - At most Options::connections at once; beyond Options::queued exchanges that wait for one of them, Code::full.
// - Idle connections are reused last in, first out, and closed after limits::bmcIdleClose.
// - An exchange that must not be repeated is given only a connection that is new or was used within
//   limits::bmcReuseWindow (less, where the BMC was seen to close idle connections sooner), because nothing tells a
//   request that died on a stale connection from one that was executed.
// - A kept-alive connection that breaks before the first byte of the answer is stale. The exchange is sent once more, on
//   a new connection, if it is repeatable or if nothing of it had been accepted by the kernel.
// - The deadline counts from the start, waiting included. Waiting ends in Code::full where requests of others were
//   served meanwhile, else in notSent; what was sent in deadlineExceeded.
class BmcPool {
public:
    struct Options {
        std::size_t connections = limits::bmcConnections;
        std::size_t queued = limits::bmcQueuedRequests;
        std::size_t endless = limits::bmcEventStreams;
    };
    struct Counters {
        std::uint64_t connects = 0, staleRetries = 0, queuedFull = 0;
    };

    // `bmcName` stands in error messages.
    BmcPool(std::string bmcName, Options bounds) : name(std::move(bmcName)), options(bounds) {}

    void start(BmcJob job, Instant now, BmcActions& out);
    // Over, without a word. Its connection is closed when it was sent already. Unknown ids are ignored.
    void cancel(BmcExchange id, Instant now, BmcActions& out);

    // While held, only urgent exchanges are sent.
    void hold() { held = true; }
    void release(Instant now, BmcActions& out);
    // Ends all waiting exchanges that are not urgent.
    void failWaiting(const Error& error, BmcActions& out);

    void connected(BmcConnection connection, Instant now, BmcActions& out);
    // Code::refused when the certificate was not accepted; anything else counts as not reachable.
    void connectFailed(BmcConnection connection, const Error& error, Instant now, BmcActions& out);
    // The first byte of the answer came.
    void answering(BmcConnection connection);
    // The answer is an event stream: no deadline from here on. Ends it with Code::full when there are too many.
    void endless(BmcConnection connection, Instant now, BmcActions& out);
    // The answer is complete. Unless reusable, the connection is closed.
    void finished(BmcConnection connection, bool reusable, Instant now, BmcActions& out);
    // As finished(), but the exchange waits again, as the first of its rank.
    void again(BmcConnection connection, bool reusable, Instant now, BmcActions& out);
    // The connection broke, or what it said made no sense; the shell has closed it. `nothingSent`: the kernel accepted
    // no byte of the request. `replayable`: the whole body is still there.
    void lost(BmcConnection connection, bool nothingSent, bool replayable, const std::string& why, Instant now,
              BmcActions& out);

    void tick(Instant now, BmcActions& out);
    // When tick() is wanted; may be too early, never too late.
    Instant nextDeadline() const { return wake; }

    // Ends all exchanges, by notSent, outcomeUnknown or corrupt (answer cut off), and closes all connections, the idle
    // ones only if asked.
    void closeAll(bool idleToo, const std::string& why, BmcActions& out);

    // Whether an exchange is under way with a credential older than that of `generation`.
    bool carriesOlder(std::uint64_t generation) const;
    // The exchange that the connection carries, or nullptr.
    BmcJob* job(BmcConnection connection);
    std::size_t open() const { return links.size(); }
    std::size_t waitingCount() const { return waiting.size(); }
    const Counters& counters() const { return count; }

private:
    enum class State { connecting, idle, busy };
    enum class Place { first, last };  // among those of its rank: urgent, early, all others
    struct Link {
        BmcConnection id = 0;
        State state = State::connecting;
        Instant since{};    // of connecting or being idle
        bool used = false;  // carried an exchange before
        bool endless = false;
        BmcJob job;
    };

    Link* find(BmcConnection connection);
    void erase(BmcConnection connection);
    std::size_t inState(State state) const;
    bool serves() const;
    Link* pickIdle(const BmcJob& job, Instant now);
    bool openOne(Instant now, BmcActions& out);
    void pump(Instant now, BmcActions& out);
    void queue(BmcJob job, Place place);
    void idle(Link& link, bool reusable, Instant now, BmcActions& out);
    void noteIdleLoss(const Link& link, Instant now);
    void fail(BmcExchange id, Code code, const std::string& why, BmcActions& out);
    void wakeBy(Instant when) { wake = std::min(wake, when); }
    Instant expiry(const Link& link) const;
    void expire(BmcConnection connection, Instant now, BmcActions& out);

    std::string name;
    Options options;
    std::vector<Link> links;
    std::deque<BmcJob> waiting;  // by rank
    bool held = false;
    BmcConnection lastConnection = 0;
    Duration reuseWindow = limits::bmcReuseWindow;
    Instant connectAfter{};
    Instant wake = never;
    Counters count;
};

}  // namespace mesh::connector
