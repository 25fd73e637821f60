#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace mesh::history {

// What there is to do next for a move, by whoever has the databases.
enum class MoveDeed : std::uint8_t {
    open,        // `to`: connect, and bring its schema up to date
    copyAudit,   // a page of the audit trail behind `after`, from `from` to `to`; what is there already stays
    copyEvents,  // the same of events
    readIds,     // learn what readers at `from` go on from at `to`, for the note
    settle,      // note on disk that the tenant's history is at `to`; from then on it is
    clear,       // remove a page of what is left at `from`
};
struct MoveStep {
    MoveDeed deed = MoveDeed::open;
    std::string from;  // places; empty: the node's own database
    std::string to;
    std::uint64_t after = 0;
};
struct MoveReply {
    std::uint64_t at = 0;  // of copying: the next `after`
    bool more = false;     // of copying and clearing
    std::uint64_t records = 0;
};
struct MoveNews {
    std::string place;
    std::string failure;  // empty: it has moved there
};
enum class MovePhase : std::uint8_t { settled, opening, copying, closing, failed };
const char* phaseName(MovePhase phase);

// Moves one tenant's history at one node to another database, while it is written and read: all is copied, then what came meanwhile,
// then writes are held until the last of it is copied and the new place is noted on disk. Until then, and whatever fails, the old
// one is in use and complete. Copying again does no harm, so that a move that was cut off begins anew. What is left in a file of
// the node's own is removed afterwards, page by page, and to its end before a move goes back there, once that has begun; a server's is
// left to its operator, since other nodes may still use it.
//
// Pure: next() says what to do, one thing at a time, onDone() what came of it.
class HistoryMove {
public:
    // `place`: where it is now. `ownIsFile`: the node's own database is a file, and no server that nodes share.
    explicit HistoryMove(std::string place, bool ownIsFile = true);

    // Where it is to be. Again, with the same: what failed is tried at once.
    void want(std::string place);
    std::optional<MoveStep> next(Now now);
    void onDone(const Result<MoveReply>& reply, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    const std::string& inUse() const { return used; }
    const std::string& wanted() const { return target; }
    // Whoever writes has to wait: at most limits::historyHold, but for a write of the node's own disk.
    bool holdsWrites() const { return held; }
    MovePhase phase() const;
    const std::string& failure() const { return reason; }  // of the last try; empty: none, or it has moved
    std::uint64_t copied() const { return records; }       // by this move
    std::uint64_t failures() const { return failed; }
    std::uint64_t moves() const { return done; }
    // What has to be told: that it has moved, or, once for each reason, why not.
    std::optional<MoveNews> takeNews();

private:
    enum class Stage : std::uint8_t { idle, open, clear, audit, events, ids, settle };
    std::optional<MoveStep> nextOfMove(Now now);
    bool isFile(const std::string& place) const;
    std::set<std::string>::const_iterator firstLeftover() const;
    void abandon();
    void fail(const Error& error, Now now);
    void onCopied(const MoveReply& reply, Now now);
    void onMoved();

    const bool ownIsFile;
    std::string used;
    std::string target;
    std::string under;        // where the move that is under way goes
    Stage stage = Stage::idle;
    bool busy = false;        // with a step
    bool stale = false;       // whose outcome counts for nothing any more
    bool clearing = false;    // that step
    bool held = false;
    Instant heldUntil = never;
    Instant retryAt{};
    Instant clearAt{};
    Duration backoff = limits::historyMoveRetry;
    std::uint64_t auditAt = 0;
    std::uint64_t eventsAt = 0;
    std::uint64_t records = 0;
    std::uint64_t failed = 0;
    std::uint64_t done = 0;
    std::string reason;
    std::set<std::string> leftovers;    // places with something to remove
    std::set<std::string> halfCleared;  // of which some may be gone: all of it goes before anything is copied there
    std::optional<MoveNews> news;
};

}  // namespace mesh::history
