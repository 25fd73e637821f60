#pragma once

#include "shoset/base/limits.hpp"
#include "shoset/base/result.hpp"
#include "shoset/base/time.hpp"
#include "shoset/core/message.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mesh::shoset {

// The outbox's files, numbered segments. Never calls back from inside a call; does all in its order.
class OutboxPort {
public:
    virtual ~OutboxPort() = default;
    // Appends to the segment's file and syncs it; `fresh`: makes the file, which after a crash is there whole or not at all.
    // Answered with Outbox::onWritten; there is one write at a time.
    virtual void writeOutbox(std::uint64_t segment, std::string bytes, bool fresh) = 0;
    // Not answered: one that is left over does no harm.
    virtual void removeOutbox(std::uint64_t segment) = 0;
};

// Why an event was not taken; the code is for programs: outbox_full, write_budget, not_stored.
struct NotAccepted {
    std::string code;
    std::string reason;
};

// Called from inside a call into the outbox, once for each event that emit() took.
class OutboxEvents {
public:
    virtual ~OutboxEvents() = default;
    // It is on disk. An epoch of 0 is not known yet.
    virtual void onAccepted(std::uint64_t ticket, std::uint64_t epoch, std::uint64_t sequence, Now now) = 0;
    virtual void onNotAccepted(std::uint64_t ticket, const NotAccepted& why, Now now) = 0;
};

struct OutboxSettings {
    std::size_t maxBytes = limits::maxOutboxBytes;
    std::uint64_t dailyBytes = limits::outboxDailyBytes;
    Duration maxAge{0};  // of an event, as long as this process knows it; 0: it waits for ever
};

struct OutboxCounters {
    std::uint64_t accepted = 0, refusedFull = 0, refusedTopicFull = 0, refusedBudget = 0, notStored = 0, trimmed = 0,
                  lostByAge = 0, lostByDamage = 0, epochs = 0, writes = 0, bytesWritten = 0, failedWrites = 0, tornBytes = 0;
};

// A connector's events until a majority of the aggregators has them on their disks. What was accepted is on disk, and stays
// there across restarts and power losses until it is trimmed, or, if that is configured, until it is too old: then, and when
// the flash lost it, a gap stands in its place.
//
// Bounds: bytes and number of all, of which one topic has at most one part of limits::outboxTopicParts. What does not fit is
// refused (outbox_full). All that comes while one sync runs shares the next one, and these begin limits::outboxPause apart. When
// three quarters of the bytes that may be written on a day are spent they are so far apart that small events can go on for
// ever; and once all are spent, events are refused until some are earned again (write_budget).
//
// What a write that failed brought is refused (not_stored), and nobody knows what of it stands on disk: the next file is begun as soon
// as it can be, also without an event, as its beginning says from where on nothing before it counts.
//
// An epoch is begun when the first aggregator has told what it knows, and another one when an aggregator knows more than
// stands here, as the flash lost it: higher than any that was told. What still waits gets new sequences then.
class Outbox {
public:
    struct Entry {
        Event event;
        std::string payload;
        std::uint64_t ticket = 0;
        std::size_t bytes = 0;  // on disk; of a gap 0
        Instant since{};
        bool durable = false;
        std::uint64_t end() const { return event.lostTo != 0 ? event.lostTo : event.sequence; }
    };
    struct Segment {
        std::uint64_t number = 0;
        std::string content;
    };

    Outbox(OutboxSettings settings, OutboxPort& port, OutboxEvents& events);

    // Before anything else, by number. A torn tail was never accepted and is passed over. Code::corrupt: what was accepted is
    // damaged; the error says what of it is lost, for which there are gaps. The outbox goes on with what is left.
    Result<void> load(const std::vector<Segment>& files, Now now);

    // Answered under this ticket, unless it is refused here. Topic, name and payload were checked before.
    std::optional<NotAccepted> emit(std::uint64_t ticket, std::string topic, std::string name, std::string payload, Now now);
    void onWritten(Result<void> result, Now now);
    void onTimer(Now now);
    Instant nextDeadline() const;

    // 0: none yet; nothing can be sent.
    std::uint64_t epoch() const { return ownEpoch; }
    // All up to this one were accepted.
    std::uint64_t last() const { return durableTo; }
    // The first event or gap that ends at `sequence` or behind it, if it is on disk. Valid until the next call.
    const Entry* from(std::uint64_t sequence) const;
    // A majority has all up to this one. `keepsLast`: the last event of all stays nevertheless, until it is too old, and is no loss then.
    // Not while a new epoch is being written, in which it has another sequence.
    void trim(std::uint64_t sequence, bool keepsLast = false);
    // An aggregator knows this epoch of ours, and no event here may have its like: another epoch is to be begun. Nothing is, where
    // the told one is not credible (isCredibleEpoch): behind the last number there is no other, and nothing could be sent any more.
    void renew(std::uint64_t told, Now now);
    bool isRenewing() const { return renewTo != 0; }

    std::size_t size() const { return count.events; }
    std::size_t bytes() const { return count.bytes; }
    // How long the oldest has waited, as far as this process knows.
    Duration age(Now now) const;
    const OutboxCounters& counters() const { return counted; }

private:
    struct Share {
        std::size_t events = 0;
        std::size_t bytes = 0;
    };
    struct File {
        std::uint64_t number = 0;
        std::uint64_t last = 0;  // of its sequences
        std::size_t bytes = 0;
    };
    enum class Writing { nothing, batch, all };

    void loadSegment(const Segment& file, Now now, std::string& lost);
    void loadItem(Entry entry, std::string& lost);
    void noteDamage(std::uint64_t to, Instant since, std::string& lost);
    void goBackTo(std::uint64_t next);
    void dropFront(std::uint64_t to);
    std::optional<NotAccepted> whyNot(const std::string& topic, std::size_t bytes, Now now);
    void add(const Entry& entry);
    void remove(const Entry& entry);
    void startWrite(Now now);
    void writeBatch(Now now);
    void writeAll(Now now);
    void spend(std::size_t bytes, bool fresh);
    void write(std::string bytes, bool fresh, Now now);
    void batchWritten(bool done, const std::string& why, Now now);
    void allWritten();
    void dropOld(Now now);
    void dropOldOfMajority(Now now);
    void removeFiles();
    bool isWorkWaiting() const;
    Duration pause() const;
    void earn(Now now);
    static std::uint64_t flashBytes(std::size_t written);

    const OutboxSettings settings;
    OutboxPort& port;
    OutboxEvents& events;

    std::deque<Entry> entries;  // by sequence; those behind `durableTo` are being written
    std::deque<Entry> waiting;  // without a sequence
    Share count;                // of both
    std::map<std::string, Share, std::less<>> topics;
    std::uint64_t ownEpoch = 0;
    std::uint64_t durableTo = 0;
    std::uint64_t majorityTo = 0;  // a majority has had all up to this one
    std::uint64_t renewTo = 0;  // epoch that is to be begun; 0: none
    bool rewriteWanted = false;  // what was found damaged, so that its gaps stand on disk, too

    std::deque<File> files;       // of this epoch, by number; the last one is appended to
    std::uint64_t nextFile = 1;
    bool fileClosed = true;       // the last one is not appended to any more
    bool tailIsDoubtful = false;  // what stands there at the end may have been refused: the next file, soon, begins before it
    Writing writing = Writing::nothing;
    bool writingFresh = false;
    bool writingHeader = false;   // alone
    Instant writeAt{};            // not before
    std::uint64_t spent = 0;      // of the daily bytes, less what was earned since
    Instant earnedAt{};
    std::int64_t earnedWall = 0;  // the same in milliseconds, while the files are read
    OutboxCounters counted;
};

}  // namespace mesh::shoset
